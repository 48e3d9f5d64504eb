#!/bin/bash
#
# Compares the places that hold the version of the extension.
#
# Usage: tools/version.sh
#
# The control file is the source; META.json (twice) and the first entries of
# CHANGELOG.md (except "Unreleased") and debian/changelog repeat it, because PGXN,
# people and Debian read those.  The install script and the library take it from
# the control file when they are built.  The files that META.json names must exist:
# PGXN refuses an archive without them.

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

# meta KEY...: a value of META.json, empty if there is none
meta()
{
	perl -MJSON::PP -0777 -e '
		my $value = decode_json(readline STDIN);
		$value = $value->{$_} foreach @ARGV;
		print $value // "";' "$@" <META.json
}

if [ -z "$version" ]; then
	disagree "smartcar_tesla.control has no default_version"
fi
compare "the first entry of CHANGELOG.md" \
	"$(sed -n '/^## Unreleased$/d; /^## /{s/^## \([^ ]*\).*/\1/p;q;}' CHANGELOG.md)"
compare "META.json" "$(meta version)"
compare "provides in META.json" "$(meta provides smartcar_tesla version)"
for key in file docfile; do
	file=$(meta provides smartcar_tesla $key)
	if [ ! -f "$file" ]; then
		disagree "META.json names the file \"$file\", which does not exist"
	fi
done
# the part before the hyphen is ours, the one after it the packager's
compare "the first entry of debian/changelog" \
	"$(sed -n '1s/^smartcar-tesla (\(.*\)-[^-]*) .*/\1/p' debian/changelog)"

if [ $disagreements -gt 0 ]; then
	exit 1
fi
echo "version $version"
