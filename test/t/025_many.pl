# The calls about many vehicles or owners at once: a row for each, in the order
# in which they were given, whatever becomes of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => 'read_odometer', max_concurrency => '6');
Sandbox::create_server($node, 'v3', $sandbox->url, scope => 'read_odometer', max_concurrency => '6', api_version => '3');

my $session = Session->new($node);
my $count = 24;
$sandbox->ask('fleet', { owners => $count, vehicles => $count });
$session->query(qq(
	CREATE TABLE fleet (number int, vehicle text, token text, owner text);
	INSERT INTO fleet SELECT n, 'vehicle-' || right('00000' || n, 6), 'access-' || right('00000' || n, 6), 'user-' || right('00000' || n, 6)
	  FROM generate_series(1, $count) n));

# Arrays of the fleet, in an order of their own.
my $order = 'ORDER BY number * 7 % 25';
my $vehicles = "ARRAY(SELECT vehicle FROM fleet $order)";
my $tokens = "ARRAY(SELECT token FROM fleet $order)";
my $owners = "ARRAY(SELECT owner FROM fleet $order)";

# Answers come in an order that has nothing to do with that of the requests.
sub disturb
{
	$sandbox->faults(map { { delay_ms => 2 * ($_ * 37 % 11) } } 1 .. 2 * $count);
	return;
}

# How many rows are in the right place and have the right value, and how many have an error.
sub is_complete
{
	my ($from, $about, $right, $name) = @_;

	disturb();
	is($session->query(qq(
		SELECT count(*) FILTER (WHERE $about = a.about AND ($right)), count(c.sqlstate), count(c.error)
		  FROM unnest($vehicles, $tokens, $owners) WITH ORDINALITY AS f(vehicle, token, owner, place)
		  JOIN (SELECT *, row_number() OVER () AS place FROM $from) AS c USING (place),
			   LATERAL (SELECT $about AS about) a)), "$count|0|0", $name);
	cmp_ok($sandbox->max_in_flight, '>', 1, "several at once: $name");
	cmp_ok($sandbox->max_in_flight, '<=', 6, "but not too many: $name");
	return;
}

# Every function, with version 2.0

my $number = "right(f.vehicle, 6)::int";
my $model = "(ARRAY['Model 3', 'Model Y', 'Model S', 'Model X', 'Cybertruck'])[$number % 5 + 1]";
my $three = "$vehicles, $tokens, $owners";

is_complete("smartcar_get_user($tokens)", 'f.owner', 'c.user_id = f.owner', 'smartcar_get_user');
is_complete("smartcar_get_vehicles($tokens)", 'f.vehicle', 'c.vehicle_ids = ARRAY[f.vehicle] AND c.user_id IS NULL', 'smartcar_get_vehicles');
is_complete("smartcar_get_vehicles($tokens, $owners)", 'c.user_id', 'c.vehicle_ids = ARRAY[f.vehicle] AND c.user_id = f.owner', 'smartcar_get_vehicles with users');
is_complete("smartcar_get_vehicle($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.id = f.vehicle AND c.make = 'TESLA' AND c.model = $model AND c.year > 2018 AND c.mode IS NULL AND c.powertrain_type IS NULL", 'smartcar_get_vehicle');
is_complete("smartcar_get_permissions($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND 'read_odometer' = ANY (c.permissions)", 'smartcar_get_permissions');
is_complete("smartcar_get_tesla_access($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.access_type = 'OWNER' AND cardinality(c.tesla_scopes) = 5", 'smartcar_get_tesla_access');
is_complete("smartcar_get_virtual_key($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.is_paired = ($number % 10 <> 0)", 'smartcar_get_virtual_key');
is_complete("smartcar_get_tesla_migration($three)", 'c.vehicle_id', 'c.vehicle_id = f.vehicle AND NOT c.requires_migration', 'smartcar_get_tesla_migration');
is_complete("smartcar_get_connections($vehicles)", 'c.vehicle_id', 'c.vehicle_id = f.vehicle AND cardinality(c.connections) = 1 AND c.connections[1].user_id = f.owner', 'smartcar_get_connections');
is_complete("smartcar_get_compatibility(ARRAY(SELECT '5YJ3E1EA0NF' || right(vehicle, 6) FROM fleet $order))", 'c.vin', "right(c.vin, 6)::int = $number AND c.compatible AND c.reason IS NULL AND c.capabilities #>> '{0,permission}' = 'read_odometer'", 'smartcar_get_compatibility');
is_complete("smartcar_request_many('GET', ARRAY(SELECT '/vehicles/' || vehicle || '/odometer' FROM fleet $order), $tokens)", 'c.path', "c.path LIKE '%' || f.vehicle || '%' AND c.status = 200 AND c.body::jsonb ? 'distance' AND c.unit_system = 'metric' AND c.headers ->> 'sc-request-id' = c.request_id AND c.data_age < c.fetched_at AND c.retry_after IS NULL AND c.content_type LIKE 'application/json%'", 'smartcar_request');

