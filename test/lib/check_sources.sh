# check_sources.sh: the steps of the check that look at the sources and build them.
#
# needs_NAME declares what has to be installed for a step, besides what the steps before it
# need; step_NAME runs under set -e in a copy of the project, whose path is in $copy.
#
# Sourced by test/check.sh, which lists the steps.
#
# shellcheck shell=bash disable=SC2154,SC2164

needs_version()
{
	need perl has_perl_module JSON::PP
}

step_version()
{
	"$copy/tools/version.sh"
	"$copy/tools/address.sh"
}

needs_format()
{
	find_postgres
	want pg-bsd-indent "$project/tools/format.sh" --find
}

step_format()
{
	"$copy/tools/format.sh" --find || skip "there is no pg_bsd_indent for this system"
	"$copy/tools/format.sh"
}

# A layer includes only those below it (doc/architecture.md), no files include each other
# in a circle, base names are unique, and the differences between versions of PostgreSQL are
# in one file.
step_layers()
{
	local folder forbidden file found=0

	cd "$copy"
	while read -r folder forbidden; do
		if grep -nE "#[[:space:]]*include[[:space:]]+($forbidden)" "src/$folder"/*.[ch]; then
			echo "src/$folder must not include these"
			found=1
		fi
	done <<-'END'
		core     "(postgres|pg/|func/|http/|call/|api/|manager/|utils/)|<curl|<openssl
		http     "(pg|func|call|api|manager)/
		pg       "(http|func|call|api|manager)/|<curl
		func     "(http|call|api|manager)/
		call     "(func|api|manager)/|"executor/spi\.h|<curl
		api      "(func|manager)/|"executor/spi\.h|<curl
		manager  "http/|<curl
	END
	for folder in src/*/; do
		case $folder in
			src/core/ | src/http/ | src/pg/ | src/func/ | src/call/ | src/api/ | src/manager/) ;;
			*) echo "$folder is no layer"; found=1 ;;
		esac
	done

	# a source and its header count as one; tsort names a circle
	if ! grep -oE '#include "[a-z]+/[a-z0-9_]+\.h"' src/*/*.[ch] |
		sed -nE 's|^src/([a-z]+/[a-z0-9_]+)\.[ch]:#include "([a-z]+/[a-z0-9_]+)\.h"$|\1 \2|p' |
		awk '$1 != $2 && system("test -e src/" $2 ".h") == 0' | sort -u | tsort >/dev/null; then
		echo "these include each other in a circle"
		found=1
	fi

	for file in src/*/*.[ch]; do
		if ! grep -qx " \* $file" "$file" || ! grep -qx " \* ${file##*/}" "$file"; then
			echo "$file: the banner must name the file, and its path"
			found=1
		fi
	done
	if find src -name '*.c' ! -path 'src/func/*' -printf '%f\n' | sort | uniq -d | grep . ||
		comm -12 <(find src/func -name '*.c' -printf '%f\n' | sort) \
			<(find src/*/ -name '*.c' ! -path 'src/func/*' ! -path 'src/core/*' -printf '%f\n' | sort) |
		grep .; then
		echo "these names occur twice; only func/x may be named after core/x"
		found=1
	fi

	if grep -rnE '\b(PG_VERSION_NUM|PG_MAJORVERSION_NUM|PG_MAJORVERSION)\b' src --include='*.[ch]' |
		grep -v -e '^src/pg/compat.h:' -e ': \*' -e ' \* '; then
		echo "only src/pg/compat.h may test the version of PostgreSQL"
		found=1
	fi
	if grep -nE '"[^"]*(clock_timestamp|statement_timestamp|timeofday|random)\(' src/*/*.c; then
		echo "a statement must not call what is volatile, or it cannot run on a distributed table"
		found=1
	fi
	return $found
}

needs_core()
{
	need_compiler
	need binutils has_command nm
}

# Besides warnings: every header compiles by itself, and the core has no data that changes
# and calls only functions on bytes.
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

needs_gcc()
{
	need_compiler
	need_libraries
	need_postgres
}

step_gcc()
{
	make_private_postgres
	build_with gcc WERROR=-Werror PG_CONFIG="$private_pg_config"
}

needs_clang()
{
	needs_gcc
	need clang has_command clang
}

# PostgreSQL passes on the options of its own compiler, gcc.  Bitcode is left out, because
# clang makes it in the build with gcc, too.
step_clang()
{
	build_with clang PG_CONFIG="$PG_CONFIG" with_llvm=no \
		WERROR='-Werror -Wno-ignored-attributes -Wno-ignored-optimization-argument -Wno-unknown-warning-option'
}

needs_lint()
{
	needs_clang
	need clang-tidy has_command clang-tidy
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

needs_cppcheck()
{
	need cppcheck has_command cppcheck
}

# Without checks of style, which is PostgreSQL's.
step_cppcheck()
{
	cd "$copy"
	cppcheck --version
	cppcheck --quiet -j "$(nproc)" --std=c11 --enable=warning,performance,portability \
		--suppressions-list=tools/cppcheck.supp \
		--error-exitcode=1 -Isrc src/*/*.c
}

needs_scan()
{
	needs_clang
	need clang-tools has_command scan-build
}

# The analyzer of clang-tidy, over the code as the compiler builds it.  One checker is left
# out for the reason in .clang-tidy.
step_scan()
{
	cp -r "$copy" "$workspace/scan"
	scan-build -o "$workspace/scan.reports" --status-bugs \
		-disable-checker core.NonNullParamChecker \
		make -C "$workspace/scan" -j2 PG_CONFIG="$PG_CONFIG" with_llvm=no 2>&1 |
		sed -E '/^(make|gcc|clang|\/usr)/d'
}

needs_scripts()
{
	need shellcheck has_command shellcheck
	need libipc-run-perl has_perl_module IPC::Run
	need perl has_command prove
	need_sandbox
	need_postgres
}

# Two warnings of shellcheck are left out: of arguments that a caller does not pass (2119), and
# of functions that only a trap calls (2317).
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

needs_links()
{
	need perl has_perl_module File::Find
}

step_links()
{
	perl "$copy/tools/links.pl" "$copy"
}

needs_fuzz()
{
	need_compiler
	need clang has_command clang
	need "$(fuzzing_package)" has_fuzzing_runtime
	need libcurl4-openssl-dev has_library libcurl
	need pkg-config has_command "${PKG_CONFIG:-pkg-config}"
}

step_fuzz()
{
	"$copy/test/fuzz/run.sh" "${FUZZ_SECONDS:-5}"
}

needs_package()
{
	need_packaging
}

# The script copies what git has of the project.
step_package()
{
	"$project/tools/package.sh" --quick
}
