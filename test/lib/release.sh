# release.sh: a release of Debian in a directory, to build and test in.
#
# It is made by debootstrap, which checks the signature of what it gets, and is
# entered with chroot.  Only root can do this.  Nothing is left mounted, and no
# process left running, whether the script ends, fails or is interrupted.
#
# Sourced by test/majors.sh and test/package.sh, after packages.sh.
#
# shellcheck shell=bash disable=SC2154

release_directory=
running=

need_debootstrap()
{
	need debootstrap has_command debootstrap
	need debian-archive-keyring test -f /usr/share/keyrings/debian-archive-keyring.gpg
}

may_have_own_mounts()
{
	[ "$(id -u)" = 0 ] && unshare --mount --propagation private true 2>/dev/null
}

# use_own_mounts ARGUMENT...: starts the script again in a namespace in which what
# it mounts is seen by nobody else, and gone when the script is.
use_own_mounts()
{
	if [ "${SMARTCAR_OWN_MOUNTS:-}" != "$PPID.$0" ] && may_have_own_mounts; then
		SMARTCAR_OWN_MOUNTS="$PPID.$0" exec unshare --mount --propagation private "$0" "$@"
	fi
}

# Where this machine gets Debian's packages from.
debian_mirror()
{
	apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Origin: Debian' \
		'Label: Debian' | sed -n '1s,/*$,,p'
}

stop_running()
{
	if [ -n "$running" ]; then
		kill -TERM -- "-$running" 2>/dev/null || true
		wait "$running" 2>/dev/null || true
	fi
}

# The last one first, those of debootstrap, too.  A mount that is busy is detached:
# nothing may be left below a directory that is about to be removed.
leave_release()
{
	local mount

	while read -r mount; do
		umount --lazy "$mount"
	done < <(awk -v below="$release_directory" \
		'below != "" && index($2, below) == 1 { print $2 }' /proc/self/mounts | tac)
	release_directory=
}

in_release()
{
	local directory=$1

	shift
	chroot "$directory" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
		${http_proxy:+http_proxy="$http_proxy"} DEBIAN_FRONTEND=noninteractive "$@"
}

# Runs a command that can be interrupted: what waits for a command in the
# foreground does not see a signal before that ends.
interruptibly()
{
	local result=0

	set -m
	"$@" </dev/null &
	running=$!
	set +m
	wait "$running" || result=$?
	running=
	return $result
}

# enter_release NAME DIRECTORY: makes it there if it is not.  The script of
# debootstrap is the same for every release.
enter_release()
{
	release_directory=$2
	at_end leave_release
	at_end stop_running
	if [ ! -d "$2" ]; then
		rm -rf --one-file-system "$2.new"
		interruptibly debootstrap --variant=minbase --force-check-gpg \
			--keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
			"$1" "$2.new" "$(debian_mirror)" sid >"$workspace/debootstrap.log" 2>&1 ||
			return 1
		mv "$2.new" "$2"
	fi
	mount -t proc proc "$2/proc"
	mount -t tmpfs tmpfs "$2/dev/shm"
}
