# Connections: lists from all pages, in both versions of the API, from servers whose
# pages are wrong in some way; and their deletion.

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
Sandbox::create_server($node, 'smartcar', $sandbox->url);
Sandbox::create_server($node, 'v3', $sandbox->url, api_version => '3');

my $session = Session->new($node);
# reading pages without end must not block the test
$session->query("SET statement_timeout = '30s'");
my $management = 'Basic ZGVmYXVsdDpzYW5kYm94LW1hbmFnZW1lbnQtdG9rZW4=';

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

# v2.0: the management API, with a cursor

my $list = 'GET /v2.0/management/connections?limit=100';
$sandbox->faults();
is_result('SELECT count(*) FROM smartcar_get_connections()', '0', 'no connections at all', $list);
$sandbox->ask('fleet', { owners => 5, vehicles => 250 });
my $simon = $sandbox->connect(owner => 'simon');
$sandbox->faults();
is($session->query('SELECT count(*), count(DISTINCT vehicle_id) FROM smartcar_get_connections()'), '252|252', 'all connections are returned');
my @requests = $sandbox->log;
is_deeply([ map { "GET $_->{path}?$_->{query}" =~ s/cursor=[\w-]+$/cursor=.../r } @requests ], [ $list, "$list&cursor=...", "$list&cursor=..." ], 'page by page');
isnt($requests[1]{query}, $requests[2]{query}, 'each page is requested with the cursor of the previous page');
is($requests[0]{headers}{authorization}, $management, 'the management token is sent');
$sandbox->faults();
is_result("SELECT * FROM smartcar_get_connections('vehicle-000001') WHERE connected_at BETWEEN now() - interval '1 minute' AND now() + interval '1 minute'"
	  =~ s/\*/connection_id, user_id, vehicle_id, external_id, mode, granted_scopes, make, model, year, powertrain_type, updated_at/r,
	'|user-000001|vehicle-000001||live||||||', 'connections of a vehicle', "$list&vehicle_id=vehicle-000001");
