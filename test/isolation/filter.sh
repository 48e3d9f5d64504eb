#!/bin/bash
#
# Runs the isolation tester, and removes what differs from run to run: the speed of a
# procedure, the ids of requests, and the number of requests of a sync, because the other
# session may have stored the same details already.
#
# Usage: test/isolation/filter.sh COMMAND...    (the --launcher of pg_isolation_regress)

set -o pipefail
"$@" 2>&1 | sed -u -e '/: NOTICE:  smartcar_[a-z_]*(): .* per second$/d' \
	-e 's/The request id is [0-9a-f-]*/The request id is .../' \
	-e '/^synced|failed|disconnected|requests$/,/^(/s/^\( *[0-9]*| *[0-9]*| *[0-9]*|\) *[0-9]*$/\1     ...'/
