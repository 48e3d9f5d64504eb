#!/bin/bash
#
# Tests everything: builds, checks of the sources, regression tests, fuzzing.
#
# Usage: test/check.sh [--keep] [STEP...]    runs these steps, default all
#        test/check.sh --list                lists the steps
#
# It needs a Debian machine and nothing else: what is missing is installed with
# apt-get, as root or through sudo.  It works in a temporary directory (kept
# with --keep), on a PostgreSQL server of its own; the checkout and the servers
# of this machine stay as they are.
#
# Environment:
#   PG_CONFIG      the PostgreSQL to test with; default: the newest installed
#   FUZZ_SECONDS   how long each fuzz target runs; default: 5
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

# Each step in the order in which they are reported: its name, the earlier step
# that it builds on, a file without which there is no such step, and its title.
all_steps="
version     -        -                   version agreement
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
reference   install  test/reference.sh   reference page and catalog agree
security    -        test/security.sh    security review and tests agree
examples    install  test/examples.pl    examples of the documentation
parity      install  test/parity/run.sh  parity with Smartcar's SDK
clang       -        -                   build with clang
lint        -        .clang-tidy         clang-tidy
cppcheck    -        test/cppcheck.supp  cppcheck
scan        -        -                   scan-build
scripts     -        -                   syntax of the scripts
fuzz        -        test/fuzz/run.sh    fuzzing of the core
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
# What the steps need to be installed, beside what the steps before them need.
#

needs_version()
{
	need perl has_perl_module JSON::PP
}

needs_format()
{
	find_postgres
	want pg-bsd-indent "$here/format.sh" --find
}

needs_core()
{
	need_compiler
	need binutils has_command nm
}

needs_gcc()
{
	need_compiler
	need_libraries
	need_postgres
}

needs_sandbox()
{
	need_sandbox
}

needs_tap()
{
	need libipc-run-perl has_perl_module IPC::Run
	need perl has_command prove
	need_sandbox
	find_postgres
	if [ -n "$postgres_major" ]; then
		want "postgresql-$postgres_major-cron" has_server_extension pg_cron
	fi
}

needs_isolation()
{
	need_sandbox
}

needs_memory()
{
	need valgrind has_command valgrind
	need_sandbox
}

needs_demo()
{
	need_sandbox
}

needs_examples()
{
	need_sandbox
}

needs_parity()
{
	if ! has_command node; then
		need nodejs false
		need npm false
	fi
}

needs_clang()
{
	needs_gcc
	need clang has_command clang
}

needs_lint()
{
	needs_clang
	need clang-tidy has_command clang-tidy
}

needs_cppcheck()
{
	need cppcheck has_command cppcheck
}

needs_scan()
{
	needs_clang
	need clang-tools has_command scan-build
}

needs_scripts()
{
	need shellcheck has_command shellcheck
	need libipc-run-perl has_perl_module IPC::Run
	need perl has_command prove
	need_sandbox
	need_postgres
}

needs_fuzz()
{
	need_compiler
	need clang has_command clang
	need "$(fuzzing_package)" has_fuzzing_runtime
	need libcurl4-openssl-dev has_library libcurl
	need pkg-config has_command "${PKG_CONFIG:-pkg-config}"
}

#
# The steps.  Each runs in a copy of the project, whose path is in $copy.
#

step_version()
{
	"$copy/test/version.sh"
}

step_format()
{
	"$copy/test/format.sh" --find || skip "there is no pg_bsd_indent for this system"
	"$copy/test/format.sh"
}

