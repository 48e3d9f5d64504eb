# throwaway.sh: the extension on a PostgreSQL server of its own with a local Smartcar, for
# scripts that show it.
#
# Sourced after workspace.sh, packages.sh, server.sh and sandbox.sh.
#
# shellcheck shell=bash disable=SC2154

# The needs of start_throwaway; then install_missing_packages.
need_throwaway()
{
	need_compiler
	need_libraries
	need_postgres
	need_sandbox
}

# Builds the extension from a copy of the project, $workspace/project, and starts a server
# with it and a local Smartcar, which ends after a day without a request.  Clients find the
# server by the environment, and the Smartcar is at $sandbox_url.
start_throwaway()
{
	copy_project "$workspace/project"
	choose_server_user
	name_private_postgres
	at_end stop_server
	at_end stop_sandbox

	say "# building the extension for $("$PG_CONFIG" --version)"
	make_private_postgres
	quietly make -C "$workspace/project" -j2 install with_llvm=no PG_CONFIG="$private_pg_config"
	say "# starting a server for it"
	export_server_address
	quietly start_server
	say "# starting a local Smartcar"
	start_sandbox --idle 86400
}
