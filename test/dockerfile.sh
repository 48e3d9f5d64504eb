#!/bin/bash
#
# Runs what the Dockerfile runs, without a container: in a Debian of its own
# (debootstrap, as root only), with Debian's PostgreSQL in the place of the official
# image's.
#
# Usage: test/dockerfile.sh
#
# The base image itself, and what BuildKit does, stay untested.  The last line is
# "N passed, N failed, N skipped"; the exit status is 0 if nothing failed.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=test/lib/workspace.sh
. "$here/lib/workspace.sh"
# shellcheck source=test/lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=test/lib/release.sh
. "$here/lib/release.sh"

if [ $# -gt 0 ]; then
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit 2
fi
if ! may_have_own_mounts; then
	say "skipped - Dockerfile: it takes root, and the right to mount"
	say "0 passed, 0 failed, 1 skipped"
	exit
fi
use_own_mounts "$@"
make_workspace
need_debootstrap
need perl has_command perl
install_missing_packages

# the Debian of the image
name=$(sed -n 's/^FROM postgres:.*-//p' "$project/Dockerfile")
release=$workspace/$name
# the PostgreSQL that this Debian has
major=15

# The files that the Dockerfile gets to see.
copy_context()
{
	mkdir "$release/src" "$workspace/copy"
	copy_project "$workspace/copy"
	(cd "$workspace/copy" && sed -n 's/^!//p' .dockerignore | xargs cp -r -t "$release/src")
}

# shellcheck disable=SC2016
run_script()
{
	in_release env PG_MAJOR=$major sh -c "$1"
}

# shellcheck disable=SC2016
run_and_look()
{
	enter_release "$name"
	mkdir -p "$release/etc/postgresql-common"
	echo 'create_main_cluster = false' >"$release/etc/postgresql-common/createcluster.conf"
	run_script 'apt-get -q update &&
		apt-get -q -y install --no-install-recommends postgresql-$PG_MAJOR'
	in_release dpkg-query --show --showformat='${Package}\n' | sort >"$workspace/before"
	copy_context

	run_script "$("$here/lib/dockerfile_scripts.pl" "$project/Dockerfile")"

	echo "what was installed and stayed:"
	in_release dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' |
		sed -n 's/^installed //p' | sort | comm -13 "$workspace/before" - | tee "$workspace/stayed"
	grep -qx libcurl4 "$workspace/stayed"
	grep -qx ca-certificates "$workspace/stayed"
	if grep -E '^(gcc|make|.*-dev)' "$workspace/stayed"; then
		echo "these are only needed to build"
		return 1
	fi
	ls "$release/usr/share/doc/smartcar_tesla/LICENSE" "$release/usr/share/doc/smartcar_tesla/README.md"
	[ ! -e "$release/tmp/smartcar_tesla" ]

	run_script 'cd /tmp && runuser -u postgres -- sh -e -c "
		PATH=/usr/lib/postgresql/$PG_MAJOR/bin:\$PATH
		initdb -D /tmp/data >/dev/null
		pg_ctl -D /tmp/data -w -o \"-c listen_addresses= -k /tmp\" start >/dev/null
		psql -h /tmp -X -c \"CREATE EXTENSION smartcar_tesla\" postgres
		psql -h /tmp -X -c \"SELECT name, setting FROM smartcar_info() LIMIT 3\" postgres
		pg_ctl -D /tmp/data -w stop >/dev/null"'
}

result=0
use_release "$release"
start_running run_and_look >"$workspace/output" 2>&1
finish_running || result=$?
if [ $result = 0 ]; then
	sed -n '/^what was installed and stayed/,$p' "$workspace/output" | sed 's/^/# /'
	say "ok - what the Dockerfile runs (${SECONDS}s)"
	say "1 passed, 0 failed, 0 skipped"
else
	tail -n 60 "$workspace/output" | sed 's/^/# /'
	say "not ok - what the Dockerfile runs (${SECONDS}s)"
	say "0 passed, 1 failed, 0 skipped"
	exit 1
fi
