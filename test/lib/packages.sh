# packages.sh: which packages are needed, and their installation.
#
# A need is a Debian package and a command that succeeds if it is installed, so that a
# machine that has the program from elsewhere is not changed.
#
# Sourced by test/check.sh, test/demo.sh, example/run.sh and scripts in tools/.
#
# shellcheck shell=bash disable=SC2154

missing_packages=()
wanted_packages=()
postgres_found=no
postgres_major=
made_createcluster_dropin=no
# of this run only: somebody else may be installing, too
createcluster_dropin=/etc/postgresql-common/createcluster.d/smartcar_tesla_test_$$.conf

# need PACKAGE COMMAND [ARGUMENT...]
need()
{
	local package=$1

	shift
	if ! "$@" >/dev/null 2>&1; then
		missing_packages+=("$package")
	fi
}

# A package that not every version of Debian has; the step that needs it is skipped if it
# is not available.
want()
{
	wanted_packages+=("$1")
	need "$@"
}

forget_unknown_packages()
{
	local package known=()

	for package in "${missing_packages[@]}"; do
		if [[ " ${wanted_packages[*]} " != *" $package "* ]] ||
			apt-cache show "$package" >/dev/null 2>&1; then
			known+=("$package")
		fi
	done
	missing_packages=("${known[@]}")
}

has_command()
{
	command -v "$1" >/dev/null
}

has_c_library()
{
	echo '#include <stdio.h>' | cc -E -xc - || echo '#include <stdio.h>' | gcc -E -xc -
}

has_library()
{
	"${PKG_CONFIG:-pkg-config}" --exists "$1"
}

has_perl_module()
{
	perl "-M$1" -e 1
}

has_debian_python_module()
{
	/usr/bin/python3 -c "import $1"
}

has_fuzzing_runtime()
{
	echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n);
		int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d != 0 && n > 9; }' |
		clang -fsanitize=fuzzer,address,undefined -xc - -o /dev/null
}

# The versions of runtime and compiler must be equal.
fuzzing_package()
{
	local major

	if ! has_command clang; then
		echo libclang-rt-dev
		return
	fi
	major=$(clang -dumpversion)
	echo "libclang-rt-${major%%.*}-dev"
}

# The newest PostgreSQL that is installed from Debian's packages, if any.
newest_postgres_major()
{
	local directory newest=

	for directory in /usr/lib/postgresql/*/bin; do
		if [ -x "$directory/postgres" ] || [ -x "$directory/pg_config" ]; then
			directory=${directory%/bin}
			if [ -z "$newest" ] || [ "${directory##*/}" -gt "$newest" ]; then
				newest=${directory##*/}
			fi
		fi
	done
	echo "$newest"
}

debian_postgres_major()
{
	apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p'
}

# PG_CONFIG in the environment, or the newest installed one.
find_postgres()
{
	if [ $postgres_found = yes ]; then
		return
	fi
	postgres_found=yes
	if [ -n "${PG_CONFIG:-}" ]; then
		PG_CONFIG=$(command -v "$PG_CONFIG") || die "PG_CONFIG is not a program"
	else
		postgres_major=$(newest_postgres_major)
		if [ -n "$postgres_major" ]; then
			PG_CONFIG=/usr/lib/postgresql/$postgres_major/bin/pg_config
		elif has_command pg_config && [ -x "$(pg_config --bindir)/postgres" ]; then
			PG_CONFIG=$(command -v pg_config)
		elif has_command apt-cache; then
			postgres_major=$(debian_postgres_major)
			if [ -z "$postgres_major" ]; then
				update_package_lists
				postgres_major=$(debian_postgres_major)
			fi
			PG_CONFIG=/usr/lib/postgresql/$postgres_major/bin/pg_config
		else
			die "there is no PostgreSQL; install its server and headers, or set PG_CONFIG"
		fi
	fi
	export PG_CONFIG
}

has_postgres_server()
{
	[ -x "$("$PG_CONFIG" --bindir)/initdb" ]
}

has_postgres_headers()
{
	[ -f "$("$PG_CONFIG" --includedir-server)/postgres.h" ] && [ -f "$("$PG_CONFIG" --pgxs)" ]
}

has_server_extension()
{
	[ -f "$("$PG_CONFIG" --sharedir)/extension/$1.control" ]
}

need_postgres()
{
	find_postgres
	if [ -n "$postgres_major" ]; then
		need "postgresql-$postgres_major" has_postgres_server
		need "postgresql-server-dev-$postgres_major" has_postgres_headers
	elif [ ! -x "$PG_CONFIG" ]; then
		# the version could not be looked up
		need postgresql false
		need postgresql-server-dev-all false
	else
		has_postgres_server || die "$PG_CONFIG: there is no server beside it"
		has_postgres_headers || die "$PG_CONFIG: the server's headers are not installed"
	fi
}

need_compiler()
{
	need gcc has_command gcc
	need libc6-dev has_c_library
	need make has_command make
}

