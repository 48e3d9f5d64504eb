# after_indent.pl: corrects the output of pg_bsd_indent.
#
# PostgreSQL's pgindent does so, too.  Reads a formatted file on standard input and writes
# it to standard output.

use strict;
use warnings;

my $text = join('', <STDIN>);

# join a compound literal of one line, which becomes four
$text =~ s/(\(\w+\))\n\t*\{\n\t*(.*)\n\t*\}(?=[;,)])/$1 {$2}/g;

# remove the empty line in a table of an unnamed struct
$text =~ s/^(\}.* =\n)\n(?=\{)/$1/gm;

my @lines = split /\n/, $text;

# A line without the content of literals and comments, for counting brackets.
sub bare
{
	my ($line) = @_;

	$line =~ s/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+'/0/g;
	$line =~ s!/\*.*?(?:\*/|$)!!g;
	$line =~ s/\s+$//;
	return $line;
}

# Corrections within a line.
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

# The continuation lines of an initial value: up to version 2.1.1 they are not indented,
# later they are, by one step.  Lines within brackets that such a line opened move with it.
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
