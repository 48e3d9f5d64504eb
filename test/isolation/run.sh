#!/bin/bash
#
# Runs the isolation tests: two procedures at the same time.
#
# Usage: test/isolation/run.sh SANDBOX [SPEC...]
#
# SANDBOX is the address of a local Smartcar (test/sandbox) that nobody else uses.  The
# server is given by PGHOST and PGPORT, with the extension installed, on the same machine;
# PG_CONFIG names its pg_config.  Results are left in $ISOLATION_OUTPUT, a new directory by
# default.
#
# There is a spec for each pair of procedures, in specs/; harness.sql is for all.  After a
# change, read the results and copy them to expected/.

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

# pg_isolation_regress compares a results file, even an empty one
mkdir -p "$output/results"
"$(dirname "$("$pg_config" --pgxs)")/../test/isolation/pg_isolation_regress" \
	--bindir="$("$pg_config" --bindir)" --inputdir="$here" --outputdir="$output" \
	--use-existing --dbname=$database --launcher="$here/filter.sh" "${specs[@]}"
