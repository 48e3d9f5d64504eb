# The second week of a team with 500 owners, done as README and manual say: it imports its
# tokens, moves to v3, mails owners who lack a permission, reads charge states, and handles
# a change of owner, a deletion request and a copy for tests.

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

my $owners = 500;

# The team's contract allows this many requests a day.
my $requests_a_day = 1000;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url, connect_origin => $sandbox->url,
	scope => 'read_vehicle_info read_charge read_odometer read_location control_charge');

my $session = Session->new($node);
my $listener = Session->new($node);

sub day
{
	my ($name) = @_;

	note($name);
	foreach my $requests (undef, $requests_a_day)
	{
		$sandbox->ask('settings', { application_bucket => $requests, application_refill => 0 });
		$sandbox->ask('limits');
	}
	$sandbox->faults();
	return;
}

sub row
{
	my ($sql) = @_;
	my $result = $session->query($sql);

	return $result =~ /^(\S*\|.*)$/m ? $1 : $result;
}

sub actions
{
	return join ' ', split /\n/, $session->query("SELECT action, count(*) FROM smartcar_status WHERE action <> 'add_virtual_key' GROUP BY 1 ORDER BY 1");
}

day('Monday: 500 owners of version 2.0, with the tokens that the team has kept itself');
$sandbox->ask('fleet', { owners => $owners, external_id => JSON::PP::false });
$sandbox->ask('revoke', { owner => sprintf('owner-%06d', 25 * $_), tesla_permissions => ['vehicle_location'] }) foreach 1 .. 20;
$session->query(<<SQL);
CREATE TABLE customer (id text PRIMARY KEY, user_id_at_smartcar text, access_token text, refresh_token text, expires_at timestamptz);
INSERT INTO customer
	SELECT 'customer-' || n, format('user-%s', number), format('access-%s', number), format('refresh-%s', number),
		now() + CASE WHEN n <= 100 THEN interval '5 minutes' ELSE interval '2 hours' END
	FROM generate_series(1, $owners) AS n, lpad(n::text, 6, '0') AS number;
SQL
$session->query(<<'SQL');
CREATE PROCEDURE import() LANGUAGE plpgsql AS $$
DECLARE
	kept record;
	imported bigint;
	replaced bigint;
	unchanged bigint;
BEGIN
	SELECT array_agg(user_id_at_smartcar) AS user_ids, array_agg(id) AS external_ids, array_agg(access_token) AS access_tokens,
		array_agg(refresh_token) AS refresh_tokens, array_agg(expires_at) AS expires_at INTO kept FROM customer;
	CALL smartcar_import_tokens(kept.user_ids, kept.external_ids, kept.access_tokens, kept.refresh_tokens, kept.expires_at, 'smartcar',
		imported, replaced, unchanged);
	RAISE NOTICE 'imported %, replaced %, kept %', imported, replaced, unchanged;
END $$
SQL
like($session->query('CALL import()'), qr/imported 500, replaced 0, kept 0/, 'the tokens are imported');
is(Manager::counts($session->query('CALL smartcar_refresh()')), '100|0|0', 'tokens that expire soon are refreshed');
like($session->query('CALL import()'), qr/imported 0, replaced 0, kept 500/, 'the old list replaces none of them');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'no token is lost');

day('Tuesday: to version 3');
$session->query("ALTER SERVER smartcar OPTIONS (SET api_version '3')");
like(row('CALL smartcar_sync()'), qr/^500\|0\|0\|\d+$/, 'list and details of all vehicles');
$session->query(<<'SQL');
CREATE PROCEDURE adopt() LANGUAGE plpgsql AS $$
DECLARE
	kept record;
	adopted bigint;
	replaced bigint;
	unknown bigint;
BEGIN
	SELECT array_agg(user_id_at_smartcar) AS user_ids, array_agg(id) AS external_ids INTO kept FROM customer;
	CALL smartcar_adopt(kept.user_ids, kept.external_ids, 'smartcar', adopted, replaced, unknown);
	RAISE NOTICE 'adopted %, replaced %, unknown %', adopted, replaced, unknown;
END $$
SQL
like($session->query('CALL adopt()'), qr/adopted 500, replaced 0, unknown 0/, 'all users are adopted');
is($session->query('SELECT count(*) FROM smartcar_status AS s JOIN customer AS c ON c.id = s.external_id AND c.user_id_at_smartcar = s.user_id'), $owners, 'each with their own owner');

