# Roles that may create objects in the schema of the extension cannot change what it
# does.  Every function and operator of pg_catalog that the extension uses has a double in
# public, first in the search path, which records that it was called.  The extension is
# created by a superuser and used by other roles.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

my $root = "$FindBin::RealBin/../..";
my $path = 'SET search_path = public, pg_catalog, pg_temp';

sub sql
{
	my ($sql, $database) = @_;

	return $node->safe_psql($database // 'postgres', $sql);
}

# The words that may be names of functions.
my %words;
foreach my $file ("$root/src/smartcar_tesla.sql", glob("$root/src/*/*.c"))
{
	$words{$_} = 1 foreach slurp_file($file) =~ /\b([a-z_0-9]+)\s*\(/g;
}
my $names = join ', ', map { "'$_'" } sort keys %words;

sub lay_traps
{
	my ($database) = @_;

	sql('GRANT CREATE ON SCHEMA public TO mallory', $database);
	return sql(<<SQL, $database);
		SET client_min_messages = warning;
		SET SESSION AUTHORIZATION mallory;
		CREATE TABLE public.called (what pg_catalog.text);
		GRANT INSERT, SELECT ON public.called TO PUBLIC;
		CREATE FUNCTION public.make_doubles() RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog AS \$\$
		DECLARE
			double record;
			made integer := 0;
		BEGIN
			FOR double IN
				SELECT p.oid, p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, p.pronargs, pg_get_function_result(p.oid) AS result, o.oprname,
					o.oprleft, o.oprright
				FROM pg_proc p LEFT JOIN pg_operator o ON o.oprcode = p.oid
				WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND (p.proname IN ($names) OR
					(o.oid IS NOT NULL AND o.oprleft IN ('text'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype, 'bytea'::regtype, 'uuid'::regtype,
						'timestamptz'::regtype, 'interval'::regtype, 'float8'::regtype, 'anyarray'::regtype, 'jsonb'::regtype, 'name'::regtype, 'oid'::regtype)))
			LOOP
				BEGIN
					EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', double.proname, double.arguments, double.result,
						format('BEGIN INSERT INTO public.called VALUES (%L); RETURN %s; END', double.proname, CASE WHEN double.result LIKE 'SETOF%' THEN 'NEXT' ELSE 'NULL' END));
					made := made + 1;
					IF double.oprname IS NOT NULL THEN
						EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%I)', double.oprname,
							format_type(double.oprleft, NULL), format_type(double.oprright, NULL), double.proname);
					END IF;
				EXCEPTION WHEN OTHERS THEN
					NULL; -- pseudo-types that PL/pgSQL does not take, and reserved words
				END;
			END LOOP;
			RETURN made;
		END \$\$;
		CREATE FUNCTION public.trap(what pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.called VALUES (what); RETURN true; END';
		SELECT public.make_doubles();
		CREATE DOMAIN public.text AS pg_catalog.text CHECK (public.trap('text'));
		CREATE DOMAIN public.uuid AS pg_catalog.uuid CHECK (public.trap('uuid'));
		CREATE DOMAIN public.bytea AS pg_catalog.bytea CHECK (public.trap('bytea'));
		CREATE DOMAIN public."interval" AS pg_catalog.interval CHECK (public.trap('interval'));
		CREATE VIEW public.pg_roles AS SELECT rolname FROM pg_catalog.pg_roles WHERE public.trap('pg_roles');
		CREATE VIEW public.pg_extension AS SELECT * FROM pg_catalog.pg_extension WHERE public.trap('pg_extension');
SQL
}

sub called
{
	my ($database) = @_;

	return sql('SELECT DISTINCT what FROM public.called', $database);
}

sql('CREATE ROLE mallory LOGIN; CREATE ROLE app LOGIN; CREATE ROLE operator LOGIN');
my $doubles = lay_traps('postgres');
cmp_ok($doubles, '>', 100, "there are doubles: $doubles");

# The traps work: a query that follows the search path calls them.
sql("$path; SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text, now()");
is(called(), "texteq\nnow", 'an unqualified query calls the traps');
sql('DELETE FROM public.called');

# The extension is created and used.
my $super = Session->new($node);
$super->query($path);
is($super->query('CREATE EXTENSION smartcar_tesla'), '', 'the extension is created in a schema full of traps');
is(called(), '', 'none of them was called by its script');
Manager::create_server($node, 'smartcar', $sandbox->url, connect_origin => $sandbox->url, scope => 'read_vehicle_info read_odometer read_location');
is($super->query("SELECT public.smartcar_grant('app', 'application', 'smartcar'), public.smartcar_grant('operator', 'operator', 'smartcar')"), '|', 'rights are granted');

