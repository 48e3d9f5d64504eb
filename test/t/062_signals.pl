# The signals of vehicles, one by one and many at once: a row for each, those that
# could not be read among them, and one request for each vehicle.

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
	my @requests = map { "$_->{method} $_->{path}?$_->{query}" } $sandbox->log(path => '^/v3/vehicles');

	$sandbox->faults();
	return @requests;
}

sub is_result
{
	my ($sql, $expected, $name) = @_;

	is($session->query($sql), $expected, $name);
	return;
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
is_result("SELECT count(*), count(DISTINCT code), bool_and(vehicle_id = '$car'), count(sqlstate), count(*) FILTER (WHERE error IS NULL) FROM smartcar_get_signals($of_ada)",
	'9|9|t|0|9', 'every signal of a vehicle');
is_deeply([ requests() ], ["$list?page%5Bnumber%5D=1&page%5Bsize%5D=100"], 'with one request');
my ($request) = map { $_->{headers} } do { $session->query("SELECT count(*) FROM smartcar_get_signals($of_ada)"); $sandbox->log(path => '/signals$') };
is($request->{'sc-user-id'}, $ada->{user_id}, 'on behalf of the owner');

$sandbox->faults();
is_result("SELECT code, jsonb_typeof(value), unit, body = jsonb_build_object('value', value, 'unit', unit), status FROM smartcar_get_signals($of_ada, '{$charge, $odometer}') ORDER BY code",
	"$odometer|number|km|t|SUCCESS\n$charge|number|percent|t|SUCCESS", 'those that are asked for');
is_deeply([ requests() ], ["$list?page%5Bnumber%5D=1&page%5Bsize%5D=100"], 'with one request for all of them');
is_result("SELECT retrieved_at - oem_updated_at, retrieved_at > now() - interval '1 minute' FROM smartcar_get_signals($of_ada, '{$odometer}')", '00:01:30|t', 'and when they are of');
is_result("SELECT value::numeric > 0 FROM smartcar_get_signals($of_ada, '{$odometer}')", 't', 'a value can be cast');
is_result("SELECT count(*) FROM smartcar_get_signals($of_ada, '{no-such-signal, $odometer, $odometer}')", '1', 'one that is not there is no row, and one that is named twice is one');
is_result("SELECT count(*) FROM smartcar_get_signals($of_ada, '{}')", '0', 'no code, no row');

# A token that Smartcar no longer accepts is replaced, and the same page requested again

$sandbox->faults({ match => { path => '/signals$' }, times => 1, status => 401 });
is_result("SELECT count(*) FROM smartcar_get_signals($of_ada)", '9', 'every signal of a vehicle, after a token that has expired');
is_deeply([ requests() ], [ ("$list?page%5Bnumber%5D=1&page%5Bsize%5D=100") x 2 ], 'with the same request');

# Bodies of every shape

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
is_result("SELECT code, value, unit, body FROM smartcar_get_signals('v', 'u') ORDER BY code",
	join("\n",
		'a|false||{"value": false}',
		'b|["x", "y"]||{"more": 1, "values": ["x", "y"]}',
		'c|{"latitude": 1.5, "longitude": 2}||{"latitude": 1.5, "longitude": 2}',
		'd||km|{"unit": "km", "value": null}',
		'e|{"high": 1}|V|{"min": 2, "unit": "V", "value": {"high": 1}}',
		'f|||'),
	'bodies of every shape');
my %times = ('2026-01-02T03:04:05.678Z' => '2026-01-02 03:04:05.678', 1767323045 => '2026-01-02 03:04:05', 1767323045678 => '2026-01-02 03:04:05.678', 0 => '', 'soon' => '');
$sandbox->faults(page([ map { signal($_, meta => { retrievedAt => $_, oemUpdatedAt => $_ }) } sort keys %times ]));
is_result("SELECT code, retrieved_at AT TIME ZONE 'UTC', oem_updated_at AT TIME ZONE 'UTC' FROM smartcar_get_signals('v', 'u') ORDER BY code COLLATE \"C\"",
	join("\n", map { "$_|$times{$_}|$times{$_}" } sort keys %times), 'times of every form');

# Signals that could not be read

$sandbox->ask('vehicle', { id => $car, signals => { $odometer => { type => 'VEHICLE_STATE', code => 'ASLEEP' }, $charge => 'UNAVAILABLE', 'charge-ischarging' => 'ERROR' } });
is_result("SELECT code, value, body, status, sqlstate, (error).type, (error).code, (error).action FROM smartcar_get_signals($of_ada, '{$odometer, $charge, charge-ischarging}') ORDER BY 1",
	"charge-ischarging|||ERROR|SC500|||retry\n$odometer|||ERROR|SC409|VEHICLE_STATE|ASLEEP|retry\n$charge|||UNAVAILABLE||||",
	'a signal that could not be read has an error of its own, and one without a value has none');
is_result("SELECT count(*) FILTER (WHERE sqlstate IS NULL) FROM smartcar_get_signals($of_ada)", '7', 'the others are as they were');
is_result("SELECT (error).type, (error).action, count(*) FROM smartcar_get_signals($of_ben) WHERE code <> '$odometer' GROUP BY 1, 2", 'PERMISSION|update_access|8', 'what the owner has not granted');
$sandbox->ask('vehicle', { id => $car, signals => { $odometer => 'absent' } });
is_result("SELECT count(*) FROM smartcar_get_signals($of_ada, '{$odometer}')", '0', 'a signal that the vehicle does not have');
$sandbox->ask('vehicle', { id => $car, signals => {} });

# Pages

$sandbox->ask('settings', { signal_page_limit => 4 });
$sandbox->faults();
is_result("SELECT count(*), count(DISTINCT code) FROM smartcar_get_signals($of_ada)", '9|9', 'more pages than one');
is_deeply([ requests() ], [ map { "$list?page%5Bnumber%5D=$_&page%5Bsize%5D=100" } 1 .. 3 ], 'as many as there are signals for');
$sandbox->ask('settings', { signal_page_limit => 100 });
$sandbox->faults({ %{ page([ signal('a'), signal('b') ], meta => { totalCount => 9 }) }, times => 0 });
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC004', qr/It repeats an earlier page/, 'a page that comes again');
$sandbox->faults(page([ signal('a') ], meta => { totalCount => 2 }), { %{ page([]) }, times => 0 });
is_result("SELECT count(*) FROM smartcar_get_signals('v', 'u')", '1', 'a page that is empty is the last');
$sandbox->faults(page([ signal('a') ], meta => { totalCount => 2 }), { match => { path => '/signals$' }, status => 400, body => {} });
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC400', qr/HTTP status 400/, 'half of a list is none');

# A vehicle that was never subscribed, and those that nothing is known of

$sandbox->ask('settings', { webhooks => [ { autoSubscribe => JSON::PP::false } ] });
my $carla = $sandbox->connect(owner => 'carla');
is_result("SELECT count(*) FROM smartcar_get_signals('$carla->{vehicles}[0]', '$carla->{user_id}')", '0', 'a vehicle that was never subscribed has no signals');
$sandbox->ask('settings', { webhooks => [ {} ] });
$session->error_is("SELECT * FROM smartcar_get_signals('$car', '$ben->{user_id}')", 'SC404', qr/RESOURCE_NOT_FOUND:VEHICLE_NOT_FOUND/, 'a vehicle of somebody else');
$sandbox->faults(page([ signal('a') ], included => { vehicle => { id => 'another' } }));
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC004', qr/It is about another vehicle/, 'a list of another vehicle');
$sandbox->faults({ match => { path => '/signals$' }, body => {} });
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u')", 'SC004', qr/It has no list "data"/, 'no list');

# Arguments

$sandbox->faults();
is_result("SELECT count(*) FROM smartcar_get_signals(NULL, 'u')", '0', 'no vehicle, no signals');
$session->error_is("SELECT * FROM smartcar_get_signals('v', NULL)", '22004', qr/user_id must not be null/, 'no user');
$session->error_is("SELECT * FROM smartcar_get_signals('v', 'u', '{a, NULL}')", '22004', qr/codes must not contain NULL/, 'no code');
$session->error_is("SELECT * FROM smartcar_get_signals('../v', 'u')", '22023', qr/invalid vehicle_id/, 'what is no id');
$session->error_is("SELECT * FROM smartcar_get_signals_many('{v}', NULL)", '22004', qr/user_ids must not be null/, 'no users');
$session->error_is("SELECT * FROM smartcar_get_signals_many('{v, w, x}', '{u, t}')", '2202E', qr/array "user_ids" has 2 elements, expected 1 or 3/, 'too few users');
$session->error_is("SELECT * FROM $_, server => 'old')", '0A000',
	qr/smartcar_get_signals\(\) does not exist in version 2.0 of Smartcar's API; Server "old" has api_version "2.0".; Version 2.0 has an endpoint for each reading, which smartcar_request_many\(\) can call/,
	"there is no $_) in version 2.0") foreach "smartcar_get_signals('v', 'u'", "smartcar_get_signals_many('{v}', '{u}'";
is_deeply([ requests() ], [], 'and nothing is sent');

# Many vehicles

$sandbox->ask('fleet', { owners => 20, vehicles => 20 });
$session->query("CREATE TABLE fleet AS SELECT n, 'vehicle-' || lpad(n::text, 6, '0') AS vehicle_id, 'user-' || lpad(n::text, 6, '0') AS user_id FROM generate_series(1, 20) n");
$sandbox->faults();
is_result(
	"SELECT count(*), count(charge), count(odometer), min(charge) > 0, min(odometer) > 0 FROM (
		SELECT vehicle_id, max(value::numeric) FILTER (WHERE code = '$charge') AS charge, max(value::numeric) FILTER (WHERE code = '$odometer') AS odometer
		FROM smartcar_get_signals_many((SELECT array_agg(vehicle_id ORDER BY n) FROM fleet), (SELECT array_agg(user_id ORDER BY n) FROM fleet), '{$charge, $odometer}')
		GROUP BY 1) AS pivot",
	'20|20|20|t|t', 'a table of a fleet, with one statement');
