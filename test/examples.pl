#!/usr/bin/perl
# Runs the SQL examples of Markdown files and compares what they print.
#
#   test/examples.pl FILE...       (server and user as in PGHOST, PGPORT, PGUSER)
#
# Each file gets a fresh database.  Its blocks fenced as ```sql are run in their
# order, in one session; where the next block is fenced as ```text, that is what
# they must print (unaligned, without headings); "..." stands for any part of a
# line.  A block without one must not fail.  A comment that begins with "<!-- run" holds SQL that a reader need not
# see; it must not fail either.
#
# The variable "sandbox" of psql is the address of a local Smartcar (see
# test/sandbox), from the environment variable SMARTCAR_SANDBOX.  Without one, a
# file that uses it is passed over.  SMARTCAR_KEY_FILE is the path of a key file
# that the server can read, for files that seal tokens.

use strict;
use warnings;

my $failed = 0;

# The SQL blocks of a file, each with what it must print, or undef.
sub examples_of
{
	my ($file) = @_;
	my @examples;

	open my $fh, '<', $file or die "could not read $file: $!\n";
	my $text = do { local $/; <$fh> };
	close $fh;
	while ($text =~ /^```(\w*)\n(.*?)^```$|^<!-- run\n(.*?)^-->$/msg)
	{
		my ($language, $content, $hidden) = ($1, $2, $3);

		if (defined $hidden)
		{
			push @examples, { sql => $hidden };
		}
		elsif ($language eq 'sql')
		{
			push @examples, { sql => $content };
		}
		elsif ($language eq 'text' && @examples && !defined $examples[-1]{expected})
		{
			$examples[-1]{expected} = $content;
		}
	}
	return @examples;
}

# What each of the examples prints.
sub output_of
{
	my ($database, @examples) = @_;
	my $script = "/tmp/smartcar_examples_$$.sql";
	my $sandbox = $ENV{SMARTCAR_SANDBOX} // '';
	my $mark = "-- example $$";

	open my $fh, '>', $script or die "could not write $script: $!\n";
	foreach my $example (@examples)
	{
		print $fh $example->{sql}, "\\echo $mark\n";
	}
	close $fh;
	my $output =
		`psql -qAtX -v SHOW_CONTEXT=never -v sandbox='$sandbox' -d $database < $script 2>&1`;
	unlink $script;
	return split /^\Q$mark\E\n/m, $output, -1;
}

# Whether an example printed what it must.
sub is_expected
{
	my ($output, $expected) = @_;

	return $output !~ /ERROR|FATAL/ if !defined $expected;
	my $pattern = quotemeta $expected;
	$pattern =~ s/\\\.\\\.\\\./.*/g;
	return $output =~ /\A$pattern\z/;
}

sub check_file
{
	my ($file) = @_;
	my $database = "smartcar_examples_$$";
	my @examples = examples_of($file);
	my $number = 0;

	if (!$ENV{SMARTCAR_SANDBOX} && grep { $_->{sql} =~ /:'?sandbox\b/ } @examples)
	{
		print "$file: not run, because there is no local Smartcar\n";
		return;
	}

	system('createdb', '--encoding=UTF8', '--locale=C', '--template=template0', $database) == 0
		or die "could not create a database\n";
	my @outputs = output_of($database, @examples);
	system('dropdb', $database);

	foreach my $example (@examples)
	{
		my $output = $outputs[$number++] // '';
		my $expected = $example->{expected};

		if (!is_expected($output, $expected))
		{
			$failed++;
			print "$file: example $number prints something else\n", $example->{sql},
				"--- expected\n", $expected // "(no error)\n", "--- printed\n", $output;
		}
	}
	print "$file: $number examples run\n";
	$failed++ if $number == 0;
}

check_file($_) foreach @ARGV;
exit($failed ? 1 : 0);
