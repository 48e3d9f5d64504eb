# The calls for many vehicles or owners: a row for each, in the order of the arguments,
# whether it succeeded or not.

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
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
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

# Responses arrive in another order than that of the requests.
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
	cmp_ok($sandbox->max_in_flight, '<=', 6, "not too many at once: $name");
	return;
}

# Every function, v2.0

my $number = "right(f.vehicle, 6)::int";
my $model = "(ARRAY['Model 3', 'Model Y', 'Model S', 'Model X', 'Cybertruck'])[$number % 5 + 1]";
my $three = "$vehicles, $tokens, $owners";

is_complete("smartcar_get_vehicle_many($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.id = f.vehicle AND c.make = 'TESLA' AND c.model = $model AND c.year > 2018 AND c.mode IS NULL AND c.powertrain_type IS NULL", 'smartcar_get_vehicle_many');
is_complete("smartcar_get_permissions_many($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND 'read_odometer' = ANY (c.granted_scopes)", 'smartcar_get_permissions_many');
is_complete("smartcar_get_tesla_access_many($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.access_type = 'OWNER' AND cardinality(c.tesla_scopes) = 5", 'smartcar_get_tesla_access_many');
is_complete("smartcar_get_virtual_key_many($three)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.is_paired = ($number % 10 <> 0)", 'smartcar_get_virtual_key_many');
is_complete("smartcar_request_many('GET', ARRAY(SELECT '/vehicles/' || vehicle || '/odometer' FROM fleet $order), $tokens)", 'c.path', "c.path LIKE '%' || f.vehicle || '%' AND c.status = 200 AND c.body::jsonb ? 'distance' AND c.unit_system = 'metric' AND c.headers ->> 'sc-request-id' = c.request_id AND c.data_age < c.fetched_at AND c.retry_after IS NULL AND c.content_type LIKE 'application/json%'", 'smartcar_request_many');

# every function, v3

my $version_3 = "$vehicles, NULL, $owners, 'v3'";
is_complete("smartcar_get_vehicle_many($version_3)", 'c.vehicle_id', "c.id = f.vehicle AND c.model = $model AND c.mode = 'live' AND c.powertrain_type = 'BEV'", 'smartcar_get_vehicle_many, version 3');
is_complete("smartcar_get_permissions_many($version_3)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND 'read_odometer' = ANY (c.granted_scopes)", 'smartcar_get_permissions_many, version 3');
is_complete("smartcar_get_tesla_access_many($version_3)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.access_type = 'OWNER' AND cardinality(c.tesla_scopes) = 5", 'smartcar_get_tesla_access_many, version 3');
is_complete("smartcar_get_virtual_key_many($version_3)", 'c.vehicle_id', "c.vehicle_id = f.vehicle AND c.is_paired = ($number % 10 <> 0)", 'smartcar_get_virtual_key_many, version 3');
is_complete("smartcar_request_many('GET', ARRAY(SELECT '/vehicles/' || vehicle || '/signals' FROM fleet $order), user_ids => $owners, server => 'v3')", 'c.path', "c.path LIKE '%' || f.vehicle || '%' AND c.status = 200", 'smartcar_request_many, version 3');

# One value for all items

$sandbox->ask('fleet', { owners => 1, vehicles => 5 });
my $five = q(ARRAY['vehicle-000025', 'vehicle-000026', 'vehicle-000027', 'vehicle-000028', 'vehicle-000029']);
$sandbox->faults();
is($session->query("SELECT count(model) FROM smartcar_get_vehicle_many($five, ARRAY['access-000025'])"), '5', 'one token for all');
is($session->query("SELECT count(is_paired) FROM smartcar_get_virtual_key_many($five, user_ids => ARRAY['user-000025'], server => 'v3')"), '5', 'one user for all');

# Errors are returned in rows

