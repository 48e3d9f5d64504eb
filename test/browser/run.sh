#!/bin/sh
#
# run.sh: tests the example application in a real browser.
#
# The server is given by PGHOST, PGPORT, PGUSER and PGDATABASE, and must have the
# extension installed; two scratch databases and the roles of the example are created
# for the run and dropped after it.  Without Node.js, the npm registry or Chromium the
# test prints "skipped:" and ends with 77.
#
# Environment:
#   SMARTCAR_KEY_FILE   a file with a key for sealing tokens, which the server can read
#   SCREENSHOTS         a directory; the pictures of the manual are written into it,
#                       "SCREENSHOTS=$PWD/doc/images test/check.sh browser" does all
#   CASES               only the cases whose titles contain this
#   CHROMIUM            the browser; default: chromium

set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lib/npm.sh
. "$here/../lib/npm.sh"
scratch=
program=
databases_made=no

skip()
{
	echo "skipped: $1"
	exit 77
}

clean_up()
{
	if [ -n "$program" ]; then
		kill "$program" 2> /dev/null || true
		wait "$program" 2> /dev/null || true
	fi
	if [ "$databases_made" = yes ]; then
		psql -X -q -c "DROP DATABASE IF EXISTS ${database}_v2 WITH (FORCE)" \
			-c "DROP DATABASE IF EXISTS ${database}_v3 WITH (FORCE)" \
			-c 'DROP ROLE IF EXISTS garage_web, garage_operator' 2> /dev/null || true
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
browser=$(command -v "${CHROMIUM:-chromium}") || skip "there is no chromium"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/smartcar_browser.XXXXXX")
mkdir "$scratch/example" "$scratch/test"
(cd "$here/../../example" && tar -cf - --exclude=node_modules .) | tar -xf - -C "$scratch/example"
(cd "$here" && tar -cf - --exclude=node_modules .) | tar -xf - -C "$scratch/test"
install_packages "$scratch/example"
install_packages "$scratch/test"

database=smartcar_browser_$$
databases_made=yes
psql -X -q -v ON_ERROR_STOP=1 -c "CREATE DATABASE ${database}_v2" -c "CREATE DATABASE ${database}_v3"

# In the background, so that a signal to this script is handled at once.  Before Node 20,
# only the first address of localhost is tried, and nobody listens on that of IPv6.
BROWSER_EXECUTABLE=$browser BROWSER_DATABASE=$database BROWSER_SANDBOX=$here/../sandbox/main.js \
	NODE_OPTIONS=--dns-result-order=ipv4first \
	BROWSER_EXAMPLE=$scratch/example node "$scratch/test/main.js" &
program=$!
status=0
wait "$program" || status=$?
program=
exit "$status"
