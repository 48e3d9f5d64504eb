# release.sh: a release of Debian in a directory, to build and test in.
#
# It is made by debootstrap, which checks the signature of what it gets, and is
# entered with chroot.  Only root can do this.  Nothing is left mounted, and no
# process left running, whether the script ends, fails or is interrupted.
#
# Sourced by tools/majors.sh and tools/package.sh, after packages.sh.
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

# What runs has something to clean up, too, and gets half a minute for it.
stop_running()
{
	local i

	if [ -z "$running" ]; then
		return
	fi
	kill -TERM -- "-$running" 2>/dev/null || true
	for ((i = 0; i < 150; i++)); do
		if ! kill -0 -- "-$running" 2>/dev/null; then
			break
		fi
		sleep 0.2
	done
	kill -KILL -- "-$running" 2>/dev/null || true
	running=
}

# Names the directory.  The script that ends leaves nothing mounted there.
use_release()
{
	release_directory=$1
	at_end leave_release
	at_end stop_running
}

# The last mount first, those of debootstrap, too.  One that is busy is detached:
# nothing may be left below a directory that is about to be removed.
leave_release()
{
	local mount

	while read -r mount; do
		umount --lazy "$mount"
	done < <(awk -v below="$release_directory" 'index($2, below) == 1 { print $2 }' \
		/proc/self/mounts | tac)
}

# enter_release NAME: installs the release if it is not there.  The script of
# debootstrap is the same for every release.
enter_release()
{
	local directory=$release_directory

	if [ ! -d "$directory" ]; then
		rm -rf --one-file-system "$directory.new"
		debootstrap --variant=minbase --force-check-gpg \
			--keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
			"$1" "$directory.new" "$(debian_mirror)" sid >"$workspace/debootstrap.log" 2>&1 ||
			return 1
		mv "$directory.new" "$directory"
	fi
	mount -t proc proc "$directory/proc"
	mount -t tmpfs tmpfs "$directory/dev/shm"
}

# Runs a command in the release.
in_release()
{
	chroot "$release_directory" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
		${http_proxy:+http_proxy="$http_proxy"} DEBIAN_FRONTEND=noninteractive "$@"
}

# Starts a command in a process group of its own, which ends when the script does.
# While a command runs in the foreground, the script would see no signal.  Where
# bash ignores errors, as after "if", so does a function that is started.
start_running()
{
	set -m
	(
		set -euo pipefail
		report_errors
		"$@"
	) </dev/null &
	running=$!
	set +m
}

finish_running()
{
	local result=0

	wait "$running" || result=$?
	running=
	return $result
}

interruptibly()
{
	start_running "$@"
	finish_running
}
