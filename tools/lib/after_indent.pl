# after_indent.pl: sets right what pg_bsd_indent leaves crooked.
#
# PostgreSQL's own pgindent does the same kind of thing around the same program.
# Reads a formatted file on standard input and writes it to standard output.

use strict;
use warnings;

my $text = join('', <STDIN>);

# a compound literal of one line comes back in four
$text =~ s/(\(\w+\))\n\t*\{\n\t*(.*)\n\t*\}(?=[;,)])/$1 {$2}/g;

# a table of a struct without a name gets an empty line before its contents
$text =~ s/^(\}.* =\n)\n(?=\{)/$1/gm;

my @lines = split /\n/, $text;

# A line without what its literals and comments hold, for counting brackets.
sub bare
{
	my ($line) = @_;

	$line =~ s/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+'/0/g;
	$line =~ s!/\*.*?(?:\*/|$)!!g;
	$line =~ s/\s+$//;
	return $line;
}

# What is only a matter of one line.
sub polish
{
	my ($line) = @_;

	# a function's type on a line of its own: one space before the asterisk
	$line =~ s/^([A-Za-z_]\S*)\s+\*$/$1 */;

	# a designator after a comma loses the space before it
	$line =~ s/("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+')|,(?=[.\[])/defined $1 ? $1 : ', '/ge
		unless $line =~ m!^\s*/?\*!;
	return $line;
}

# The continuation lines of a declaration's initial value: up to version 2.1.1
# they are not indented, later they are, by one step.  What is in brackets that
# such a line opened moves with it.
my $indentation;     # of the statement, while its value goes on; else undef
my @brackets;        # for each open one, whether its line was moved
my $comment = 0;     # in a comment of several lines
my $directive = 0;   # in a preprocessor directive

for my $number (0 .. $#lines)
{
	my $line = polish($lines[$number]);
	my $bare = bare($line);
	my ($own) = $line =~ /^(\t*)/;
	my $moved = 0;

	if ($comment || $directive || $line =~ /^\s*#/)
	{
		$directive = !$comment && $line =~ /\\$/;
		$comment = 0 if $line =~ m!\*/!;
		print "$line\n";
		next;
	}
	$comment = 1 if $line =~ m!/\*! && $line !~ m!\*/!;

	if (!defined $indentation && $bare =~ /[^=!<>]=(?!=)/)
	{
		$indentation = $own;
		@brackets = ();
	}
	elsif (defined $indentation)
	{
		if (@brackets)
		{
			$moved = $brackets[-1];
		}
		elsif ($bare =~ /^\s*[{}]/)
		{
			undef $indentation;
		}
		elsif ($bare ne '')
		{
			$moved = $own eq $indentation && $line !~ /^\t* /;
		}
	}
	if (defined $indentation)
	{
		foreach my $character (split //, $bare)
		{
			push @brackets, $moved if $character =~ /[(\[{]/;
			pop @brackets if $character =~ /[)\]}]/;
		}
		undef $indentation if !@brackets && $bare =~ /[;,{}]$/;
	}
	print $moved && $line ne '' ? "\t$line\n" : "$line\n";
}
