# week.sh: the tables of the connection manager after a week.
#
#   bloat    refreshes and events of WEEK_ROUNDS rounds over WEEK_ROWS rows, in fast
#            motion: statements like those of the manager, without requests
#   outage   accounts that wait since an outage, under statistics of a quiet day
#
# Sourced by run.sh, which has made the server, after manager.sh.
#
# shellcheck shell=bash disable=SC2154

week_rows=${WEEK_ROWS:-100000}
week_rounds=${WEEK_ROUNDS:-96}
waiting_accounts=${WAITING_ACCOUNTS:-300000}
outage_accounts=512

# One round is what 105 minutes bring: each token is refreshed.  Autovacuum has time
# enough in them, here it is done when it would be.
play_week()
{
	local round part

	sql -v rows="$week_rows" -v fillfactor="$1" -f "$here/sql/week_tables.sql"
	for round in $(seq "$week_rounds"); do
		for part in 1 2 3 4 5; do
			sql -c "CALL bench_week_part($round, $part)"
			sql -At -c "SELECT format('VACUUM %s;', relid::regclass) FROM pg_stat_user_tables
				WHERE schemaname = 'smartcar_tesla' AND n_dead_tup > 50 + 0.2 * $week_rows" | sql
		done
	done
	sql -v fillfactor="$1" -f "$here/sql/week_report.sql"
}

measure_outage()
{
	local state seconds last
	local key_file=$scratch/server/token_key

	start_manager_sandbox
	as_server sh -c "umask 077; printf 'key1 %064d\n' 7 >'$key_file'"
	sql -v origin="$sandbox_url" -v at_once="$manager_at_once" -v key_file="$key_file" \
		-f "$here/sql/refresh_server.sql"
	last=0
	for state in "of a quiet day" "of now"; do
		ask_sandbox fleet "{\"owners\": $outage_accounts}" >/dev/null
		load_accounts "$key_file" $((last + 1)) $((last + outage_accounts))
		last=$((last + outage_accounts))
		sql -v waiting="$waiting_accounts" -f "$here/sql/outage.sql"
		if [ "$state" = "of now" ]; then
			sql -c "ANALYZE smartcar_tesla.account"
		fi
		seconds=$(date +%s.%N)
		quietly sql -o /dev/null -c "CALL smartcar_refresh(server => 'refresh')"
		seconds=$(awk "BEGIN { print $(date +%s.%N) - $seconds }")
		sql -c "CALL bench_check('not every account was refreshed',
			'SELECT count(*) = $outage_accounts FROM smartcar_tesla.account WHERE attempts = 0 AND access_expires_at > now() + ''1 hour''')"
		awk -v count=$outage_accounts -v waiting="$waiting_accounts" -v seconds="$seconds" -v state="$state" 'BEGIN {
			printf "refresh beside %d that wait, statistics %s: %.0f a second\n", waiting, state, count / seconds }'
	done
	stop_sandbox
}

measure_week()
{
	local fillfactor

	for fillfactor in ${WEEK_FILLFACTORS:-90}; do
		play_week "$fillfactor"
	done
	command -v node >/dev/null || { echo "outage: skipped: there is no node"; return; }
	measure_outage
}
