# The calls about one vehicle or owner in v3: their requests, and signals that cannot
# be read.

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
Sandbox::create_server($node, 'smartcar', $sandbox->url, api_version => '3');

my $session = Session->new($node);
my $ada = $sandbox->connect(owner => 'ada');
my $vehicle = $ada->{vehicles}[0];
my $of_ada = "'$vehicle', user_id => '$ada->{user_id}'";
my $signals = "GET /v3/vehicles/$vehicle/signals";

# The requests since the faults were set, without the first one, for the token.
sub requests
{
	return $sandbox->requests(path => '^/v');
}

sub is_result
{
	my ($sql, $expected, $name, @requests) = @_;

	is($session->query($sql), $expected, $name);
	is_deeply([ requests() ], \@requests, "requests of: $name") if @requests;
	return;
}

# A response with a signal, as the v3 API writes it.
sub signal
{
	my (%attributes) = @_;

	return { body => { data => { id => 'x', type => 'signal', attributes => \%attributes } } };
}

# Functions that v3 does not have

$session->error_is("SELECT $_", '0A000', qr/does not exist in version 3 of Smartcar's API; Server "smartcar" has api_version "3"/, "there is no $_")
  foreach "smartcar_get_user('x')", "smartcar_get_tesla_migration('a')";
$session->error_is("SELECT smartcar_get_vehicles()", '22004', qr/user_id must not be null.*smartcar_get_connections/, 'smartcar_get_vehicles() needs user_id');
is(scalar $sandbox->log, 0, 'no request was made');

# Vehicles

my $connections = 'GET /v3/connections?filter%5BuserId%5D';
my $page = 'page%5Bnumber%5D=1&page%5Bsize%5D=100';
$sandbox->faults();
is_result("SELECT smartcar_get_vehicles(user_id => '$ada->{user_id}')", $vehicle, 'the vehicles of an owner', "$connections=$ada->{user_id}&$page");
is_result("SELECT count(*) FROM smartcar_get_vehicles(NULL::text, 'no-such-user')", 0, 'the vehicles of an unknown user', "$connections=no-such-user&$page");
$session->query("SELECT smartcar_get_vehicle($of_ada)");
my ($request) = $sandbox->log(path => '^/v3/vehicles/');
is($request->{headers}{'sc-user-id'}, $ada->{user_id}, 'the user is sent in a header');
like($request->{headers}{authorization}, qr/^Bearer \w+\.\w+/, 'the application token is sent');
$sandbox->faults();
is_result("SELECT * FROM smartcar_get_vehicle($of_ada)", "$vehicle|TESLA|Model 3|2021|live|BEV", 'a vehicle', "GET /v3/vehicles/$vehicle");
is_result("SELECT model FROM smartcar_get_vehicle('$vehicle')", 'Model 3', 'a vehicle without user_id');
$session->error_is("SELECT smartcar_get_vehicle('no-such-vehicle')", 'SC404', qr/RESOURCE_NOT_FOUND:VEHICLE_NOT_FOUND/, 'a vehicle that is not connected');
$sandbox->faults({ body => { data => { id => 'a' } } });
$session->error_is("SELECT smartcar_get_vehicle('a')", 'SC004', qr/It has no "data" with "attributes"/, 'a response without attributes');
$sandbox->faults({ content_type => 'application/vnd.api+json; charset=utf-8' });
is_result("SELECT model FROM smartcar_get_vehicle($of_ada)", 'Model 3', 'another JSON content type');
$sandbox->faults({ content_type => 'text/html' });
$session->error_is("SELECT model FROM smartcar_get_vehicle($of_ada)", 'SC004', qr/Its content type is not JSON/, 'a content type that is not JSON');

# The mode of a server

my $simon = $sandbox->connect(owner => 'simon');
$session->query("ALTER SERVER smartcar OPTIONS (ADD mode 'simulated')");
$sandbox->faults();
is_result(
	"SELECT smartcar_get_vehicles(user_id => '$simon->{user_id}')",
	'7f8e9dac-bb1c-4a2d-8e3f-4a5b6c7d8e9f', 'vehicles of another mode',
	"$connections=$simon->{user_id}&filter%5Bvehicle.mode%5D=simulated&$page");
$session->query('ALTER SERVER smartcar OPTIONS (DROP mode)');

# Permissions

my @scopes = qw(read_odometer read_user_profile);
my $ben = $sandbox->connect(owner => 'ben', scope => "@scopes");
my $car = $ben->{vehicles}[0];
$sandbox->faults();
is_result(
	"SELECT smartcar_get_permissions('$car', user_id => '$ben->{user_id}')",
	'{read_odometer,read_user_profile}', 'permissions',
	"GET /v3/connections?filter%5BvehicleId%5D=$car&filter%5BuserId%5D=$ben->{user_id}&$page");
is_result("SELECT smartcar_get_permissions('$car')", '{read_odometer,read_user_profile}', 'permissions without user_id');
is_result("SELECT smartcar_get_permissions('no-such-vehicle') IS NULL", 't', 'permissions of a vehicle that is not connected');

my $carla = $sandbox->connect(owner => 'carla', scope => 'read_odometer');
my $northwind = $sandbox->connect(owner => 'northwind', scope => 'read_vin');
my $shared = $carla->{vehicles}[0];
$session->error_is("SELECT smartcar_get_permissions('$shared')", 'SC004', qr/It lists several connections of this vehicle. Pass the user_id of one of them/, 'a vehicle of two users needs user_id');
is_result("SELECT smartcar_get_permissions('$shared', user_id => '$carla->{user_id}')", '{read_odometer}', 'permissions of the driver');
is_result("SELECT smartcar_get_permissions('$shared', user_id => '$northwind->{user_id}')", '{read_vin}', 'permissions of the owner');

# Tesla

$sandbox->faults();
is_result(
	"SELECT access_type, cardinality(tesla_scopes) FROM smartcar_get_tesla_access($of_ada)",
	'OWNER|5', 'what an owner has granted',
	"$signals/vehicleuseraccount-permissions", "$signals/vehicleuseraccount-role");
is_result("SELECT smartcar_get_virtual_key($of_ada)", 'f', 'the virtual key', "$signals/connectivitystatus-isdigitalkeypaired");
$sandbox->ask('vehicle', { id => $vehicle, paired => JSON::PP::true });
is_result("SELECT smartcar_get_virtual_key($of_ada)", 't', 'the virtual key after it was added');

# Signals that cannot be read

$sandbox->ask('revoke', { owner => 'ada' });
$session->error_is("SELECT smartcar_get_virtual_key($of_ada)", 'SC400', qr/CONNECTED_SERVICES_ACCOUNT:PERMISSION.*HTTP status 200/, 'a signal that the account refuses');
my %status = (
	AUTHENTICATION => 401,
	BILLING => 430,
	COMPATIBILITY => 501,
	CONNECTED_SERVICES_ACCOUNT => 400,
	PERMISSION => 403,
	RATE_LIMIT => 429,
	RESOURCE_NOT_FOUND => 404,
	SERVER => 500,
	SOMETHING_NEW => 500,
	UPSTREAM => 502,
	VALIDATION => 400,
	VEHICLE_STATE => 409);
foreach my $type (sort keys %status)
{
	$sandbox->faults(signal(status => { value => 'ERROR', error => { type => $type, code => 'SOME_CODE', description => 'Because.' } }));
	$session->error_is("SELECT smartcar_get_virtual_key($of_ada)", "SC$status{$type}", qr/$type:SOME_CODE.*: Because\./, "a signal with the error $type");
}
is(scalar $sandbox->log(path => '^/v3'), 1, 'one request for the error');

$sandbox->faults(signal(status => { value => 'UNAVAILABLE' }), signal(status => { value => 'UNAVAILABLE' }), signal(status => { value => 'UNAVAILABLE' }));
is_result("SELECT smartcar_get_virtual_key($of_ada) IS NULL", 't', 'a signal that is not available is NULL');
is_result("SELECT * FROM smartcar_get_tesla_access($of_ada)", '|', 'two signals that are not available are NULL');
foreach my $absent (
	{ body => { errors => [ { type => 'RESOURCE_NOT_FOUND', code => 'SIGNAL_NOT_FOUND' } ] } },
	{ body => { errors => [ { type => 'RESOURCE_NOT_FOUND' } ] } },
	{ body => '404 page not found', content_type => 'text/plain' })
{
	$sandbox->faults({ match => { path => '/signals/' }, times => 0, status => 404, %$absent });
	is_result("SELECT smartcar_get_virtual_key($of_ada) IS NULL", 't', 'a signal without a value yet is NULL');
	is_result("SELECT * FROM smartcar_get_tesla_access($of_ada)", '|', 'two signals without values yet are NULL');
	is(scalar $sandbox->log(path => '/signals/'), 3, 'each signal is requested');
}
$sandbox->faults({ match => { path => '/signals/' }, status => 404, body => { errors => [ { type => 'RESOURCE_NOT_FOUND', code => 'VEHICLE_NOT_FOUND' } ] } });
$session->error_is("SELECT smartcar_get_virtual_key($of_ada)", 'SC404', qr/RESOURCE_NOT_FOUND:VEHICLE_NOT_FOUND/, 'an unknown vehicle is an error');
$sandbox->faults(
	signal(status => { value => 'UNAVAILABLE' }),
	signal(status => { value => 'SUCCESS' }, body => { value => 'DRIVER' }));
is_result("SELECT * FROM smartcar_get_tesla_access($of_ada)", 'DRIVER|', 'one of two signals is not available');
$sandbox->faults(
	signal(status => { value => 'SUCCESS' }, body => { values => [ 'vehicle_cmds' ] }),
	signal(status => { value => 'ERROR', error => { type => 'PERMISSION' } }));
$session->error_is("SELECT * FROM smartcar_get_tesla_access($of_ada)", 'SC403', qr/PERMISSION/, 'an error of the second signal is the error of the call');
$sandbox->faults(
	signal(status => { value => 'SUCCESS' }, body => { values => [ 'vehicle_cmds' ] }),
	signal(status => { value => 'ERROR', error => { type => 'PERMISSION' } }));
is_result(
	"SELECT access_type, tesla_scopes, sqlstate FROM smartcar_get_tesla_access_many(ARRAY['$vehicle'], user_ids => ARRAY['$ada->{user_id}'])",
	'||SC403', 'the first signal is not returned then');
$sandbox->faults(signal(status => { value => 'SUCCESS' }));
$session->error_is("SELECT smartcar_get_virtual_key($of_ada)", 'SC004', qr/It has no signal with a body/, 'a response without a signal');
$sandbox->faults(signal(status => { value => 'SUCCESS' }, body => { value => 'yes' }));
$session->error_is("SELECT smartcar_get_virtual_key($of_ada)", 'SC004', qr/Its member "value" is not a boolean/, 'a signal of the wrong type');
$sandbox->faults(signal(body => { value => JSON::PP::true }));
is_result("SELECT smartcar_get_virtual_key($of_ada)", 't', 'a signal without a status');

# Responses about another vehicle or user, as from a proxy that mixes them up

$sandbox->faults({ body => { data => { id => 'other', attributes => { make => 'TESLA' } } } });
$session->error_is("SELECT smartcar_get_vehicle($of_ada)", 'SC004', qr/It is about another vehicle/, 'a response about another vehicle');
foreach my $kind (qw(vehicle user))
{
	$sandbox->faults({ body => { data => [ { id => 'c', relationships => { $kind => { data => { id => 'other' } } }, attributes => { permissions => ['p'] } } ] } });
	$session->error_is("SELECT smartcar_get_permissions($of_ada)", 'SC004', qr/It lists a connection that was not asked for/, "permissions of another $kind");
}
$sandbox->faults({ body => { data => [ { id => 'c', relationships => { vehicle => { data => { id => 'v' } }, user => { data => { id => 'other' } } } } ] } });
$session->error_is("SELECT smartcar_get_vehicles(user_id => '$ada->{user_id}')", 'SC004', qr/It lists a connection that was not asked for/, 'vehicles of another user');

# Compatibility uses v2.0

$sandbox->faults();
is_result(
	"SELECT compatible FROM smartcar_get_compatibility('5YJ3E1EA7MF000101', '{read_vin}')",
	't', 'whether a vehicle is compatible', 'GET /v2.0/compatibility?vin=5YJ3E1EA7MF000101&scope=read_vin');

# Disconnecting

$sandbox->faults();
is_result("CALL smartcar_disconnect_vehicle('$shared', '$carla->{user_id}')", '2', 'one of two users of a vehicle is disconnected');
my @requests = requests();
is($requests[0], "GET /v3/connections?filter%5BvehicleId%5D=$shared&filter%5BuserId%5D=$carla->{user_id}&$page", 'the connection is looked up');
like($requests[1], qr{^DELETE /v3/connections/[-0-9a-f]+$}, 'the connection is deleted');
is(scalar @requests, 2, 'no other request is made');
is_result("SELECT smartcar_get_permissions('$shared')", '{read_vin}', 'the other connection is still there');
$sandbox->connect(owner => 'carla', scope => 'read_odometer');
is_result("CALL smartcar_disconnect_vehicle('$shared')", '3', 'without user_id, every user is disconnected');
is_result("SELECT smartcar_get_permissions('$shared') IS NULL", 't', 'no connection is left');
is_result("CALL smartcar_disconnect_vehicle('$shared')", '1', 'a repeated call is no error');

# somebody else deletes one of the connections after they were listed
my $both = "SELECT count(*) FROM smartcar_get_connections('$shared')";
$sandbox->connect(owner => $_) foreach qw(carla northwind);
is($session->query($both), 2, 'two users again');
$sandbox->faults({ match => { method => 'DELETE' }, status => 404 });
is_result("CALL smartcar_disconnect_vehicle('$shared')", '3', 'a connection that was deleted by somebody else');
is(scalar(grep { /^DELETE/ } requests()), 2, 'counts as deleted, and the other one is next');
is($session->query($both), 1, 'the other one is deleted');
$sandbox->connect(owner => $_) foreach qw(carla northwind);
$sandbox->faults({ match => { method => 'DELETE' }, status => 404 });
is_result("SELECT count(*) FROM smartcar_delete_connections('$shared')", 2, 'smartcar_delete_connections() counts it as deleted, too');
is($session->query($both), 1, 'smartcar_delete_connections() goes on');
$sandbox->connect(owner => $_) foreach qw(carla northwind);
$sandbox->faults({ match => { method => 'DELETE' }, times => 0, gateway => 'html', status => 404 });
$session->error_is("CALL smartcar_disconnect_vehicle('$shared')", 'SC404', qr{DELETE /v3/connections/}, 'a 404 of a gateway is an error');
$sandbox->faults;
is($session->query($both), 2, 'nothing was deleted after a 404 of a gateway');
$sandbox->faults({ match => { method => 'GET' }, status => 404 });
$session->error_is("CALL smartcar_disconnect_vehicle('$shared')", 'SC404', qr{GET /v3/connections}, 'a 404 of the list is an error');
$sandbox->faults({ match => { method => 'DELETE' }, status => 403 });
$session->error_is("CALL smartcar_disconnect_vehicle('$shared')", 'SC403', qr{DELETE /v3/connections/}, 'a deletion that is refused is an error');

# A list of more than what was asked for, as if the filter were ignored: nothing is
# deleted.
my %asked = (vehicle => $shared, user => $carla->{user_id});
foreach my $kind (sort keys %asked)
{
	my @listed = map {
		my %is = (%asked, $kind => $_);

		{ id => "of-$_", relationships => { map { $_ => { data => { id => $is{$_} } } } keys %is } }
	} $asked{$kind}, 'another';

	foreach my $call ('CALL smartcar_disconnect_vehicle(', 'SELECT smartcar_delete_connections(')
	{
		$sandbox->faults({ match => { path => '^/v3/connections$' }, body => { data => \@listed } });
		$session->error_is("$call'$shared', '$carla->{user_id}')", 'SC004', qr/It lists a connection that was not asked for/, "$call): one of another $kind");
		is_deeply([ grep { /^DELETE/ } requests() ], [], 'nothing is deleted');

		# nor if a connection does not say whose it is
		delete $listed[1]{relationships}{$kind};
		$sandbox->faults({ match => { path => '^/v3/connections$' }, body => { data => \@listed } });
		$session->error_is("$call'$shared', '$carla->{user_id}')", 'SC004', qr/It lists a connection that was not asked for/, "$call): one that does not tell the $kind");
		is_deeply([ grep { /^DELETE/ } requests() ], [], 'nothing is deleted either');
		$listed[1]{relationships}{$kind} = { data => { id => 'another' } };
	}
}

done_testing();
