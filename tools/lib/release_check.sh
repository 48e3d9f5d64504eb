# release_check.sh: test/check.sh in a release of Debian, and its results.
#
# Sourced by tools/bare.sh and tools/majors.sh, after release.sh.
#
# shellcheck shell=bash disable=SC2154

count_passed=0
count_failed=0
count_skipped=0

summary()
{
	say "# total time: ${SECONDS}s"
	say "$count_passed passed, $count_failed failed, $count_skipped skipped"
	[ "$count_failed" = 0 ] || exit 1
}

# Prints the lines of a check as they come, each with a label.
# show_check LOG PID LABEL
show_check()
{
	tail -n +1 -f --pid="$2" "$1" |
		sed -uE -e "s/^(ok|not ok|skipped) - /&$3/" \
			-e '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/d'
}

# check_in_release LABEL [STEP...]
check_in_release()
{
	local label=$1 log=$workspace/check.log reader counts passed failed skipped result=0

	shift
	rm -rf "$release_directory/project"
	copy_project "$release_directory/project"
	: >"$log"
	start_running in_release /project/test/check.sh "$@" >"$log" 2>&1
	show_check "$log" "$running" "$label" &
	reader=$!
	finish_running || result=$?
	wait "$reader" || true

	counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log")
	if [ -z "$counts" ]; then
		say "not ok - ${label}the check ended with $result before its end"
		count_failed=$((count_failed + 1))
		return
	fi
	read -r passed failed skipped <<<"$counts"
	count_passed=$((count_passed + passed))
	count_failed=$((count_failed + failed))
	count_skipped=$((count_skipped + skipped))
}
