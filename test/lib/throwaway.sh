# throwaway.sh: the extension on a PostgreSQL of its own beside a local Smartcar,
# for scripts that show it and do not test it.
#
# Sourced after workspace.sh, packages.sh, server.sh and sandbox.sh.
#
# shellcheck shell=bash disable=SC2154

# What start_throwaway needs to be installed; then install_missing_packages.
need_throwaway()
{
	need_compiler
	need_libraries
	need_postgres
	need_sandbox
}

# Builds the extension from a copy of the project, $workspace/project, and starts
# a server that has it and a local Smartcar, which waits a day for somebody to ask
# it something.  Clients find the server by the environment, and the Smartcar is
# at $sandbox_url.
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
