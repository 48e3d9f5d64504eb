# check_server.sh: the steps of the check that use the extension on a server.
#
# needs_NAME declares what has to be installed for a step, besides what the steps before it
# need; step_NAME runs under set -e in a copy of the project, whose path is in $copy.
#
# Sourced by test/check.sh, which lists the steps.
#
# shellcheck shell=bash disable=SC2154,SC2164

step_install()
{
	after gcc
	make -C "$workspace/gcc" install WERROR=-Werror PG_CONFIG="$private_pg_config"
	start_server
	psql -X -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION smartcar_tesla' -c '\dx' \
		-c 'DROP EXTENSION smartcar_tesla'
}

# Converts the output of pg_regress, which changed in PostgreSQL 16.
# report_regression_tests OUTPUT KIND
report_regression_tests()
{
	sed -nE \
		-e "s/^(test)? +([A-Za-z0-9_]+) +\\.\\.\\. ok +([0-9]+) ms.*/ok - $2: \\2 (\\3 ms)/p" \
		-e "s/^(test)? +([A-Za-z0-9_]+) +\\.\\.\\. FAILED.*/not ok - $2: \\2/p" \
		-e "s/^ok [0-9]+ +[-+] ([A-Za-z0-9_]+) +([0-9]+) ms.*/ok - $2: \\1 (\\2 ms)/p" \
		-e "s/^not ok [0-9]+ +[-+] ([A-Za-z0-9_]+) .*/not ok - $2: \\1/p" "$1"
}

step_regression()
{
	local tree=$workspace/gcc output=$workspace/regression.output result=0

	after install
	compgen -G "$tree/sql/*.sql" >/dev/null || skip "there is no test in sql/"
	make -C "$tree" installcheck TAP_TESTS= PG_CONFIG="$private_pg_config" >"$output" 2>&1 ||
		result=$?
	report_regression_tests "$output" regression
	if [ $result != 0 ]; then
		if [ -s "$tree/regression.diffs" ]; then
			cat "$tree/regression.diffs"
		else
			cat "$output"
		fi
	fi
	return $result
}

needs_tap()
{
	need libipc-run-perl has_perl_module IPC::Run
	need perl has_command prove
	need_sandbox
	find_postgres
	if [ -n "$postgres_major" ]; then
		want "postgresql-$postgres_major-cron" has_server_extension pg_cron
	fi
	unpack prometheus-postgres-exporter prometheus-postgres-exporter
}

# The tests start servers, so they run as a user that PostgreSQL accepts.  Two at a time,
# because they mostly wait.
step_tap()
{
	local tree=$workspace/tap modules result=0

	after install
	compgen -G "$copy/test/t/*.pl" >/dev/null || skip "there is no test in test/t/"
	cp -r "$copy" "$tree"
	if [ "$(id -un)" != "$server_user" ]; then
		chown -R "$server_user" "$tree"
	fi
	modules=$(dirname "$("$private_pg_config" --pgxs)")/../test
	as_server_user env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE \
		TESTDIR="$tree" TESTDATADIR="$tree/tmp_check" TESTLOGDIR="$tree/tmp_check/log" \
		PATH="$("$private_pg_config" --bindir):$PATH" PG_REGRESS="$modules/regress/pg_regress" \
		prove --timer --jobs 2 -I "$modules/perl" "$tree"/test/t/*.pl \
		>"$workspace/tap.output" 2>&1 || result=$?
	sed -nE -e 's/^# figures: /note - tap: /p' \
		-e 's/^.*\/([A-Za-z0-9_]+)\.pl \.+ ok +([0-9]+) ms.*/ok - tap: \1 (\2 ms)/p' \
		-e 's/^.*\/([A-Za-z0-9_]+)\.pl \.+ skipped:? *(.*)/skipped - tap: \1: \2/p' \
		-e 's/^.*\/([A-Za-z0-9_]+)\.pl \.+ *$/not ok - tap: \1/p' "$workspace/tap.output"
	if [ $result != 0 ]; then
		# prefixed, because a line that begins with # belongs to a result
		sed 's/^/  /' "$workspace/tap.output" | grep -vE '\.+ ok +[0-9]+ ms'
	fi
	return $result
}

