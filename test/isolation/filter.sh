#!/bin/bash
#
# Runs the isolation tester, and leaves out what differs from run to run: how
# fast a procedure was, and the ids of requests.
#
# Usage: test/isolation/filter.sh COMMAND...    (the --launcher of pg_isolation_regress)

set -o pipefail
"$@" 2>&1 | sed -u -e '/: NOTICE:  smartcar_[a-z_]*(): .* per second$/d' \
	-e 's/The request id is [0-9a-f-]*/The request id is .../'
