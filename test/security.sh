#!/bin/bash
#
# Compares doc/security.md with the tests: each that the page names must be there.
#
# Usage: test/security.sh
#
# A test is named by its file, in backquotes, a colon, and texts in double quotes,
# each of which the file must hold.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

page=doc/security.md
count=0
missing=0
while IFS=$'\t' read -r file text; do
	count=$((count + 1))
	if [ ! -f "$file" ]; then
		echo "$page names $file, which is not there"
		missing=$((missing + 1))
	elif ! grep -qF -- "$text" "$file"; then
		echo "$page names a test \"$text\", which is not in $file"
		missing=$((missing + 1))
	fi
done < <(perl -ne '
	while (/`((?:test|sql)\/[^`]+)`: ((?:"[^"]+"(?:, )?)+)/g) {
		my ($file, $texts) = ($1, $2);
		print "$file\t$1\n" while $texts =~ /"([^"]+)"/g;
	}
	' "$page")

# a row of a table without a test; the backquotes are Markdown's
# shellcheck disable=SC2016
while IFS= read -r row; do
	echo "$page has a row without a test: $row"
	missing=$((missing + 1))
done < <(grep '^|' "$page" | grep -vE '^\| (tried|---) \|' | grep -vE '`(test|sql)/[^`]+`: "' || true)

echo "$count tests are named"
[ $count -gt 0 ] && [ $missing = 0 ]
