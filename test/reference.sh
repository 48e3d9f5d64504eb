#!/bin/bash
# Compares doc/reference.md with what the catalog says, and looks for every
# option in doc/configuration.md.
#
#   test/reference.sh            (server and user as in PGHOST, PGPORT, PGUSER)
#   test/reference.sh --write    writes doc/reference.md

set -euo pipefail
cd "$(dirname "$0")/.."

database=smartcar_reference_$$
made=$(mktemp)
trap 'dropdb --if-exists "$database" >/dev/null 2>&1 || true; rm -f "$made"' EXIT

createdb --encoding=UTF8 --locale=C --template=template0 "$database"
psql -qAtX -d "$database" -c 'CREATE EXTENSION smartcar_tesla'
psql -qAtX -v ON_ERROR_STOP=1 -d "$database" -f doc/reference.sql > "$made"

if [ "${1:-}" = --write ]; then
	cp "$made" doc/reference.md
	exit 0
fi

status=0
diff -u doc/reference.md "$made" || status=1
while read -r option; do
	grep -q "^| .*\`$option\`" doc/configuration.md || { echo "doc/configuration.md does not tell about $option"; status=1; }
done < <(psql -qAtX -d "$database" -c 'CREATE SERVER s FOREIGN DATA WRAPPER smartcar_tesla' \
	-c "SELECT name FROM smartcar_info('s') WHERE source = 'default'")
exit $status
