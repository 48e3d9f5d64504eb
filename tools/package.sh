#!/bin/bash
#
# Builds the archive of a release and Debian's packages from it, and tests them.
#
# Usage: tools/package.sh [--quick] [--output DIRECTORY]
#
#   --quick    only what takes less than a minute: the archive, the packages with the
#              regression tests of their content, lintian, and the list of their files
#   --output   leave the packages there
#
# Without --quick it also builds the packages a second time, somewhere else, and
# compares them.  In a new, minimal Debian (debootstrap, as root only) it installs a
# package, runs the test of debian/tests and removes the package again; in another one
# it builds, installs and tests the archive as README.md says.  Nothing is installed
# on this machine.
#
# Missing packages are installed with apt-get, as root or through sudo.  The last line is "N
# passed, N failed, N skipped"; the exit status is 0 if nothing failed.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=test/lib/workspace.sh
. "$here/../test/lib/workspace.sh"
# shellcheck source=test/lib/packages.sh
. "$here/../test/lib/packages.sh"
# shellcheck source=tools/lib/release.sh
. "$here/lib/release.sh"

count_passed=0
count_failed=0
count_skipped=0
quick=no
output=

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

# report TITLE COMMAND [ARGUMENT...]: shows the output only if the command fails.
report()
{
	local title=$1 start=$SECONDS result=0

	shift
	start_running "$@" >"$workspace/output" 2>&1
	finish_running || result=$?
	case $result in
		0)
			say "ok - $title ($((SECONDS - start))s)"
			count_passed=$((count_passed + 1))
			;;
		77)
			say "skipped - $title: $(tail -n 1 "$workspace/output")"
			count_skipped=$((count_skipped + 1))
			;;
		*)
			say "not ok - $title ($((SECONDS - start))s)"
			tail -n 60 "$workspace/output" | sed 's/^/# /'
			count_failed=$((count_failed + 1))
			;;
	esac
}

summary()
{
	say "$count_passed passed, $count_failed failed, $count_skipped skipped"
	[ "$count_failed" = 0 ] || exit 1
}

# make dist with what is not committed yet; nothing is written to the repository.
make_dist()
{
	local git=(git -C "$project") tree

	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
	GIT_ALTERNATE_OBJECT_DIRECTORIES=$("${git[@]}" rev-parse --path-format=absolute --git-path objects)
	mkdir -p "$workspace/objects"
	export GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_OBJECT_DIRECTORY=$workspace/objects \
		GIT_INDEX_FILE=$workspace/index
	"${git[@]}" add -A
	tree=$("${git[@]}" write-tree)
	make -C "$project" dist DRAFT=yes COMMIT="$tree" ARCHIVE="$workspace/archive.zip"
	unzip -q "$workspace/archive.zip" -d "$workspace"
}

# Also where there is no git: then the files as they are.
make_archive()
{
	if is_own_repository; then
		make_dist
	else
		copy_project "$archive"
	fi

	cd "$archive"
	ls META.json README.md LICENSE Makefile smartcar_tesla.control src/smartcar_tesla.sql sql \
		expected test tools debian/control doc
	if is_own_repository && find . -name '.git*' -o -name .ci | grep .; then
		echo "these do not belong into a release"
		return 1
	fi
	tools/version.sh
	tools/address.sh
}

# The Debian tools find the system's PostgreSQL, not the one that is being checked.
with_clean_environment()
{
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$workspace" LANG=C.UTF-8 \
		DEB_BUILD_OPTIONS="parallel=$(nproc)${build_options:+ $build_options}" "$@"
}

# A Debian source package separates sources and packaging.  debian/control in the tree is for
# Debian 12; elsewhere there are other versions of PostgreSQL.
build_packages()
{
	cp -a "$archive" "$source"
	cd "$source"
	tar -C .. --exclude="smartcar_tesla-$version/debian" \
		-czf "../smartcar-tesla_$version.orig.tar.gz" "smartcar_tesla-$version"
	with_clean_environment pg_buildext updatecontrol
	with_clean_environment dpkg-buildpackage -us -uc
}

check_with_lintian()
{
	has_command lintian || { echo "there is no lintian"; exit 77; }
	cd "$workspace/build"
	lintian --info --display-info --pedantic --fail-on error,warning,info,pedantic ./*.changes
}

# The files that the package must have, and no others.
expected_files()
{
	local major=$1 documentation=usr/share/doc/postgresql-$1-smartcar-tesla file

	echo "usr/lib/postgresql/$major/lib/smartcar_tesla.so"
	echo "usr/share/postgresql/$major/extension/smartcar_tesla.control"
	echo "usr/share/postgresql/$major/extension/smartcar_tesla--$version.sql"
	if [ "$with_bitcode" = yes ]; then
		echo "usr/lib/postgresql/$major/lib/bitcode/smartcar_tesla.index.bc"
		(cd "$source" && printf '%s\n' src/*/*.c) |
			sed "s,\(.*\)\.c$,usr/lib/postgresql/$major/lib/bitcode/smartcar_tesla/\1.bc,"
	fi
	echo "usr/share/lintian/overrides/postgresql-$major-smartcar-tesla"
	printf "$documentation/%s\n" README.md changelog changelog.Debian copyright
	(cd "$source" && find doc -type f ! -name '*.sql') | sed "s,^,$documentation/,"
}