needs_isolation()
{
	need_sandbox
}

# Each pair of procedures.
step_isolation()
{
	local output=$workspace/isolation.output result=0

	after install
	mkdir "$workspace/isolation"
	start_sandbox --no-bucket
	PG_CONFIG=$private_pg_config ISOLATION_OUTPUT=$workspace/isolation \
		"$copy/test/isolation/run.sh" "$sandbox_url" >"$output" 2>&1 || result=$?
	stop_sandbox
	report_regression_tests "$output" isolation
	if [ $result != 0 ]; then
		if [ -s "$workspace/isolation/regression.diffs" ]; then
			cat "$workspace/isolation/regression.diffs"
		else
			cat "$output"
		fi
	fi
	return $result
}

needs_memory()
{
	need valgrind has_command valgrind
	need_sandbox
}

step_memory()
{
	after install
	check_memory
}

needs_sandbox()
{
	need_sandbox
}

# The tests of test/sandbox itself.
step_sandbox()
{
	node "$copy/test/sandbox/self_test.js"
}

needs_demo()
{
	need_sandbox
}

# The demonstration must end with nothing missing.
step_demo()
{
	local output=$workspace/demo.output

	after install
	start_sandbox
	cd "$copy/test"
	make_token_key
	psql -X -v ON_ERROR_STOP=1 -c 'CREATE DATABASE demo' -c 'CREATE DATABASE demo_manager' \
		-c 'CREATE DATABASE demo_fleet' -c 'CREATE DATABASE psql'
	PGDATABASE=demo psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" -f demo.sql >"$output"
	PGDATABASE=demo_manager psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" \
		-v key_file="$token_key_file" -f demo_manager.sql >>"$output"
	PGDATABASE=demo_fleet psql -X -q -v ON_ERROR_STOP=1 -f demo_fleet.sql >>"$output"
	# the setup of test/psql.sh
	PGDATABASE=psql psql -X -q -v ON_ERROR_STOP=1 -v sandbox="$sandbox_url" \
		-v key_file="$token_key_file" -f lib/psql.sql -c "SELECT smartcar_begin_connect('me')"
	stop_sandbox
	if grep -nE '^.{101,}' "$output"; then
		echo "these lines are longer than 100 columns"
		return 1
	fi
	grep -E '^ TESLA Model 3 2021 \| \{\} +\| \{\} +\| t +\| t *$' "$output"
	grep -E '^ owner-7 +\| Model 3 \| \{\} +\| \{\} +\| t +\| none *$' "$output"
	grep -E '^ owner-7 +\| AUTHENTICATION_FAILED \| reauthenticate *$' "$output"
}

step_reference()
{
	after install
	"$copy/tools/reference.sh"
}

needs_examples()
{
	need_sandbox
}

step_examples()
{
	after install
	start_sandbox
	make_token_key
	cd "$copy"
	find README.md doc -name '*.md' | sort |
		SMARTCAR_SANDBOX=$sandbox_url SMARTCAR_KEY_FILE=$token_key_file xargs perl tools/examples.pl
	stop_sandbox
}

needs_parity()
{
	need nodejs has_command node
	need npm has_command npm
}

step_parity()
{
	after install
	"$copy/test/parity/run.sh"
}

needs_browser()
{
	needs_parity
	need_sandbox
	want chromium has_command chromium
}

step_browser()
{
	after install
	make_token_key
	SMARTCAR_KEY_FILE=$token_key_file "$copy/test/browser/run.sh"
}

needs_frameworks()
{
	needs_parity
	need_sandbox
	want python3-django has_debian_python_module django
	want python3-psycopg2 has_debian_python_module psycopg2
	want python3-sqlalchemy has_debian_python_module sqlalchemy
	want python3-alembic has_debian_python_module alembic
}

step_frameworks()
{
	after install
	unpack pgbouncer pgbouncer
	start_sandbox
	SMARTCAR_SANDBOX=$sandbox_url "$copy/test/frameworks/run.sh"
	stop_sandbox
}
