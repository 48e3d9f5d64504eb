#!/bin/bash
#
# Runs the example application against a local Smartcar, until Ctrl-C.
#
# Usage: example/run.sh [--api 3|2.0]
#
# --api is the version of Smartcar's API; default 3.
#
# It needs a Debian machine and nothing else: what is missing is installed with
# apt-get, as root or through sudo, and the application's packages with npm.  It
# builds the extension in a temporary directory and runs on a PostgreSQL server
# of its own, with the local Smartcar of test/sandbox; the checkout and the
# servers of this machine stay as they are.
#
# Environment:
#   PORT        where the application listens on the loopback interface; default 8080
#   PG_CONFIG   the PostgreSQL to use; default: the newest installed

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=test/lib/workspace.sh
. "$here/../test/lib/workspace.sh"
# shellcheck source=test/lib/packages.sh
. "$here/../test/lib/packages.sh"
# shellcheck source=test/lib/server.sh
. "$here/../test/lib/server.sh"
# shellcheck source=test/lib/sandbox.sh
. "$here/../test/lib/sandbox.sh"
# shellcheck source=test/lib/throwaway.sh
. "$here/../test/lib/throwaway.sh"

port=${PORT:-8080}
api=3
web_pid=

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit 2
}

# In the copy, where npm has put the packages.
start_web_server()
{
	(cd "$workspace/project/example" && PGUSER=garage_web PORT=$port \
		KEY_PAGE=$sandbox_url/sandbox/virtual_key exec node server.js) >"$workspace/address" &
	web_pid=$!
	until [ -s "$workspace/address" ]; do
		kill -0 "$web_pid" 2>/dev/null ||
			die "the web server has not started; if port $port is in use, set PORT to another one"
		sleep 0.1
	done
}

stop_web_server()
{
	if [ -n "$web_pid" ]; then
		kill -TERM "$web_pid" 2>/dev/null || true
		wait "$web_pid" 2>/dev/null || true
	fi
}

# In place of a job of pg_cron.
run_jobs()
{
	while kill -0 "$web_pid" 2>/dev/null; do
		PGUSER=garage_operator psql -X -q -c 'CALL garage.run_jobs()' || true
		sleep 2
	done
	die "the web server has ended"
}

if [ $# -eq 2 ] && [ "$1" = --api ]; then
	api=$2
	shift 2
fi
[ $# -eq 0 ] || usage
[ "$api" = 3 ] || [ "$api" = 2.0 ] || usage

make_workspace
need_throwaway
need npm has_command npm
install_missing_packages
start_throwaway
at_end stop_web_server

say "# installing the packages of the application, and starting it"
quietly npm --prefix "$workspace/project/example" ci
options=()
if [ "$api" = 2.0 ]; then
	make_token_key
	options=(-v api_version=2.0 -v key_file="$token_key_file")
fi
quietly psql -X -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" "${options[@]}" \
	-v redirect_uri="http://localhost:$port/callback" -f "$workspace/project/example/local_smartcar.sql"
quietly psql -X -v ON_ERROR_STOP=1 -f "$workspace/project/example/schema.sql"
start_web_server

cat <<END

  Smartcar's API:   version $api
  The garage:       $(cat "$workspace/address")
  The Tesla app:    $sandbox_url/sandbox/virtual_key   (a page to use instead of it)
  The database:     psql -h $PGHOST -U postgres postgres

Ctrl-C ends all of it and leaves nothing behind.

END
run_jobs
