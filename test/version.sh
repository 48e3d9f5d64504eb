#!/bin/bash
#
# Compares the places that hold the version of the extension.
#
# Usage: test/version.sh
#
# The control file is the source; META.json (twice) and the first entries of
# CHANGELOG.md, but for "Unreleased", and debian/changelog repeat it, because PGXN,
# people and Debian's tools read those.  The install script and the library take it
# from the control file when they are built.  META.json is also held against PGXN's
# specification.

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

if [ -z "$version" ]; then
	disagree "smartcar_tesla.control has no default_version"
fi
compare "the first entry of CHANGELOG.md" \
	"$(sed -n '/^## Unreleased$/d; /^## /{s/^## \([^ ]*\).*/\1/p;q;}' CHANGELOG.md)"
compare "META.json" "$(test/meta.pl --print version META.json)"
compare "provides in META.json" \
	"$(test/meta.pl --print provides.smartcar_tesla.version META.json)"
# the part before the hyphen is ours, the one after it the packager's
compare "the first entry of debian/changelog" \
	"$(sed -n '1s/^smartcar-tesla (\(.*\)-[^-]*) .*/\1/p' debian/changelog)"
if ! problems=$(test/meta.pl META.json); then
	while read -r problem; do
		disagree "META.json: $problem"
	done <<<"$problems"
fi

if [ $disagreements -gt 0 ]; then
	exit 1
fi
echo "version $version"
