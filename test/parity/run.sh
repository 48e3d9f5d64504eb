#!/bin/sh
#
# run.sh: compares the extension with the official npm packages.
#
# The server is given by PGHOST, PGPORT, PGUSER and PGDATABASE, and must have the extension
# installed; a scratch database is created for the run and dropped after it.  Nothing is
# written into this folder.  Without Node.js or the npm registry the test prints "skipped:"
# and ends with 77.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lib/npm.sh
. "$here/../lib/npm.sh"
database=smartcar_parity_$$
database_made=no
scratch=
program=

skip()
{
	echo "skipped: parity: $1"
	exit 77
}

clean_up()
{
	if [ -n "$program" ]; then
		kill "$program" 2> /dev/null || true
	fi
	if [ "$database_made" = yes ]; then
		psql -X -q -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
	fi
	if [ -n "$scratch" ]; then
		rm -rf "$scratch"
	fi
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

need_npm

# the two packages, with a copy of the programs
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smartcar_parity.XXXXXX")
cp "$here"/*.js "$here"/parity.sql "$here"/package.json "$here"/package-lock.json "$here"/.npmrc "$scratch"
install_packages "$scratch"

psql -X -q -v ON_ERROR_STOP=1 \
	-c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
database_made=yes

# In the background, so that a signal to this script is handled at once.
PGDATABASE=$database PARITY_SANDBOX=$here/../sandbox/main.js node "$scratch/main.js" &
program=$!
status=0
wait "$program" || status=$?
program=
exit "$status"
