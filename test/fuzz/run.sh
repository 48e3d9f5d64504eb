#!/bin/bash
#
# Builds the fuzz targets, replays their corpora and fuzzes each for a while.
#
# Usage: test/fuzz/run.sh [--grow] [seconds for each target, default 5] [target...]
#
# Everything happens in a temporary directory.  With --grow, inputs that reach new code are
# added to the corpus afterwards; nothing else is written into the tree.  An input that breaks
# a target is kept outside the temporary directory, and its path is printed.

set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$here/../.." && pwd) || exit 1
compiler=${CLANG:-clang}

grow=no
seconds=5
targets=()
for argument in "$@"; do
	case $argument in
		--grow) grow=yes ;;
		*[!0-9]*) targets+=("$argument") ;;
		?*) seconds=$argument ;;
	esac
done
if [ ${#targets[@]} -eq 0 ]; then
	for source in "$here"/fuzz_*.c; do
		target=${source##*/fuzz_}
		targets+=("${target%.c}")
	done
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/smartcar-fuzz.XXXXXX") || exit 1
running=
# shellcheck disable=SC2317 # the trap calls it
finish()
{
	if [ -n "$running" ]; then
		kill "$running" 2>/dev/null
		wait "$running" 2>/dev/null
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip()
{
	echo "skipped: $1"
	exit 77
}

# The core is compiled as it is shipped, in strict C11; the targets use more of the system.
# shellcheck disable=SC2054 # -fsanitize= takes its list with commas
sanitizers=(-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
core_flags=(-std=c11 -Wall -Wextra -Werror "${sanitizers[@]}" -fsanitize=fuzzer-no-link
	-I"$root/src")
target_flags=(-std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror "${sanitizers[@]}"
	-fsanitize=fuzzer -I"$root/src" -I"$here")

probe()
{
	printf '%s\n' "$1" >"$work/probe.c"
	"$compiler" "${target_flags[@]}" "$work/probe.c" "${@:2}" -o "$work/probe" >"$work/probe.log" 2>&1
}

entry='int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size);
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size)
{ (void) data; (void) size; return 0; }'

command -v "$compiler" >/dev/null ||
	skip "there is no clang; install clang and libclang-rt-14-dev"
probe "$entry" ||
	skip "clang has no fuzzing runtime; install libclang-rt-14-dev"
probe "#include <curl/curl.h>
$entry" -lcurl ||
	skip "there is no libcurl to compare with; install libcurl4-openssl-dev"

# Other plain C files that parse what a server sent are tested like the core.
objects=()
for source in "$root"/src/core/*.c "$root"/src/http/header.c; do
	object=$work/$(basename "$source" .c).o
	"$compiler" "${core_flags[@]}" -c "$source" -o "$object" || exit 1
	objects+=("$object")
done

# A symbolizer makes the report of a failure readable.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

# As large as the target needs, but no larger: short inputs find more per second.
longest_input()
{
	case $1 in
		callback | completion | link) echo 1024 ;;
		header | virtual_key | permission) echo 320 ;;
		timestamp) echo 64 ;;
		*) echo 192 ;;
	esac
}

fuzz()
{
	"$@" >"$work/log" 2>&1 &
	running=$!
	wait "$running"
	local result=$?
	running=
	return $result
}

# Prints the failure and keeps the input.
report_failure()
{
	local target=$1 found keep

	echo "not ok - fuzz $target"
	if grep -qa '^property failed' "$work/log"; then
		grep -a -A 2 '^property failed' "$work/log" | sed 's/^/# /'
	else
		sed -nE '/runtime error|ERROR: /,$p' "$work/log" | head -n 12 | sed 's/^/# /'
	fi
	found=$(find "$work/$target.found" -type f | head -n 1)
	if [ -n "$found" ]; then
		keep=$(mktemp "${FUZZ_KEEP:-${TMPDIR:-/tmp}}/smartcar-fuzz-$target.XXXXXX") && cp "$found" "$keep"
		echo "# the input is kept in $keep; it is, in base64:"
		base64 "$found" | head -n 20 | sed 's/^/# /'
	fi
}

failed=0
for target in "${targets[@]}"; do
	program=$work/fuzz_$target
	corpus=$work/$target.corpus
	seeds=$here/corpus/$target
	options=(-max_len="$(longest_input "$target")" -timeout=10 -rss_limit_mb=2048
		-print_final_stats=1 -artifact_prefix="$work/$target.found/")
	if [ -f "$here/dictionary/$target.dict" ]; then
		options+=(-dict="$here/dictionary/$target.dict")
	fi

	if ! "$compiler" "${target_flags[@]}" "$here/fuzz_$target.c" "${objects[@]}" -lcurl \
		-o "$program"; then
		echo "not ok - fuzz $target (cannot be built)"
		failed=1
		continue
	fi
	mkdir "$corpus" "$work/$target.found"
	if [ -d "$seeds" ]; then
		cp "$seeds"/* "$corpus"/
	fi

	# All seeds first, unchanged; then inputs that grow from them.
	if ! fuzz "$program" "${options[@]}" -runs=0 "$corpus"; then
		report_failure "$target"
		failed=1
		continue
	fi
	runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$work/log")
	if [ "$seconds" -gt 0 ]; then
		if ! fuzz "$program" "${options[@]}" -max_total_time="$seconds" "$corpus"; then
			report_failure "$target"
			failed=1
			continue
		fi
		runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$work/log")
	fi
	echo "ok - fuzz $target ($runs runs)"

	if [ $grow = yes ]; then
		mkdir -p "$seeds"
		before=$(find "$seeds" -type f | wc -l)
		fuzz "$program" "${options[@]}" -merge=1 "$seeds" "$corpus" || failed=1
		echo "# $(($(find "$seeds" -type f | wc -l) - before)) inputs added to the corpus of $target"
	fi
done
exit $failed
