# The signals of one vehicle and of many: a row for each signal, also for those that
# cannot be read, and one request for each vehicle.

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
Sandbox::create_server($node, 'old', $sandbox->url);

my $session = Session->new($node);
my $ada = $sandbox->connect(owner => 'ada');
my $ben = $sandbox->connect(owner => 'ben', scope => 'read_odometer');
my ($car, $of_ada) = ($ada->{vehicles}[0], "'$ada->{vehicles}[0]', '$ada->{user_id}'");
my ($bens, $of_ben) = ($ben->{vehicles}[0], "'$ben->{vehicles}[0]', '$ben->{user_id}'");
my $list = "GET /v3/vehicles/$car/signals";
my ($odometer, $charge) = ('odometer-traveleddistance', 'tractionbattery-stateofcharge');

sub requests
{
	return $sandbox->requests(path => '^/v3/vehicles');
}

sub page
{
	my ($signals, %more) = @_;

	return { match => { path => '/signals$' }, body => { data => $signals, %more } };
}

sub signal
{
	my ($code, %attributes) = @_;

	return { id => $code, type => 'signal', attributes => { code => $code, %attributes }, meta => $attributes{meta} // {} };
}

# All signals of a vehicle, with one request

$sandbox->faults();
$session->result_is("SELECT count(*), count(DISTINCT code), bool_and(vehicle_id = '$car'), count(sqlstate), count(*) FILTER (WHERE error IS NULL) FROM smartcar_get_signals($of_ada)",
	'9|9|t|0|9', 'all signals of a vehicle');
is_deeply([ requests() ], ["$list?page%5Bnumber%5D=1&page%5Bsize%5D=100"], 'all signals are read with one request');
my ($request) = map { $_->{headers} } do { $session->query("SELECT count(*) FROM smartcar_get_signals($of_ada)"); $sandbox->log(path => '/signals$') };
is($request->{'sc-user-id'}, $ada->{user_id}, 'the request is for the owner');

$sandbox->faults();
$session->result_is("SELECT code, jsonb_typeof(value), unit, body = jsonb_build_object('value', value, 'unit', unit), status FROM smartcar_get_signals($of_ada, '{$charge, $odometer}') ORDER BY code",
	"$odometer|number|km|t|SUCCESS\n$charge|number|percent|t|SUCCESS", 'only the given codes');
is_deeply([ requests() ], ["$list?page%5Bnumber%5D=1&page%5Bsize%5D=100"], 'several codes are read with one request');
$session->result_is("SELECT retrieved_at - oem_updated_at, retrieved_at > now() - interval '1 minute' FROM smartcar_get_signals($of_ada, '{$odometer}')", '00:01:30|t', 'the times of a signal');
$session->result_is("SELECT value::numeric > 0 FROM smartcar_get_signals($of_ada, '{$odometer}')", 't', 'a value can be cast');
$session->result_is("SELECT count(*) FROM smartcar_get_signals($of_ada, '{no-such-signal, $odometer, $odometer}')", '1', 'an unknown code has no row, and a repeated code has one');
$session->result_is("SELECT count(*) FROM smartcar_get_signals($of_ada, '{}')", '0', 'an empty array returns no row');

# A token that Smartcar no longer accepts is replaced, and the page is requested again

$sandbox->faults({ match => { path => '/signals$' }, times => 1, status => 401 });
$session->result_is("SELECT count(*) FROM smartcar_get_signals($of_ada)", '9', 'all signals, after a token that has expired');
is_deeply([ requests() ], [ ("$list?page%5Bnumber%5D=1&page%5Bsize%5D=100") x 2 ], 'the same request again');

# Values of every type

$sandbox->faults(
	page(
		[
			signal('a', body => { value => JSON::PP::false }),
			signal('b', body => { values => [ 'x', 'y' ], more => 1 }),
			signal('c', body => { latitude => 1.5, longitude => 2 }),
			signal('d', body => { value => undef, unit => 'km' }),
			signal('e', body => { value => { high => 1 }, unit => 'V', min => 2 }),
			signal('f')
		]));
$session->result_is("SELECT code, value, unit, body FROM smartcar_get_signals('v', 'u') ORDER BY code",
	join("\n",
		'a|false||{"value": false}',
		'b|["x", "y"]||{"more": 1, "values": ["x", "y"]}',
		'c|{"latitude": 1.5, "longitude": 2}||{"latitude": 1.5, "longitude": 2}',
		'd||km|{"unit": "km", "value": null}',
		'e|{"high": 1}|V|{"min": 2, "unit": "V", "value": {"high": 1}}',
		'f|||'),
	'values of every type');
my %times = ('2026-01-02T03:04:05.678Z' => '2026-01-02 03:04:05.678', 1767323045 => '2026-01-02 03:04:05', 1767323045678 => '2026-01-02 03:04:05.678', 0 => '', 'soon' => '');
$sandbox->faults(page([ map { signal($_, meta => { retrievedAt => $_, oemUpdatedAt => $_ }) } sort keys %times ]));
$session->result_is("SELECT code, retrieved_at AT TIME ZONE 'UTC', oem_updated_at AT TIME ZONE 'UTC' FROM smartcar_get_signals('v', 'u') ORDER BY code COLLATE \"C\"",
	join("\n", map { "$_|$times{$_}|$times{$_}" } sort keys %times), 'times in every format');

# Signals that cannot be read

$sandbox->ask('vehicle', { id => $car, signals => { $odometer => { type => 'VEHICLE_STATE', code => 'ASLEEP' }, $charge => 'UNAVAILABLE', 'charge-ischarging' => 'ERROR' } });
$session->result_is("SELECT code, value, body, status, sqlstate, (error).type, (error).code, (error).action FROM smartcar_get_signals($of_ada, '{$odometer, $charge, charge-ischarging}') ORDER BY 1",
	"charge-ischarging|||ERROR|SC500|||retry\n$odometer|||ERROR|SC409|VEHICLE_STATE|ASLEEP|retry\n$charge|||UNAVAILABLE||||",
	'a signal that cannot be read has an error, and one without a value has none');
$session->result_is("SELECT count(*) FILTER (WHERE sqlstate IS NULL) FROM smartcar_get_signals($of_ada)", '7', 'the others are unchanged');
$session->result_is("SELECT (error).type, (error).action, count(*) FROM smartcar_get_signals($of_ben) WHERE code <> '$odometer' GROUP BY 1, 2", 'PERMISSION|update_access|8', 'signals that the owner has not granted');
$sandbox->ask('vehicle', { id => $car, signals => { $odometer => 'absent' } });
$session->result_is("SELECT count(*) FROM smartcar_get_signals($of_ada, '{$odometer}')", '0', 'a signal that the vehicle does not have');
$sandbox->ask('vehicle', { id => $car, signals => {} });

# Pages

$sandbox->ask('settings', { signal_page_limit => 4 });
$sandbox->faults();
$session->result_is("SELECT count(*), count(DISTINCT code) FROM smartcar_get_signals($of_ada)", '9|9', 'several pages');
is_deeply([ requests() ], [ map { "$list?page%5Bnumber%5D=$_&page%5Bsize%5D=100" } 1 .. 3 ], 'no more pages than needed');
$sandbox->ask('settings', { signal_page_limit => 100 });
$sandbox->faults({ %{ page([ signal('a'), signal('b') ], meta => { totalCount => 9 }) }, times => 0 });
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC004', qr/It repeats an earlier page/, 'a page that repeats is an error');
$sandbox->faults(page([ signal('a') ], meta => { totalCount => 2 }), { %{ page([]) }, times => 0 });
$session->result_is("SELECT count(*) FROM smartcar_get_signals('v', 'u')", '1', 'an empty page is the last');
$sandbox->faults(page([ signal('a') ], meta => { totalCount => 2 }), { match => { path => '/signals$' }, status => 400, body => {} });
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC400', qr/HTTP status 400/, 'an error on the second page is the error of the call');

# A vehicle without a subscription, and unknown vehicles

$sandbox->ask('settings', { webhooks => [ { autoSubscribe => JSON::PP::false } ] });
my $carla = $sandbox->connect(owner => 'carla');
$session->result_is("SELECT count(*) FROM smartcar_get_signals('$carla->{vehicles}[0]', '$carla->{user_id}')", '0', 'a vehicle that was never subscribed has no signals');
$sandbox->ask('settings', { webhooks => [ {} ] });
$session->error_is("SELECT * FROM smartcar_get_signals('$car', '$ben->{user_id}')", 'SC404', qr/RESOURCE_NOT_FOUND:VEHICLE_NOT_FOUND/, 'a vehicle of somebody else');
$sandbox->faults(page([ signal('a') ], included => { vehicle => { id => 'another' } }));
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC004', qr/It is about another vehicle/, 'a list of another vehicle');
$sandbox->faults({ match => { path => '/signals$' }, body => {} });
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC004', qr/It has no list "data"/, 'a response without a list');

# Arguments

$sandbox->faults();
$session->result_is("SELECT count(*) FROM smartcar_get_signals(NULL, 'u')", '0', 'NULL returns no row');
$session->error_is("SELECT * FROM smartcar_get_signals('v', NULL)", '22004', qr/user_id must not be null/, 'user_id is required');
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u', '{a, NULL}')", '22004', qr/codes must not contain NULL/, 'codes must not contain NULL');
$session->error_is("SELECT * FROM smartcar_get_signals('../v', 'u')", '22023', qr/invalid vehicle_id/, 'an invalid vehicle_id');
$session->error_is("SELECT * FROM smartcar_get_signals_many('{v}', NULL)", '22004', qr/user_ids must not be null/, 'user_ids is required');
$session->error_is("SELECT * FROM smartcar_get_signals_many('{v, w, x}', '{u, t}')", '2202E', qr/array "user_ids" has 2 elements, expected 1 or 3/, 'too few user_ids');
$session->error_is("SELECT * FROM $_, server => 'old')", '0A000',
	qr/smartcar_get_signals\(\) does not exist in version 2.0 of Smartcar's API; Server "old" has api_version "2.0".; Version 2.0 has an endpoint for each reading, which smartcar_request_many\(\) can call/,
	"there is no $_) in v2.0") foreach "smartcar_get_signals('v', 'u'", "smartcar_get_signals_many('{v}', '{u}'";
is_deeply([ requests() ], [], 'no request was made');

# Many vehicles

$sandbox->ask('fleet', { owners => 20, vehicles => 20 });
$session->query("CREATE TABLE fleet AS SELECT n, 'vehicle-' || lpad(n::text, 6, '0') AS vehicle_id, 'user-' || lpad(n::text, 6, '0') AS user_id FROM generate_series(1, 20) n");
$sandbox->faults();
$session->result_is(
	"SELECT count(*), count(charge), count(odometer), min(charge) > 0, min(odometer) > 0 FROM (
		SELECT vehicle_id, max(value::numeric) FILTER (WHERE code = '$charge') AS charge, max(value::numeric) FILTER (WHERE code = '$odometer') AS odometer
		FROM smartcar_get_signals_many((SELECT array_agg(vehicle_id ORDER BY n) FROM fleet), (SELECT array_agg(user_id ORDER BY n) FROM fleet), '{$charge, $odometer}')
		GROUP BY 1) AS pivot",
	'20|20|20|t|t', 'the signals of a fleet with one statement');
