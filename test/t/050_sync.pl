# smartcar_sync(): vehicles are stored as Smartcar lists them, in both versions of the
# API; those that it no longer lists are marked; and webhooks are applied and notified.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
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
Manager::create_server($node, 'smartcar', $sandbox->url, scope => 'read_location read_odometer');
Manager::create_server($node, 'v3', $sandbox->url, api_version => '3', scope => 'read_location read_odometer');

my $session = Session->new($node);
my ($model_3, $model_s, $model_x) =
  qw(36ab27d0-fd9d-4455-823a-ce30af709ffc 9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2 d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081);
my %user = (ada => '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11', ben => '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622');

# The counts that a CALL returns, or its error.
sub counts
{
	my ($sql) = @_;
	my $result = $session->query($sql);

	return $result =~ /^(\d+\|\d+)\|\d+\|\d+$/m ? $1 : $result;
}

sub status
{
	my ($columns, $condition) = @_;

	return $session->query("SELECT $columns FROM smartcar_status WHERE $condition ORDER BY user_id, vehicle_id");
}

sub requests
{
	my ($path, $log) = @_;

	return scalar grep { $_->{path} =~ $path } @{ $log // [ $sandbox->log ] };
}

# An owner connects in v2.0: the link, the consent, the callback.
sub connect_owner
{
	my ($owner) = @_;

	return $session->query(Manager::callback_of($node, $sandbox, $owner, "id of $owner"));
}

# Compares every column of a synchronized vehicle with the local Smartcar, or with the
# given values.
sub is_stored
{
	my ($server, $vehicle_id, $name, %given) = @_;
	my $condition = "server = '$server' AND vehicle_id = '$vehicle_id'";
	my $times = "'{connected_at,synced_at,created_at,updated_at,details_at,access_type_known_at,tesla_scopes_known_at,virtual_key_known_at,errors_known_at}'::text[]";
	my $row = JSON::PP::decode_json($session->query("SELECT to_jsonb(c) - $times FROM smartcar_tesla.connection c WHERE $condition"));
	my $vehicle = $sandbox->ask("vehicle?id=$vehicle_id");
	my ($owner) = grep { grep { $_->{id} eq $vehicle_id } @{ $_->{vehicles} } } @{ $sandbox->ask('owners')->{owners} };
	my ($access) = grep { $_->{id} eq $vehicle_id } @{ $owner->{vehicles} };

	is_deeply($row,
		{
			server => $server, user_id => $owner->{user_id}, vehicle_id => $vehicle_id, status => 'connected',
			(map { $_ => $vehicle->{$_} } qw(make model year mode)), powertrain_type => $vehicle->{powertrainType},
			granted_scopes => [ split / /, $sandbox->ask('settings')->{dashboard_scope} ],
			access_type => $access->{accessType}, tesla_scopes => $owner->{tesla_permissions},
			virtual_key_paired => $vehicle->{paired}, errors => undef, webhook_id => undef,
			(map { ("error_$_" => undef) } qw(type code description action url at)),
			previous_external_id => undef, owner_changed_at => undef, %given
		},
		$name);
	is($session->query("SELECT connected_at > now() - interval '5 minutes', synced_at >= created_at, updated_at >= synced_at FROM smartcar_tesla.connection WHERE $condition"),
		't|t|t', "times of: $name");
	my $asked_at = $server eq 'v3' ? 'details_at' : 'synced_at';
	is($session->query("SELECT access_type_known_at = $asked_at, tesla_scopes_known_at = $asked_at, virtual_key_known_at = $asked_at, errors_known_at = $asked_at FROM smartcar_tesla.connection WHERE $condition"),
		't|t|t|t', "every time is that of the request: $name");
	return;
}

# v2.0: owners by their tokens

like(connect_owner('ada'), qr/^finished\|id of ada\|$user{ada}\|\{$model_3\}/m, 'an owner connects');
like(connect_owner('ben'), qr/^finished\|id of ben\|/m, 'another one, with two vehicles');
is(status('external_id, model, virtual_key_paired, action', 'true'),
	"id of ben|Model S|f|none\nid of ben|Model X|t|none\nid of ada|Model 3|f|add_virtual_key", 'the vehicles of both owners are stored');

$sandbox->ask('vehicle', { id => $model_3, paired => JSON::PP::true });
$sandbox->ask('vehicle', { id => $model_x, paired => JSON::PP::false });
$sandbox->faults();
is(counts("CALL smartcar_sync('id of ada')"), '1|0', 'a sync of one owner');
is(status('model, action', 'true'), "Model S|none\nModel X|none\nModel 3|none", 'updates this owner only');
is(requests(qr{^/v2.0/vehicles$}), 1, 'only the vehicles of this owner are listed');
is(counts("CALL smartcar_sync(user_id => '$user{ben}')"), '1|0', 'a sync of the other owner, by user_id');
is(status('model, action', 'true'), "Model S|none\nModel X|add_virtual_key\nModel 3|none", 'updates the other owner');
is_stored('smartcar', $model_x, 'everything that version 2.0 has of a vehicle', external_id => 'id of ben',
	connection_id => undef, mode => undef, powertrain_type => undef);
is(counts("CALL smartcar_sync('id of nobody')"), '0|0', 'a sync of an unknown owner');
is(counts("CALL smartcar_sync('id of ada', '$user{ben}')"), '0|0', 'external_id and user_id must match');

$sandbox->ask('revoke', { owner => 'ben', tesla_permissions => ['vehicle_location'] });
$sandbox->faults();
$sandbox->ask('settings', { delay => 20 });
is(counts('CALL smartcar_sync()'), '2|0', 'a sync of all owners');
$sandbox->ask('settings', { delay => 0 });
is(status('missing_tesla_permissions, action', 'true'),
	"{\"Vehicle Location\"}|update_access\n{\"Vehicle Location\"}|update_access\n{}|none", 'scopes that were withdrawn at Tesla are missing');
cmp_ok($sandbox->max_in_flight, '>', 2, 'several requests at the same time');
like($session->query("CALL smartcar_sync()"), qr/^NOTICE: .*smartcar_sync\(\): 2 of 2 users in [\d.]+ s, [\d.]+ per second$/m, 'progress is a notice');
unlike($session->query("SET client_min_messages = warning; CALL smartcar_sync(); RESET client_min_messages"), qr/per second/, 'client_min_messages can hide the progress');

# an error of a vehicle is stored as long as it lasts
$sandbox->ask('owner', { owner => 'ada', authentication_failed => JSON::PP::true });
is(counts('CALL smartcar_sync()'), '2|0', 'a dead login at Tesla is no failure of the sync');
is(status('error_type, error_code, action', "user_id = '$user{ada}'"), 'CONNECTED_SERVICES_ACCOUNT|AUTHENTICATION_FAILED|reauthenticate', 'it is an error of the vehicle');
like(status('action_url', "user_id = '$user{ada}'"), qr{/oauth/reauthenticate\?.*vehicle_id=$model_3}, 'the error has its link');
$sandbox->ask('owner', { owner => 'ada', authentication_failed => JSON::PP::false });
is(counts('CALL smartcar_sync()'), '2|0', 'after the login was renewed');
is(status('error_type, action', "user_id = '$user{ada}'"), '|none', 'the error is cleared');

# requests that fail
$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, status => 404, times => 1 });
like($session->query('CALL smartcar_sync()'), qr/^1\|1\|\d+\|\d+$/m, 'a list that fails is a failure');
is(status('status, model', 'true'), "connected|Model S\nconnected|Model X\nconnected|Model 3", 'all vehicles are unchanged');
$sandbox->faults();
# teslamate-org/teslamate #4154: one of two vehicles is not found
$sandbox->faults({ match => { path => "/vehicles/$model_x" }, times => 0, status => 404, error => { type => 'RESOURCE_NOT_FOUND', code => 'VEHICLE' } });
is(counts('CALL smartcar_sync()'), '1|1', 'a vehicle that is not found is a failure of its owner');
is(status('model, action', "status = 'connected'"), "Model S|update_access\nModel X|fix_setup\nModel 3|none", 'the other vehicles are unchanged');
$sandbox->faults();
is(counts('CALL smartcar_sync()'), '2|0', 'when it is found again');
is(status('model, action', 'true'), "Model S|update_access\nModel X|update_access\nModel 3|none", 'its error is cleared');
$sandbox->faults();
Manager::set_accounts($node, { access_expires => '-1 second' }, user_id => $user{ada});
is(counts('CALL smartcar_sync()'), '1|1', 'an expired token is a failure');
is(requests(qr{^/v2.0/vehicles$}), 1, 'no request is made with it');
is(requests(qr{^/oauth/token}), 0, 'the expired token is not refreshed');
Manager::set_accounts($node, { status => 'reauthenticate' }, user_id => $user{ada});
is(counts('CALL smartcar_sync()'), '1|0', 'an owner who has to connect again is skipped');
Manager::set_accounts($node, { status => 'active', access_expires => '1 hour' });

