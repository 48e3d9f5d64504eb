# manager.sh: the connection manager, over many owners.
#
#   the view    smartcar_status over all connections, and for one owner
#   sync        all connections of an application that uses the v3 API
#   refresh     the tokens of v2.0, by sessions side by side
#
# A bare client of Node asks the local Smartcar of test/sandbox for the same, and
# ignores the responses.  It shows how fast the sandbox itself is.
#
# Sourced by run.sh, which has made the server, after calls.sh.
#
# shellcheck shell=bash disable=SC2154

manager_delay=50	# milliseconds, for each refresh
manager_at_once=32

# use_processors LIST: those that the server's new processes run on.
use_processors()
{
	if [ -n "${pinned[*]}" ]; then
		taskset -p -c "$1" "$(head -n 1 "$data/postmaster.pid")" >/dev/null
	fi
}

# Workers that are to help need processors of their own.
measure_status()
{
	sql -f "$here/sql/status_tables.sql"
	sql -v count="$rows" -v few=10 -f "$here/sql/status_fill.sql"
	sql -v workers=0 -f "$here/sql/status.sql"
	use_processors "0-$(($(nproc) - 1))"
	sql -v workers="$(($(nproc) - 1))" -f "$here/sql/status.sql"
	use_processors "$core"
	# a tenth of the connections with as many that need something, then ten times as many
	sql -v count="$((rows / 10))" -v few=1000 -f "$here/sql/status_fill.sql"
	sql -f "$here/sql/todo.sql"
	sql -v count="$rows" -v few=10000 -f "$here/sql/status_fill.sql"
	sql -f "$here/sql/todo.sql"
	sql -v count="$rows" -v few=1000 -f "$here/sql/status_fill.sql"
	sql -f "$here/sql/todo.sql"
	sql -f "$here/sql/status_report.sql"
}

# start_manager_sandbox [ARGUMENTS OF main.js]
start_manager_sandbox()
{
	local other=$(((core + 1) % $(nproc)))

	start_sandbox --no-bucket "$@"
	if [ -n "${pinned[*]}" ] && [ "$other" != "$core" ]; then
		taskset -a -p -c "$other" "$sandbox_pid" >/dev/null
	fi
	ask_sandbox log '{"enabled": false}' >/dev/null
}

# note_run KIND SESSIONS COUNT SECONDS [PROCESSOR_SECONDS REQUESTS]
note_run()
{
	sql -c "INSERT INTO bench_manager_sample VALUES ('$1', $2, $3, $4, ${5:-NULL}, ${6:-NULL})"
}

# bare_client KIND ARGUMENTS: prints the seconds that it took.
bare_client()
{
	SMARTCAR_API_ORIGIN=$sandbox_url "${pinned[@]}" node "$here/node/manager.js" "$@" || fail "manager.js failed"
}

# The procedures tell how far they are, which is wanted only if they fail.
quietly()
{
	"$@" 2>"$scratch/messages" || { cat "$scratch/messages" >&2; return 1; }
}

# time_sync KIND COUNT DETAILS
time_sync()
{
	quietly sql -v kind="$1" -v count="$2" -v details="$3" -f "$here/sql/sync.sql"
}

# Without details, which is a request for each page; with them it is one for each vehicle, too.
measure_sync()
{
	start_manager_sandbox
	ask_sandbox fleet "{\"owners\": $sync_connections, \"tokens\": false}" >/dev/null
	sql -v origin="$sandbox_url" -v at_once=$manager_at_once -f "$here/sql/sync_server.sql"
	for _ in $(seq "$call_repeats"); do
		note_run bare_sync 1 "$sync_connections" \
			"$(bare_client connections $manager_at_once "$sync_connections")"
		sql -c "TRUNCATE smartcar_tesla.connection"
		time_sync first_sync "$sync_connections" false
		time_sync next_sync "$sync_connections" false
	done
	ask_sandbox reset '{}' >/dev/null
	ask_sandbox fleet "{\"owners\": $detailed_connections, \"tokens\": false}" >/dev/null
	ask_sandbox log '{"enabled": false}' >/dev/null
	for _ in $(seq "$call_repeats"); do
		note_run bare_details 1 "$detailed_connections" \
			"$(bare_client details $manager_at_once "$detailed_connections")"
		sql -c "TRUNCATE smartcar_tesla.connection"
		time_sync details_sync "$detailed_connections" true
		time_sync known_sync "$detailed_connections" true
	done
	stop_sandbox
}

# The accounts FIRST to LAST of the sandbox's fleet, sealed, as if their owners
# had connected.
load_accounts()
{
	node "$here/../lib/seal_tokens.js" seal "$1" refresh "$2" "$3" >"$scratch/accounts"
	sql -c "TRUNCATE bench_account" -c "\\copy bench_account from '$scratch/accounts'" -f "$here/sql/accounts.sql"
}

# measure_refresh SESSIONS: as many sessions, which begin together.
measure_refresh()
{
	local sessions=$1 running=() begun ended processor session messages=$scratch/messages

	sql -c "UPDATE smartcar_tesla.account SET access_expires_at = now() + '1 minute'" \
		-c "VACUUM ANALYZE smartcar_tesla.account"
	processor=$(server_processor_time)
	begun=$(date +%s.%N)
	for session in $(seq "$sessions"); do
		sql -o /dev/null -c "CALL smartcar_refresh(server => 'refresh')" 2>"$messages.$session" &
		running+=($!)
	done
	for session in "${running[@]}"; do
		wait "$session" || { cat "$messages".* >&2; fail "a refresh failed"; }
	done
	ended=$(date +%s.%N)
	sql -c "CALL bench_check('not every account was refreshed',
		'SELECT count(*) = $refresh_accounts FROM smartcar_tesla.account WHERE attempts = 0 AND access_expires_at > now() + ''1 hour''')"
	note_run refresh "$sessions" "$refresh_accounts" "$(awk "BEGIN { print $ended - $begun }")" \
		"$(server_processor_time) - $processor" "$refresh_accounts"
}

measure_refreshes()
{
	local key_file=$scratch/server/token_key first=1 last sessions

	start_manager_sandbox --delay $manager_delay
	as_server sh -c "umask 077; printf 'key1 %064d\n' 7 >'$key_file'"
	sql -v origin="$sandbox_url" -v at_once=$manager_at_once -v key_file="$key_file" \
		-f "$here/sql/refresh_server.sql"
	set_fsync on
	for _ in $(seq "$call_repeats"); do
		for sessions in 1 2 4; do
			# accounts that nobody has refreshed, for each of the two
			ask_sandbox fleet "{\"owners\": $((2 * refresh_accounts))}" >/dev/null
			last=$((first + refresh_accounts - 1))
			note_run bare_refresh "$sessions" "$refresh_accounts" \
				"$(bare_client tokens $((sessions * manager_at_once)) $first $last)"
			first=$((last + 1))
			last=$((first + refresh_accounts - 1))
			load_accounts "$key_file" $first $last
			measure_refresh "$sessions"
			first=$((last + 1))
		done
	done
	set_fsync off
	stop_sandbox
}

measure_manager()
{
	measure_status
	command -v node >/dev/null || { echo "sync and refresh: skipped: there is no node"; return; }
	sql -f "$here/sql/manager_tables.sql"
	measure_sync
	measure_refreshes
	sql -v delay=$manager_delay -v at_once=$manager_at_once -f "$here/sql/manager_report.sql"
}
