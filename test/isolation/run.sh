#!/bin/bash
#
# Runs the isolation tests: what becomes of two procedures that run at once.
#
# Usage: test/isolation/run.sh SANDBOX [SPEC...]
#
# SANDBOX is the address of a local Smartcar (test/sandbox), which they have for
# themselves.  The server is the one that PGHOST and PGPORT name, with the extension
# installed, on the same machine; PG_CONFIG names its pg_config.  Results are left in
# $ISOLATION_OUTPUT, a new directory by default.
#
# One spec for each pair of the procedures, in specs/; harness.sql has what they
# share.  After a change, expected/ is what was in the results and was read.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sandbox=$1
shift
pg_config=${PG_CONFIG:-pg_config}
output=${ISOLATION_OUTPUT:-$(mktemp -d)}
database=isolation

specs=("$@")
if [ ${#specs[@]} -eq 0 ]; then
	for spec in "$here"/specs/*.spec; do
		specs+=("$(basename "$spec" .spec)")
	done
fi

export PGOPTIONS="-c isolation.sandbox=$sandbox"
psql -X -q -d postgres -v ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' \
	-c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
psql -X -q -d $database -v ON_ERROR_STOP=1 -o /dev/null -f "$here/harness.sql"

# it wants to compare, even with nothing
mkdir -p "$output/results"
"$(dirname "$("$pg_config" --pgxs)")/../test/isolation/pg_isolation_regress" \
	--bindir="$("$pg_config" --bindir)" --inputdir="$here" --outputdir="$output" \
	--use-existing --dbname=$database --launcher="$here/filter.sh" "${specs[@]}"
