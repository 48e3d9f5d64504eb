#!/bin/sh
#
# run.sh: runs the code of doc/how-to/web-framework.md.
#
# The server is given by PGHOST and PGPORT, as a superuser, and must have the extension
# installed; SMARTCAR_SANDBOX is the address of a local Smartcar.  The databases and the
# role are those of the page, and are dropped afterwards.  Django, SQLAlchemy, pg or
# pgbouncer are reported as skipped if they are not available.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=test/lib/npm.sh
. "$here/../lib/npm.sh"
page=$here/../../doc/how-to/web-framework.md
python=/usr/bin/python3
scratch=
made=no
pooler=
failed=0
export PGPORT="${PGPORT:-5432}"

clean_up()
{
	if [ -n "$pooler" ]; then
		kill "$pooler" 2> /dev/null || true
		wait "$pooler" 2> /dev/null || true
	fi
	if [ "$made" = yes ]; then
		psql -X -q -d postgres -c 'ALTER DATABASE garage_template IS_TEMPLATE false' || true
		for database in garage garage_own test_garage garage_template; do
			psql -X -q -d postgres -c 'SET client_min_messages = warning' \
				-c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
		done
		psql -X -q -d postgres -c 'DROP ROLE garage_app' || true
	fi
	if [ -n "$scratch" ]; then
		rm -rf "$scratch"
	fi
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# report WHAT COMMAND...
report()
{
	what=$1
	shift
	if "$@" > "$scratch/output" 2>&1; then
		echo "ok - frameworks: $what"
	else
		echo "not ok - frameworks: $what"
		sed 's/^/# /' "$scratch/output"
		failed=1
	fi
}

# Called by install_packages of npm.sh if packages cannot be installed.
skip()
{
	echo "skipped - frameworks: node-postgres: $1"
	exit 77
}

# The blocks of the page that are files.
write_files()
{
	awk -v into="$1" '
		/^<!-- file .* -->$/ { name = $3; next }
		/^```/ && path { close(path); path = ""; next }
		/^```/ && name {
			path = into "/" name
			name = ""
			folder = path
			sub("/[^/]*$", "", folder)
			system("mkdir -p " folder)
			printf "" > path
			next
		}
		path { print > path }
	' "$page"
}

has_python_modules()
{
	"$python" -c "import psycopg2, $1" > /dev/null 2>&1
}

# test_node HOST PORT: of the server, or of a pooler.
test_node()
{
	PGHOST=$1 PGPORT=$2 PGDATABASE=garage PGUSER=garage_app node "$scratch/node_test.mjs"
}

start_pooler()
{
	mkdir "$scratch/pooler"
	cat > "$scratch/pooler/pgbouncer.ini" <<-END
		[databases]
		* = host=$PGHOST port=$PGPORT user=garage_app
		[pgbouncer]
		listen_addr =
		unix_socket_dir = $scratch/pooler
		listen_port = 6432
		auth_type = any
		pool_mode = transaction
		default_pool_size = 3
	END
	# it does not run as root
	if [ "$(id -u)" = 0 ]; then
		chmod 711 "$scratch"
		chown -R postgres "$scratch/pooler"
		runuser -u postgres -- "$(command -v pgbouncer)" -q "$scratch/pooler/pgbouncer.ini" > "$scratch/pooler.log" 2>&1 &
	else
		pgbouncer -q "$scratch/pooler/pgbouncer.ini" > "$scratch/pooler.log" 2>&1 &
	fi
	pooler=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		if [ -S "$scratch/pooler/.s.PGSQL.6432" ]; then
			return
		fi
		sleep 0.2
	done
	cat "$scratch/pooler.log"
	return 1
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/smartcar_frameworks.XXXXXX")
write_files "$scratch"
cp -r "$here/scaffold/." "$scratch"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$scratch"
cp "$scratch/garage.js" "$scratch/garage.mjs"

# As on the page.  A secret file need not exist.
psql -X -q -v ON_ERROR_STOP=1 -d postgres -c 'CREATE ROLE garage_app LOGIN CREATEDB' -c 'CREATE DATABASE garage' \
	-c 'CREATE DATABASE garage_own' -c 'CREATE DATABASE garage_django' -c 'CREATE DATABASE garage_template'
made=yes
for database in garage garage_django garage_template; do
	psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$SMARTCAR_SANDBOX" -d $database -o /dev/null \
		-f "$scratch/smartcar.sql" -f "$scratch/test_template.sql"
done
psql -X -q -d postgres -c 'ALTER DATABASE garage_template IS_TEMPLATE true'
export PYTHONPATH="$scratch" PYTHONDONTWRITEBYTECODE=1

if has_python_modules django; then
	report 'Django: a superuser migrates' env DJANGO_DATABASE=garage_own DJANGO_USER=postgres \
		"$python" -m django migrate --settings=garage.test_settings
	psql -X -q -d garage_django -c 'GRANT CREATE ON SCHEMA public TO garage_app'
	report 'Django: the application migrates' env DJANGO_DATABASE=garage_django DJANGO_USER=garage_app \
		"$python" -m django migrate --settings=garage.test_settings
	report 'Django: its tests' "$python" -m django test fleet --settings=garage.test_settings --noinput
else
	echo 'skipped - frameworks: Django: there is no python3-django, or no python3-psycopg2'
fi

if has_python_modules 'sqlalchemy, alembic'; then
	report 'SQLAlchemy and Alembic' "$python" "$scratch/sqlalchemy_test.py"
else
	echo 'skipped - frameworks: SQLAlchemy: there is no python3-sqlalchemy, python3-alembic or python3-psycopg2'
fi

if (need_npm && install_packages "$scratch"); then
	report 'node-postgres' test_node "$PGHOST" "$PGPORT"
	if pgbouncer --version > /dev/null 2>&1; then
		start_pooler
		report 'node-postgres through pgbouncer' test_node "$scratch/pooler" 6432
	else
		echo 'skipped - frameworks: pgbouncer: it is not installed, and its package cannot be unpacked and run'
	fi
elif [ $? != 77 ]; then
	echo 'not ok - frameworks: node-postgres: npm'
	failed=1
fi
exit $failed
