#!/bin/bash
#
# A psql to try things: on a PostgreSQL server of its own with the extension, whose server
# "smartcar" is a local Smartcar, with version 3 of the API.
#
# Usage: test/psql.sh [ARGUMENTS OF psql]
#
# The database is gone when psql ends.  The variable "sandbox" is the address of the local
# Smartcar, and "key_file" a key file; test/sandbox/README.md describes the control requests,
# and test/lib/psql.sql is the setup.  Missing packages are installed on a Debian machine with apt-get, as root or
# through sudo.
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

if [ "${1:-}" = --help ]; then
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit
fi

make_workspace
need_throwaway
install_missing_packages
start_throwaway

make_token_key
psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" -v key_file="$token_key_file" \
	-f "$here/lib/psql.sql"
# an interrupt is for psql: it cancels a query or a line
trap : INT
SMARTCAR_KEY_FILE=$token_key_file psql -v sandbox="$sandbox_url" -v key_file="$token_key_file" "$@"