is_result("SELECT count(*), min(vehicle_id) FROM smartcar_get_connections(user_id => 'user-000002')", '50|vehicle-000051', 'connections of a user', "$list&user_id=user-000002");
is_result("SELECT count(*) FROM smartcar_get_connections('vehicle-000001', 'user-000002')", '0', 'connections of a vehicle and a user', "$list&vehicle_id=vehicle-000001&user_id=user-000002");
is_result("SELECT vehicle_id FROM smartcar_get_connections(mode => 'simulated')", '7f8e9dac-bb1c-4a2d-8e3f-4a5b6c7d8e9f', 'connections of a mode', "$list&mode=simulated");
$session->error_is("SELECT smartcar_get_connections(external_id => 'external-000001')", '0A000', qr/filtering by external_id is not supported by version 2.0 of Smartcar's API/, 'v2.0 has no filter external_id');
$session->query("ALTER SERVER smartcar OPTIONS (ADD mode 'test')");
is_result('SELECT vehicle_id FROM smartcar_get_connections()', '2c3d4e5f-6071-4829-a3b4-c5d6e7f80910', 'connections of the mode of the server', "$list&mode=test");
is_result("SELECT count(*) FROM smartcar_get_connections(mode => 'simulated')", '1', 'the mode as an argument comes before that of the server', "$list&mode=simulated");
$session->query('ALTER SERVER smartcar OPTIONS (DROP mode)');

sub managed
{
	my ($cursor, @vehicles) = @_;

	return { body => { connections => [ map { { vehicleId => $_ } } @vehicles ], paging => { cursor => $cursor } } };
}
$sandbox->faults(managed('c 1', 'a'), managed('c&2'), managed(undef, 'b'));
is_result("SELECT string_agg(vehicle_id, ' ') FROM smartcar_get_connections()", 'a b', 'an empty page with a cursor', $list, "$list&cursor=c%201", "$list&cursor=c%262");
$sandbox->faults(managed('x', 'a'), managed('x', 'b'), managed('x', 'c'));
$session->error_is('SELECT smartcar_get_connections()', 'SC004', qr/It repeats an earlier page/, 'a cursor that does not change is an error');
is(scalar requests(), 2, 'after two requests');
$sandbox->faults(map { managed("c" . $_ % 3, $_) } 1 .. 12);
$session->error_is('SELECT smartcar_get_connections()', 'SC004', qr/It repeats an earlier page/, 'cursors that repeat are an error');
cmp_ok(scalar requests(), '<', 9, 'after a few requests');
$sandbox->faults({ body => { connections => [ { vehicleId => 'a', createdAt => '2026-01-02T03:04:05.678Z' }, 'b', undef ] } });
is_result("SELECT vehicle_id, connected_at AT TIME ZONE 'UTC' FROM smartcar_get_connections()", 'a|2026-01-02 03:04:05.678', 'the older name of the field, and elements that are no connections');
$sandbox->faults({ body => { paging => {} } });
$session->error_is('SELECT smartcar_get_connections()', 'SC004', qr/It has no list "connections"/, 'a page without a list');

# A server that ignores the filter

foreach my $entry ({ vehicleId => 'other', userId => 'u' }, { vehicleId => 'v', userId => 'other' })
{
	$sandbox->faults({ body => { connections => [ { vehicleId => 'v', userId => 'u' }, $entry ] } });
	$session->error_is("SELECT smartcar_get_connections('v', 'u')", 'SC004', qr/It lists a connection that was not asked for/, 'a connection of somebody else');
}

# v3: numbered pages

my $v3 = "server => 'v3'";
my $pages = 'GET /v3/connections?';

sub numbered
{
	return map { "${pages}page%5Bnumber%5D=$_&page%5Bsize%5D=100" } @_;
}
$sandbox->faults();
is_result("SELECT count(*), count(DISTINCT connection_id) FROM smartcar_get_connections($v3)", '250|250', 'all of them, version 3', numbered(1, 2, 3));
is_result(
	"SELECT connection_id, user_id, vehicle_id, external_id, mode, granted_scopes[1], make, model, year, powertrain_type, connected_at = updated_at FROM smartcar_get_connections('vehicle-000001', $v3)",
	'connection-000001|user-000001|vehicle-000001|external-000001|live|read_vehicle_info|TESLA|Model Y|2023|BEV|t',
	'connections of a vehicle', $pages . 'filter%5BvehicleId%5D=vehicle-000001&page%5Bnumber%5D=1&page%5Bsize%5D=100');
is_result("SELECT count(*) FROM smartcar_get_connections(external_id => 'external-000005', $v3)", '50', 'connections of an external_id');
is((requests())[0], $pages . 'filter%5Buser.externalId%5D=external-000005&page%5Bnumber%5D=1&page%5Bsize%5D=100', 'request of: connections of an external_id');
is_result(
	"SELECT vehicle_id FROM smartcar_get_connections(user_id => '$simon->{user_id}', mode => 'test', $v3)", '2c3d4e5f-6071-4829-a3b4-c5d6e7f80910',
	'connections of a mode', $pages . "filter%5BuserId%5D=$simon->{user_id}&filter%5Bvehicle.mode%5D=test&page%5Bnumber%5D=1&page%5Bsize%5D=100");

# A page of connections from one number to another, with links or without.
sub page
{
	my ($first, $last, %more) = @_;

	my %of = (relationships => { vehicle => { data => { id => 'x' } } });

	return { match => { path => '^/v3/connections$' }, body => { data => [ map { { id => "c$_", %of } } $first .. $last ], %more } };
}
my $count = "SELECT count(*), count(DISTINCT connection_id) FROM smartcar_get_connections($v3)";
$sandbox->faults(page(1, 20), page(21, 40), page(41, 45));
is_result($count, '45|45', 'a server that gives smaller pages, without links', numbered(1, 2, 3));
$sandbox->faults(page(1, 20), page(21, 40), page(41, 40));
is_result($count, '40|40', 'pages without links whose last one is full', numbered(1, 2, 3));
$sandbox->faults(page(1, 10), page(11, 20), page(21, 20));
is_result($count, '20|20', 'a server that keeps to its default size of ten, without links', numbered(1, 2, 3));
$sandbox->faults(page(1, 3));
is_result($count, '3|3', 'a short page without links is the last', numbered(1));
$sandbox->faults(page(1, 3, links => { next => '/v3/connections?page=2' }), page(4, 6, links => { next => undef }));
is_result($count, '6|6', 'but not with a link to the next', numbered(1, 2));
$sandbox->faults(page(1, 3, links => { next => '/v3/connections?page=2' }), page(4, 3, links => { next => '/v3/connections?page=2' }));
is_result($count, '3|3', 'an empty page ends it whatever its links', numbered(1, 2));
$sandbox->faults({ %{ page(1, 100) }, times => 0 });
$session->error_is("SELECT smartcar_get_connections($v3)", 'SC004', qr/It repeats an earlier page/, 'a page that repeats is an error');
is(scalar requests(), 2, 'after two requests');
$sandbox->faults(map { page($_ % 2 * 100 + 1, $_ % 2 * 100 + 100) } 1 .. 12);
$session->error_is("SELECT smartcar_get_connections($v3)", 'SC004', qr/It repeats an earlier page/, 'two pages in turn are an error');
$sandbox->faults({ %{ page(1, 100) }, times => 0 });
$session->error_is("SELECT smartcar_get_vehicles(user_id => 'x', $v3)", 'SC004', qr/It repeats an earlier page/, 'a list of vehicles with a page that repeats is an error');
$sandbox->faults({ %{ page(1, 100) }, times => 0 });
$session->error_is("SELECT smartcar_delete_connections('x', $v3)", 'SC004', qr/It repeats an earlier page/, 'a deletion with a page that repeats is an error');
is_deeply([ grep { /DELETE/ } requests() ], [], 'a deletion with a page that repeats deletes nothing');
$sandbox->faults({ match => { path => '^/v3' }, body => { data => [ { id => 'c', relationships => [] }, { id => 'd', attributes => { vehicle => { year => 'x' }, permissions => 'none' } } ] } });
is_result($count, '2|2', 'a connection with missing fields');
foreach my $entry (7, {}, { id => 7 }, { id => '' }, { id => 'c' x 129 })
{
	$sandbox->faults({ match => { path => '^/v3' }, times => 0, body => { data => [ map { $entry } 1 .. 10 ] } });
	$session->error_is("SELECT smartcar_get_connections($v3)", 'SC004', qr/It lists a connection without an id/, 'a connection without an id is an error');
	is(scalar requests(), 1, 'after one request');
}
$sandbox->faults({ match => { path => '^/v3' }, body => {} });
$session->error_is("SELECT smartcar_get_connections($v3)", 'SC004', qr/It has no list "data"/, 'a page without a list');
my $external = { externalId => 'E' };
foreach my $place ([qw(attributes)], [qw(attributes user)], [qw(relationships user meta)], [qw(relationships user data)])
{
	my $connection = $external;

	$connection = { $_ => $connection } foreach reverse @$place;
	$sandbox->faults({ match => { path => '^/v3' }, body => { data => [ { id => 'c', %$connection } ] } });
	is_result("SELECT external_id FROM smartcar_get_connections($v3)", 'E', 'an external id in ' . join '.', @$place);
}

# Deletion in v2.0

my $delete = 'DELETE /v2.0/management/connections';
$sandbox->faults();
is_result("SELECT user_id, vehicle_id FROM smartcar_delete_connections('vehicle-000001')", 'user-000001|vehicle-000001', 'deletion by vehicle', "$delete?vehicle_id=vehicle-000001");
is_result("SELECT count(*) FROM smartcar_delete_connections('vehicle-000001')", '0', 'the connection is deleted');
$sandbox->faults();
is_result("SELECT user_id, vehicle_id FROM smartcar_delete_connections('vehicle-000002', 'user-000001')", 'user-000001|vehicle-000002', 'deletion by vehicle and user', "$delete?vehicle_id=vehicle-000002&user_id=user-000001");
is_result("SELECT count(*) FROM smartcar_delete_connections('vehicle-000003', 'user-000002')", '0', 'deletion by a vehicle and a user that have no connection');
$sandbox->faults();
is_result("SELECT count(*) FROM smartcar_delete_connections(user_id => 'user-000001')", '48', 'deletion by user', "$delete?user_id=user-000001");
is_result('SELECT count(*) FROM smartcar_get_connections()', '202', 'other connections remain');
$sandbox->faults();
$session->error_is('SELECT smartcar_delete_connections()', '22004', qr/vehicle_id and user_id must not both be null/, 'a deletion without a filter is refused');
is(scalar requests(), 0, 'no request was made');

$sandbox->faults({ match => { method => 'DELETE' }, status => 204, body => '' });
is_result("SELECT count(*) FROM smartcar_delete_connections('a')", '0', 'a response without a body is no error');
$sandbox->faults();

# Deletion in v3

is_result(
	"SELECT connection_id, external_id FROM smartcar_delete_connections('vehicle-000051', $v3)", 'connection-000051|external-000002', 'deleted by vehicle, version 3',
	$pages . 'filter%5BvehicleId%5D=vehicle-000051&page%5Bnumber%5D=1&page%5Bsize%5D=100', 'DELETE /v3/connections/connection-000051');
is_result("SELECT count(*), count(DISTINCT vehicle_id) FROM smartcar_delete_connections(user_id => 'user-000002', $v3)", '49|49', 'deletion by user');
is(scalar(grep { /DELETE/ } requests()), 49, 'each connection is deleted with a request');
is_result("SELECT count(*) FROM smartcar_delete_connections('vehicle-000101', 'user-000002', $v3)", '0', 'deletion by a vehicle and a user that have no connection');
is_result("SELECT vehicle_id FROM smartcar_delete_connections('vehicle-000101', 'user-000003', $v3)", 'vehicle-000101', 'deletion by vehicle and user');
$sandbox->ask('fleet', { owners => 1, vehicles => 101 });
is_result("SELECT count(*) FROM smartcar_delete_connections(user_id => 'user-000006', $v3)", '101', 'deletion of two pages');
$sandbox->faults({ match => { method => 'DELETE' }, after => 1, status => 500 });
$session->error_is("SELECT smartcar_delete_connections(user_id => 'user-000003', $v3)", 'SC500', qr{DELETE /v3/connections/connection-000149 returned HTTP status 500: .*\. 1 of 49 connections were deleted before that: connection-000150\.}, 'the error of a deletion lists the connections that were deleted');
is(scalar(grep { /DELETE/ } requests()), 2, 'nothing more is requested, and nothing is repeated');
$sandbox->faults(page(1, 12), { match => { method => 'DELETE' }, times => 11, status => 204 }, { match => { method => 'DELETE' }, drop => 'after' });
$session->error_is("CALL smartcar_disconnect_vehicle('x', server => 'v3')", 'SC001', qr{11 of 12 connections were deleted before that: c1, .*, c10, and others\.}, 'the error of a lost connection lists them, too');
$sandbox->faults({ match => { method => 'GET' }, status => 204 });
$session->error_is("SELECT smartcar_delete_connections('a', $v3)", 'SC004', qr/It is empty/, 'an empty list');
$sandbox->faults(page(1, 10), page(11, 20), page(21, 20), { match => { method => 'DELETE' }, times => 0, status => 204 });
is_result("SELECT count(*) FROM smartcar_delete_connections('x', $v3)", '20', 'deletion from pages of the default size, without links');
is(scalar(grep { /DELETE/ } requests()), 20, 'all connections of the pages are deleted');

done_testing();
