#!/bin/bash
#
# Shows what the extension does: one owner from the first link until nothing is missing,
# and a fleet of owners with what each of them still has to grant.
#
# Usage: test/demo.sh
#
# It needs a Debian machine and nothing else: what is missing is installed with
# apt-get, as root or through sudo.  It builds the extension in a temporary
# directory and runs test/demo.sql, test/demo_manager.sql and test/demo_fleet.sql
# on a PostgreSQL server of its own, with the local Smartcar of test/sandbox; the
# checkout and the servers of this machine stay as they are.
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
# shellcheck source=test/lib/throwaway.sh
. "$here/lib/throwaway.sh"

if [ $# -gt 0 ]; then
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit 2
fi

make_workspace
need_throwaway
install_missing_packages
start_throwaway

psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" -f "$workspace/project/test/demo.sql"
psql -X -q -c 'CREATE DATABASE manager' -c 'CREATE DATABASE fleet'
make_token_key
PGDATABASE=manager psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" \
	-v key_file="$token_key_file" <"$workspace/project/test/demo_manager.sql"
PGDATABASE=fleet psql -X -q -v ON_ERROR_STOP=1 -f "$workspace/project/test/demo_fleet.sql"

say "Shown: an owner whose consent lacks something, from test/demo.sql; an owner with the connection"
say "manager, from test/demo_manager.sql; a fleet with what each owner lacks and the link that fixes"
say "it, from test/demo_fleet.sql.  Change them and run test/demo.sh, or try things in test/psql.sh."
say "Next: README.md says how to install and use the extension; \"make && sudo make install\", then"
say "\"make installcheck\" tests it on a running server, and test/check.sh tests everything."