is(scalar requests(), 20, 'a request for each vehicle');
$session->result_is(
	"SELECT vehicle_id, code, sqlstate, (error).code FROM smartcar_get_signals_many('{vehicle-000002, no-such-vehicle, $carla->{vehicles}[0], vehicle-000001}', '{user-000002, user-000001, $carla->{user_id}, user-000001}', '{$odometer}')",
	"vehicle-000002|$odometer||\nno-such-vehicle||SC404|VEHICLE_NOT_FOUND\nvehicle-000001|$odometer||",
	'in the order of the vehicles: a failed one has a row, one without signals has none');
$session->result_is("SELECT count(*), count(DISTINCT vehicle_id) FROM smartcar_get_signals_many('{$bens, $bens}', '{$ben->{user_id}}')", '18|1', 'the same vehicle twice, and one user for all');
$session->result_is('SELECT count(*) FROM smartcar_get_signals_many(NULL, NULL)', '0', 'NULL returns no row of many vehicles');
$session->result_is(q(SELECT count(*) FROM smartcar_get_signals_many('{}', '{}')), '0', 'empty arrays return no row');
$session->result_is("SELECT string_agg(DISTINCT code, ' ') FROM fleet, smartcar_get_signals(vehicle_id, user_id, '{$charge}') AS s WHERE n < 4", $charge, 'smartcar_get_signals() in a join');

done_testing();