# a vehicle that the authorization no longer includes
my $gone = $session->query("SELECT count(*) FROM smartcar_delete_connections(vehicle_id => '$model_s', user_id => '$user{ben}')");
is($gone, 1, 'a connection is deleted elsewhere');
is(counts('CALL smartcar_sync()'), '2|0', 'a sync notices it');
is(status('vehicle_id, status, action', "user_id = '$user{ben}' AND status <> 'connected'"), "$model_s|disconnected|connect", 'the vehicle is marked and kept');

# v3: the whole application, by the pages of its list

$sandbox->ask('fleet', { owners => 1000, vehicles => 1050 });
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (ADD max_concurrency '6')");
$sandbox->faults();
$sandbox->ask('settings', { delay => 20 });
is(counts("CALL smartcar_sync(details => false, server => 'v3')"), '1052|0', 'all connections of the application');
$sandbox->ask('settings', { delay => 0 });
my @log = $sandbox->log;
my @pages = sort { $a <=> $b } map { $_->{query} =~ /page%5Bnumber%5D=(\d+)|page\[number\]=(\d+)/ ? $1 // $2 : () } grep { $_->{path} eq '/v3/connections' } @log;
my %pages = map { $_ => 1 } @pages;
is_deeply([ grep { !$pages{$_} } 1 .. 11 ], [], 'every page was requested');
is(scalar(@pages), scalar(keys %pages), 'every page was requested once');
cmp_ok($sandbox->max_in_flight, '>', 2, 'several at the same time');
cmp_ok($sandbox->max_in_flight, '<=', 6, 'no more at a time than max_concurrency');
is(requests(qr{^/v3/vehicles/}, \@log), 0, 'without details, no vehicle is requested');
is(Manager::aggregate($session, 'connection', 'count(*), count(DISTINCT (user_id, vehicle_id)), count(DISTINCT connection_id), count(external_id), count(make), count(virtual_key_paired)', server => 'v3'),
	'1052|1052|1052|1050|1052|0', 'all connections are stored');

# the application token is revoked, and so is the next one
Manager::delete_rows($node, 'connection', server => 'v3');
$sandbox->faults({ match => { path => '^/v3/connections$' }, status => 401, times => 1 },
	{ match => { path => '^/v3/connections$', nth => 8 }, status => 401 });
is(counts("CALL smartcar_sync(details => false, server => 'v3')"), '1052|0', 'tokens that are revoked during a sync are replaced');
is(requests(qr{^/oauth2/token}), 2, 'each revoked token is replaced once');
$sandbox->faults({ match => { path => '^/v3/connections$' }, body => { data => [ map { { id => "c$_" } } 1 .. 100 ] }, times => 0 });
is($session->error("SET statement_timeout = '20s'; CALL smartcar_sync(details => false, server => 'v3')")->{sqlstate},
	'SC004', 'a server that repeats a page is an error');
cmp_ok(scalar $sandbox->log, '<', 20, 'after few requests');
$session->query('RESET statement_timeout');
$sandbox->faults();
is(status('external_id, user_id, make, model, year, mode, status, granted_scopes IS NOT NULL, access_type, action', "server = 'v3' AND vehicle_id = 'vehicle-000001'"),
	'external-000001|user-000001|TESLA|Model Y|2023|live|connected|t||none', 'the columns of a list');

$sandbox->faults();
is(counts("CALL smartcar_sync(server => 'v3')"), '1052|0', 'a sync with details');
is(Manager::aggregate($session, 'connection', 'count(*) FILTER (WHERE access_type IS NULL), count(*) FILTER (WHERE tesla_scopes IS NULL), count(*) FILTER (WHERE virtual_key_paired IS NULL)', server => 'v3'),
	'0|0|0', 'all details are stored');
is_stored('v3', 'vehicle-000001', 'all columns of a vehicle in v3', external_id => 'external-000001', connection_id => 'connection-000001');
is(Manager::aggregate($session, 'connection', 'count(*), min(vehicle_id)', server => 'v3', virtual_key_paired => 'f', 'vehicle_id LIKE' => 'vehicle-%'), '105|vehicle-000010', 'each vehicle has its own details');
is($session->query("SELECT action, count(*) FROM smartcar_status WHERE server = 'v3' AND vehicle_id LIKE 'vehicle-%' GROUP BY 1 ORDER BY 1"), "none|945\nadd_virtual_key|105", 'the actions of the fleet');

# one owner
$sandbox->ask('vehicle', { id => 'vehicle-000010', paired => JSON::PP::true });
my $owner = Manager::rows($session, 'connection', 'external_id', vehicle_id => 'vehicle-000010');
$sandbox->faults();
is(counts("CALL smartcar_sync('$owner', server => 'v3')"), '1|0', 'a sync of one owner in v3');
is(status('action', "server = 'v3' AND vehicle_id = 'vehicle-000010'"), 'none', 'a sync of one owner updates the owner');
is(scalar(grep { $_->{query} !~ /userId/ } $sandbox->log(path => '/v3/connections$')), 0, 'a sync of one owner requests only the owner\'s list');

# a connection that is on no page, because the list changed while it was read
sub page
{
	my ($number, @vehicles) = @_;
	my @rows = map { {
		id => "connection of $_", type => 'connection',
		attributes => { permissions => ['read_location'], vehicle => { make => 'TESLA', model => 'Model Y', year => 2023, mode => 'live' } },
		relationships => { vehicle => { data => { id => $_ } }, user => { data => { id => 'user-000001' } } }
	} } @vehicles;

	return {
		match => { path => '^/v3/connections$', query => $number }, times => 0,
		body => { data => \@rows, meta => { page => 1, pageSize => 100, totalCount => 1 }, links => {} }
	};
}
my @left_out = (page('^(?!.*userId).*number(%5D|\])=1(&|$)', 'vehicle-000001'), page('^(?!.*userId).*number(%5D|\])='));
Manager::delete_rows($node, 'connection', server => 'v3', 'vehicle_id NOT IN' => [ 'vehicle-000001', 'vehicle-000002' ]);
$sandbox->faults(@left_out);
is(counts("CALL smartcar_sync(details => false, server => 'v3')"), '1|0', 'a list without one connection');
cmp_ok(requests(qr{^/v3/connections$}, [ grep { $_->{query} =~ /userId/ } $sandbox->log ]), '>=', 1, 'its owner is listed separately');
is(Manager::rows($session, 'connection', 'vehicle_id, status', server => 'v3'), "vehicle-000001|connected\nvehicle-000002|connected", 'so the connection stays');
$sandbox->faults();
$session->query("SELECT count(*) FROM smartcar_delete_connections(vehicle_id => 'vehicle-000002', server => 'v3')");
$sandbox->faults(@left_out);
is(counts("CALL smartcar_sync(details => false, server => 'v3')"), '1|0', 'a connection that was deleted');
is(Manager::rows($session, 'connection', 'vehicle_id, status', server => 'v3'), "vehicle-000001|connected\nvehicle-000002|disconnected", 'a connection that was deleted is marked');

# malformed lists: a vehicle twice, invalid ids
Manager::add_row($node, 'webhook_event', server => $_->[0], event_id => $_->[1], received => $_->[2])
  foreach [ 'v3', 'old', '-2 days' ], [ 'v3', 'new', '0 s' ], [ 'smartcar', 'old', '-2 days' ];
my $strange = page('^(?!.*userId).*number(%5D|\])=1(&|$)', 'vehicle-000001', 'vehicle-000001', 'a vehicle', '../vehicle', 'v' x 3000);
push @{ $strange->{body}{data} }, {
	%{ $strange->{body}{data}[0] }, id => 'another user',
	relationships => { vehicle => { data => { id => 'vehicle-000001' } }, user => { data => { id => 'user 1' } } }
};
$strange->{body}{data}[0]{attributes}{permissions} = [ 'of_before' ];
$_->{meta}{createdAt} = '2026-01-01T00:00:00Z' foreach @{ $strange->{body}{data} };
$strange->{body}{data}[1]{meta}{createdAt} = '2026-01-02T00:00:00Z';
$sandbox->faults($strange, page('^(?!.*userId).*number(%5D|\])='));
my $left_out = $session->query("CALL smartcar_sync(details => false, server => 'v3')");
like($left_out, qr/^2\|4\|\d+\|\d+$/m, 'a list with invalid rows');
like($left_out, qr/^WARNING:.* connections skipped: 4$/m, 'a warning has their number');
is(Manager::rows($session, 'connection', 'granted_scopes', server => 'v3', vehicle_id => 'vehicle-000001'), '{read_location}', 'of two rows of a connection, the later one counts');
is(Manager::count($session, 'connection', vehicle_id => [ 'a vehicle', '../vehicle' ]) + Manager::count($session, 'connection', user_id => 'user 1'), 0, 'rows with invalid ids are left out');
is(Manager::rows($session, 'webhook_event', 'server', event_id => 'old') . ', ' . Manager::rows($session, 'webhook_event', 'event_id', server => 'v3'), 'smartcar, new', 'old events are deleted');

# pages of connections without ids must end
$strange = page('^(?!.*userId)', map { "vehicle-$_" } 1 .. 10);
delete $_->{id} foreach @{ $strange->{body}{data} };
$sandbox->faults($strange);
like($session->error("CALL smartcar_sync(details => false, server => 'v3')")->{detail}, qr/It lists no connection with an id\./, 'a list of connections without ids is an error');

# a page that fails
$sandbox->faults({ match => { path => '^/v3/connections$', query => 'number(%5D|\])=4' }, times => 0, status => 404 });
my $error = $session->error("CALL smartcar_sync(details => false, server => 'v3')");
is($error->{sqlstate}, 'SC404', 'a page that fails is an error');
cmp_ok(Manager::count($session, 'connection', server => 'v3', status => 'connected'), '>=', 300, 'connections of earlier pages are stored');
is(Manager::count($session, 'connection', server => 'v3', 'status <>' => 'connected'), '1', 'no connection was marked');
$sandbox->faults();
is(counts("CALL smartcar_sync(details => false, server => 'v3')"), '1051|0', 'the next sync stores all connections');

# Vehicles are disconnected

$sandbox->faults();
is($session->query("CALL smartcar_disconnect_vehicle('vehicle-000003', server => 'v3')"), '2', 'a vehicle is disconnected in v3');
cmp_ok(requests(qr{connections}, [ grep { $_->{method} eq 'DELETE' } $sandbox->log ]), '>=', 1, 'the connection is deleted at Smartcar');
is(status('count(*)', "vehicle_id = 'vehicle-000003' GROUP BY user_id, vehicle_id"), '', 'the connection is deleted here');
is($session->query("SELECT count(*) FROM smartcar_get_connections('vehicle-000003', server => 'v3')"), 0, 'Smartcar no longer lists it');
is($session->query("CALL smartcar_disconnect_vehicle('vehicle-000003', server => 'v3')"), '1', 'a vehicle that is disconnected already is no error');
$sandbox->faults({ match => { method => 'DELETE' }, times => 0, status => 500 });
is($session->error("CALL smartcar_disconnect_vehicle('vehicle-000004', server => 'v3')")->{sqlstate}, 'SC500', 'a vehicle that Smartcar does not disconnect is an error');
is(status('status', "vehicle_id = 'vehicle-000004'"), 'connected', 'a vehicle that Smartcar does not disconnect stays connected here');
$sandbox->faults({ match => { path => '^/v3/connections$' }, times => 0, status => 404 });
is($session->error("CALL smartcar_disconnect_vehicle('vehicle-000004', server => 'v3')")->{sqlstate}, 'SC404', 'a list that fails is an error');
is(status('status', "vehicle_id = 'vehicle-000004'"), 'connected', 'a vehicle stays connected here if the list fails');
$sandbox->faults();
is($session->query("CALL smartcar_disconnect_vehicle('$model_x', '$user{ben}', 'smartcar')"), '1', 'a vehicle is disconnected in v2.0');
is(status('vehicle_id', "server = 'smartcar' AND status = 'connected'"), $model_3, 'the connection is deleted here in v2.0');
is($session->query("SELECT count(*) FROM smartcar_get_connections(vehicle_id => '$model_x')"), 0, 'Smartcar no longer lists it in v2.0');
is(counts('CALL smartcar_sync()'), '2|0', 'the next sync');
is(status('vehicle_id', "server = 'smartcar' AND status = 'connected'"), $model_3, 'the next sync does not add it again');

# a driver and the owner have one car, and only one of them disconnects it
my $model_y = 'e7b4c2d9-8f30-4b12-a5c6-7d8e9f0a1b2c';
$user{carla} = 'b82d6f04-1e59-4c73-a6f8-20d3c4e5a733';
my $of_model_y = "server = 'smartcar' AND vehicle_id = '$model_y'";
my $at_smartcar = "SELECT string_agg(user_id, ' ') FROM smartcar_get_connections('$model_y') HAVING count(*) > 0";
connect_owner('northwind');
my $northwind = Manager::rows($session, 'connection', 'user_id', server => 'smartcar', vehicle_id => $model_y);
connect_owner('carla');
is(status('count(*)', "$of_model_y GROUP BY user_id, vehicle_id"), "1\n1", 'two users of one vehicle');
$sandbox->faults({ match => { method => 'DELETE' }, status => 500 });
is($session->error("CALL smartcar_disconnect_vehicle('$model_y', user_id => '$user{carla}')")->{sqlstate}, 'SC500', 'a deletion that fails is an error');
is(status('count(*)', "$of_model_y GROUP BY user_id, vehicle_id"), "1\n1", 'both connections stay after a deletion that fails');
$sandbox->faults();
is($session->query("CALL smartcar_disconnect_vehicle('$model_y', user_id => '$user{carla}')"), '1', 'the connection of one user is deleted');
is($session->query($at_smartcar), $northwind, 'Smartcar still lists the other one');
is(counts('CALL smartcar_sync()'), '4|0', 'the next sync');
is(status('user_id, status', $of_model_y), "$northwind|connected", 'finds the same connection');
is($session->query("CALL smartcar_disconnect_vehicle('$model_y', user_id => '$user{carla}')"), '1', 'a connection that is deleted already is no error');

# rows are locked in one order, here against the order in which they are stored
connect_owner('carla');
Manager::put_last($node, $model_y, $northwind);
my $another = Session->new($node);
$another->query('BEGIN');
Manager::set_connections($another, { updated => '0 s' }, server => 'smartcar', vehicle_id => $model_y, user_id => $northwind);
$session->start("CALL smartcar_disconnect_vehicle('$model_y')");
$node->poll_query_until('postgres', 'SELECT wait_event_type = $$Lock$$ FROM pg_stat_activity WHERE pid = ' . $session->backend)
  or die 'it does not wait';
is(Manager::lock_rows($another, 'connection', 'user_id', server => 'smartcar', vehicle_id => $model_y, user_id => $user{carla}), $user{carla}, 'rows are locked in the order of the key');
$another->query('COMMIT');
is($session->result, '1', 'the connections of all users are deleted');
$another->finish;
is($session->query($at_smartcar), '', 'the connections of all users are deleted at Smartcar');
is(status('user_id, status', $of_model_y), '', 'the connections of all users are deleted here');

# Webhooks as the sandbox makes them, and their notifications

my $listener = Session->new($node);
$listener->query('LISTEN smartcar_tesla');

sub receive
{
	return Manager::receive($session, $sandbox, 'smartcar', @_);
}

sub heard
{
	return [ sort map { heard_of($_) } $listener->query('SELECT 1') =~ /^Asynchronous notification "smartcar_tesla" with payload "(.*)" received/mg ];
}

sub heard_of
{
	my $object = JSON::PP::decode_json($_[0]);

	return join '|', map { $object->{$_} // 'null' } qw(server event user_id vehicle_id external_id action);
}

my %of_ada = (user_id => $user{ada}, vehicle_id => $model_3);
my $ada = "$user{ada}|$model_3|id of ada";
like(receive(type => 'VERIFY', challenge => 'c-1'), qr/^\{"challenge":"[0-9a-f]{64}"\}$/, 'a challenge is signed');
is_deeply(heard(), [], 'a challenge is not notified');
is(receive(%of_ada, type => 'VEHICLE_ERROR', state => 'ERROR', event_id => 'event-1', error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' }), '', 'an error begins');
is(status('error_code, action', "user_id = '$user{ada}' AND server = 'smartcar'"), 'AUTHENTICATION_FAILED|reauthenticate', 'the error is stored');
is_deeply(heard(), ["smartcar|VEHICLE_ERROR|$ada|reauthenticate"], 'the notification has the vehicle and the action');
is(receive(%of_ada, type => 'VEHICLE_ERROR', state => 'ERROR', event_id => 'event-1', error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' }), '', 'the same event again');
is_deeply(heard(), [], 'a repeated event is heard once');
is(receive(%of_ada, type => 'VEHICLE_ERROR', state => 'RESOLVED', event_id => 'event-2', error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' }), '', 'an event that resolves the error');
is_deeply(heard(), ["smartcar|VEHICLE_ERROR|$ada|none"], 'the action is none');
$node->safe_psql('postgres', "UPDATE smartcar_tesla.webhook_event SET received_at = received_at - interval '2 hours' WHERE event_id = 'event-1'");
like($session->query('CALL smartcar_sync()'), qr/^\d+\|0\|\d+\|\d+$/m, 'a sync deletes old events');
is(receive(%of_ada, type => 'VEHICLE_ERROR', state => 'ERROR', event_id => 'event-1', error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' }), '', 'the same event again, two hours later');
is_deeply(heard(), [], 'the old event is not heard');
is(status('error_code, action', "user_id = '$user{ada}' AND server = 'smartcar'"), '|none', 'the old event is not applied');
$sandbox->ask('revoke', { owner => 'ada', tesla_permissions => ['vehicle_location'] });
is(receive(%of_ada, type => 'VEHICLE_STATE', event_id => 'event-3', signals => ['vehicleuseraccount-permissions']), '', 'an event with signals');
is_deeply(heard(), ["smartcar|VEHICLE_STATE|$ada|update_access"], 'the withdrawn scope is notified');
is(receive(%of_ada, type => 'VEHICLE_STATE', event_id => 'event-4', management_token => 'another'), 'NULL', 'a forged one');
is_deeply(heard(), [], 'a forged event is not heard');
$session->query('BEGIN');
is(receive(%of_ada, type => 'VEHICLE_STATE', event_id => 'event-5'), '', 'an event in a transaction that is rolled back');
$session->query('ROLLBACK');
is_deeply(heard(), [], 'an event in a transaction that is rolled back is not heard');


# an event that changes nothing to act on is not notified
is(receive(%of_ada, type => 'VEHICLE_STATE', event_id => 'event-6', signals => ['odometer-traveleddistance']), '', 'an event that changes nothing');
is(receive(%of_ada, type => 'VEHICLE_STATE', event_id => 'event-7', signals => ['vehicleuseraccount-permissions']), '', 'an event with known values');
is_deeply(heard(), [], 'both are not heard');

# an owner with another account of the application uses the same login at Tesla
like($session->query(Manager::callback_of($node, $sandbox, 'ada', 'id of another')), qr/^WARNING:.* user "$user{ada}" has a new owner$/m, 'a login of two owners is a warning for the one who connects');
is_deeply(heard(), ["smartcar|OWNER_CHANGED|$user{ada}|$model_3|id of another|none"], 'the change of owner is notified');
is(status('external_id', "server = 'smartcar' AND vehicle_id = '$model_3'"), 'id of another', 'the vehicle belongs to the other owner then');

# the same event in two sessions, one of which uses repeatable read
{
	my $stricter = Session->new($node);
	my $event = '{"eventId":"twice","eventType":"VEHICLE_STATE","data":{"vehicle":{"id":"v"}}}';
	my $received = "SELECT smartcar_receive_webhook('$event', smartcar_hash_challenge('$event', 'sandbox-management-token'), 'smartcar')";

	$stricter->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$stricter->query('SELECT 1 FROM smartcar_status LIMIT 1');
	is($session->query($received), '', 'an event is received');
	is($stricter->error($received)->{sqlstate}, '40001', 'the session with repeatable read gets a serialization error');
	$stricter->query('ROLLBACK');
	is($stricter->query($received), '', 'the session with repeatable read succeeds when it repeats');
	$stricter->finish;
}

# the owner of the extension may have lost privileges that the caller has
$node->safe_psql('postgres', 'CREATE ROLE deploy SUPERUSER; CREATE DATABASE deployed OWNER deploy');
$node->safe_psql('deployed', 'SET ROLE deploy; CREATE EXTENSION smartcar_tesla; RESET ROLE; ALTER ROLE deploy NOSUPERUSER');
$node->safe_psql('deployed', "CREATE SERVER late FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (scope 'read_location', api_version '3'); CREATE USER MAPPING FOR PUBLIC SERVER late OPTIONS (management_token 'amt');"
	  . " INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, tesla_scopes) VALUES ('late', 'user-1', 'vehicle-1', '{vehicle_location}')");
{
	my $event = '{"eventType":"VEHICLE_STATE","data":{"user":{"id":"user-1"},"vehicle":{"id":"vehicle-1"},"signals":[{"code":"vehicleuseraccount-permissions","body":{"values":[]}}]}}';
	my $log = $node->safe_psql('deployed', "LISTEN smartcar_tesla; SELECT smartcar_receive_webhook('$event', smartcar_hash_challenge('$event', 'amt'), 'late')");

	like($log, qr/"action" : "update_access"/, 'the notified action is the one that the caller would see');
}

$listener->finish;
$session->finish;
$node->stop;
done_testing();
