# memory.sh: every call to Smartcar in a backend that runs under Valgrind.
#
# The server frees its own memory when a statement ends; libcurl and OpenSSL do not.  A
# backend under Valgrind makes the calls of test/memory/calls.sql and then ends normally;
# another one is terminated while it waits.  A report of Valgrind fails the test if it is
# about
#   - memory that one of these backends used wrongly, or
#   - lost memory that the extension, libcurl or OpenSSL allocated.
# test/memory/valgrind.supp has the reports about the server itself.
#
# Sourced by test/check.sh, after server.sh and sandbox.sh.
#
# shellcheck shell=bash disable=SC2154

memory_psql()
{
	PGHOST=$workspace/memory PGDATABASE=postgres psql -X -q -A -t "$@"
}

# The extension is created without Valgrind, because that takes long and is not tested.
make_memory_server()
{
	local directory=$workspace/memory

	mkdir -p "$directory/reports"
	if [ "$(id -un)" != "$server_user" ]; then
		chown -R "$server_user" "$directory"
	fi
	as_server_user initdb --username=postgres --auth=trust --encoding=UTF8 --no-locale \
		--no-sync --pgdata="$directory/data" || return 1
	cat >>"$directory/data/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$directory'
		port = 5432
		fsync = off
		jit = off
		shared_buffers = 16MB
		max_connections = 10
		autovacuum = off
		max_logical_replication_workers = 0
	END
	as_server_user postgres --single -D "$directory/data" postgres \
		<<<'CREATE EXTENSION smartcar_tesla'
}

start_memory_server()
{
	local directory=$workspace/memory waited=0 server

	as_server_user valgrind --leak-check=full --show-leak-kinds=definite \
		--errors-for-leak-kinds=definite --num-callers=40 \
		--suppressions="$copy/test/memory/valgrind.supp" --log-file="$directory/reports/%p" \
		"$(command -v postgres)" -D "$directory/data" >"$directory/log" 2>&1 &
	server=$!
	until memory_psql -c 'SELECT' >"$directory/response" 2>&1; do
		waited=$((waited + 1))
		if [ $waited -gt 300 ] || ! kill -0 $server 2>/dev/null; then
			cat "$directory/log" "$directory/response"
			return 1
		fi
		sleep 0.1
	done
}

# Also called if there is nothing to stop.
stop_memory_server()
{
	if [ -f "$workspace/memory/data/postmaster.pid" ]; then
		as_server_user pg_ctl --pgdata="$workspace/memory/data" --mode=fast stop
	fi
}

end_memory_test()
{
	stop_memory_server >/dev/null 2>&1 || true
	stop_sandbox
}

# Prints calls with an unexpected result, and in the last line the backend.
make_all_calls()
{
	local code

	code=$(ask_sandbox connect '{"owner": "ada"}' | sed -E 's/.*"code":"([^"]*)".*/\1/')
	memory_psql -f "$copy/test/memory/calls.sql" -v http="$sandbox_url" -v https="$sandbox_https" \
		-v https_untrusted="$sandbox_https_untrusted" -v tcp_silent="$sandbox_tcp_silent" \
		-v tls_silent="$sandbox_tls_silent" -v closed="http://127.0.0.1:$sandbox_closed_port" \
		-v ca_file="$sandbox_ca_file" -v code="$code" 2>"$workspace/memory/errors" ||
		{ cat "$workspace/memory/errors"; return 1; }
}

# A session that is terminated while it waits for a response.
terminate_while_waiting()
{
	local backend='' waited=0 output=$workspace/memory/terminated

	memory_psql -c "SELECT smartcar_get_vehicle('fault-slow', 'access-000018', server => 'tls')" \
		>"$output" 2>&1 &
	until [ -n "$backend" ]; do
		waited=$((waited + 1))
		[ $waited -le 100 ] || { echo "no session waits for Smartcar" >&2; return 1; }
		sleep 0.1
		backend=$(memory_psql -c "SELECT pid FROM pg_stat_activity
			WHERE wait_event_type = 'Extension' AND query LIKE '%fault-slow%'")
	done
	memory_psql -c "SELECT pg_terminate_backend($backend)" >/dev/null
	wait $! || true
	grep -q 'terminating connection' "$output" || { cat "$output" >&2; return 1; }
	echo "$backend"
}

# Valgrind's reports in a file that fail the test.  Exported functions begin with the name
# of the extension, and the one that SQL calls is in every stack of the extension.
serious_reports()
{
	sed -E 's/^==[0-9]+== ?//' "$1" | awk -v RS= '
		!/(^|\n) +at 0x/ { next }
		!/ are definitely lost / ||
		/ 0x[0-9A-F]+: smartcar_|\/smartcar_tesla\.so\)|\/lib(curl|ssl|crypto|nghttp2)[^\/)]*\)/ {
			print $0 "\n"
		}'
}

# Valgrind writes no report of a backend that it does not follow to its end.
examine_backend()
{
	local report=$workspace/memory/reports/$1 reports

	if ! grep -q 'LEAK SUMMARY' "$report"; then
		echo "not ok - memory: $2"
		sed 's/^/# /' "$report"
		return 1
	fi
	reports=$(serious_reports "$report")
	if [ -n "$reports" ]; then
		echo "not ok - memory: $2"
		sed -n '1,100s/^/# /p' <<<"$reports"
		return 1
	fi
	echo "ok - memory: $2"
}

check_memory()
{
	local directory=$workspace/memory all_calls terminated backend found=0

	trap end_memory_test EXIT
	make_memory_server >"$workspace/memory.output" 2>&1 || { cat "$workspace/memory.output"; return 1; }
	start_sandbox --no-bucket --tls
	ask_sandbox fleet '{"owners": 30}' >/dev/null
	ask_sandbox faults "$(cat "$copy/test/memory/faults.json")" >/dev/null
	start_memory_server

	all_calls=$(make_all_calls) || { echo "$all_calls"; return 1; }
	backend=$(tail -n 1 <<<"$all_calls")
	if [ "$(wc -l <<<"$all_calls")" != 1 ]; then
		echo "not ok - memory: every call ends as it should"
		sed '$d; s/^/# /' <<<"$all_calls"
		found=1
	else
		echo "ok - memory: every call ends as it should"
	fi
	terminated=$(terminate_while_waiting)
	stop_memory_server >/dev/null

	examine_backend "$backend" "nothing lost, nothing misused by every call" || found=1
	examine_backend "$terminated" "nothing misused by a session that is terminated" || found=1
	return $found
}
