#!/bin/bash
#
# Shows the main job of the extension: an owner from the first link to nothing
# missing, and a fleet of owners with what each of them still has to grant.
#
# Usage: test/demo.sh
#
# It needs a Debian machine and nothing else: what is missing is installed with
# apt-get, as root or through sudo.  It builds the extension in a temporary
# directory and runs test/demo.sql and test/demo_fleet.sql on a PostgreSQL server
# of its own, with the local Smartcar of test/sandbox; the checkout and the
# servers of this machine stay as they are.
#
# Environment:
#   PG_CONFIG   the PostgreSQL to use; default: the newest installed

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=test/lib/workspace.sh
. "$here/lib/workspace.sh"
# shellcheck source=test/lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=test/lib/server.sh
. "$here/lib/server.sh"
# shellcheck source=test/lib/sandbox.sh
. "$here/lib/sandbox.sh"

if [ $# -gt 0 ]; then
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit 2
fi

make_workspace
need_compiler
need_libraries
need_postgres
need_sandbox
install_missing_packages

copy_project "$workspace/project"
choose_server_user
name_private_postgres
at_end stop_server
at_end stop_sandbox

say "# building the extension for $("$PG_CONFIG" --version)"
make_private_postgres
quietly make -C "$workspace/project" -j2 install with_llvm=no PG_CONFIG="$private_pg_config"
say "# starting a server for it"
export_server_address
quietly start_server
say "# starting a local Smartcar"
start_sandbox

psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" -f "$workspace/project/test/demo.sql"
psql -X -q -c 'CREATE DATABASE fleet'
PGDATABASE=fleet psql -X -q -v ON_ERROR_STOP=1 -f "$workspace/project/test/demo_fleet.sql"

say "Shown: an owner's consent and what it lacked, from test/demo.sql; a fleet with what each owner"
say "lacks and the link that mends it, from test/demo_fleet.sql.  Change them and run test/demo.sh."
say "To go on: README.md says how to install and use it; \"make && sudo make install\", then"
say "\"make installcheck\" tests it on a running server, and test/check.sh tests everything."