my %session = map { my $session = Session->new($node); $session->query("SET SESSION AUTHORIZATION $_"); $session->query($path); ($_ => $session) } qw(app operator);

# Tables with the names of the extension's tables, in the caller's temporary schema.
foreach my $session (values %session)
{
	$session->query("CREATE TEMPORARY TABLE $_ (server pg_catalog.text, user_id pg_catalog.text, vehicle_id pg_catalog.text)")
		foreach qw(session account connection webhook_event sync_round job_run pg_extension);
	$session->query('SET search_path = pg_temp, public, pg_catalog');
}

my $ada = $sandbox->connect(owner => 'ada');
my ($state) = $session{app}->query("SELECT public.smartcar_begin_connect('owner-7')") =~ /[?&]state=([^&]+)/;
like($session{app}->query("CALL public.smartcar_finish_connect('https://example.com/callback?code=$ada->{code}&state=$state')"), qr/^finished\|owner-7\|/, 'smartcar_finish_connect()');
my $webhook = $sandbox->ask('webhook', { type => 'VEHICLE_ERROR', user_id => $ada->{user_id}, vehicle_id => $ada->{vehicles}[0],
	error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' } })->{deliveries}[0];
is($session{app}->query('SELECT public.smartcar_receive_webhook(pg_catalog.convert_to(' . Sandbox::quoted($webhook->{body}) . ", 'UTF8'), " . Sandbox::quoted($webhook->{signature}) . ') IS NOT NULL'), 't', 'smartcar_receive_webhook()');
like($session{operator}->query('SELECT kind, action FROM public.smartcar_trouble'), qr/^connection_error\|reauthenticate$/, 'smartcar_trouble');
like($session{operator}->query("CALL public.smartcar_refresh(access_within => '1 day'::pg_catalog.interval)"), qr/^1\|0\|0\|\d+$/m, 'smartcar_refresh()');
like($session{operator}->query('CALL public.smartcar_sync()'), qr/^1\|0\|\d+\|\d+$/m, 'smartcar_sync()');
Manager::write_key_file(Manager::key_file($node), 'key2 ' . ('aa' x 32) . "\nkey1 " . ('00112233' x 8) . "\n");
unlike($session{operator}->query('CALL public.smartcar_reseal_tokens()'), qr/ERROR/, 'smartcar_reseal_tokens()');
unlike($session{operator}->query(q(CALL public.smartcar_adopt('{u}', '{o}'))), qr/ERROR/, 'smartcar_adopt()');
is($session{operator}->query(q(CALL public.smartcar_import_tokens('{u}', '{o}', '{a}', '{r}', ARRAY[pg_catalog.now()]))), '1|0|0', 'smartcar_import_tokens()');
sql(q(DELETE FROM smartcar_tesla.account WHERE user_id = 'u'));
like($session{operator}->query('SELECT model FROM public.smartcar_status'), qr/^Model 3$/, 'smartcar_status');
is($session{operator}->query('SELECT procedure, error_sqlstate FROM public.smartcar_job_run ORDER BY began_at'), "smartcar_refresh|\nsmartcar_sync|\nsmartcar_reseal_tokens|", 'smartcar_job_run');
like($super->query('TABLE public.smartcar_permission_mapping'), qr/^read_location\|Vehicle Location\|vehicle_location$/m, 'smartcar_permission_mapping');
like($super->query("SELECT (public.smartcar_parse_callback('code=c')).code, public.smartcar_connect_url(), public.smartcar_info()"), qr/^c\|/, 'functions without a connection');
is($session{operator}->query("CALL public.smartcar_disconnect_vehicle('$ada->{vehicles}[0]')"), '1', 'smartcar_disconnect_vehicle()');
is(called(), '', 'no trap was called by any of them');
is($session{$_}->query('SELECT (SELECT pg_catalog.count(*) FROM pg_temp.account), (SELECT pg_catalog.count(*) FROM pg_temp.session)'), '0|0', "and nothing reached the temporary tables of $_") foreach qw(app operator);
is(sql('SELECT (SELECT count(*) FROM smartcar_tesla.account), (SELECT count(*) FROM smartcar_tesla.webhook_event)'), '1|1', 'only the tables of the extension have rows');

# Objects with the names of the extension's stop the script, and are not replaced.
foreach my $case (
	[ 'a function', 'CREATE FUNCTION s.smartcar_parse_callback(callback text) RETURNS text LANGUAGE sql AS $$ SELECT callback $$', 'already exists' ],
	[ 'a schema', 'CREATE SCHEMA smartcar_tesla CREATE TABLE account (server text)', 'already exists' ],
	[ 'a view', 'CREATE VIEW s.smartcar_status AS SELECT 1', 'already exists' ],
	[ 'a type', q(CREATE TYPE s.smartcar_action AS ENUM ('none')), 'already exists' ])
{
	my ($name, $create, $message) = @$case;
	my $database = 'in_the_way';

	sql("CREATE DATABASE $database");
	sql("CREATE SCHEMA s AUTHORIZATION mallory; GRANT CREATE ON DATABASE $database TO mallory; SET SESSION AUTHORIZATION mallory; $create", $database);
	my (undef, undef, $errors) = $node->psql($database, 'CREATE EXTENSION smartcar_tesla SCHEMA s');
	like($errors, qr/$message/, "$name that is there stops the script");
	is(sql("SELECT count(*) FROM pg_extension WHERE extname = 'smartcar_tesla'", $database), 0, 'nothing is installed');
	sql("DROP DATABASE $database");
}

# A schema of another role with an unusual name, which is renamed later.
my $schema = '"Mallory %s %1$I @extschema@ @. \\ x"';
sql('CREATE DATABASE elsewhere');
foreach my $name ($schema, '"another %I schema"')
{
	if ($name eq $schema)
	{
		my (undef, undef, $errors) = $node->psql('elsewhere', "CREATE SCHEMA $schema AUTHORIZATION mallory; CREATE EXTENSION smartcar_tesla SCHEMA $schema");
		like($errors, qr/invalid character in extension "smartcar_tesla" schema/, 'PostgreSQL itself refuses a name that could end a quotation');
		$schema = '"Mallory %s @. x"';
		sql("CREATE SCHEMA $schema AUTHORIZATION mallory; CREATE EXTENSION smartcar_tesla SCHEMA $schema", 'elsewhere');
		$name = $schema;
	}
	else
	{
		sql("ALTER SCHEMA $schema RENAME TO $name", 'elsewhere');
	}
	sql("CREATE SERVER IF NOT EXISTS smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'app', redirect_uri 'https://example.com/callback', scope 'read_vin')", 'elsewhere');
	sql("SELECT $name.smartcar_grant('app', 'application', 'smartcar'), $name.smartcar_grant('operator', 'operator', 'smartcar')", 'elsewhere');
	is(sql("SET SESSION AUTHORIZATION app; SELECT count($name.smartcar_begin_connect('owner-7')), (SELECT count(*) FROM $name.smartcar_status)", 'elsewhere'), '1|0', "in the schema $name a session is begun");
}
is(sql('SELECT count(*) FROM smartcar_tesla.session', 'elsewhere'), 2, 'both sessions are in the table of the extension');
my (undef, undef, $errors) = $node->psql('elsewhere', 'ALTER EXTENSION smartcar_tesla SET SCHEMA public');
like($errors, qr/does not support SET SCHEMA/, 'the extension itself cannot be moved');

# Only a superuser may do these at all.
$node->psql('postgres', "SET SESSION AUTHORIZATION mallory; $_->[1]", stderr => \$errors), like($errors, qr/$_->[2]/, "somebody else may not $_->[0]")
	foreach (
	[ 'create the extension', 'CREATE SCHEMA AUTHORIZATION mallory; CREATE EXTENSION smartcar_tesla SCHEMA mallory', 'permission denied|already exists' ],
	[ 'make an event trigger', 'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION public.trap()', 'permission denied|must be superuser' ],
	[ 'put a trigger on a table', 'CREATE TRIGGER t BEFORE UPDATE ON smartcar_tesla.account EXECUTE FUNCTION suppress_redundant_updates_trigger()', 'permission denied' ],
	[ 'put a rule on the view', 'CREATE RULE r AS ON UPDATE TO public.smartcar_status DO INSTEAD NOTHING', 'must be owner' ],
	[ 'make a cast to its types', 'CREATE CAST (text AS public.smartcar_action) WITH INOUT AS IMPLICIT', 'must be owner' ],
	[ 'replace a function', q(CREATE OR REPLACE FUNCTION public.smartcar_tesla_scope(scope pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT scope'), 'must be owner' ]);

done_testing();
