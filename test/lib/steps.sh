# steps.sh: runs the steps of a check and reports them.
#
# A step is a function step_NAME.  It runs in a process of its own, with its output in a log,
# with at most as many at once as there are processors.  Its result is its exit status: 0, 77
# for a step that cannot run here (the log has a line "skipped: why"), or a failure.  A step
# may report single tests in lines "ok - ...", "skipped - ..." and "not ok - ...", the last
# followed by lines "# ..." that explain it; then these are counted.  A line "note - ..." is
# shown and not counted.
#
# A step that takes longer than step_limit seconds is ended and has failed; the log says what
# was running.
#
# Sourced by test/check.sh, which sets step_limit, after workspace.sh.
#
# shellcheck shell=bash disable=SC2154

count_passed=0
count_failed=0
count_skipped=0
running_steps=()
declare -A step_pid=()
declare -A step_begin=()

log_of()
{
	echo "$workspace/steps/$1.log"
}

is_done()
{
	[ -e "$workspace/steps/$1.result" ]
}

result_of()
{
	cut -d ' ' -f 1 "$workspace/steps/$1.result"
}

skip()
{
	echo "skipped: $*"
	exit 77
}

# For a step: waits until an earlier one has ended, and fails if that failed.
after()
{
	until is_done "$1"; do
		sleep 0.1
	done
	if [ "$(result_of "$1")" != 0 ]; then
		skip "it needs the step \"$1\""
	fi
}

# Each step is a process group, so that all its processes can be ended.
start_step()
{
	local name=$1

	set -m
	(
		set +em
		trap - ERR
		start=$SECONDS
		(
			set -euo pipefail
			report_errors
			"step_$name"
		) >"$(log_of "$name")" 2>&1
		echo "$? $((SECONDS - start))" >"$workspace/steps/$name.new"
		mv "$workspace/steps/$name.new" "$workspace/steps/$name.result"
	) </dev/null &
	step_pid[$name]=$!
	step_begin[$name]=$SECONDS
	set +m
	running_steps+=("$name")
}

# end_steps NAME...: gives them some time to clean up.
end_steps()
{
	local name tries

	for name; do
		kill -TERM -- "-${step_pid[$name]}" 2>/dev/null || true
	done
	for name; do
		for ((tries = 0; tries < 200; tries++)); do
			kill -0 -- "-${step_pid[$name]}" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL -- "-${step_pid[$name]}" 2>/dev/null || true
	done
}

stop_steps()
{
	end_steps "${running_steps[@]}"
	wait
}

# A process that waits for a response that does not come would never end.
end_step_beyond_limit()
{
	local name=$1

	if [ $((SECONDS - step_begin[$name])) -le "$step_limit" ]; then
		return
	fi
	{
		echo "this has taken more than $step_limit seconds, and was ended; what was running:"
		ps -e -o pgid=,pid=,etimes=,args= |
			awk -v group="${step_pid[$name]}" '$1 == group { print substr($0, 1, 200) }' || true
	} >>"$(log_of "$name")" 2>&1
	end_steps "$name"
}

# explain_failure TITLE LOG
explain_failure()
{
	say "# failed: $1"
	{
		awk '/^(ok|not ok|skipped|note) - / { failed = /^not/ } failed && /^(not ok - |# )/' "$2"
		sed -E '/^((ok|not ok|skipped|note) - |# )/d' "$2" | tail -n 60
	} | sed 's/^/  | /'
}

# At the end, where they are found.
repeat_failures()
{
	if [ -e "$workspace/steps/failures" ]; then
		say "# what failed, once more:"
		cat "$workspace/steps/failures"
	fi
}

report_step()
{
	local name=$1 title=$2 log result seconds passed failed skipped

	log=$(log_of "$name")
	read -r result seconds <"$workspace/steps/$name.result"
	passed=$(grep -c '^ok - ' "$log" || true)
	failed=$(grep -c '^not ok - ' "$log" || true)
	skipped=$(grep -c '^skipped - ' "$log" || true)

	if [ "$result" = 77 ]; then
		count_skipped=$((count_skipped + 1))
		say "skipped - $title: $(sed -n '/^skipped: /{s///p;q}' "$log")"
		return
	fi
	if [ $((passed + failed + skipped)) -gt 0 ]; then
		grep -E '^(ok|not ok|skipped|note) - ' "$log"
	elif [ "$result" = 0 ]; then
		passed=1
		say "ok - $title (${seconds}s)"
	fi
	# a step that stops early has failed, whatever it has reported
	if [ "$result" != 0 ] && [ "$failed" = 0 ]; then
		failed=1
		say "not ok - $title (${seconds}s)"
	fi
	if [ "$failed" != 0 ]; then
		explain_failure "$title" "$log" | tee -a "$workspace/steps/failures"
	fi
	count_passed=$((count_passed + passed))
	count_failed=$((count_failed + failed))
	count_skipped=$((count_skipped + skipped))
}

forget_finished_steps()
{
	local name still_running=()

	for name in "${running_steps[@]}"; do
		if ! is_done "$name"; then
			end_step_beyond_limit "$name"
		fi
		if ! is_done "$name" && kill -0 "${step_pid[$name]}" 2>/dev/null; then
			still_running+=("$name")
			continue
		fi
		wait "${step_pid[$name]}" || true
		# a step that was killed has left no result
		is_done "$name" ||
			echo "137 $((SECONDS - step_begin[$name]))" >"$workspace/steps/$name.result"
	done
	running_steps=("${still_running[@]}")
}

# run_steps NAME...: with the titles that title_of prints.
run_steps()
{
	local processors reported=0 waiting=("$@") order=("$@")

	processors=$(nproc 2>/dev/null || echo 2)
	mkdir -p "$workspace/steps"
	at_end stop_steps
	while [ "$reported" -lt ${#order[@]} ]; do
		while [ ${#waiting[@]} -gt 0 ] && [ ${#running_steps[@]} -lt "$processors" ]; do
			start_step "${waiting[0]}"
			waiting=("${waiting[@]:1}")
		done
		sleep 0.1
		forget_finished_steps
		while [ "$reported" -lt ${#order[@]} ] && is_done "${order[$reported]}"; do
			report_step "${order[$reported]}" "$(title_of "${order[$reported]}")"
			reported=$((reported + 1))
		done
	done
}
