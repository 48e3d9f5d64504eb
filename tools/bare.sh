#!/bin/bash
#
# Runs test/demo.sh and test/check.sh on a machine with nothing installed: in a minimal
# Debian 12 (debootstrap), with what git has of the project.  So it shows whether each
# step names all packages that it needs.
#
# Usage: tools/bare.sh [--each] [STEP...]
#
#   STEP     run only these steps of test/check.sh
#   --each   run each step, default all, on a machine of its own, where it does not find
#            packages that another step has installed
#
# It runs only as root, because debootstrap does; otherwise everything is skipped.  Mounts
# are in a namespace of their own and end with the script.  The last line is "N passed, N
# failed, N skipped"; the exit status is 0 if nothing failed.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=test/lib/workspace.sh
. "$here/../test/lib/workspace.sh"
# shellcheck source=test/lib/packages.sh
. "$here/../test/lib/packages.sh"
# shellcheck source=tools/lib/release.sh
. "$here/lib/release.sh"
# shellcheck source=tools/lib/release_check.sh
. "$here/lib/release_check.sh"

release=bookworm
each=no
steps=()

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

make_bare_machine()
{
	release_directory=$workspace/$release
	if ! interruptibly enter_release $release; then
		cat "$workspace/debootstrap.log" >&2
		die "$release could not be installed"
	fi
	use_mirror $release
	# it is thrown away, so dpkg need not wait for the disk
	echo force-unsafe-io >"$release_directory/etc/dpkg/dpkg.cfg.d/bare"
	leave_release
	mkdir -p "$workspace/archives/partial"
}

# on_bare_machine COMMAND [ARGUMENT...]: on a copy of the machine, which is removed afterwards.
on_bare_machine()
{
	release_directory=$workspace/machine
	interruptibly cp -a --reflink=auto "$workspace/$release" "$release_directory"
	enter_release $release
	# share downloads between the machines
	mount --bind "$workspace/archives" "$release_directory/var/cache/apt/archives"
	"$@"
	if compgen -G "$release_directory/etc/postgresql/*/*" >/dev/null; then
		say "not ok - a cluster of PostgreSQL is left on the machine"
		count_failed=$((count_failed + 1))
	fi
	leave_release
	interruptibly rm -rf --one-file-system "$release_directory"
}

run_demo()
{
	local start=$SECONDS

	copy_project "$release_directory/project"
	if interruptibly in_release /project/test/demo.sh >"$workspace/demo.log" 2>&1; then
		say "ok - test/demo.sh ($((SECONDS - start))s)"
		count_passed=$((count_passed + 1))
	else
		say "not ok - test/demo.sh ($((SECONDS - start))s)"
		tail -n 60 "$workspace/demo.log" | sed 's/^/# /'
		count_failed=$((count_failed + 1))
	fi
}

use_own_mounts "$@"

while [ $# -gt 0 ]; do
	case $1 in
		--each) each=yes ;;
		--help) usage; exit ;;
		-*) usage >&2; exit 2 ;;
		*) steps+=("$1") ;;
	esac
	shift
done

if ! may_have_own_mounts; then
	say "skipped - a bare machine: it takes root, and the right to mount"
	count_skipped=1
	summary
	exit
fi

SECONDS=0
make_workspace
use_release "$workspace/$release"
need_debootstrap
install_missing_packages
make_bare_machine

if [ ${#steps[@]} -eq 0 ]; then
	on_bare_machine run_demo
	if [ $each = yes ]; then
		mapfile -t steps < <("$project/test/check.sh" --list | cut -d ' ' -f 1)
	fi
fi
if [ $each = yes ]; then
	for step in "${steps[@]}"; do
		on_bare_machine check_in_release "" "$step"
	done
else
	on_bare_machine check_in_release "" "${steps[@]}"
fi
summary