# src/core knows neither PostgreSQL nor the network, src/http not PostgreSQL's
# SQL side, and what differs between PostgreSQL's versions is in one file.
step_layers()
{
	local found=0

	cd "$copy"
	if grep -nE '#[[:space:]]*include[[:space:]]+("(postgres|pg/|http/|utils/)|<curl|<openssl)' \
		src/core/*.[ch]; then
		echo "src/core must not include these"
		found=1
	fi
	if [ -d src/http ] && grep -nE '#[[:space:]]*include[[:space:]]+"pg/' src/http/*.[ch]; then
		echo "src/http must not include src/pg"
		found=1
	fi
	if grep -rnE '\b(PG_VERSION_NUM|PG_MAJORVERSION_NUM|PG_MAJORVERSION)\b' src --include='*.[ch]' |
		grep -v -e '^src/pg/compat.h:' -e ': \*' -e ' \* '; then
		echo "only src/pg/compat.h may test the version of PostgreSQL"
		found=1
	fi
	return $found
}

# Besides the warnings: every header stands on its own, nothing in the core
# changes while it runs, and it calls nothing but functions on bytes.
step_core()
{
	local strict=(-std=c11 -pedantic -Wall -Wextra -Werror -O2 -Isrc) file found=0

	# position-independent code would have to adjust the constant tables at start
	strict+=(-fno-pic -fno-pie)
	cd "$copy"
	mkdir -p "$workspace/core"
	for file in src/core/*.h; do
		gcc "${strict[@]}" -fsyntax-only -x c "$file"
	done
	for file in src/core/*.c; do
		gcc "${strict[@]}" -c "$file" -o "$workspace/core/$(basename "$file" .c).o"
	done
	if nm -A "$workspace"/core/*.o | grep -E ' [bBcCdD] '; then
		echo "src/core must not have variables that can change"
		found=1
	fi
	if nm -A -u "$workspace"/core/*.o |
		grep -vE ' (smartcar_[a-z0-9_]+|mem(chr|cmp|cpy|move|set)|str(chr|cmp|len|ncmp)|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail)$'; then
		echo "src/core must not call these"
		found=1
	fi
	return $found
}

# build_with COMPILER MAKE-ARGUMENT...
build_with()
{
	local compiler=$1

	shift
	cp -r "$copy" "$workspace/$compiler"
	"$compiler" --version | sed -n 1p
	make -C "$workspace/$compiler" -j2 CC="$compiler" "$@"
}

step_gcc()
{
	make_private_postgres
	build_with gcc WERROR=-Werror PG_CONFIG="$private_pg_config"
}

# PostgreSQL passes on the options that it was built with, which are gcc's.
# Bitcode is left out, because clang makes it in the build with gcc, too.
step_clang()
{
	build_with clang PG_CONFIG="$PG_CONFIG" with_llvm=no \
		WERROR='-Werror -Wno-ignored-attributes -Wno-ignored-optimization-argument -Wno-unknown-warning-option'
}

step_install()
{
	after gcc
	make -C "$workspace/gcc" install WERROR=-Werror PG_CONFIG="$private_pg_config"
	start_server
	psql -X -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION smartcar_tesla' -c '\dx' \
		-c 'DROP EXTENSION smartcar_tesla'
}

# What pg_regress prints, up to PostgreSQL 15 and since, in our words.
# report_regression_tests OUTPUT KIND
report_regression_tests()
{
	sed -nE \
		-e "s/^(test)? +([A-Za-z0-9_]+) +\\.\\.\\. ok +([0-9]+) ms.*/ok - $2: \\2 (\\3 ms)/p" \
		-e "s/^(test)? +([A-Za-z0-9_]+) +\\.\\.\\. FAILED.*/not ok - $2: \\2/p" \
		-e "s/^ok [0-9]+ +[-+] ([A-Za-z0-9_]+) +([0-9]+) ms.*/ok - $2: \\1 (\\2 ms)/p" \
		-e "s/^not ok [0-9]+ +[-+] ([A-Za-z0-9_]+) .*/not ok - $2: \\1/p" "$1"
}

step_regression()
{
	local tree=$workspace/gcc output=$workspace/regression.output result=0

	after install
	compgen -G "$tree/sql/*.sql" >/dev/null || skip "there is no test in sql/"
	make -C "$tree" installcheck TAP_TESTS= PG_CONFIG="$private_pg_config" >"$output" 2>&1 ||
		result=$?
	report_regression_tests "$output" regression
	if [ $result != 0 ]; then
		if [ -s "$tree/regression.diffs" ]; then
			cat "$tree/regression.diffs"
		else
			cat "$output"
		fi
	fi
	return $result
}

# They start servers, so they run as a user whom PostgreSQL does not refuse.
step_tap()
{
	local tree=$workspace/tap modules result=0

	after install
	compgen -G "$copy/test/t/*.pl" >/dev/null || skip "there is no test in test/t/"
	cp -r "$copy" "$tree"
	if [ "$(id -un)" != "$server_user" ]; then
		chown -R "$server_user" "$tree"
	fi
	modules=$(dirname "$("$private_pg_config" --pgxs)")/../test
	as_server_user env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE \
		TESTDIR="$tree" TESTDATADIR="$tree/tmp_check" TESTLOGDIR="$tree/tmp_check/log" \
		PATH="$("$private_pg_config" --bindir):$PATH" PG_REGRESS="$modules/regress/pg_regress" \
		prove --timer -I "$modules/perl" "$tree"/test/t/*.pl \
		>"$workspace/tap.output" 2>&1 || result=$?
	sed -nE -e 's/^.*\/([A-Za-z0-9_]+)\.pl \.+ ok +([0-9]+) ms.*/ok - tap: \1 (\2 ms)/p' \
		-e 's/^.*\/([A-Za-z0-9_]+)\.pl \.+ skipped:? *(.*)/skipped - tap: \1: \2/p' \
		-e 's/^.*\/([A-Za-z0-9_]+)\.pl \.+ *$/not ok - tap: \1/p' "$workspace/tap.output"
	if [ $result != 0 ]; then
		cat "$workspace/tap.output"
	fi
	return $result
}

