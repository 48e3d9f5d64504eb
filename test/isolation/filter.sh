#!/bin/bash
#
# Runs the isolation tester, and leaves out what differs from run to run: how
# fast a procedure was, the ids of requests, and how many requests a synchronization
# sent, because the other session may have told the same already.
#
# Usage: test/isolation/filter.sh COMMAND...    (the --launcher of pg_isolation_regress)

set -o pipefail
"$@" 2>&1 | sed -u -e '/: NOTICE:  smartcar_[a-z_]*(): .* per second$/d' \
	-e 's/The request id is [0-9a-f-]*/The request id is .../' \
	-e '/^synced|failed|disconnected|requests$/,/^(/s/^\( *[0-9]*| *[0-9]*| *[0-9]*|\) *[0-9]*$/\1     ...'/
