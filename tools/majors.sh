#!/bin/bash
#
# Builds and tests the extension with PostgreSQL versions that this machine does not have:
# each in the Debian release that has it, in a directory of its own (debootstrap), with that
# release's compiler and libraries.
#
# Usage: tools/majors.sh [--steps "STEP..."] [--stale] [--keep DIRECTORY] [MAJOR...]
#
#   MAJOR       default: 17 and 18; a version that no release of Debian has is skipped
#   --steps     the steps of test/check.sh; default: gcc install regression tap
#               isolation
#   --stale     accept a testing release although its lists have expired.  Their
#               signatures are checked, but the lists could be old ones, played back.
#               Without it such a release is skipped.
#   --keep      keep the installed releases there, for the next run
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

steps="gcc install regression tap isolation"
accept_stale=no
releases=
reason=

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

skip_major()
{
	say "skipped - PostgreSQL $1: $2"
	count_skipped=$((count_skipped + 1))
}

# The release of Debian that has a version of PostgreSQL.
release_with()
{
	case $1 in
		15) echo bookworm ;;
		17) echo trixie ;;
		18) echo forky ;;
	esac
}

# Fails if the lists of a release are not available, and sets reason.
update_lists()
{
	local name=$1 option=

	if [ $accept_stale = yes ] && [ "$name" = forky ]; then
		say "# $name: its lists are taken although they may be past their date"
		option=check-valid-until=no
	fi
	use_mirror "$name" $option
	if ! interruptibly in_release apt-get -q update \
		-o APT::Update::Error-Mode=any >"$workspace/update.log" 2>&1; then
		reason=$(sed -n 's/^E: //p' "$workspace/update.log" | sed -n 1p)
		return 1
	fi
}

test_major()
{
	local major=$1 name directory

	name=$(release_with "$major")
	if [ -z "$name" ]; then
		skip_major "$major" "no release of Debian has it"
		return
	fi
	directory=$releases/$name
	say "# PostgreSQL $major: in Debian's $name"
	use_release "$directory"
	if ! interruptibly enter_release "$name"; then
		skip_major "$major" "$name cannot be had: $(tail -n 1 "$workspace/debootstrap.log")"
	elif ! update_lists "$name"; then
		skip_major "$major" "$name cannot be had: $reason"
	else
		# shellcheck disable=SC2086
		check_in_release "PostgreSQL $major: " $steps
	fi
	leave_release
	if [ "$releases" = "$workspace" ]; then
		rm -rf --one-file-system "$directory"
	fi
}

use_own_mounts "$@"

majors=()
while [ $# -gt 0 ]; do
	case $1 in
		--steps) steps=${2:?}; shift ;;
		--stale) accept_stale=yes ;;
		--keep) releases=${2:?}; shift ;;
		--help) usage; exit ;;
		*)
			[[ $1 =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }
			majors+=("$1")
			;;
	esac
	shift
done
if [ ${#majors[@]} -eq 0 ]; then
	majors=(17 18)
fi

if ! may_have_own_mounts; then
	for major in "${majors[@]}"; do
		skip_major "$major" "it takes root, and the right to mount, to have another release of Debian here"
	done
	summary
	exit
fi

SECONDS=0
make_workspace
need_debootstrap
install_missing_packages
if [ -z "$releases" ]; then
	releases=$workspace
fi
mkdir -p "$releases"
releases=$(cd "$releases" && pwd)

for major in "${majors[@]}"; do
	test_major "$major"
done
summary