day('Wednesday: a mail to those who lack a permission');
is(actions(), 'none|440 update_access|20', 'twenty owners have withdrawn a permission');
my @mails = split /\n/, $session->query(<<'SQL');
SELECT external_id, array_to_string(missing_tesla_permissions, ', '), action_url FROM smartcar_status
WHERE action = 'update_access' ORDER BY user_id
SQL
is(scalar @mails, 20, 'twenty owners get a mail');
foreach my $mail (@mails[0 .. 4])
{
	my ($customer, $missing, $link) = split /\|/, $mail;
	my ($number) = $customer =~ /(\d+)$/;

	is($missing, 'Vehicle Location', "$customer gets the missing permission");
	like($sandbox->consent($link, owner => sprintf('owner-%06d', $number), tesla_permission => 'all')->{content}, qr/<title>Done/, "$customer grants the missing permission");
}
like(row('CALL smartcar_sync()'), qr/^500\|0\|0\|\d+$/, 'a sync lists all vehicles');
is(actions(), 'none|443 update_access|15', 'five have granted it, and two of them need a key');

day('Thursday: charge states, and a charge that is started');
is($session->query(<<'SQL'), '500|500|0', 'the charge state of all vehicles');
SELECT count(*), count(value), count(sqlstate)
FROM (SELECT array_agg(vehicle_id) AS vehicle_ids, array_agg(user_id) AS user_ids FROM smartcar_status) AS fleet,
	smartcar_get_signals_many(vehicle_ids, user_ids, ARRAY['tractionbattery-stateofcharge'])
SQL
is($session->query("SELECT smartcar_send_command('vehicle-000001', 'user-000001', 'charge/start')"), 't', 'a charge is started');

day('Friday: one login at Tesla for two customers');
$listener->query('LISTEN smartcar_tesla');
my $callback = $sandbox->callback($session->query("SELECT smartcar_begin_connect('customer-501')"), owner => 'owner-000007');
like(row("CALL smartcar_finish_connect('$callback', 'customer-501')"), qr/^finished\|customer-501\|user-000007\|\{vehicle-000007\}\|\|\|customer-7\|\d+$/, 'the result names the previous customer');
like($listener->query('SELECT 1'), qr/OWNER_CHANGED.*"previous_external_id" : "customer-7"/, 'so does the notification');
is($session->query("SELECT external_id, kind, vehicle_id FROM smartcar_trouble WHERE external_id = 'customer-7'"), 'customer-7|owner_changed|vehicle-000007', 'smartcar_trouble shows the previous customer');

day('Saturday: a deletion request');
like(row("CALL smartcar_forget('customer-9')"), qr/^1\|1\|1\|\d+\|\d+$/, 'the owner is forgotten');
is($session->query("SELECT count(*) FROM smartcar_status WHERE external_id = 'customer-9' OR user_id = 'user-000009'"), 0, 'nothing is stored here');
is($session->query("SELECT count(*) FROM smartcar_get_connections(user_id => 'user-000009')"), 0, 'nothing is left at Smartcar');
like(row("CALL smartcar_forget('customer-9')"), qr/^0\|0\|0\|0\|\d+$/, 'the request can be repeated');
unlike($session->query('CALL smartcar_sync()'), qr/ERROR|WARNING/, 'a sync after forgetting succeeds');
is($session->query("SELECT count(*) FROM smartcar_status WHERE user_id = 'user-000009'"), 0, 'the sync does not bring the owner back');

day('Sunday: production is restored into staging');
my $dump = $node->basedir . '/production.dump';
$session->query("DO \$\$BEGIN EXECUTE format('ALTER SERVER smartcar OPTIONS (ADD only_in %L)', (SELECT setting FROM smartcar_info() WHERE name = 'here')); END\$\$");
$node->command_ok([ 'pg_dump', '-F', 'c', '-f', $dump, '-d', $node->connstr('postgres') ], 'production is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE staging TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('staging'), $dump ], 'the dump is restored in staging');
{
	my $staging = Session->new($node, 'staging');

	is($staging->query('SELECT count(*) FROM smartcar_status'), $owners - 1, 'staging has the vehicles');
	foreach my $call ('CALL smartcar_sync()', "CALL smartcar_forget('customer-1')", "CALL smartcar_disconnect_vehicle('vehicle-000001', 'user-000001')",
		"SELECT smartcar_send_command('vehicle-000001', 'user-000001', 'charge/start')", "SELECT smartcar_begin_connect('customer-1')")
	{
		is($staging->error($call)->{sqlstate}, '55000', "$call is refused in staging");
	}
	$staging->finish;
}
is(scalar $sandbox->log, 0, 'nothing is sent');
like(row('CALL smartcar_sync()'), qr/^499\|0\|0\|\d+$/, 'a sync of production succeeds');
is($session->query("SELECT count(*) FROM smartcar_status WHERE status = 'connected'"), $owners - 1, 'with all vehicles');
is($session->query('SELECT count(*) FROM smartcar_job_run WHERE error_sqlstate IS NOT NULL'), 0, 'no run of the week has failed');

$listener->finish;
$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
unlike(slurp_file($node->logfile), qr/(access|refresh)-0/, 'no token is in the log');
done_testing();
