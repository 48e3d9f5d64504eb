#!/bin/bash
# Compares doc/reference.md with the catalog and with results of the extension, and its
# SQLSTATEs with those that the sources can raise and its functions name; and checks that
# everything that the other pages name exists.
#
#   tools/reference.sh            (server and user as in PGHOST, PGPORT, PGUSER)
#   tools/reference.sh --write    writes doc/reference.md

set -euo pipefail
cd "$(dirname "$0")/.."

# SQLSTATEs that PostgreSQL raises itself: a serialization failure, a cancel, and by
# errcode_for_file_access() a missing file.
raised_by_postgres="40001 serialization_failure
57014 query_canceled
58P01 undefined_file"

database=smartcar_reference_$$
directory=$(mktemp -d)
trap 'dropdb --if-exists "$database" >/dev/null 2>&1 || true; rm -rf "$directory"' EXIT

createdb --encoding=UTF8 --locale=C --template=template0 "$database"
psql -qAtX -d "$database" -c 'CREATE EXTENSION smartcar_tesla'
psql -qAtX -v ON_ERROR_STOP=1 -d "$database" -f doc/reference.sql >"$directory/reference.md"

if [ "${1:-}" = --write ]; then
	cp "$directory/reference.md" doc/reference.md
	exit 0
fi

# PostgreSQL's list of SQLSTATEs: the code, the name in C, the name of the condition
errcodes=$(pg_config --sharedir)/errcodes.txt
names()
{
	awk 'length($1) == 5 && NF == 4 { print $1, $3, $4 }' "$errcodes"
}

# The SQLSTATEs that src can raise, one "CODE CONDITION" per line; ours have no condition.
raised()
{
	grep -rhE '\bERRCODE_' src --include='*.c' | grep -v ERRCODE_TO_CATEGORY |
		grep -oE '\bERRCODE_[A-Z_]+\b' | sort -u | while read -r name; do
		names | awk -v name="$name" '$2 == name { print $1, $3 }' | grep . ||
			echo "unknown $name"
	done
	grep -hoE "ERRCODE = '[a-z_]+'" src/smartcar_tesla.sql | sed -E "s/.*'(.*)'/\1/" | sort -u | while read -r name; do
		names | awk -v name="$name" '$3 == name { print $1, $3 }' | grep . || echo "unknown $name"
	done
	grep -rhoE "MAKE_SQLSTATE\('.', '.', '.', '.', '.'\)" src | tr -dc "A-Z0-9\n" | sed 's/^MAKESQLSTATE//'
	# made from the status of a response, see sqlstate_of() in src/call/failure.c
	printf '%s\n' SC3xx SC4xx SC5xx
	echo "$raised_by_postgres"
}

documented()
{
	sed -nE '/^## SQLSTATEs/,$s/^\| `([^`]*)` \| ([a-z_]*) \|.*/\1 \2/p' "$1" | sed 's/ $//'
}

# SQLSTATEs under "Common errors", and after "Errors" of functions and elsewhere.
named_by_functions()
{
	sed '/^## Types/,$d' "$directory/reference.md" |
		grep -hE '^(\*\*Errors|\*\*Result|[A-Z]|\| (the|an?|arguments) )' | grep -oE '\b(SC[0-9]{3}|[0-9A-Z]{5})\b( bytes)?' |
		grep '[0-9]' | grep -v bytes | sort -u
}

status=0
diff -u doc/reference.md "$directory/reference.md" || status=1

documented doc/reference.md | sort >"$directory/documented"
raised | sort -u >"$directory/raised"
if ! diff -u "$directory/raised" "$directory/documented" >"$directory/diff"; then
	echo "the SQLSTATEs of doc/reference_sqlstates.sql (+) are not those that src can raise (-):"
	grep '^[-+][^-+]' "$directory/diff"
	status=1
fi
while read -r code; do
	grep -qE "^$code( |\$)" "$directory/documented" ||
		grep -q "^${code:0:3}xx" "$directory/documented" ||
		{ echo "a function names the SQLSTATE $code, which doc/reference_sqlstates.sql does not tell about"; status=1; }
done < <(named_by_functions)

# The errors of the catalogue: types and codes, in order
if ! diff <(sed -nE '/^static const ErrorEntry catalogue/,/^};/s/^[[:space:]]*\{("[^"]*"), ("[^"]*"|NULL), .*/\1 \2/p' src/core/error.c | tr -d '"') \
	<(sed -nE "/^INSERT INTO known_error/,/;\$/s/^[[:space:]]*\('[^']*', ('[^']*'), ('[^']*'|NULL)\).*/\1 \2/p" doc/reference_errors.sql | tr -d "'") >"$directory/diff"; then
	echo "the errors of src/core/error.c (<) and of doc/reference_errors.sql (>) differ:"
	cat "$directory/diff"
	status=1
fi

# A name smartcar_... on the pages belongs to the extension, to a server that they create, or
# to a metric, whose name is that of the query and of the column.
{
	psql -qAtX -d "$database" -c "SELECT proname FROM pg_proc WHERE proname LIKE 'smartcar\\_%'
		UNION SELECT relname FROM pg_class WHERE relname LIKE 'smartcar\\_%' UNION SELECT typname FROM pg_type WHERE typname LIKE 'smartcar\\_%'
		UNION SELECT name FROM smartcar_info() UNION SELECT fdwname FROM pg_foreign_data_wrapper"
	awk '/^smartcar_/ { query = $1 } /^    - / { print $2; print query $2 }' example/monitoring/postgres_exporter.yml |
		sed 's/:$//; s/:/_/'
	find README.md doc -name '*.md' -exec sed -nE 's/^CREATE SERVER ([a-z0-9_]+) .*/\1/p' {} +
} | sort -u >"$directory/names"
while IFS=: read -r page name; do
	grep -qx -e "$name" "$directory/names" || { echo "$page names $name, which does not exist"; status=1; }
done < <(find README.md doc -name '*.md' ! -name reference.md | sort | xargs grep -oHE '\bsmartcar_[a-z0-9_]*[a-z0-9]\b' | sort -u)

channel=$(sed -nE 's/^#define CHANNEL[[:space:]]+"(.*)"/\1/p' src/manager/notify.c)
sed -n '/^## The notification channel/,/^## /p' doc/reference.md | grep -q "^\`$channel\`:" ||
	{ echo "doc/reference.md does not tell about the channel $channel"; status=1; }
exit $status
