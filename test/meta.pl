#!/usr/bin/perl

# Holds META.json against the specification of PGXN's meta data, version 1.0.0, and
# against the files beside it: an upload that is refused is the wrong moment to
# learn of it.
#
# Usage: test/meta.pl [--print KEY[.KEY...]] META.json
#
# Prints what is wrong, one problem a line, and fails if there is any.  With
# --print it prints a value instead.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP;

my @problems;

sub problem
{
	push @problems, join '', @_;
	return;
}

# Names, and numbers of versions.
my $term = qr/^[^\s\x00-\x1f\x7f\/\\]{2,}$/;
my $number = qr/(?:0|[1-9][0-9]*)/;
my $semantic = qr/^$number\.$number\.$number(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z.-]+)?$/;
my $comparison = qr/^(?:==|!=|>=|<=|>|<) */;

my @licenses = qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2
  gfdl_1_3 gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5
  postgresql qpl_1_0 ssleay sun zlib open_source restricted unrestricted unknown);

sub is_text
{
	my ($value) = @_;

	return defined $value && !ref $value && $value =~ /\S/;
}

sub is_url
{
	my ($value) = @_;

	return is_text($value) && $value =~ m{^[a-z][a-z0-9+.-]*://[^\s/]+\S*$}i;
}

sub is_address
{
	my ($value) = @_;

	return is_text($value) && $value =~ /^[^\s@]+@[^\s@]+$/;
}

# What a key is checked by: the value, and how a problem calls it.

sub text
{
	my ($value, $name) = @_;

	problem("$name must be a text") unless is_text($value);
	return;
}

sub name_of_distribution
{
	my ($value, $name) = @_;

	problem("$name must have two characters or more, and no space, slash, backslash or control character")
	  unless is_text($value) && $value =~ $term;
	return;
}

sub version
{
	my ($value, $name) = @_;

	problem("$name must be a semantic version such as 1.2.3")
	  unless is_text($value) && $value =~ $semantic;
	return;
}

# One version, which is the least one, or several conditions; 0 is any.
sub version_range
{
	my ($value, $name) = @_;

	foreach my $part (defined $value && !ref $value && length $value ? split /\s*,\s*/, $value : '')
	{
		my $condition = $part =~ s/$comparison//r;

		next if $part eq '0' || $condition =~ $semantic;
		problem("$name must be a range of semantic versions such as 1.2.3 or >= 1.2.3, < 2.0.0");
		last;
	}
	return;
}

sub texts
{
	my ($value, $name) = @_;
	my @values = ref $value eq 'ARRAY' ? @$value : ($value);

	problem("$name must be a text, or a list of them") if !@values || grep { !is_text($_) } @values;
	return;
}

sub tags
{
	my ($value, $name) = @_;

	problem("$name must be a list of texts below 256 characters, without slash, backslash or control character")
	  if ref $value ne 'ARRAY' || grep { !is_text($_) || length > 255 || m{[/\\\x00-\x1f\x7f]} } @$value;
	return;
}

sub license
{
	my ($value, $name) = @_;

	if (ref $value eq 'HASH')
	{
		problem("$name must name one license or more, each with its URL")
		  if !%$value || grep { !is_url($_) } values %$value;
		return;
	}
	my @values = ref $value eq 'ARRAY' ? @$value : ($value);
	problem("$name must name one license or more") if !@values;
	foreach my $one (@values)
	{
		problem("$name must be one of @licenses")
		  unless is_text($one) && grep { $_ eq $one } @licenses;
	}
	return;
}

sub release_status
{
	my ($value, $name) = @_;

	problem("$name must be stable, testing or unstable")
	  unless is_text($value) && $value =~ /^(?:stable|testing|unstable)$/;
	return;
}

# An object whose keys are known: those that it must have, and those that it may.
sub object
{
	my ($value, $name, $required, $optional) = @_;

	if (ref $value ne 'HASH')
	{
		problem(($name eq '' ? 'it' : $name), ' must be an object');
		return;
	}
	foreach my $key (sort keys %$required)
	{
		problem(path($name, $key), ' is missing') unless exists $value->{$key};
	}
	foreach my $key (sort keys %$value)
	{
		my $check = $required->{$key} // $optional->{$key};

		if ($check)
		{
			$check->($value->{$key}, path($name, $key));
		}
		elsif ($key !~ /^x_/i)
		{
			problem(path($name, $key), ' is no key of the specification, and does not begin with x_');
		}
	}
	return;
}

sub path
{
	my ($name, $key) = @_;

	return $name eq '' ? $key : "$name.$key";
}

sub one_extension
{
	my ($value, $name) = @_;

	object($value, $name, { file => \&file, version => \&version },
		{ abstract => \&text, docfile => \&file });
	return;
}

sub file
{
	my ($value, $name) = @_;

	problem("$name must be the path of a file in the distribution")
	  unless is_text($value) && $value !~ m{^/|(?:^|/)\.\.(?:/|$)} && -f $value;
	return;
}

sub provides
{
	my ($value, $name) = @_;

	if (ref $value ne 'HASH' || !%$value)
	{
		problem("$name must be an object with an extension");
		return;
	}
	foreach my $extension (sort keys %$value)
	{
		name_of_distribution($extension, "the name of $name.$extension");
		one_extension($value->{$extension}, path($name, $extension));
	}
	return;
}

sub requirements
{
	my ($value, $name) = @_;

	if (ref $value ne 'HASH')
	{
		problem("$name must be an object of names and versions");
		return;
	}
	version_range($value->{$_}, path($name, $_)) foreach sort keys %$value;
	return;
}

sub relations
{
	my ($value, $name) = @_;

	object($value, $name, {}, { map { $_ => \&requirements } qw(requires recommends suggests conflicts) });
	return;
}

sub prereqs
{
	my ($value, $name) = @_;

	object($value, $name, {}, { map { $_ => \&relations } qw(configure build test runtime develop) });
	return;
}

sub url
{
	my ($value, $name) = @_;

	problem("$name must be a URL") unless is_url($value);
	return;
}

sub bugtracker
{
	my ($value, $name) = @_;

	object($value, $name, {}, { web => \&url, mailto => \&address });
	problem("$name needs web or mailto")
	  unless ref $value eq 'HASH' && ($value->{web} || $value->{mailto});
	return;
}

sub address
{
	my ($value, $name) = @_;

	problem("$name must be an address for mail") unless is_address($value);
	return;
}

sub repository
{
	my ($value, $name) = @_;

	object($value, $name, {}, { url => \&url, web => \&url, type => \&type_of_repository });
	problem("$name needs url or web") unless ref $value eq 'HASH' && ($value->{url} || $value->{web});
	problem("$name.type is missing beside url")
	  if ref $value eq 'HASH' && $value->{url} && !$value->{type};
	return;
}

sub type_of_repository
{
	my ($value, $name) = @_;

	problem("$name must be a word in small letters such as git") unless is_text($value) && $value =~ /^[a-z]+$/;
	return;
}

sub resources
{
	my ($value, $name) = @_;

	object($value, $name, {},
		{ homepage => \&url, bugtracker => \&bugtracker, repository => \&repository });
	return;
}

sub no_index
{
	my ($value, $name) = @_;

	object($value, $name, {}, { file => \&texts, directory => \&texts });
	return;
}

sub meta_spec
{
	my ($value, $name) = @_;

	object($value, $name, { version => \&version }, { url => \&url });
	problem("$name.version must be 1.0.0, the specification that this knows")
	  if ref $value eq 'HASH' && is_text($value->{version}) && $value->{version} !~ /^1\.0\./;
	return;
}

my $print;
if (@ARGV && $ARGV[0] eq '--print')
{
	shift @ARGV;
	$print = shift @ARGV;
}
die "usage: meta.pl [--print KEY[.KEY...]] META.json\n" unless @ARGV == 1;

open my $input, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
my $meta = eval { decode_json(do { local $/ = undef; <$input> }) };
die "$ARGV[0] is not JSON: $@" unless defined $meta;

if (defined $print)
{
	my $value = $meta;

	$value = ref $value eq 'HASH' ? $value->{$_} : undef foreach split /\./, $print;
	print $value // '', "\n";
	exit 0;
}

chdir dirname($ARGV[0]) or die "$!\n";
object(
	$meta, '',
	{
		name => \&name_of_distribution,
		abstract => \&text,
		version => \&version,
		maintainer => \&texts,
		license => \&license,
		provides => \&provides,
		'meta-spec' => \&meta_spec
	},
	{
		description => \&text,
		generated_by => \&text,
		tags => \&tags,
		no_index => \&no_index,
		prereqs => \&prereqs,
		release_status => \&release_status,
		resources => \&resources
	});
print "$_\n" foreach @problems;
exit(@problems ? 1 : 0);
