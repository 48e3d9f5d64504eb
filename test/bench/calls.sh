# calls.sh: calls to Smartcar that take a while.
#
# The local Smartcar of test/sandbox responds after 50 ms, so 32 requests at once can
# be at most 640 a second.  The measurements take turns: calls for many, single calls,
# the npm package "smartcar" with as many calls at once, and a bare Node client, which
# shows how many requests the sandbox itself can handle.
#
# Sourced by run.sh, which has made the server and installed the package.
#
# shellcheck shell=bash disable=SC2154

call_delay=50	# milliseconds
call_owners=1000

# The sandbox must not take processor time from the measured processes.
start_call_sandbox()
{
	local other=$(((core + 1) % $(nproc)))

	start_sandbox --no-bucket --tls --delay $call_delay
	if [ -n "${pinned[*]}" ] && [ "$other" != "$core" ]; then
		taskset -a -p -c "$other" "$sandbox_pid" >/dev/null
	fi
	ask_sandbox fleet "{\"owners\": $call_owners}" >/dev/null
	ask_sandbox log '{"enabled": false}' >/dev/null
}

# measure_calls KIND PROTOCOL AT_ONCE
#   KIND      bulk or single (ours), sdk or bare (Node's)
#   PROTOCOL  http or https
measure_calls()
{
	local kind=$1 protocol=$2 at_once=$3 origin=$sandbox_url calls output=$scratch/node/samples

	calls=$((at_once * 1000 * call_seconds / call_delay))
	if [ "$protocol" = https ]; then
		origin=$sandbox_https
	fi
	case $kind in
		bulk | single)
			sql -v kind="$kind" -v protocol="$protocol" -v at_once="$at_once" -v calls="$calls" \
				-v origin="$origin" -v ca_file="$sandbox_ca_file" -v owners=$call_owners \
				-f "$here/sql/calls.sql"
			;;
		*)
			(cd "$scratch/node" && SMARTCAR_API_ORIGIN=$origin NODE_EXTRA_CA_CERTS=$sandbox_ca_file \
				OWNERS=$call_owners "${pinned[@]}" node calls.js "$kind" "$protocol" "$at_once" "$calls" \
				>"$output") || fail "calls.js failed"
			sql -c "\\copy bench_call_sample from '$output'"
			;;
	esac
}

# The package is measured only if it could be installed.
measure_sdk_calls()
{
	if [ -z "$node_state" ]; then
		measure_calls sdk "$@"
	fi
}

measure_all_calls()
{
	local at_once

	command -v node >/dev/null || { echo "calls: skipped: there is no node"; return; }
	cp "$here"/node/*.js "$scratch/node"
	start_call_sandbox
	sql -f "$here/sql/calls_tables.sql" -v delay=$call_delay
	for _ in $(seq "$call_repeats"); do
		measure_calls single http 1
		for at_once in 1 8 32; do
			measure_calls bulk http $at_once
			measure_sdk_calls http $at_once
		done
		measure_calls bulk https 32
		measure_sdk_calls https 32
		measure_calls bare http 32
		measure_calls bare https 32
	done
	stop_sandbox
	sql -v delay=$call_delay -f "$here/sql/calls_report.sql"
}
