#!/bin/bash
#
# Tests everything: builds, checks of the sources, regression tests, fuzzing.
#
# Usage: test/check.sh [--keep] [STEP...]    runs these steps, default all
#        test/check.sh --list                lists the steps
#
# It needs only a Debian machine: missing packages are installed with apt-get, as root or
# through sudo.  It works in a temporary directory (kept with --keep), on a PostgreSQL server
# of its own; the checkout and other servers are not changed.
#
# Environment:
#   PG_CONFIG      the PostgreSQL to test with; default: the newest installed
#   FUZZ_SECONDS   how long each fuzz target runs; default: 5
#   STEP_SECONDS   how long a step may take before it is ended and has failed;
#                  default: 30 minutes, and what FUZZ_SECONDS adds to it
#
# The last line is "N passed, N failed, N skipped"; the exit status is 0 if
# nothing failed.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=test/lib/workspace.sh
. "$here/lib/workspace.sh"
# shellcheck source=test/lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=test/lib/server.sh
. "$here/lib/server.sh"
# shellcheck source=test/lib/sandbox.sh
. "$here/lib/sandbox.sh"
# shellcheck source=test/lib/memory.sh
. "$here/lib/memory.sh"
# shellcheck source=test/lib/steps.sh
. "$here/lib/steps.sh"
# shellcheck source=test/lib/check_sources.sh
. "$here/lib/check_sources.sh"
# shellcheck source=test/lib/check_server.sh
. "$here/lib/check_server.sh"

# The steps in the order in which they are reported: name, the earlier step that it needs, a
# file without which the step does not exist, and title.
all_steps="
version     -        -                   version and address agree
layers      -        -                   layers
format      -        -                   formatting
core        -        -                   core alone, strict C11
gcc         -        -                   build with gcc
install     gcc      -                   installation and a server
sandbox     -        test/sandbox        local Smartcar
regression  install  sql                 regression tests
tap         install  test/t              TAP tests
isolation   install  test/isolation      isolation tests
memory      install  test/memory         memory, under Valgrind
demo        install  test/demo.sql       demonstration
reference   install  tools/reference.sh  reference page and catalog agree
examples    install  tools/examples.pl   examples of the documentation
links       -        tools/links.pl      links of the documentation
parity      install  test/parity/run.sh  parity with Smartcar's SDK
browser     install  test/browser/run.sh example application in a browser
frameworks  install  test/frameworks/run.sh web frameworks
clang       -        -                   build with clang
lint        -        .clang-tidy         clang-tidy
cppcheck    -        tools/cppcheck.supp cppcheck
scan        -        -                   scan-build
scripts     -        -                   syntax of the scripts
fuzz        -        test/fuzz/run.sh    fuzzing of the core
package     -        debian/rules        archive of a release and Debian packages
"

step_names()
{
	local name file

	while read -r name _ file _; do
		if [ -n "$name" ] && { [ "$file" = - ] || [ -e "$project/$file" ]; }; then
			echo "$name"
		fi
	done <<<"$all_steps"
}

# step_field NAME NUMBER
step_field()
{
	awk -v name="$1" -v field="$2" '$1 == name { print $field }' <<<"$all_steps"
}

title_of()
{
	sed -n "s/^$1 \{1,\}[^ ]* \{1,\}[^ ]* \{1,\}//p" <<<"$all_steps"
}

#
# Which steps to run
#

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

list_steps()
{
	local name

	for name in $(step_names); do
		printf '%-12s%s\n' "$name" "$(title_of "$name")"
	done
}

wanted=()
while [ $# -gt 0 ]; do
	case $1 in
		--keep) keep_workspace=yes ;;
		--list) list_steps; exit ;;
		--help) usage; exit ;;
		-*) usage >&2; exit 2 ;;
		*)
			grep -qx -e "$1" <<<"$(step_names)" || die "there is no step \"$1\"; see --list"
			name=$1
			while [ "$name" != - ]; do
				wanted+=("$name")
				name=$(step_field "$name" 2)
			done
			;;
	esac
	shift
done
if [ ${#wanted[@]} -eq 0 ]; then
	mapfile -t wanted < <(step_names)
fi
# each once, and in the order of the list
mapfile -t steps < <(step_names | grep -x -F "$(printf '%s\n' "${wanted[@]}")")

step_limit=${STEP_SECONDS:-$((1800 + 20 * ${FUZZ_SECONDS:-5}))}
SECONDS=0
make_workspace
# files that tests and their tools leave are removed with the workspace, except an input that
# has broken a fuzz target
export FUZZ_KEEP=${workspace%/*}
mkdir -m 1777 "$workspace/tmp"
export TMPDIR=$workspace/tmp
# to report what a step that takes too long is doing
need procps has_command ps
for name in "${steps[@]}"; do
	if declare -F "needs_$name" >/dev/null; then
		"needs_$name"
	fi
done
install_missing_packages

copy=$workspace/project
copy_project "$copy"
choose_server_user
if [[ " ${steps[*]} " == *" gcc "* ]]; then
	name_private_postgres
	export_server_address
	at_end stop_server
fi

run_steps "${steps[@]}"

repeat_failures
say "# total time: ${SECONDS}s"
say "$count_passed passed, $count_failed failed, $count_skipped skipped"
if [ "$count_failed" != 0 ]; then
	exit 1
fi