# and with version 3

is_complete("smartcar_get_vehicles(NULL::text[], $owners, 'v3')", 'c.user_id', 'c.user_id = f.owner AND c.vehicle_ids = ARRAY[f.vehicle]', 'smartcar_get_vehicles, version 3');
my $version_3 = "$vehicles, NULL, $owners, 'v3'";
is_complete("smartcar_get_vehicle($version_3)", 'c.vehicle_id', "c.id = f.vehicle AND c.model = $model AND c.mode = 'live' AND c.powertrain_type = 'BEV'", 'smartcar_get_vehicle, version 3');
is_complete("smartcar_get_permissions($version_3)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND 'read_odometer' = ANY (c.permissions)", 'smartcar_get_permissions, version 3');
is_complete("smartcar_get_tesla_access($version_3)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.access_type = 'OWNER' AND cardinality(c.tesla_scopes) = 5", 'smartcar_get_tesla_access, version 3');
is_complete("smartcar_get_virtual_key($version_3)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.is_paired = ($number % 10 <> 0)", 'smartcar_get_virtual_key, version 3');
is_complete("smartcar_get_connections($vehicles, $owners, server => 'v3')", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.connections[1].user_id = f.owner AND c.connections[1].connection_id = replace(f.vehicle, 'vehicle', 'connection')", 'smartcar_get_connections, version 3');
is_complete("smartcar_request_many('GET', ARRAY(SELECT '/vehicles/' || vehicle || '/signals' FROM fleet $order), user_ids => $owners, server => 'v3')", 'c.path', "c.path LIKE '%' || f.vehicle || '%' AND c.status = 200", 'smartcar_request, version 3');

# One for all

$sandbox->ask('fleet', { owners => 1, vehicles => 5 });
my $five = q(ARRAY['vehicle-000025', 'vehicle-000026', 'vehicle-000027', 'vehicle-000028', 'vehicle-000029']);
$sandbox->faults();
is($session->query("SELECT count(model) FROM smartcar_get_vehicle($five, ARRAY['access-000025'])"), '5', 'one token for all');
is($session->query("SELECT count(is_paired) FROM smartcar_get_virtual_key($five, user_ids => ARRAY['user-000025'], server => 'v3')"), '5', 'one user for all');
is($session->query("SELECT string_agg(user_id || cardinality(vehicle_ids), ' ') FROM smartcar_get_vehicles(ARRAY['access-000025'], ARRAY['a', 'b'])"), 'a5 b5', 'one token for two users');

# Errors are values

my $mixed = q(ARRAY['vehicle-000025', 'no-such-vehicle', 'vehicle-000026', 'vehicle-000027', 'vehicle-000025']);
$sandbox->ask('vehicle', { id => 'vehicle-000026', error => { type => 'VEHICLE_STATE', code => 'ASLEEP' } });
$sandbox->faults({ match => { path => 'vehicle-000027' }, body => { isPaired => 7 } }, { match => { path => 'vehicle-000026' }, retry_after => 5000 });
is($session->query("SELECT vehicle_id, is_paired, sqlstate, (error).status, (error).type, (error).code, (error).retry_after, (error).action FROM smartcar_get_virtual_key($mixed, ARRAY['access-000025'])"),
	join("\n",
		'vehicle-000025|t||||||',
		'no-such-vehicle||SC403|403|PERMISSION|||update_access',
		'vehicle-000026||SC429|429|RATE_LIMIT|VEHICLE|5000|retry',
		'vehicle-000027||SC004|||||retry',
		'vehicle-000025|t||||||'),
	'an error is that of its row');
$sandbox->faults({ match => { path => 'vehicle-000025' }, drop => 'after', times => 0 });
is($session->query("SELECT sqlstate, (error).description ~ 'connection to .* was lost: DELETE /v2.0/vehicles/vehicle-000025/application failed after', (error).action FROM smartcar_disconnect(ARRAY['vehicle-000025'], ARRAY['access-000025'])"),
	'SC001|t|retry', 'a lost connection');
is($session->query("SELECT string_agg(coalesce(sqlstate, '-'), ' ') FROM smartcar_disconnect(ARRAY['vehicle-000028', 'x', 'vehicle-000029'], ARRAY['access-000025'])"), '- SC403 -', 'disconnecting');
$sandbox->faults();
is($session->query("SELECT DISTINCT sqlstate, (error).type, (error).action FROM smartcar_get_vehicle($five, ARRAY['no-such-token'])"), 'SC401|AUTHENTICATION|refresh_token', 'the same error in every row');
is($session->query(q(SELECT sqlstate, path, status, body FROM smartcar_request_many('GET', ARRAY['/no/such/path', '/vehicles'], ARRAY['access-000001'])))
	  =~ s/\{.*?"type":"(\w+)".*\}/$1/r, "|/no/such/path|404|RESOURCE_NOT_FOUND\n|/vehicles|200|{\"vehicles\":[\"vehicle-000001\"],\"paging\":{\"count\":1,\"offset\":0}}", 'a status is no error of a request');

# Rows without an error have none, and rows with one have nothing else
is($session->query("SELECT count(*) FROM smartcar_get_vehicle($mixed, ARRAY['access-000025']) WHERE (sqlstate IS NULL) <> (error IS NULL) OR (sqlstate IS NULL) <> (id IS NOT NULL)"), '0', 'an error or a result');

# Many connections

$sandbox->faults();
is($session->query("SELECT cardinality(connections), (connections[1]).user_id, sqlstate FROM smartcar_get_connections(ARRAY['vehicle-000001', 'no-such-vehicle'])"), "1|user-000001|\n0||", 'connections of one, and of none');
is($session->query("SELECT vehicle_id, cardinality(connections), (connections[1]).user_id, sqlstate FROM smartcar_delete_connections(ARRAY['vehicle-000001', 'no-such-vehicle'])"), "vehicle-000001|1|user-000001|\nno-such-vehicle|0||", 'deleted ones');
is($session->query("SELECT cardinality(connections), (connections[1]).connection_id FROM smartcar_delete_connections(ARRAY['vehicle-000002', 'vehicle-000003'], ARRAY['user-000002'], 'v3')"), "1|connection-000002\n0|", 'in version 3, of one user');
is($session->query("SELECT string_agg(coalesce(sqlstate, '-'), ' ') FROM smartcar_disconnect(ARRAY['vehicle-000004', 'vehicle-000005', 'no-such-vehicle'], server => 'v3')"), '- - -', 'disconnecting in version 3');
is($session->query("SELECT count(*) FROM smartcar_get_connections(server => 'v3')"), $count + 5 - 7, 'what is left');

done_testing();
