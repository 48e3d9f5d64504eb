#!/bin/bash
#
# Runs the example application against a local Smartcar, until Ctrl-C.
#
# Usage: example/run.sh
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

port=${PORT:-8080}
web_pid=

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

# What pg_cron does where there is one; here it is a loop.
look_after()
{
	while kill -0 "$web_pid" 2>/dev/null; do
		PGUSER=garage_operator psql -X -q -c 'CALL garage.look_after()' || true
		sleep 2
	done
	die "the web server has ended"
}

if [ $# -gt 0 ]; then
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit 2
fi

make_workspace
need_compiler
need_libraries
need_postgres
need_sandbox
need npm has_command npm
install_missing_packages

copy_project "$workspace/project"
choose_server_user
name_private_postgres
at_end stop_server
at_end stop_sandbox
at_end stop_web_server

say "# building the extension for $("$PG_CONFIG" --version)"
make_private_postgres
quietly make -C "$workspace/project" -j2 install with_llvm=no PG_CONFIG="$private_pg_config"
say "# installing the packages of the application"
quietly npm --prefix "$workspace/project/example" ci
say "# starting a server, a local Smartcar and the application"
export_server_address
quietly start_server
start_sandbox --idle 86400

key_file=$workspace/server/token_key
as_server_user sh -c "umask 077; echo \"key1 \$(openssl rand -hex 32)\" > '$key_file'"
quietly psql -X -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" -v key_file="$key_file" \
	-v redirect_uri="http://localhost:$port/callback" -f "$workspace/project/example/local_smartcar.sql"
quietly psql -X -v ON_ERROR_STOP=1 -f "$workspace/project/example/schema.sql"
start_web_server

cat <<END

  The garage:       $(cat "$workspace/address")
  The Tesla app:    $sandbox_url/sandbox/virtual_key   (a page that stands for it)
  The database:     psql -h $PGHOST -U postgres postgres

Ctrl-C ends all of it and leaves nothing behind.

END
look_after
