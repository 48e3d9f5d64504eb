# The calls about one vehicle or owner in v2.0: their requests, their results, and how
# they read pages.

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
Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => 'read_odometer read_location');

my $session = Session->new($node);
my $ada = $sandbox->connect(owner => 'ada');
my $vehicle = $ada->{vehicles}[0];
my $of_ada = "'$vehicle', '$ada->{access_token}'";

# The result of a query, and the requests that it makes.
sub is_result
{
	my ($sql, $expected, $name, @requests) = @_;

	is($session->query($sql), $expected, $name);
	is_deeply([ $sandbox->requests ], \@requests, "requests of: $name")
		if @requests;
	return;
}

# The owner

$sandbox->faults();
is_result("SELECT smartcar_get_user('$ada->{access_token}')", $ada->{user_id}, 'the user', 'GET /v2.0/user');
$session->query("SELECT smartcar_get_user('$ada->{access_token}')");
my ($request) = $sandbox->log;
is($request->{headers}{authorization}, "Bearer $ada->{access_token}", 'the token of the owner is sent');
is($request->{headers}{accept}, 'application/json', 'an Accept header is sent');
is($request->{headers}{'content-type'}, undef, 'no content type is sent without a body');
is($request->{headers}{'sc-user-id'}, undef, 'no user is sent');
$session->error_is("SELECT smartcar_get_user('no-such-token')", 'SC401', qr/AUTHENTICATION.*smartcar_refresh_token/, 'an unknown token');
$sandbox->faults({ body => { name => 'Ada' } });
$session->error_is("SELECT smartcar_get_user('x')", 'SC004', qr{response to GET /v2.0/user: It has no "id"}, 'a response without an id');

# Vehicles, page by page

$sandbox->faults();
is_result("SELECT smartcar_get_vehicles('$ada->{access_token}')", $vehicle, 'the vehicles of an owner', 'GET /v2.0/vehicles?limit=50&offset=0');
my $nora = $sandbox->connect(owner => 'nora');
is_result("SELECT count(*) FROM smartcar_get_vehicles('$nora->{access_token}')", 0, 'an owner without vehicles');

$sandbox->ask('fleet', { owners => 1, vehicles => 120 });
$sandbox->faults();
is_result(
	q(SELECT count(*), count(DISTINCT v), min(v), max(v) FROM smartcar_get_vehicles('access-000001') v),
	'120|120|vehicle-000001|vehicle-000120',
	'more vehicles than a page has',
	map { "GET /v2.0/vehicles?limit=50&offset=$_" } 0, 50, 100);
$sandbox->faults({ body => { id => 'other', make => 'TESLA' } });
$session->error_is("SELECT smartcar_get_vehicle('$vehicle', 'x')", 'SC004', qr/It is about another vehicle/, 'a response about another vehicle');

sub page
{
	my ($vehicles, $count) = @_;

	return { body => { vehicles => $vehicles, defined $count ? (paging => { count => $count, offset => 0 }) : () } };
}
$sandbox->faults(page([ 'a', 'b' ], 3), page([ 'c' ], 3));
is_result(
	"SELECT string_agg(v, ' ') FROM smartcar_get_vehicles('x') v", 'a b c',
	'pages that are smaller than was asked for',
	map { "GET /v2.0/vehicles?limit=50&offset=$_" } 0, 2);
$sandbox->faults(page([ 'a', 'b' ]));
is_result("SELECT string_agg(v, ' ') FROM smartcar_get_vehicles('x') v", 'a b', 'a page without a total number');
$sandbox->faults(page([ 'a' ], 100), page([], 100));
is_result("SELECT string_agg(v, ' ') FROM smartcar_get_vehicles('x') v", 'a', 'an empty page is the last');
$sandbox->faults({ %{ page([ 'a', 'b' ], 5) }, times => 0 });
$session->error_is("SELECT smartcar_get_vehicles('x')", 'SC004', qr/It repeats an earlier page/, 'a page that repeats is an error');
is(scalar $sandbox->requests, 2, 'after two requests');
foreach my $element ('', undef, 7, {})
{
	$sandbox->faults({ %{ page([ $element, 'b' ], 1_000_000_000) }, times => 0 });
	$session->error_is("SELECT smartcar_get_vehicles('x')", 'SC004', qr/Its list "vehicles" has an element that is not text/, 'an element that is not text is an error');
	is(scalar $sandbox->requests, 1, 'after one request');
}
$sandbox->faults({ body => {} });
$session->error_is("SELECT smartcar_get_vehicles('x')", 'SC004', qr/It has no list "vehicles"/, 'a page without a list is an error');
$sandbox->faults(page([ 'a' ], 2), { status => 500, times => 3 });
$session->error_is("SELECT smartcar_get_vehicles('x')", 'SC500', qr/SERVER:INTERNAL/, 'an error on the second page is the error of the call');

# A vehicle

