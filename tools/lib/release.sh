# release.sh: a release of Debian in a directory, to build and test in.
#
# It is installed by debootstrap, which verifies signatures, and entered with chroot.  Only
# root can do this.  Nothing stays mounted and no process stays running, whether the script
# ends, fails or is interrupted.
#
# Its packages come from the mirror of this machine, with the key and the proxies of its
# apt.
#
# Sourced by tools/bare.sh, tools/majors.sh and tools/package.sh, after packages.sh.
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

# use_own_mounts ARGUMENT...: starts the script again in a mount namespace of its own,
# which ends with the script.
use_own_mounts()
{
	if [ "${SMARTCAR_OWN_MOUNTS:-}" != "$PPID.$0" ] && may_have_own_mounts; then
		SMARTCAR_OWN_MOUNTS="$PPID.$0" exec unshare --mount --propagation private "$0" "$@"
	fi
}

# debian_sources FORMAT: the Debian entries of this machine's apt, one per line.
debian_sources()
{
	apt-get indextargets --format "$1" 'Created-By: Packages' 'Origin: Debian'
}

# The mirror of this machine's Debian packages.
debian_mirror()
{
	debian_sources "\$(LABEL) \$(REPO_URI)" | sed -n 's,^Debian \(.*[^/]\)/*$,\1,p' | sed 1q
}

# Its key, if the entry of the sources names a file: by the number of the line in the old
# format, of the paragraph in the new one.
debian_keyring()
{
	local entry

	entry=$(debian_sources "\$(LABEL) \$(SOURCESENTRY)" | sed -n 's/^Debian //p' | sed 1q)
	case $entry in
		*.sources:*) awk -v RS= -v n="${entry##*:}" 'NR == n' "${entry%:*}" ;;
		?*) sed -n "${entry##*:}p" "${entry%:*}" ;;
	esac | sed -nE 's/^Signed-By: *(\/[^ ]+)$/\1/Ip; s/^deb .*signed-by=(\/[^], ]+).*/\1/p' |
		grep . || echo /usr/share/keyrings/debian-archive-keyring.gpg
}

# The proxies of apt are those of the environment unless it has its own.
use_proxies()
{
	local name

	eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
	for name in http_proxy https_proxy; do
		if [ "${!name:-DIRECT}" = DIRECT ]; then
			unset $name
		else
			export "${name?}"
		fi
	done
}

# use_mirror NAME [OPTION]: the release uses the mirror, too, with its updates and security
# updates if this machine has them.
use_mirror()
{
	local keyring options

	keyring=$(debian_keyring)
	options="[signed-by=$keyring${2:+ $2}]"
	[ -e "$release_directory$keyring" ] || install -D -m 644 "$keyring" "$release_directory$keyring"
	{
		echo "deb $options $(debian_mirror) $1 main"
		debian_sources "deb $options \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" | grep " $1-" || true
	} | sort -u >"$release_directory/etc/apt/sources.list"
}

# A process gets half a minute for its own clean-up.
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

# Names the directory.  The script leaves nothing mounted there.
use_release()
{
	release_directory=$1
	use_proxies
	at_end leave_release
	at_end stop_running
}

# The last mount first, including those of debootstrap.  A busy one is detached: nothing may
# be mounted below a directory that is about to be removed.
leave_release()
{
	local mount

	while read -r mount; do
		umount --lazy "$mount"
	done < <(awk -v below="$release_directory" 'index($2, below) == 1 { print $2 }' \
		/proc/self/mounts | tac)
}

# enter_release NAME: installs the release if it is not installed.  debootstrap has the same
# script for every release.
enter_release()
{
	local directory=$release_directory mirror

	mirror=$(debian_mirror)
	if [ -z "$mirror" ]; then
		echo "the apt of this machine has no mirror of Debian" >"$workspace/debootstrap.log"
		return 1
	fi
	if [ ! -d "$directory" ]; then
		rm -rf --one-file-system "$directory.new"
		debootstrap --variant=minbase --force-check-gpg --keyring="$(debian_keyring)" \
			"$1" "$directory.new" "$mirror" sid >"$workspace/debootstrap.log" 2>&1 ||
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
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		DEBIAN_FRONTEND=noninteractive "$@"
}

# Starts a command in a process group of its own, which ends with the script.  While a
# command runs in the foreground, the script sees no signal.  Where bash ignores errors, as
# after "if", a function that is started does so, too.
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
