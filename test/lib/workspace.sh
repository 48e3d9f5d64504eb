# workspace.sh: a temporary directory to work in, and what is undone at the end.
#
# The checkout must not change, whether a test passes, fails or is interrupted.  So
# everything is built and run in copies of it, and whatever was started or created is
# removed when the script ends.
#
# Sourced by test/check.sh, test/demo.sh, example/run.sh and scripts in tools/.
#
# shellcheck shell=bash disable=SC2154

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
workspace=
keep_workspace=no
end_actions=()

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Runs a command; shows its output only if it fails.
quietly()
{
	if ! "$@" >"$workspace/output" 2>&1; then
		tail -n 40 "$workspace/output" >&2
		die "failed: $*"
	fi
}

# set -e ends a script without a message; this says where.
report_errors()
{
	trap 'case $BASH_COMMAND in return*) ;; *)
		say "${BASH_SOURCE[0]##*/}, line $LINENO: failed: $BASH_COMMAND" >&2 ;; esac' ERR
}

# Registers a function to call at the end; the last one is called first.
at_end()
{
	end_actions=("$1" "${end_actions[@]}")
}

finish()
{
	local result=$? action

	# A second Ctrl-C must not stop the clean-up.
	trap '' INT TERM HUP
	for action in "${end_actions[@]}"; do
		"$action" || true
	done
	if [ -n "$workspace" ]; then
		if [ $keep_workspace = yes ]; then
			say "# kept: $workspace" >&2
		else
			rm -rf --one-file-system "$workspace"
		fi
	fi
	exit $result
}

# The server's user reads files there, its socket needs a short path, and make allows no
# space in a path.
make_workspace()
{
	local parent=${TMPDIR:-/tmp}

	umask 022
	set -E
	report_errors
	if [ "$(id -u)" = 0 ] || [ ${#parent} -gt 60 ] || [[ ! $parent =~ ^/[A-Za-z0-9/._-]*$ ]]; then
		parent=/tmp
	fi
	trap finish EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 141' PIPE
	workspace=$(mktemp -d "$parent/smartcar_tesla.XXXXXX")
	chmod 755 "$workspace"
	# npm, for one, writes there
	if [ ! -w "${HOME:-/nonexistent}" ]; then
		export HOME=$workspace
	fi
}

is_own_repository()
{
	command -v git >/dev/null &&
		[ "$(git -c safe.directory='*' -C "$project" rev-parse --show-toplevel 2>/dev/null)" = \
			"$project" ]
}

# The files of the project, each ended by a zero byte.
list_project_files()
{
	local file

	if is_own_repository; then
		git -c safe.directory='*' -C "$project" ls-files -z -co --exclude-standard |
			while IFS= read -r -d '' file; do
				# a file that is deleted but not committed is still listed
				if [ -e "$project/$file" ]; then
					printf '%s\0' "$file"
				fi
			done
	else
		# an unpacked archive: everything but build results
		(cd "$project" && find . \( -name .git -o -name node_modules \) -prune -o -type f \
			! -name '*.o' ! -name '*.bc' ! -name '*.so' ! -path './smartcar_tesla--*.sql' -print0)
	fi
}

# Copies the project, as it is in the checkout, to a new directory.
copy_project()
{
	mkdir -p "$1"
	list_project_files | tar -C "$project" --null --no-recursion -T - -cf - | tar -C "$1" -xf -
	chmod -R u+w,a+rX "$1"
}
