# events.sh: events of webhooks, received by sessions side by side, with fsync on.
#
# What is compared takes turns: events that change nothing, that change a signal,
# that begin or end an error, INSERTs of one row that first read the event from the
# same table, and the check of the signature and the parsing of the JSON alone.
#
# Sourced by run.sh, which has made the server, after manager.sh.
#
# shellcheck shell=bash disable=SC2154

event_sessions="1 4 16 32"

# run_events KIND SESSIONS
run_events()
{
	local script=$scratch/event.sql rate processor

	if [ "$1" = bare ]; then
		echo "SELECT smartcar_verify_webhook(body, signature, server => 'events'), body::jsonb IS NULL
			FROM bench_event WHERE kind = 'same' AND n = (SELECT nextval('bench_same'));"
	elif [ "$1" = insert ]; then
		echo "INSERT INTO bench_received (server, event_id)
			SELECT 'events', event_id FROM bench_event WHERE kind = 'same' AND n = (SELECT nextval('bench_same')) AND body <> '';"
	else
		echo "SELECT smartcar_receive_webhook(body, signature, 'events') FROM bench_event WHERE kind = '$1' AND n = (SELECT nextval('bench_$1'));"
	fi >"$script"
	sql -c "SELECT setval('bench_same', 1)" -c "TRUNCATE bench_received, smartcar_tesla.webhook_event" -c CHECKPOINT -o /dev/null
	processor=$(server_processor_time)
	rate=$(as_server env PGHOST="$PGHOST" PGPORT="$PGPORT" \
		PGUSER="$PGUSER" PGDATABASE="$PGDATABASE" "$bin/pgbench" -n -M prepared -c "$2" -j 1 -T "$event_seconds" -f "$script" 2>"$scratch/messages" |
		sed -n 's/^tps = \([0-9.]*\).*/\1/p') || { cat "$scratch/messages" >&2; fail "pgbench failed"; }
	sleep 0.2	# the sessions end
	sql -c "INSERT INTO bench_event_sample VALUES ('$1', $2, $rate,
		($(server_processor_time) - $processor) / ($rate * $event_seconds))"
}

measure_events()
{
	local sessions kind

	command -v "$bin/pgbench" >/dev/null || { echo "events: skipped: there is no pgbench"; return; }
	use_processors "0-$(($(nproc) - 1))"
	sql -f "$here/sql/events.sql"
	set_fsync on
	for _ in $(seq "$event_repeats"); do
		for sessions in $event_sessions; do
			for kind in bare insert same signal error; do
				run_events $kind "$sessions"
			done
		done
	done
	set_fsync off
	use_processors "$core"
	sql -f "$here/sql/events_report.sql"
}
