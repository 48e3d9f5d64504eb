#!/usr/bin/perl
# Runs the SQL examples of Markdown files and compares what they print.
#
#   tools/examples.pl FILE...       (server and user as in PGHOST, PGPORT, PGUSER)
#
# Each file gets a fresh database.  Its ```sql blocks run in order, in one session; if the
# next block is ```text, it is the expected output (unaligned, without headings); "..."
# stands for any part of a line.  A block without one must not fail.  A comment that begins
# with "<!-- run" contains SQL that readers need not see; it must not fail, either.
#
# All SQL is checked: a block that cannot run here is preceded by a line "<!-- not run:
# REASON -->", and SQL in a block of another language, or of none, must be marked, too.  A
# ```text block that is no expected output is an error.
#
#
# Variables of psql: "sandbox" is the address of a local Smartcar (see test/sandbox), from
# the environment variable SMARTCAR_SANDBOX, without which a file that uses it is skipped;
# "key_file" is the path of a key file that the server can read, from SMARTCAR_KEY_FILE,
# for files that seal tokens.

use strict;
use warnings;

use File::Temp qw(tempfile);

my $failed = 0;

my $sql_statement = qr/\b(?:SELECT|CALL|INSERT\ INTO|LISTEN|GRANT|REVOKE
	|(?:CREATE|ALTER|DROP)\ (?:OR\ REPLACE\ )?(?:EXTENSION|SERVER|USER|ROLE|TABLE|VIEW|FUNCTION|PROCEDURE|DATABASE|SYSTEM))\b/x;

# The blocks of a file in order: language, content, the reason why it is not run, and line;
# a hidden block has the language "run".  Dies if a block could be overlooked.
sub blocks_of
{
	my ($file) = @_;
	my (@blocks, $block, $reason, $number);

	open my $fh, '<', $file or die "could not read $file: $!\n";
	while (my $line = <$fh>)
	{
		$number++;
		if ($block)
		{
			if ($line =~ ($block->{language} eq 'run' ? qr/^-->$/ : qr/^```$/))
			{
				push @blocks, $block;
				undef $block;
				next;
			}
			$block->{content} .= $line;
		}
		elsif ($line =~ /^```(.*)$/)
		{
			$block = { language => $1, content => '', reason => $reason, line => $number };
			undef $reason;
		}
		elsif ($line =~ /^<!-- run$/)
		{
			$block = { language => 'run', content => '', line => $number };
		}
		elsif ($line =~ /^<!-- not run: (\S.*) -->$/)
		{
			$reason = $1;
			die "line $number: the reason is too short to be one\n" if length $reason < 10;
			next;
		}
		elsif ($line =~ /<!--\s*(?:not )?run\b|^\s+```|^~~~/)
		{
			die "line $number: this is neither a mark nor a fence as tools/examples.pl knows them\n";
		}
		die "line $number: nothing comes after the mark\n" if defined $reason;
	}
	close $fh;
	die "line $block->{line}: this has no end\n" if $block;
	return @blocks;
}

# The SQL blocks of a file, each with its expected output, or undef; and the reasons of
# blocks that are not run.
sub examples_of
{
	my ($file) = @_;
	my (@examples, @reasons, $open);

	foreach my $block (blocks_of($file))
	{
		my $may_print = $open;
		my $where = "line $block->{line}";

		undef $open;
		if (defined $block->{reason})
		{
			die "$where: there is no SQL to be left out\n" if $block->{content} !~ $sql_statement && $block->{language} ne 'sql';
			push @reasons, "$where: $block->{reason}";
			# its output cannot be compared
			$open = { sql => '' };
		}
		elsif ($block->{language} =~ /^(?:sql|run)$/)
		{
			push @examples, { sql => $block->{content}, line => $block->{line} };
			$open = $examples[-1] if $block->{language} eq 'sql';
		}
		elsif ($block->{language} eq 'text')
		{
			die "$where: nothing prints this\n" if !$may_print;
			$may_print->{expected} = $block->{content};
		}
		elsif ($block->{content} =~ $sql_statement)
		{
			die "$where: this SQL is neither run nor marked\n";
		}
	}
	return (\@examples, \@reasons);
}

# The output of each example.
sub outputs_of
{
	my ($database, @examples) = @_;
	my ($fh, $script) = tempfile();
	my $sandbox = $ENV{SMARTCAR_SANDBOX} // '';
	my $key_file = $ENV{SMARTCAR_KEY_FILE} // '';
	my $mark = "-- example $$";

	foreach my $example (@examples)
	{
		print $fh $example->{sql}, "\\echo $mark\n";
	}
	close $fh;
	local $ENV{PGOPTIONS} = '-c statement_timeout=60s';
	my $output =
		`psql -qAtX -v SHOW_CONTEXT=never -v sandbox='$sandbox' -v key_file='$key_file' -d $database < '$script' 2>&1`;
	unlink $script;
	return split /^\Q$mark\E\n/m, $output, -1;
}

# Whether the output of an example is the expected one.
sub is_expected
{
	my ($output, $expected) = @_;

	return $output !~ /ERROR|FATAL/ if !defined $expected;
	my $pattern = quotemeta $expected;
	$pattern =~ s/\\\.\\\.\\\./.*/g;
	return $output =~ /\A$pattern\z/;
}

sub run_examples
{
	my ($examples) = @_;
	my $database = "smartcar_examples_$$";
	my @problems;
	my $number = 0;

	system('createdb', '--encoding=UTF8', '--locale=C', '--template=template0', $database) == 0
		or die "could not create a database\n";
	my @outputs = outputs_of($database, @$examples);
	system('dropdb', $database);

	foreach my $example (@$examples)
	{
		my $output = $outputs[$number++] // '';

		push @problems, "line $example->{line}: this prints something else\n$example->{sql}"
			. "--- expected\n" . ($example->{expected} // "(no error)\n") . "--- printed\n$output"
			if !is_expected($output, $example->{expected});
	}
	return @problems;
}

sub check_file
{
	my ($file) = @_;
	my ($examples, $reasons) = eval { examples_of($file) };
	my @problems = $@;

	if (!$@)
	{
		@problems = ();
		if (!$ENV{SMARTCAR_SANDBOX} && grep { $_->{sql} =~ /:'?sandbox\b/ } @$examples)
		{
			print "skipped - examples: $file: there is no local Smartcar\n";
			return;
		}
		@problems = run_examples($examples) if @$examples;
	}
	if (@problems)
	{
		$failed = 1;
		print "not ok - examples: $file\n", map { s/^/# /mgr } @problems;
		return;
	}
	return if !@$examples && !@$reasons;
	print "ok - examples: $file (", scalar @$examples, ' run', @$reasons ? ', ' . @$reasons . ' not' : '', ")\n";
	print "# not run, $_\n" foreach @$reasons;
}

check_file($_) foreach @ARGV;
exit($failed);