# Each pair of procedures, at once.
step_isolation()
{
	local output=$workspace/isolation.output result=0

	after install
	mkdir "$workspace/isolation"
	start_sandbox
	PG_CONFIG=$private_pg_config ISOLATION_OUTPUT=$workspace/isolation \
		"$copy/test/isolation/run.sh" "$sandbox_url" >"$output" 2>&1 || result=$?
	stop_sandbox
	report_regression_tests "$output" isolation
	if [ $result != 0 ]; then
		if [ -s "$workspace/isolation/regression.diffs" ]; then
			cat "$workspace/isolation/regression.diffs"
		else
			cat "$output"
		fi
	fi
	return $result
}

step_memory()
{
	after install
	check_memory
}

# The programs of test/sandbox, tested on their own.
step_sandbox()
{
	node "$copy/test/sandbox/self_test.js"
}

# Besides being shown: at the end of the flow nothing must be missing.
step_demo()
{
	local output=$workspace/demo.output

	after install
	start_sandbox
	cd "$copy/test"
	psql -X -v ON_ERROR_STOP=1 -c 'CREATE DATABASE demo' -c 'CREATE DATABASE demo_fleet'
	PGDATABASE=demo psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" -f demo.sql >"$output"
	PGDATABASE=demo_fleet psql -X -q -v ON_ERROR_STOP=1 -f demo_fleet.sql >>"$output"
	stop_sandbox
	if grep -nE '^.{101,}' "$output"; then
		echo "these lines are longer than 100 columns"
		return 1
	fi
	grep -E '^ TESLA Model 3 2021 \| \{\} +\| \{\} +\| t +\| t *$' "$output"
}

step_reference()
{
	after install
	"$copy/test/reference.sh"
}

step_security()
{
	"$copy/test/security.sh"
}

step_examples()
{
	local key_file=$workspace/server/token_key

	after install
	start_sandbox
	as_server_user sh -c "umask 077; echo \"key1 \$(openssl rand -hex 32)\" > '$key_file'"
	cd "$copy"
	grep -l '^```sql' README.md doc/*.md |
		SMARTCAR_SANDBOX=$sandbox_url SMARTCAR_KEY_FILE=$key_file xargs perl test/examples.pl
	stop_sandbox
}

step_parity()
{
	after install
	"$copy/test/parity/run.sh"
}

step_lint()
{
	local includes

	cd "$copy"
	mapfile -t includes < <(pkg-config --cflags-only-I libcurl libcrypto | xargs -r -n 1)
	clang-tidy --version | sed -n 's/^ *LLVM version/LLVM version/p'
	printf '%s\n' src/*/*.c | xargs -P "$(nproc)" -I '{}' clang-tidy --quiet '{}' -- \
		-std=gnu11 -Isrc -I"$("$PG_CONFIG" --includedir-server)" "${includes[@]}" -D_GNU_SOURCE \
		-DSMARTCAR_TESLA_VERSION='""' 2>&1 |
		sed -E '/warnings? generated\.$|^Suppressed |^Use -header-filter/d'
}

# Without the style of things, which are PostgreSQL's own.
step_cppcheck()
{
	cd "$copy"
	cppcheck --version
	cppcheck --quiet -j "$(nproc)" --std=c11 --enable=warning,performance,portability \
		--suppressions-list=test/cppcheck.supp \
		--error-exitcode=1 -Isrc src/*/*.c
}

# The same analyzer as clang-tidy's, over the code as the compiler builds it.  One
# checker is left out for the reason that .clang-tidy gives.
step_scan()
{
	cp -r "$copy" "$workspace/scan"
	scan-build -o "$workspace/scan.reports" --status-bugs \
		-disable-checker core.NonNullParamChecker \
		make -C "$workspace/scan" -j2 PG_CONFIG="$PG_CONFIG" with_llvm=no 2>&1 |
		sed -E '/^(make|gcc|clang|\/usr)/d'
}

# Left out of shellcheck are two remarks that are none: that a function may have
# arguments which a caller does not pass (2119), and that nothing calls a function
# which a trap calls (2317).
step_scripts()
{
	local file found=0 modules

	modules=$(dirname "$("$PG_CONFIG" --pgxs)")/../test/perl
	cd "$copy"
	while IFS= read -r file; do
		shellcheck -x -e SC2119,SC2317 "$file" || found=1
	done < <(find . -name '*.sh' -o -path ./.ci/run)
	while IFS= read -r file; do
		node --check "$file" || found=1
	done < <(find . -name '*.js' ! -path '*/node_modules/*')
	while IFS= read -r file; do
		perl -I "$modules" -I test/lib -c "$file" 2>"$workspace/perl.output" ||
			{ cat "$workspace/perl.output"; found=1; }
	done < <(find . -name '*.pl' -o -name '*.pm')
	return $found
}

step_fuzz()
{
	"$copy/test/fuzz/run.sh" "${FUZZ_SECONDS:-5}"
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

SECONDS=0
make_workspace
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

say "# total time: ${SECONDS}s"
say "$count_passed passed, $count_failed failed, $count_skipped skipped"
if [ "$count_failed" != 0 ]; then
	exit 1
fi
