# A call during another call of the same session: the manager stores results while it
# waits for more, and a trigger on its tables may call Smartcar, too.  Both use the
# connections of the backend, and each gets its own responses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Manager;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, api_version => '3', max_concurrency => '4');
$sandbox->ask('fleet', { owners => 350 });

my $session = Session->new($node);

# The inner requests end at different times, some before and some after those of the
# outer call.
$session->query(q(
	CREATE TABLE response (vehicle_id text, model text, sqlstate text);
	CREATE FUNCTION ask() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
	BEGIN
		INSERT INTO response SELECT vehicle_id, model, sqlstate
			FROM smartcar_get_vehicle_many(ARRAY(SELECT format('vehicle-%s', lpad(i::text, 6, '0')) FROM generate_series(1, 5) AS i));
		RETURN NULL;
	END $$));
$session->query("CREATE TRIGGER ask AFTER INSERT ON $Manager::table{connection} EXECUTE FUNCTION ask()");
$sandbox->faults(
	{ match => { path => '^/v3/connections' }, delay_ms => 40, times => 0 },
	map { { match => { path => "/vehicle-00000$_\$" }, delay_ms => 20 * $_, times => 0 } } 1 .. 5);

$session->query("SET statement_timeout = '20s'");
like($session->query('CALL smartcar_sync(details => false)'), qr/^350\|0\|\d+\|\d+$/m, 'the outer call gets its pages');
is(Manager::aggregate($node, 'connection', 'count(*), count(DISTINCT vehicle_id)'), '350|350', 'all vehicles of the outer call are stored');
is( $session->query('SELECT vehicle_id, count(DISTINCT model), count(*) = (SELECT count(*) / 5 FROM response) FROM response GROUP BY 1 ORDER BY 1'),
	join("\n", map { "vehicle-00000$_|1|t" } 1 .. 5),
	'each inner call gets its own responses');
is($session->query('SELECT count(*) FROM response WHERE sqlstate IS NOT NULL'), '0', 'no inner call fails');

# An inner call that fails does not affect the outer one, and the other way round.
$session->query(q(
	CREATE OR REPLACE FUNCTION ask() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
	BEGIN
		PERFORM smartcar_get_vehicle('no-such-vehicle');
		RETURN NULL;
	EXCEPTION WHEN SQLSTATE 'SC000' THEN
		INSERT INTO response VALUES ('no-such-vehicle', NULL, SQLSTATE);
		RETURN NULL;
	END $$;
	TRUNCATE response));
Manager::delete_rows($node, 'connection');
like($session->query('CALL smartcar_sync(details => false)'), qr/^350\|0\|\d+\|\d+$/m, 'the outer call goes on after an inner one has failed');
is($session->query('SELECT DISTINCT vehicle_id, sqlstate FROM response'), 'no-such-vehicle|SC404', 'the error of the inner call was caught');

$session->query("DROP TRIGGER ask ON $Manager::table{connection}");
$sandbox->faults;
is($session->query("SELECT model FROM smartcar_get_vehicle('vehicle-000001')"), 'Model Y', 'the session goes on');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'no backend has crashed');

done_testing();
