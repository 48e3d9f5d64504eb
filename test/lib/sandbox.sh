# sandbox.sh: a local Smartcar for a script.
#
# The sandbox is a Node program (test/sandbox/main.js) that listens on ports of its own
# choice on the loopback interface.  It prints its addresses as one line of JSON, from which
# start_sandbox sets variables:
#
#   sandbox_url             plain HTTP
#   sandbox_https, sandbox_https_wrong_host, sandbox_https_expired,
#   sandbox_https_untrusted, sandbox_https_http1, sandbox_tls_silent,
#   sandbox_ca_file           only with --tls
#   sandbox_tcp_silent, sandbox_closed_port, sandbox_pid
#
# It ends with the script that started it, even if that is killed.
#
# Sourced by test/check.sh, test/demo.sh and example/run.sh, after workspace.sh.
#
# shellcheck shell=bash disable=SC2034,SC2154

sandbox_pid=
sandbox_stdin=

# The value of a member of the line that the sandbox has printed; numbers have no quotes.
sandbox_member()
{
	sed -nE "s/.*\"$1\":\"?([^\",}]*).*/\1/p" "$2"
}

# start_sandbox [ARGUMENTS OF main.js]
start_sandbox()
{
	local directory line owner=$BASHPID

	stop_sandbox
	directory=$(mktemp -d "${workspace:-/tmp}/sandbox.XXXXXX")

	# When this script ends, its standard input does; other children may keep that open, so it
	# also watches this process.
	mkfifo -m 600 "$directory/stdin"
	exec {sandbox_stdin}<>"$directory/stdin"
	# In a process group of its own, so that an interrupt for another program, such as psql,
	# does not end it.  Before Node 20, only the first address of localhost is tried.
	set -m
	node --dns-result-order=ipv4first \
		"$(dirname "${BASH_SOURCE[0]}")/../sandbox/main.js" --parent-pid "$owner" "$@" \
		<"$directory/stdin" >"$directory/line" 2>"$directory/errors" {sandbox_stdin}>&- &
	sandbox_pid=$!
	set +m

	until [ -s "$directory/line" ]; do
		if ! kill -0 "$sandbox_pid" 2>/dev/null; then
			cat "$directory/errors" >&2
			rm -rf "$directory"
			stop_sandbox
			return 1
		fi
		sleep 0.05
	done
	for line in https https_wrong_host https_expired https_untrusted https_http1 tls_silent \
		tcp_silent closed_port ca_file; do
		printf -v "sandbox_$line" '%s' "$(sandbox_member "$line" "$directory/line")"
	done
	sandbox_url=$(sandbox_member http "$directory/line")
	rm -rf "$directory"
}

# Also called if there is nothing to stop.
stop_sandbox()
{
	if [ -n "$sandbox_pid" ]; then
		kill -TERM "$sandbox_pid" 2>/dev/null || true
		wait "$sandbox_pid" 2>/dev/null || true
		sandbox_pid=
	fi
	if [ -n "$sandbox_stdin" ]; then
		exec {sandbox_stdin}>&-
		sandbox_stdin=
	fi
}

# ask_sandbox PATH [JSON]: a control request, see test/sandbox/README.md.
ask_sandbox()
{
	if [ $# -gt 1 ]; then
		curl -sS --fail-with-body -H 'content-type: application/json' -d "$2" "$sandbox_url/sandbox/$1"
	else
		curl -sS --fail-with-body "$sandbox_url/sandbox/$1"
	fi
}