is(scalar requests(), 20, 'and a request for each vehicle');
is_result(
	"SELECT vehicle_id, code, sqlstate, (error).code FROM smartcar_get_signals_many('{vehicle-000002, no-such-vehicle, $carla->{vehicles}[0], vehicle-000001}', '{user-000002, user-000001, $carla->{user_id}, user-000001}', '{$odometer}')",
	"vehicle-000002|$odometer||\nno-such-vehicle||SC404|VEHICLE_NOT_FOUND\nvehicle-000001|$odometer||",
	'in the order of the vehicles: one that fails has a row, one without signals has none');
is_result("SELECT count(*), count(DISTINCT vehicle_id) FROM smartcar_get_signals_many('{$bens, $bens}', '{$ben->{user_id}}')", '18|1', 'the same vehicle twice, and one user for all');
is_result('SELECT count(*) FROM smartcar_get_signals_many(NULL, NULL)', '0', 'no vehicles');
is_result(q(SELECT count(*) FROM smartcar_get_signals_many('{}', '{}')), '0', 'nor here');
is_result("SELECT string_agg(DISTINCT code, ' ') FROM fleet, smartcar_get_signals(vehicle_id, user_id, '{$charge}') AS s WHERE n < 4", $charge, 'the form for one, in a join');

done_testing();
