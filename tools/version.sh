#!/bin/bash
#
# Compares the places that hold the version of the extension.
#
# Usage: tools/version.sh [--release]
#
# The control file is the source; META.json (twice) and the newest releases in
# CHANGELOG.md and debian/changelog repeat it, because PGXN, people and Debian read
# those.  The install script and the library take it from the control file when they
# are built.  The files that META.json names must exist: PGXN refuses an archive
# without them.
#
# --release also fails if the changelogs have unreleased changes, or the checkout has
# changes that are not committed.

set -euo pipefail

cd "$(dirname "$0")/.."

release=no
disagreements=0

case $#,${1:-} in
	0,*) ;;
	1,--release) release=yes ;;
	*) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

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
# before the first release, CHANGELOG.md has no other entry than "Unreleased"
changelog=$(sed -n '/^## Unreleased$/d; /^## /{s/^## \([^ ]*\).*/\1/p;q;}' CHANGELOG.md)
if [ -n "$changelog" ] || ! grep -q '^## Unreleased$' CHANGELOG.md; then
	compare "the newest release in CHANGELOG.md" "$changelog"
fi
compare "META.json" "$(meta version)"
compare "provides in META.json" "$(meta provides smartcar_tesla version)"
for key in file docfile; do
	file=$(meta provides smartcar_tesla $key)
	if [ ! -f "$file" ]; then
		disagree "META.json names the file \"$file\", which does not exist"
	fi
done
# the part before the hyphen is the project's version, the one after it the packager's
compare "the first entry of debian/changelog" \
	"$(sed -n '1s/^smartcar-tesla (\(.*\)-[^-]*) .*/\1/p' debian/changelog)"

if [ $release = yes ]; then
	if grep -q '^## Unreleased$' CHANGELOG.md; then
		disagree "CHANGELOG.md has unreleased changes: give them the heading \"## $version - DATE\""
	fi
	if sed -n 1p debian/changelog | grep -q UNRELEASED; then
		disagree "debian/changelog has unreleased changes: finish the entry with dch --release"
	fi
	if [ -n "$(git status --porcelain)" ]; then
		disagree "the checkout has changes that are not committed"
	fi
fi

if [ $disagreements -gt 0 ]; then
	exit 1
fi
echo "version $version"
