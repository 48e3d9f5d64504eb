# server.sh: a private PostgreSQL server.
#
# The extension is installed into a second tree of the installed PostgreSQL, not into the
# system's: a test then needs no privileges, and replaces nothing that another server may
# be using.  This works because PostgreSQL finds its files relative to its programs: the
# programs are copied, everything else is linked to, under the same paths below a directory
# of the workspace.
#
# The server uses that tree, with a Unix socket in a directory that only its user can enter,
# and runs as the user "postgres" if the script runs as root, which PostgreSQL refuses.
#
# Sourced by test/check.sh, test/demo.sh and example/run.sh, after workspace.sh.
#
# shellcheck shell=bash disable=SC2154

server_user=
private_pg_config=
token_key_file=

# Makes the second tree and sets private_pg_config.
name_private_postgres()
{
	private_pg_config=$workspace/postgresql$("$PG_CONFIG" --bindir)/pg_config
}

make_private_postgres()
{
	local tree=$workspace/postgresql bin directory

	bin=$("$PG_CONFIG" --bindir)
	mkdir -p "$tree$bin"
	cp "$bin"/* "$tree$bin"
	for directory in "$("$PG_CONFIG" --sharedir)" "$("$PG_CONFIG" --pkglibdir)"; do
		mkdir -p "$tree$directory"
		cp -rs "$directory"/. "$tree$directory"
	done
	for directory in "$("$PG_CONFIG" --includedir)" "$("$PG_CONFIG" --includedir-server)" \
		"$("$PG_CONFIG" --libdir)"; do
		if [ ! -e "$tree$directory" ]; then
			mkdir -p "$tree${directory%/*}"
			ln -s "$directory" "$tree$directory"
		fi
	done
	# the system's installation of this extension must not be found
	find "$tree" -name 'smartcar_tesla*' -prune -exec rm -rf {} +

	[ "$("$private_pg_config" --sharedir)" = "$tree$("$PG_CONFIG" --sharedir)" ] ||
		die "this PostgreSQL does not find its files relative to its programs"
}

choose_server_user()
{
	if [ "$(id -u)" != 0 ]; then
		server_user=$(id -un)
	elif id postgres >/dev/null 2>&1; then
		server_user=postgres
	else
		server_user=nobody
	fi
}

# Runs a command as the user of the server, from a directory that it may enter.
as_server_user()
{
	if [ "$(id -un)" = "$server_user" ]; then
		(cd "$workspace" && "$@")
	else
		(cd "$workspace" && runuser -u "$server_user" -- "$@")
	fi
}

# Clients also come from the second tree, and find the server.
export_server_address()
{
	export PATH=${private_pg_config%/*}:$PATH
	export PGHOST=$workspace/server/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	unset PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGSSLMODE PGAPPNAME PGHOSTADDR
}

start_server()
{
	local bin

	bin=$("$private_pg_config" --bindir)
	mkdir -p "$workspace/server"
	mkdir -m 700 "$workspace/server/data" "$workspace/server/socket"
	if [ "$(id -un)" != "$server_user" ]; then
		chown -R "$server_user" "$workspace/server"
	fi
	as_server_user "$bin/initdb" --username=postgres --auth=trust --encoding=UTF8 --no-locale \
		--no-sync --pgdata="$workspace/server/data"
	cat >>"$workspace/server/data/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$workspace/server/socket'
		port = 5432
		fsync = off
		shared_buffers = 32MB
		log_line_prefix = '%m [%p] %q%u@%d '
	END
	if ! as_server_user "$bin/pg_ctl" --pgdata="$workspace/server/data" \
		--log="$workspace/server/log" --wait --timeout=60 start; then
		cat "$workspace/server/log"
		return 1
	fi
}

# Sets token_key_file to a file with a new key to seal tokens with, which only the server
# can read.  Each step of a check has its own.
make_token_key()
{
	token_key_file=$workspace/server/token_key_$BASHPID
	as_server_user sh -c "umask 077; echo \"key1 \$(openssl rand -hex 32)\" > '$token_key_file'"
}

# Also called if there is nothing to stop.
stop_server()
{
	if [ -n "$private_pg_config" ] && [ -f "$workspace/server/data/postmaster.pid" ]; then
		as_server_user "$("$private_pg_config" --bindir)/pg_ctl" \
			--pgdata="$workspace/server/data" --mode=immediate stop >/dev/null 2>&1
	fi
}