# Large documents are compressed.
files_of()
{
	dpkg-deb --fsys-tarfile "$1" | tar -tf - | sed -e 's,^\./,,' -e '/\/$/d' -e '/^$/d' \
		-e '/^usr\/share\/doc\//s/\.gz$//'
}

check_contents()
{
	local package major with_bitcode=no

	for package in "$workspace"/build/postgresql-*-smartcar-tesla_*.deb; do
		major=$(basename "$package" | sed 's/^postgresql-\([0-9]*\)-.*/\1/')
		echo "$package"
		if "/usr/lib/postgresql/$major/bin/pg_config" --configure | grep -q with-llvm; then
			with_bitcode=yes
		fi
		diff <(expected_files "$major" | sort) <(files_of "$package" | sort)

		[[ $(dpkg-deb -f "$package" Version) == "$version"-* ]]
		dpkg-deb -f "$package" Depends >"$workspace/depends"
		grep -E "(^|, )postgresql-$major( |,|$)" "$workspace/depends"
		grep -E '(^|, )libcurl4' "$workspace/depends"
		grep -E '(^|, )libssl3' "$workspace/depends"
	done
}

build_again()
{
	local other=$workspace/elsewhere/with/a/longer/path package

	mkdir -p "$other"
	cp -a "$archive" "$other"
	cd "$other/smartcar_tesla-$version"
	with_clean_environment pg_buildext updatecontrol
	build_options=nocheck with_clean_environment dpkg-buildpackage -us -uc -b
	for package in "$workspace"/build/*.deb; do
		cmp "$package" "$other/$(basename "$package")"
	done
}

# A Debian that has nothing but the sources, in $release_directory.
enter_new_release()
{
	local name

	name=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	may_have_own_mounts || { echo "it takes root, and the right to mount"; exit 77; }
	release_directory=$workspace/$name
	enter_release "$name" || { tail -n 1 "$workspace/debootstrap.log"; exit 77; }
	leave_release
	release_directory=$workspace/release
	rm -rf --one-file-system "$release_directory"
	cp -a "$workspace/$name" "$release_directory"
	enter_release "$name"
	# the package may depend on an update
	use_mirror "$name"
	in_release apt-get -q update
	mkdir -p "$release_directory/etc/postgresql-common"
	echo 'create_main_cluster = false' >"$release_directory/etc/postgresql-common/createcluster.conf"
	cp -a "$archive" "$release_directory/smartcar_tesla"
}

# As autopkgtest does it, without that: the package and what the test depends on
# are installed, and the test runs in the sources.
test_installed_package()
{
	local depends

	enter_new_release
	mkdir "$release_directory/packages"
	cp "$workspace"/build/postgresql-*-smartcar-tesla_*.deb "$release_directory/packages"
	depends=$(sed -n '/^Depends:/,/^[^ ]*:/p' "$source/debian/tests/control" |
		sed -n 's/^ \([^@,]*\),*$/\1/p' | paste -sd,)
	in_release sh -e -c "
		apt-get -q -y install --no-install-recommends /packages/*.deb
		apt-get -q -y satisfy --no-install-recommends '$depends'
		cd /smartcar_tesla
		debian/tests/installcheck
		apt-get -q -y purge 'postgresql-*-smartcar-tesla'
		! find /usr /etc /var/lib/postgresql -name '*smartcar*' | grep ."
	leave_release
}

# What README.md says to install must be enough to build it.
test_archive()
{
	local needs major

	enter_new_release
	needs=$(sed -n 's/^sudo apt-get install //p' "$archive/README.md")
	major=$(sed -n 's/.*postgresql-server-dev-\([0-9]*\).*/\1/p' <<<"$needs")
	in_release sh -e -c "
		apt-get -q -y install --no-install-recommends $needs
		cd /smartcar_tesla
		make -j $(nproc)
		make install
		apt-get -q -y install --no-install-recommends postgresql-$major
		chown -R postgres .
		su postgres -c 'pg_virtualenv -v $major make installcheck' ||
			{ cat regression.diffs; exit 1; }
		make uninstall
		! find /usr /etc /var/lib/postgresql -name '*smartcar*' | grep ."
	leave_release
}

arguments=("$@")
while [ $# -gt 0 ]; do
	case $1 in
		--quick) quick=yes ;;
		--output) output=${2:?}; shift ;;
		--help) usage; exit ;;
		*) usage >&2; exit 2 ;;
	esac
	shift
done
if [ $quick = no ]; then
	use_own_mounts "${arguments[@]}"
fi

SECONDS=0
make_workspace
use_release "$workspace/release"
need_packaging
if [ $quick = no ] && may_have_own_mounts; then
	need_debootstrap
fi
install_missing_packages

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$project/smartcar_tesla.control")
mkdir "$workspace/build"
archive=$workspace/smartcar_tesla-$version
source=$workspace/build/smartcar_tesla-$version
build_options=

report "archive of a release" make_archive
if [ $count_failed = 0 ]; then
	report "Debian packages built and tested" build_packages
fi
if compgen -G "$workspace/build/*.changes" >/dev/null; then
	report "lintian" check_with_lintian
	report "contents of the packages" check_contents
	if [ $quick = no ]; then
		report "the same packages when built elsewhere" build_again
		report "package installed, tested and removed" test_installed_package
		report "archive built, installed, tested and removed" test_archive
	fi
	if [ -n "$output" ]; then
		mkdir -p "$output"
		cp "$workspace"/build/smartcar-tesla_* "$workspace"/build/*.deb "$output"
	fi
fi
summary