$sandbox->faults();
is_result("SELECT * FROM smartcar_get_vehicle($of_ada)", "$vehicle|TESLA|Model 3|2021||", 'a vehicle', "GET /v2.0/vehicles/$vehicle");
$session->error_is("SELECT smartcar_get_vehicle('no-such-vehicle', '$ada->{access_token}')", 'SC403', qr/PERMISSION/, 'a vehicle that the owner does not have');
$sandbox->faults({ body => { id => 'a', make => undef, year => '2020' } }, { body => { year => 'old' } });
is_result("SELECT * FROM smartcar_get_vehicle('a', 'x')", 'a|||2020||', 'a vehicle of which only the year is known');
is_result("SELECT * FROM smartcar_get_vehicle('a', 'x')", '|||||', 'a vehicle of which nothing is known');
$sandbox->faults({ body => { id => 'a&b?c d' } });
is_result("SELECT id FROM smartcar_get_vehicle('a&b?c d', 'x')", 'a&b?c d', 'an id that has to be percent-encoded', 'GET /v2.0/vehicles/a%26b%3Fc%20d');
$session->error_is("SELECT smartcar_get_vehicle('../user', 'x')", '22023', qr/invalid vehicle_id/, 'an id that some servers would read as a path');

# Permissions, page by page

my @all = split /\n/, $session->query('SELECT smartcar_permission FROM smartcar_permission_mapping ORDER BY 1');
my @more = (@all, map { "read_more_$_" } 1 .. 30 - @all);
my $ben = $sandbox->connect(owner => 'ben', permissions => \@all);
$sandbox->faults();
is_result(
	"SELECT array_to_string(smartcar_get_permissions('$ben->{vehicles}[1]', '$ben->{access_token}'), ' ')",
	"@all", 'permissions', "GET /v2.0/vehicles/$ben->{vehicles}[1]/permissions");
$sandbox->faults(
	{ body => { permissions => [ @more[ 0 .. 24 ] ], paging => { count => 30, offset => 0 } } },
	{ body => { permissions => [ @more[ 25 .. 29 ] ], paging => { count => 30, offset => 25 } } });
is_result(
	"SELECT array_to_string(smartcar_get_permissions('a', 'x'), ' ')",
	"@more", 'more of them than a page has',
	'GET /v2.0/vehicles/a/permissions', 'GET /v2.0/vehicles/a/permissions?offset=25');
$sandbox->faults({ body => { permissions => [], paging => { count => 0 } } });
is_result("SELECT smartcar_get_permissions('a', 'x')", '{}', 'no permissions');

# Tesla

$sandbox->faults();
is_result(
	"SELECT access_type, array_to_string(tesla_scopes, ' ') FROM smartcar_get_tesla_access($of_ada)",
	'OWNER|vehicle_device_data vehicle_location vehicle_cmds vehicle_charging_cmds user_data',
	'the Tesla access of an owner', "GET /v2.0/vehicles/$vehicle/tesla/user/access");
$sandbox->ask('revoke', { owner => 'ada', tesla_permissions => ['vehicle_location'] });
is_result("SELECT 'vehicle_location' = ANY (tesla_scopes) FROM smartcar_get_tesla_access($of_ada)", 'f', 'a scope that the owner has withdrawn is missing');
$sandbox->ask('revoke', { owner => 'ada' });
is_result("SELECT * FROM smartcar_get_tesla_access($of_ada)", 'OWNER|', 'a Tesla access without any scope');

is_result("SELECT smartcar_get_virtual_key($of_ada)", 'f', 'a car without the virtual key');
$sandbox->ask('vehicle', { id => $vehicle, paired => JSON::PP::true });
$sandbox->faults();
is_result("SELECT smartcar_get_virtual_key($of_ada)", 't', 'a car with the virtual key', "GET /v2.0/vehicles/$vehicle/tesla/virtual_key");
$sandbox->faults({ body => { isPaired => 'true' } });
$session->error_is("SELECT smartcar_get_virtual_key($of_ada)", 'SC004', qr/Its member "isPaired" is not a boolean/, 'a response without isPaired');

my $carla = $sandbox->connect(owner => 'carla');
my $of_carla = "'$carla->{vehicles}[0]', '$carla->{access_token}'";
is_result("SELECT access_type FROM smartcar_get_tesla_access($of_carla)", 'DRIVER', 'the Tesla access of a driver');
$session->error_is("SELECT smartcar_get_virtual_key($of_carla)", 'SC400', qr/CONNECTED_SERVICES_ACCOUNT:VEHICLE_MISSING/, 'a driver cannot see the key');