# The local Smartcar of test/sandbox, and openssl for its certificates.
need_sandbox()
{
	need nodejs has_command node
	need curl has_command curl
	need openssl has_command openssl
}

need_libraries()
{
	need pkg-config has_command "${PKG_CONFIG:-pkg-config}"
	need libcurl4-openssl-dev has_library 'libcurl >= 7.68'
	need libssl-dev has_library 'libcrypto >= 3.0'
}

has_package()
{
	dpkg-query --show --showformat='${db:Status-Status}' "$1" | grep -qx installed
}

# The tools that build Debian packages; Debian checks them by their names.
need_packaging()
{
	local package

	need_compiler
	need_libraries
	for package in build-essential debhelper dpkg-dev pkgconf postgresql-all postgresql-server-dev-all; do
		need "$package" has_package "$package"
	done
	need unzip has_command unzip
	want lintian has_command lintian
}

# A package whose daemon would be started by its installation: it is only unpacked, and its
# programs are found there.  If that is not possible, the test is skipped.
# unpack PACKAGE COMMAND
unpack()
{
	local tree=$workspace/unpacked

	if has_command "$2" || ! has_command dpkg-deb || ! has_command apt-get; then
		return
	fi
	mkdir -p "$tree"
	if (cd "$tree" && timeout 60 apt-get -q download "$1") >"$workspace/unpack.log" 2>&1; then
		dpkg-deb -x "$tree/$1"_*.deb "$tree" && export PATH=$PATH:$tree/usr/bin:$tree/usr/sbin
	fi
}

# Whether sudo can ask for a password; standard input may be anything.
has_terminal()
{
	{ : </dev/tty; } 2>/dev/null
}

run_as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif has_terminal; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

may_become_root()
{
	[ "$(id -u)" = 0 ] || { has_command sudo && { has_terminal || sudo -n true 2>/dev/null; }; }
}

# Somebody else may be using apt, too; it waits only for the lock of dpkg.
apt_get()
{
	local waited=0

	until run_as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=600 "$@" </dev/null >"$workspace/apt.log" 2>&1; do
		if [ $waited -ge 300 ] || ! grep -q '^E: Could not get lock' "$workspace/apt.log"; then
			tail -n 20 "$workspace/apt.log" >&2
			return 1
		fi
		sleep 2
		waited=$((waited + 2))
	done
}

ask_for_packages()
{
	die "$1; please run as root: apt-get update &&" \
		"apt-get install --no-install-recommends ${missing_packages[*]}"
}

package_lists_updated=no
update_package_lists()
{
	if [ $package_lists_updated = no ] && may_become_root; then
		say "# updating the lists of packages"
		apt_get update || say "# going on with the lists that are there"
		package_lists_updated=yes
	fi
}

# A newer minor release of a running server would restart it.
refuse_to_restart_servers()
{
	local major

	if ! has_command pg_lsclusters; then
		return
	fi
	for major in $(pg_lsclusters --no-header | awk '$4 ~ /^online/ { print $1 }' | sort -u); do
		if grep -q "^Inst postgresql-$major \[" "$workspace/apt.log"; then
			die "installing ${missing_packages[*]} would upgrade and restart the running" \
				"PostgreSQL $major; do that yourself first: apt-get install ${missing_packages[*]}"
		fi
	done
}

# Debian creates and starts a cluster for a new server, unless it is told not to.
forbid_main_cluster()
{
	at_end allow_main_cluster
	made_createcluster_dropin=yes
	run_as_root mkdir -p "${createcluster_dropin%/*}"
	echo 'create_main_cluster = false' | run_as_root tee "$createcluster_dropin" >/dev/null
}

allow_main_cluster()
{
	run_as_root rm -f "$createcluster_dropin"
}

# Installs missing packages, or names them.
install_missing_packages()
{
	if [ ${#missing_packages[@]} -eq 0 ]; then
		return
	fi
	mapfile -t missing_packages < <(printf '%s\n' "${missing_packages[@]}" | sort -u)
	has_command apt-get ||
		die "please install what Debian calls ${missing_packages[*]}"

	update_package_lists
	forget_unknown_packages
	if [ ${#missing_packages[@]} -eq 0 ]; then
		return
	fi
	may_become_root ||
		ask_for_packages "packages are missing, and neither root nor sudo is there to install them"
	apt_get install --simulate --no-install-recommends "${missing_packages[@]}" ||
		ask_for_packages "apt-get cannot install them"
	refuse_to_restart_servers
	# also if another package, such as postgresql-all, brings the server
	if grep -qE '^Inst postgresql-[0-9]+ ' "$workspace/apt.log"; then
		forbid_main_cluster
	fi
	say "# installing ${missing_packages[*]}"
	apt_get install --no-install-recommends "${missing_packages[@]}" ||
		ask_for_packages "apt-get could not install them"
	if [ $made_createcluster_dropin = yes ]; then
		allow_main_cluster
	fi
	missing_packages=()
}
