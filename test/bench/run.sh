#!/bin/bash
#
# Measures how fast the extension is.
#
# Usage: test/bench/run.sh [links] [calls] [manager] [events] [week]
#
#   links   the functions that are called once per row of a large table: links,
#           callbacks, permissions, webhooks
#   calls   calls to Smartcar, one by one and many at once
#   manager the connection manager over many owners: its view, sync, refresh
#   events  events of webhooks, by sessions side by side
#   week    what a week leaves in the tables, and a refresh after an outage
#
# Without an argument, all of them but the week.
#
#   ROWS=1000000     how many rows
#   REPEATS=11       how often each query is run
#   CALL_SECONDS=3   how long a run of calls takes
#   CALL_REPEATS=5   how often each is made, and each sync and refresh
#   SYNC_CONNECTIONS=100000, REFRESH_ACCOUNTS=4000
#                    how many the connection manager has
#   WEEK_ROWS=100000, WEEK_ROUNDS=96, WEEK_FILLFACTORS="90", WAITING_ACCOUNTS=300000
#                    the week: accounts, rounds of refreshes, what it is tried with
#   BENCH_QUICK=1    50,000 rows and nine repeats, calls for a second and three
#                    times, a fifth of the connections and accounts, all in
#                    about three minutes
#   BENCH_CORE=n     the processor that the server and Node are pinned to
#   BENCH_LIBRARY=f  measure the library in this file, not the installed one
#   PG_CONFIG=...    another PostgreSQL
#
# It measures the extension that is installed, in a server of its own, which is
# gone afterwards.  A slow result is no failure: only a function that does
# something wrong makes this end with an error.

set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=test/lib/sandbox.sh
. "$here/../lib/sandbox.sh"
# shellcheck source=test/bench/calls.sh
. "$here/calls.sh"
# shellcheck source=test/bench/manager.sh
. "$here/manager.sh"
# shellcheck source=test/bench/events.sh
. "$here/events.sh"
# shellcheck source=test/bench/week.sh
. "$here/week.sh"

pg_config=${PG_CONFIG:-pg_config}
if [ -n "${BENCH_QUICK:-}" ]; then
	rows=${ROWS:-50000}
	repeats=${REPEATS:-9}
	node_repeats=3
	call_seconds=${CALL_SECONDS:-1}
	call_repeats=${CALL_REPEATS:-3}
	sync_connections=${SYNC_CONNECTIONS:-20000}
	detailed_connections=$((sync_connections / 20))
	refresh_accounts=${REFRESH_ACCOUNTS:-800}
	event_seconds=1
	event_repeats=1
else
	rows=${ROWS:-1000000}
	repeats=${REPEATS:-11}
	node_repeats=5
	call_seconds=${CALL_SECONDS:-3}
	call_repeats=${CALL_REPEATS:-5}
	sync_connections=${SYNC_CONNECTIONS:-100000}
	detailed_connections=$((sync_connections / 20))
	refresh_accounts=${REFRESH_ACCOUNTS:-4000}
	event_seconds=2
	event_repeats=3
fi
core=${BENCH_CORE:-$(($(nproc) - 1))}
load=$(cut -d ' ' -f 1-3 /proc/loadavg)

scratch=
server_started=no

fail()
{
	echo "bench: $1" >&2
	exit 1
}

sections=" $* "
for section in "$@"; do
	case $section in
		links | calls | manager | events | week) ;;
		*) fail "there is no section \"$section\": links, calls, manager, events and week are" ;;
	esac
