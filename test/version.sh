#!/bin/bash
#
# Compares the places that hold the version of the extension.
#
# Usage: test/version.sh
#
# The control file is the source; META.json (twice) and the first entry of
# CHANGELOG.md repeat it, because PGXN and people read those.  The install
# script and the library take it from the control file when they are built.
# META.json is also held against what PGXN asks of it, because an upload that
# is refused is the wrong moment to learn of it.

set -euo pipefail

cd "$(dirname "$0")/.."

disagreements=0

disagree()
{
	echo "$*" >&2
	disagreements=$((disagreements + 1))
}

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" smartcar_tesla.control)

compare()
{
	local place=$1 found=$2

	if [ "$found" != "$version" ]; then
		disagree "$place has version \"$found\", smartcar_tesla.control has \"$version\""
	fi
}

# Prints what is wrong with META.json, and the values of the two versions.
read_meta()
{
	perl -MJSON::PP -0777 -e '
		my $meta = eval { decode_json(<>) } or die "META.json is not JSON: $@";
		my $provided = $meta->{provides}{smartcar_tesla} || {};
		my $number = qr/(?:0|[1-9][0-9]*)/;
		my $semantic = qr/^$number\.$number\.$number(?:-[0-9A-Za-z.-]+)?$/;

		foreach my $key (qw(name version abstract maintainer license provides meta-spec))
		{
			print "problem META.json has no $key\n" unless $meta->{$key};
		}
		foreach my $key (qw(file version))
		{
			print "problem META.json has no $key in provides\n" unless $provided->{$key};
		}
		foreach my $key (qw(file docfile))
		{
			my $file = $provided->{$key};
			print "problem META.json names the file $file, which does not exist\n"
				if defined $file && !-f $file;
		}
		foreach my $version ($meta->{version}, $provided->{version},
			$meta->{"meta-spec"}{version}, $meta->{prereqs}{runtime}{requires}{PostgreSQL})
		{
			print "problem $version in META.json is no semantic version\n"
				if defined $version && $version !~ $semantic;
		}
		print "problem unknown release_status in META.json\n"
			if ($meta->{release_status} || "stable") !~ /^(?:stable|testing|unstable)$/;
		print "version ", $meta->{version} || "", "\n";
		print "provided ", $provided->{version} || "", "\n";
	' META.json
}

if [ -z "$version" ]; then
	disagree "smartcar_tesla.control has no default_version"
fi
compare "the first entry of CHANGELOG.md" \
	"$(sed -n '/^## /{s/^## \([^ ]*\).*/\1/p;q;}' CHANGELOG.md)"
meta=$(read_meta) || disagree "META.json cannot be read"
while read -r problem; do
	disagree "$problem"
done < <(sed -n 's/^problem //p' <<<"$meta")
compare "META.json" "$(sed -n 's/^version //p' <<<"$meta")"
compare "provides in META.json" "$(sed -n 's/^provided //p' <<<"$meta")"

if [ $disagreements -gt 0 ]; then
	exit 1
fi
echo "version $version"