my $mixed = q(ARRAY['vehicle-000025', 'no-such-vehicle', 'vehicle-000026', 'vehicle-000027', 'vehicle-000025']);
$sandbox->ask('vehicle', { id => 'vehicle-000026', error => { type => 'VEHICLE_STATE', code => 'ASLEEP' } });
$sandbox->faults({ match => { path => 'vehicle-000027' }, body => { isPaired => 7 } }, { match => { path => 'vehicle-000026' }, retry_after => 5000 });
is($session->query("SELECT vehicle_id, is_paired, sqlstate, (error).status, (error).type, (error).code, (error).retry_after, (error).action FROM smartcar_get_virtual_key_many($mixed, ARRAY['access-000025'])"),
	join("\n",
		'vehicle-000025|t||||||',
		'no-such-vehicle||SC403|403|PERMISSION|||update_access',
		'vehicle-000026||SC429|429|RATE_LIMIT|VEHICLE|5000|retry',
		'vehicle-000027||SC004|||||retry',
		'vehicle-000025|t||||||'),
	'an error is returned in its row');
$sandbox->faults({ match => { path => 'vehicle-000025' }, drop => 'after', times => 0 });
is($session->query("SELECT sqlstate, (error).description ~ 'connection to .* was lost: POST /v2.0/vehicles/vehicle-000025/security failed after', (error).action FROM smartcar_request_many('POST', ARRAY['/vehicles/vehicle-000025/security'], ARRAY['access-000025'])"),
	'SC001|t|retry', 'a lost connection');
$sandbox->faults();
is($session->query("SELECT DISTINCT sqlstate, (error).type, (error).action FROM smartcar_get_vehicle_many($five, ARRAY['no-such-token'])"), 'SC401|AUTHENTICATION|refresh_token', 'the same error in every row');
is($session->query(q(SELECT sqlstate, path, status, body FROM smartcar_request_many('GET', ARRAY['/no/such/path', '/vehicles'], ARRAY['access-000001'])))
	  =~ s/\{.*?"type":"(\w+)".*\}/$1/r, "|/no/such/path|404|RESOURCE_NOT_FOUND\n|/vehicles|200|{\"vehicles\":[\"vehicle-000001\"],\"paging\":{\"count\":1,\"offset\":0}}", 'a status is no SQLSTATE of smartcar_request_many()');
is($session->query(q(SELECT path, sqlstate, (error).status, (error).type, (error).action, error IS NULL FROM smartcar_request_many('GET', ARRAY['/no/such/path', '/vehicles'], ARRAY['access-000001']))),
	"/no/such/path||404|RESOURCE_NOT_FOUND|fix_setup|f\n/vehicles|||||t", 'the error has the reason');
$sandbox->faults({ status => 502, body => '<html>Bad Gateway', content_type => 'text/html' });
is($session->query(q(SELECT sqlstate, (error).status, (error).description, (error).action FROM smartcar_request_many('POST', ARRAY['/x'], ARRAY['access-000001']))),
	'|502|<html>Bad Gateway|retry', 'the error of a body that is not JSON');

# A row has either an error or a result
is($session->query("SELECT count(*) FROM smartcar_get_vehicle_many($mixed, ARRAY['access-000025']) WHERE (sqlstate IS NULL) <> (error IS NULL) OR (sqlstate IS NULL) <> (id IS NOT NULL)"), '0', 'an error or a result');

# A value that is too long for the header of a request is refused before anything is sent

$sandbox->faults();
foreach my $long (
	"smartcar_request_many('GET', ARRAY['/a', '/' || repeat('b', 1100000), '/c'], '{t}'::text[])", "smartcar_request_many('GET', ARRAY['/a', repeat('/b', 1025)], '{t}'::text[])",
	"smartcar_get_vehicle_many(ARRAY['a', repeat('b', 129)], '{t}'::text[])", "smartcar_get_vehicle_many('{a,b}'::text[], ARRAY['t', repeat('t', 16385)])",
	"smartcar_get_vehicle_many('{a,b}'::text[], user_ids => ARRAY['u', repeat('u', 129)], server => 'v3')")
{
	my $error = $session->error("SELECT * FROM $long");

	is($error->{sqlstate}, '54000', "too long: $long");
	like("$error->{message} $error->{detail}", qr/^(path|vehicle_ids?|access_tokens?|user_ids?) is too long It has \d+ bytes, and the limit is \d+ bytes\.$/, 'the error has the argument, its size and the limit');
}
is(scalar $sandbox->log, 0, 'no request was made');
is($session->error("SELECT smartcar_get_vehicle(repeat('b', 128), 't')")->{sqlstate}, 'SC401', 'a value of the maximum length is sent');

done_testing();
