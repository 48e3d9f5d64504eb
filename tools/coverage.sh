#!/bin/bash
#
# Prints the share of lines of src/ that the tests reach, for each file and in total, and
# the lines that they do not reach.
#
# Usage: tools/coverage.sh [STEP...]    default: regression tap isolation demo
#
# Builds with --coverage and runs these steps of test/check.sh, which call the
# backend.  It fails if one of them fails, or if less than 90 % of the lines are
# reached.
#
# It is not part of the check, because it runs regression and TAP tests again: about five
# minutes on an idle machine with two processors.
#
# A backend writes its counts when it ends normally, so lines that only a killed backend
# has reached count as not reached.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
steps=("$@")
if [ ${#steps[@]} -eq 0 ]; then
	steps=(regression tap isolation demo)
fi

# shellcheck source=test/lib/workspace.sh
. "$here/../test/lib/workspace.sh"
# shellcheck source=test/lib/packages.sh
. "$here/../test/lib/packages.sh"
make_workspace
need gcovr has_command gcovr
install_missing_packages

# The programs of the server run as its user, and may not write next to the objects.
mkdir -m 1777 "$workspace/counts"
chmod 1777 "$workspace/counts"
result=0
GCOV_PREFIX=$workspace/counts MAKEFLAGS='with_llvm=no COPT=--coverage' \
	"$here/../test/check.sh" --keep "${steps[@]}" 2>&1 | tee "$workspace/check.log" || result=$?
kept=$(sed -n 's/^# kept: //p' "$workspace/check.log")

remove_kept()
{
	if [ -n "$kept" ] && [ "$keep_workspace" = no ]; then
		rm -rf "$kept"
	fi
}
at_end remove_kept
[ -n "$kept" ] || die "the check left nothing behind"

cp -r "$workspace/counts$kept/gcc/." "$kept/gcc/"
(cd "$kept/gcc" && gcovr --root . --filter src/ --gcov-ignore-parse-errors --fail-under-line 90) ||
	result=1
exit $result
