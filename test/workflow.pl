#!/usr/bin/perl

# Tests what cannot be run here for its shape: the workflow of hosted CI, and the
# script of the Dockerfile.
#
# Usage: test/workflow.pl [WORKFLOW.yml [Dockerfile]]
#
# Of a workflow: that it is YAML with the keys that there are; that every job ends
# by itself and may do no more than read; that actions are named with a version;
# that what stands in ${{ }} exists; that each script passes bash -n and shellcheck;
# and that each file and each step of test/check.sh that it names exists.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp qw(tempfile);
use YAML::PP;

my $here = dirname($0);
my $workflow = $ARGV[0] // "$here/../.github/workflows/ci.yml";
my $dockerfile = $ARGV[1] // "$here/../Dockerfile";
my @problems;

sub problem
{
	push @problems, join '', @_;
	return;
}

sub has_keys
{
	my ($value, $name, $required, $optional) = @_;

	if (ref $value ne 'HASH')
	{
		problem("$name must be a mapping");
		return 0;
	}
	foreach my $key (@$required)
	{
		problem("$name has no $key") unless defined $value->{$key};
	}
	foreach my $key (sort keys %$value)
	{
		problem("$name has the unknown key $key") unless grep { $_ eq $key } @$required, @$optional;
	}
	return 1;
}

my %known_steps = map { /^(\S+)/ ? ($1 => 1) : () } `$here/check.sh --list`;
die "test/check.sh --list prints no step\n" unless %known_steps;

# The names that a job may use, from its matrix and from the service itself.
sub known_names
{
	my ($job) = @_;
	my $matrix = $job->{strategy}{matrix} // {};
	my %names = map { $_ => 1 } qw(github.ref github.sha);

	$names{"matrix.$_"} = 1 foreach grep { $_ ne 'include' && $_ ne 'exclude' } keys %$matrix;
	foreach my $one (@{ $matrix->{include} // [] })
	{
		$names{"matrix.$_"} = 1 foreach keys %$one;
	}
	return \%names;
}

sub check_expressions
{
	my ($value, $names, $name) = @_;

	if (ref $value eq 'HASH')
	{
		check_expressions($value->{$_}, $names, "$name.$_") foreach sort keys %$value;
	}
	elsif (ref $value eq 'ARRAY')
	{
		check_expressions($_, $names, $name) foreach @$value;
	}
	elsif (defined $value)
	{
		while ($value =~ /\$\{\{\s*(.*?)\s*\}\}/g)
		{
			problem("$name uses $1, which is not known there") unless $names->{$1};
		}
	}
	return;
}

sub check_script
{
	my ($script, $name, $shell) = @_;

	$script =~ s/\$\{\{.*?\}\}/value/g;
	my ($file, $path) = tempfile(UNLINK => 1);
	print {$file} "#!/bin/$shell\n$script\n";
	close $file or die "$path: $!\n";

	foreach my $command ("$shell -n", "shellcheck --shell=$shell")
	{
		my $output = `$command $path 2>&1`;

		problem("$name: $command:\n$output") if $?;
	}
	while ($script =~ m{(?<![\w/])(test/[\w/.-]+)([^|&;\n]*)}g)
	{
		my ($program, $arguments) = ($1, $2);

		problem("$name: there is no $program that can be run") unless -x "$here/../$program";
		next if $program ne 'test/check.sh';
		foreach my $step (grep { !/^--/ } split ' ', $arguments)
		{
			problem("$name: test/check.sh has no step $step") unless $known_steps{$step};
		}
	}
	return;
}

sub check_step
{
	my ($step, $name) = @_;

	return unless has_keys($step, $name, [], [qw(name uses with run env if)]);
	problem("$name must have one of run and uses")
	  if (defined $step->{run}) == (defined $step->{uses});
	problem("$name: $step->{uses} is not named with a whole version, as in actions/checkout\@v1.2.3")
	  if defined $step->{uses} && $step->{uses} !~ m{^[\w-]+/[\w./-]+\@(?:v\d+\.\d+\.\d+|[0-9a-f]{40})$};
	problem("$name leaves its credentials in the checkout")
	  if ($step->{uses} // '') =~ m{^actions/checkout\@}
	  && ($step->{with}{'persist-credentials'} // 'true') ne '';
	check_script($step->{run}, $name, 'bash') if defined $step->{run};
	return;
}

sub check_job
{
	my ($job, $name) = @_;

	return unless has_keys($job, $name, [qw(runs-on timeout-minutes steps)],
		[qw(name strategy container env needs)]);
	check_expressions($job, known_names($job), $name);
	problem("$name.timeout-minutes must be a number up to 60")
	  unless ($job->{'timeout-minutes'} // '') =~ /^\d+$/ && $job->{'timeout-minutes'} <= 60;
	if (ref $job->{steps} ne 'ARRAY' || !@{ $job->{steps} })
	{
		problem("$name.steps must be a list");
		return;
	}
	check_step($job->{steps}[$_], "$name.steps[$_]") foreach 0 .. $#{ $job->{steps} };
	return;
}

sub check_workflow
{
	my ($path) = @_;
	my $content = eval { YAML::PP->new(duplicate_keys => 0)->load_file($path) };

	if (!defined $content)
	{
		problem("$path is not YAML: $@");
		return;
	}
	return unless has_keys($content, $path, [qw(name on permissions jobs)], [qw(concurrency env)]);
	check_expressions($content->{concurrency}, known_names({}), 'concurrency');
	problem("permissions must be contents: read, and nothing else")
	  unless ref $content->{permissions} eq 'HASH'
	  && join(',', %{ $content->{permissions} }) eq 'contents,read';
	if (ref $content->{jobs} ne 'HASH' || !%{ $content->{jobs} })
	{
		problem("jobs must be a mapping");
		return;
	}
	check_job($content->{jobs}{$_}, "jobs.$_") foreach sort keys %{ $content->{jobs} };
	return;
}

check_workflow($workflow);
if (-e $dockerfile)
{
	my $script = `"$here/lib/dockerfile_scripts.pl" "$dockerfile"`;

	problem("$dockerfile runs nothing") if $script !~ /\S/;
	check_script("PG_MAJOR=17\n$script", $dockerfile, 'sh');
}
print "$_\n" foreach @problems;
exit(@problems ? 1 : 0);
