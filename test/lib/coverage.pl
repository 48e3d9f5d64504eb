# Reads what gcovr has counted, prints the share of lines that were reached for
# each file and in all, and compares the others with their explanations.
#
# Usage: perl test/lib/coverage.pl COVERAGE.json DIRECTORY EXPLANATIONS
#
# The explanations are a text file.  A paragraph begins with lines "# ...", the
# reason, and goes on with lines "FILE: FUNCTION()", for all lines of a function, or
# "FILE: FUNCTION(): TEXT", where TEXT is that of the line, without the blanks around
# it; of an ereport() it is the message.  So they hold when lines are moved.

use strict;
use warnings;

use JSON::PP;

my ($counts, $directory, $explanations) = @ARGV;
my $least = 90;

sub read_lines
{
	my ($path) = @_;

	open my $file, '<', $path or die "could not read $path: $!\n";
	my @lines = <$file>;
	close $file;
	chomp @lines;
	return @lines;
}

my %explained;
foreach my $line (read_lines($explanations))
{
	next if $line =~ /^\s*(#|$)/;
	$line =~ /^(\S+): (.*\S)\s*$/ or die "$explanations: not \"FILE: TEXT\": $line\n";
	$explained{$1}{$2} = 0;
}

# The function that a line belongs to: its name stands at the begin of a line.
sub functions_of
{
	my @lines = @_;
	my ($name, @functions);

	foreach my $line (@lines)
	{
		$name = $1 if $line =~ /^([a-z_0-9]+)\(/;
		push @functions, $name // '';
	}
	return @functions;
}

my $report = decode_json(join "\n", read_lines($counts));
my ($all, $reached, @unexplained) = (0, 0);
foreach my $file (sort { $a->{file} cmp $b->{file} } @{ $report->{files} })
{
	my @source = read_lines("$directory/$file->{file}");
	my @functions = functions_of(@source);
	my @lines = grep { !$_->{'gcovr/noncode'} } @{ $file->{lines} };
	my @missed = grep { $_->{count} == 0 } @lines;

	next if !@lines;
	$all += @lines;
	$reached += @lines - @missed;
	printf "%5.1f %%  %s\n", 100 * (@lines - @missed) / @lines, $file->{file};
	foreach my $line (@missed)
	{
		my $number = $line->{line_number};
		my $text = $source[ $number - 1 ] =~ s/^\s+|\s+$//gr;
		my $of_file = $explained{ $file->{file} } // {};
		my $function = "$functions[$number - 1]()";

		# what makes an ereport() known is its message
		$text = $1 if $text =~ /^ereport\(/ && join("\n", @source[ $number - 1 .. $number + 4 ]) =~ /(errmsg(?:_internal)?\("(?:[^"\\]|\\.)*")/;
		my ($key) = grep { exists $of_file->{$_} } "$function: $text", $function;

		if (defined $key) { $of_file->{$key}++ }
		else { push @unexplained, "$file->{file}: $function: $text" }
	}
}

my $percent = $all ? 100 * $reached / $all : 0;
my $failed = $percent < $least;
printf "%5.1f %%  in all: %d of %d lines\n", $percent, $reached, $all;
print "less than $least % are reached\n" if $failed;
if (@unexplained)
{
	$failed = 1;
	print "not reached, and not explained:\n", map { "  $_\n" } @unexplained;
}
foreach my $file (sort keys %explained)
{
	foreach my $text (sort grep { !$explained{$file}{$_} } keys %{ $explained{$file} })
	{
		$failed = 1;
		print "explained, but reached or not there: $file: $text\n";
	}
}
exit $failed;