done
if [ $# -eq 0 ]; then
	sections=" links calls manager events "
fi

# The server refuses to run as root.
as_server()
{
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

clean_up()
{
	stop_sandbox
	if [ "$server_started" = yes ]; then
		as_server "$bin/pg_ctl" -D "$scratch/server/data" -m immediate -w stop >/dev/null || true
	fi
	if [ -n "$scratch" ]; then
		rm -rf "$scratch"
	fi
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

command -v "$pg_config" >/dev/null || fail "$pg_config not found, set PG_CONFIG"
bin=$("$pg_config" --bindir)
installed=$("$pg_config" --pkglibdir)/smartcar_tesla.so
library=${BENCH_LIBRARY:-$installed}
if [ ! -f "$("$pg_config" --sharedir)/extension/smartcar_tesla.control" ] || [ ! -f "$installed" ]; then
	fail "the extension is not installed: run \"make && make install\" in $root first"
fi

pinned=()
if command -v taskset >/dev/null && taskset -c "$core" true 2>/dev/null; then
	pinned=(taskset -c "$core")
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/smartcar_bench.XXXXXX")
mkdir "$scratch/node" "$scratch/server"
cp -R "$here/floor" "$scratch/floor"
if ! make -C "$scratch/floor" with_llvm=no PG_CONFIG="$pg_config" >"$scratch/make.log" 2>&1; then
	cat "$scratch/make.log" >&2
	fail "the floor cannot be built"
fi

# A copy is measured, because somebody may install another one meanwhile.
cp "$library" "$scratch/smartcar_tesla.so"
chmod 755 "$scratch/smartcar_tesla.so"
if [ "$(id -u)" -eq 0 ]; then
	chmod 711 "$scratch"
	chown postgres "$scratch/server"
fi

#
# The server: all tables fit into its memory, and nothing disturbs the one
# process that counts.
#
data=$scratch/server/data
as_server "$bin/initdb" -D "$data" -U postgres --auth=trust --encoding=UTF8 --no-locale --no-sync \
	>"$scratch/initdb.log" 2>&1 || { cat "$scratch/initdb.log" >&2; fail "initdb failed"; }
as_server tee -a "$data/postgresql.conf" >/dev/null <<EOF
listen_addresses = ''
unix_socket_directories = '$scratch/server'
shared_buffers = $((256 + rows / 500))MB
fsync = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 16GB
checkpoint_timeout = 1h
autovacuum = off
bgwriter_lru_maxpages = 0
synchronize_seqscans = off
max_parallel_workers_per_gather = 0
jit = off
client_min_messages = warning
EOF
as_server "${pinned[@]}" "$bin/pg_ctl" -D "$data" -l "$scratch/server/log" -w start >/dev/null ||
	{ cat "$scratch/server/log" >&2; fail "the server does not start"; }
server_started=yes

unset PGSERVICE PGPASSFILE PGHOSTADDR PSQLRC
export PGHOST=$scratch/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres LC_ALL=C
export PGOPTIONS="-c bench.rows=$rows -c bench.repeats=$repeats"

sql()
{
	"$bin/psql" -X -q -v ON_ERROR_STOP=1 -v floor="$scratch/floor/floor" -v directory="$scratch/node" "$@"
}

# The seconds for which the server has had a processor, with its sessions that have ended.
server_processor_time()
{
	local stat

	stat=$(cat "/proc/$(head -n 1 "$data/postmaster.pid")/stat")
	awk -v ticks="$(getconf CLK_TCK)" '{ print ($14 + $15 + $16 + $17) / ticks }' <<<"$stat"
}

# Sessions that begin now wait for the disk, as they would elsewhere, or do not.
set_fsync()
{
	sql -c "ALTER SYSTEM SET fsync = $1" -c "SELECT pg_reload_conf()" -o /dev/null
}

#
# What is compared with.
#
node_state=
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
	node_state="skipped: there is no node or no npm"
else
	cp "$here"/node/*.js "$here"/node/package*.json "$here"/node/.npmrc "$scratch/node"
	if ! (cd "$scratch/node" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000) >"$scratch/npm.log" 2>&1; then
		node_state="skipped: $(grep -E -m 1 'code|network' "$scratch/npm.log" || echo "npm failed")"
	fi
fi

# Runs a program of node/ and stores what it measured.
node_measure()
{
	if [ -n "$node_state" ]; then
		return
	fi
	(cd "$scratch/node" && ROWS=$rows REPEATS=$node_repeats DIRECTORY=$scratch/node \
		"${pinned[@]}" node "$1" >"$scratch/node/samples") || fail "$1 failed"
	sql -c "\\copy bench_sample from '$scratch/node/samples'"
}

measure_links()
{
	sql -f "$here/sql/plpgsql.sql"
	sql -f "$here/sql/connect_url.sql"
	node_measure links.js
	sql -f "$here/sql/missing_scopes.sql"
	sql -f "$here/sql/parse_callback.sql"
	sql -f "$here/sql/verify_webhook.sql"
	node_measure webhooks.js
	sql -f "$here/sql/growth.sql"
	sql -f "$here/sql/report.sql"
}

sql -f "$here/sql/harness.sql"
sql -c "DO \$\$ BEGIN
	UPDATE pg_proc SET probin = '$scratch/smartcar_tesla.so' WHERE probin LIKE '%/smartcar_tesla';
	IF NOT FOUND THEN RAISE EXCEPTION 'no function of the extension was found'; END IF;
END \$\$"

processor=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
echo "smartcar_tesla   $(sql -At -c "SELECT string_agg(name || ' ' || setting, ', ') FROM smartcar_info() WHERE source = 'library'")"
echo "measured         $library"
echo "PostgreSQL       $(sql -At -c "SHOW server_version")"
if [ -n "$node_state" ]; then
	echo "Node SDK         $node_state"
else
	echo "Node SDK         smartcar $(node -p "require('$scratch/node/node_modules/smartcar/package.json').version"), Node $(node --version), OpenSSL $(node -p process.versions.openssl)"
fi
echo "processor        ${processor:-unknown}, $(nproc) of them, pinned to ${pinned[*]:+number $core}"
echo "load before      $load"
if [[ $sections == *" links "* || $sections == *" manager "* ]]; then
	echo "rows, repeats    $rows, $repeats"
fi
if [[ $sections == *" calls "* ]]; then
	echo "calls            for ${call_seconds} s, $call_repeats times, with a response after $call_delay ms"
fi
if [[ $sections == *" manager "* ]]; then
	echo "manager          $sync_connections connections, $refresh_accounts accounts, $call_repeats times"
fi
if [ -z "${BENCH_LIBRARY:-}" ] && [ -f "$root/smartcar_tesla.so" ] &&
	! cmp -s "$root/smartcar_tesla.so" "$scratch/smartcar_tesla.so"; then
	echo "NOTE: this is not the library that was built in this tree; \"make install\" would install that one."
fi
if awk -v load="$load" 'BEGIN { split(load, average); exit !(average[1] > 0.5) }'; then
	echo "WARNING: the machine was busy before this began; do not rely on these figures."
fi

if [[ $sections == *" links "* ]]; then
	measure_links
fi
if [[ $sections == *" calls "* ]]; then
	measure_all_calls
fi
if [[ $sections == *" manager "* ]]; then
	measure_manager
fi
if [[ $sections == *" events "* ]]; then
	measure_events
fi
if [[ $sections == *" week "* ]]; then
	measure_week
fi
sql -f "$here/sql/summary.sql"