my $erik = $sandbox->connect(owner => 'erik');
my $of_erik = "'$erik->{vehicles}[0]', '$erik->{access_token}'";
$sandbox->ask('vehicle', { id => $erik->{vehicles}[0], requiresMigration => JSON::PP::true });
$sandbox->faults();
is_result("SELECT smartcar_get_tesla_migration($of_erik)", 't', 'a car that has to be connected again', "GET /v2.0/vehicles/$erik->{vehicles}[0]/tesla/migration");
is_result("SELECT smartcar_get_tesla_migration($of_ada)", 'f', 'a car that does not have to be connected again');
$session->error_is("SELECT smartcar_get_virtual_key($of_erik)", 'SC501', qr/COMPATIBILITY:PLATFORM_NOT_CAPABLE/, 'a call that the former platform does not support');

# Compatibility

my $vin = '5YJ3E1EA7MF000101';
$sandbox->faults();
is_result(
	"SELECT compatible, reason IS NULL, jsonb_path_query_array(capabilities, '\$[*].permission') FROM smartcar_get_compatibility('$vin')",
	't|t|["read_odometer", "read_location"]',
	'a vehicle that nobody has connected',
	"GET /v2.0/compatibility?vin=$vin&scope=read_odometer%20read_location");
is_result(
	"SELECT compatible, capabilities #>> '{0,capable}' FROM smartcar_get_compatibility('$vin', '{required:read_fuel}', 'DE', '{\"a\": 1}', 'simulated')",
	't|false', 'every argument',
	"GET /v2.0/compatibility?vin=$vin&scope=read_fuel&country=DE&flags=a%3A1&mode=simulated");
is_result("SELECT * FROM smartcar_get_compatibility('WBA00000000000000')", 'f|MAKE_NOT_COMPATIBLE|[]', 'a car that is not compatible');
$session->error_is("SELECT smartcar_get_compatibility('123')", 'SC400', qr/VALIDATION/, 'an invalid VIN');

# NULL in, NULL out

$sandbox->faults();
is_result('SELECT smartcar_get_vehicle(NULL, $$x$$) IS NULL, smartcar_get_permissions(NULL, $$x$$) IS NULL, smartcar_get_tesla_access(NULL, $$x$$) IS NULL, '
	  . 'smartcar_get_virtual_key(NULL, $$x$$) IS NULL, smartcar_get_tesla_migration(NULL, $$x$$) IS NULL, smartcar_get_compatibility(NULL) IS NULL',
	't|t|t|t|t|t', 'NULL in, NULL out');
is(scalar $sandbox->log, 0, 'NULL makes no request');

# Disconnecting

$sandbox->faults();
is_result("CALL smartcar_disconnect_vehicle('vehicle-000002')", '1', 'a vehicle is disconnected from the application', 'DELETE /v2.0/vehicles/vehicle-000002/application');
$session->query("CALL smartcar_disconnect_vehicle('vehicle-000003')");
($request) = $sandbox->log;
is($request->{headers}{authorization}, 'Basic ZGVmYXVsdDpzYW5kYm94LW1hbmFnZW1lbnQtdG9rZW4=', 'the management token is sent');
is_result("SELECT count(*) FROM smartcar_get_vehicles('access-000001')", 118, 'both vehicles are gone');
$session->error_is("CALL smartcar_disconnect_vehicle('vehicle-000003')", 'SC403', qr/PERMISSION/, 'a vehicle that is not connected');
$session->error_is('CALL smartcar_disconnect_vehicle(NULL)', '22004', qr/vehicle_id must not be null/, 'NULL is refused');
$sandbox->faults({ status => 204 });
is_result("CALL smartcar_disconnect_vehicle('a')", '1', 'a response without a body is a success');

# A driver and the owner have the same car; the management token speaks for both

my $shared = $carla->{vehicles}[0];
my $northwind = $sandbox->connect(owner => 'northwind');
my $who = "SELECT string_agg(user_id, ' ') FROM smartcar_get_connections('$shared')";
my $pair = "DELETE /v2.0/management/connections?vehicle_id=$shared&user_id=";
$sandbox->faults();
is_result("CALL smartcar_disconnect_vehicle('$shared', '$carla->{user_id}')", '1', 'one of two users of a car is disconnected', "$pair$carla->{user_id}");
is_result($who, $northwind->{user_id}, 'the other user keeps the car');
is_result("CALL smartcar_disconnect_vehicle('$shared', '$carla->{user_id}')", '1', 'a repeated call is no error');
$sandbox->faults({ status => 204 });
is_result("CALL smartcar_disconnect_vehicle('$shared', '$carla->{user_id}')", '1', 'a response without a body is no error');
$sandbox->faults({ status => 400 });
$session->error_is("CALL smartcar_disconnect_vehicle('$shared', '$northwind->{user_id}')", 'SC400', qr{DELETE /v2.0/management/connections}, 'a 400 is an error');
$carla = $sandbox->connect(owner => 'carla');
$sandbox->faults();
is_result("CALL smartcar_disconnect_vehicle('$shared')", '1', 'without user_id, every user is disconnected', "DELETE /v2.0/vehicles/$shared/application");
is_result("$who HAVING count(*) > 0", '', 'no user is left');

done_testing();
