# Changes while smartcar_sync() waits for Smartcar: an older response does not undo them,
# and sessions that store tokens do not wait for it.

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

my $ada_id = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
my $ben_id = '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622';
my $carla_id = 'b82d6f04-1e59-4c73-a6f8-20d3c4e5a733';
my $northwind_id = '1d0e8b7c-93a4-4f25-bc61-84f5a6b7c844';
my ($model_3, $model_s, $model_x) =
  qw(36ab27d0-fd9d-4455-823a-ce30af709ffc 9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2 d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081);

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url);
Manager::create_server($node, 'v3', $sandbox->url, api_version => '3');

my $session = Session->new($node);

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub connect_owner
{
	return $session->query(Manager::callback_of($node, $sandbox, @_));
}

# Starts a sync of which one response is on its way.
sub begin_sync
{
	my ($call, $path, $milliseconds) = @_;
	my $sync = Session->new($node);

	$sandbox->faults({ match => { path => $path }, times => 1, delay_ms => $milliseconds // 2000 });
	$sync->start($call);
	Session::wait_until(sub { scalar $sandbox->log(path => $path) }) or die "nothing was asked of $path";
	return $sync;
}

sub status
{
	my ($columns, $condition) = @_;

	return sql("SELECT $columns FROM smartcar_status WHERE $condition ORDER BY vehicle_id");
}

# Another login of a household, whose access type is unknown

Manager::start_over($node, $sandbox);
connect_owner('northwind', 'household');
$sandbox->faults({ match => { path => '/tesla/user/access' }, times => 0, status => 502 });
like(connect_owner('carla', 'household'), qr/^finished\|household\|$carla_id/m, 'a second login whose access type cannot be requested');
is(Manager::count($node, 'connection', access_type => undef), 1, 'the vehicle is stored without an access type');
is(Manager::count($node, 'connection', user_id => $northwind_id) . '|' . Manager::count($node, 'connection', user_id => $carla_id), '2|1', 'the first login is unchanged');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');

# A refresh token is refused meanwhile

Manager::start_over($node, $sandbox);
connect_owner('ada', 'owner-7');
{
	my $sync = begin_sync("CALL smartcar_sync(user_id => '$ada_id')", '/permissions$');

	$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, status => 400, error => { error => 'invalid_grant' } });
	Manager::make_due($node);
	is(Manager::counts($session->query('CALL smartcar_refresh()')), '0|0|1', 'a token is refused meanwhile');
	is(status('action', 'true'), 'connect', 'smartcar_status shows it');
	like($sync->result, qr/^1\|0\|\d+\|\d+$/m, 'the sync succeeds');
	is(status('action, error_type', 'true'), 'connect|invalid_grant', 'smartcar_status still shows it');
}

# A webhook arrives meanwhile

my %of_ada = (user_id => $ada_id, vehicle_id => $model_3);
my %asleep = (%of_ada, type => 'VEHICLE_ERROR', state => 'ERROR', error => { type => 'VEHICLE_STATE', code => 'ASLEEP' });
my %login = (%of_ada, type => 'VEHICLE_ERROR', error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' });

sub receive
{
	return Manager::receive($node, $sandbox, 'smartcar', @_);
}

Manager::start_over($node, $sandbox);
connect_owner('ada', 'owner-7');
is(status('action', 'true'), 'add_virtual_key', 'a key is missing');
{
	my $sync = begin_sync("CALL smartcar_sync(user_id => '$ada_id')", '/permissions$');

	Session::wait_until(sub { scalar $sandbox->log(path => '/tesla/virtual_key$') }) or die 'the key was not asked about';
	$sandbox->ask('vehicle', { id => $model_3, paired => JSON::PP::true });
	receive(%of_ada, type => 'VEHICLE_STATE', signals => ['connectivitystatus-isdigitalkeypaired']);
	receive(%asleep);
	like($sync->result, qr/^1\|0\|\d+\|\d+$/m, 'a webhook arrives during a sync');
	is(status('virtual_key_paired, error_type, action', 'true'), 't|VEHICLE_STATE|retry', 'its values are kept');
	$sandbox->ask('vehicle', { id => $model_3, paired => JSON::PP::false });
	like($session->query("CALL smartcar_sync(user_id => '$ada_id')"), qr/^1\|0\|\d+\|\d+$/m, 'the next sync');
	is(status('virtual_key_paired, error_type, action', 'true'), 'f||add_virtual_key', 'the next sync has newer values');
}

# an error that needs somebody is not hidden by a transient one
$sandbox->ask('owner', { owner => 'ada', authentication_failed => JSON::PP::true });
{
	my $sync = begin_sync("CALL smartcar_sync(user_id => '$ada_id')", '/permissions$');

	receive(%asleep);
	$sync->result;
	is(status('error_code, action', 'true'), 'AUTHENTICATION_FAILED|reauthenticate', 'the error that needs somebody comes first');
}

# an error that was resolved during the sync does not come back
$sandbox->ask('owner', { owner => 'ada', authentication_failed => JSON::PP::false });
like($session->query("CALL smartcar_sync(user_id => '$ada_id')"), qr/^1\|0\|\d+\|\d+$/m, 'a sync without errors');
$sandbox->ask('owner', { owner => 'ada', authentication_failed => JSON::PP::true });
{
	my $sync = begin_sync("CALL smartcar_sync(user_id => '$ada_id')", '/permissions$');

	$sandbox->ask('owner', { owner => 'ada', authentication_failed => JSON::PP::false });
	receive(%login, state => 'RESOLVED');
	like($sync->result, qr/^1\|0\|\d+\|\d+$/m, 'a login error is resolved during a sync');
	is(status('error_code, action', 'true'), '|add_virtual_key', 'it is not stored again');
}

# An owner grants a missing permission during the sync

Manager::start_over($node, $sandbox);
connect_owner('ada', 'owner-7');
$sandbox->ask('revoke', { owner => 'ada', tesla_permissions => ['vehicle_location'] });
like($session->query("CALL smartcar_sync(user_id => '$ada_id')"), qr/^1\|0\|\d+\|\d+$/m, 'an owner withdraws a permission');
is(status('action', 'true'), 'update_access', 'the permission is missing');
{
	my $sync = Session->new($node);

	# vehicles are stored first, while their details are still on their way
	$sandbox->faults(map { { match => { path => '/permissions$' }, times => 1, delay_ms => $_ } } 2000, 3000);
	$sync->start("CALL smartcar_sync(user_id => '$ada_id')");
	Session::wait_until(sub { scalar $sandbox->log(path => '/tesla/user/access$') }) or die 'the access was not asked about';
	like(connect_owner('ada', 'owner-7'), qr/^finished\|owner-7/m, 'the owner grants it again during the sync');
	like($sync->result, qr/^1\|0\|\d+\|\d+$/m, 'an older response');
	is(status('action', 'true'), 'add_virtual_key', 'an older response does not replace the newer one');
}

# The list of v3 while an older response is on its way

Manager::start_over($node, $sandbox);
$sandbox->ask('fleet', { owners => 1 });
$sandbox->faults({ match => { path => '^/v3/connections$' }, times => 1, delay_ms => 2000 });
{
	my $sync = Session->new($node);

	$sync->start("CALL smartcar_sync(details => false, server => 'v3')");
	Session::wait_until(sub { scalar $sandbox->log(path => '^/v3/connections$') }) or die 'nothing was asked';
	my $asked = sql('SELECT clock_timestamp()');
	$sync->result;
	is(sql("SELECT synced_at < '$asked', updated_at > '$asked' FROM smartcar_tesla.connection"), 't|t', 'a page is as of the time when it was requested');
}

# A clock was ahead when a row was stored

Manager::start_over($node, $sandbox);
connect_owner('ada', 'owner-7');
foreach my $column (qw(synced_at access_type_known_at tesla_scopes_known_at virtual_key_known_at errors_known_at))
{
	sql("UPDATE smartcar_tesla.connection SET $column = now() + interval '2 hours'");
}
$sandbox->ask('vehicle', { id => $model_3, paired => JSON::PP::true });
$sandbox->ask('revoke', { owner => 'ada', tesla_permissions => ['vehicle_location'] });
receive(%login, state => 'ERROR');
is(status('error_code', 'true'), 'AUTHENTICATION_FAILED', 'a stored time in the future does not hide an error');
like($session->query("CALL smartcar_sync(user_id => '$ada_id')"), qr/^1\|0\|\d+\|\d+$/m, 'a sync of one user succeeds');
is(status('virtual_key_paired, error_code, action', 'true'), 't||update_access', 'updates the whole row');
is(sql('SELECT count(*) FROM smartcar_tesla.connection WHERE GREATEST(synced_at, access_type_known_at, tesla_scopes_known_at, virtual_key_known_at, errors_known_at) > now()'), 0, 'a sync updates the times of the row');

# Ids that cannot be part of a request

Manager::start_over($node, $sandbox);
connect_owner('ada', 'owner-7');
connect_owner('ben', 'owner-8');
$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, times => 1, status => 200,
		body => { vehicles => [ 'a/b', $model_s, '..' ], paging => { count => 3, offset => 0 } } });
{
	my $result = $session->query('CALL smartcar_sync()');

	like($result, qr/^1\|1\|\d+\|\d+$/m, 'a vehicle with an invalid id is a failure of its owner alone');
	like($result, qr/^WARNING:.* vehicle "a\/b" of user /m, 'an invalid id is a warning');
}

# Signals without a value are no error, and say nothing about the login

Manager::start_over($node, $sandbox);
$sandbox->ask('fleet', { owners => 1 });
$sandbox->faults({ match => { path => '/signals$' }, times => 0, status => 404, body => '404 page not found', content_type => 'text/plain' });
like($session->query("CALL smartcar_sync(server => 'v3')"), qr/^1\|0\|\d+\|\d+$/m, 'a vehicle without a webhook subscription');
is(status('error_type, error_description, action', 'true'), '||none', 'a vehicle without a webhook subscription has no error');
is(sql('SELECT tesla_scopes, access_type, virtual_key_paired FROM smartcar_tesla.connection'), '||', 'a vehicle without a webhook subscription has no values');
{
	my $event = '{"eventType":"VEHICLE_ERROR","data":{"user":{"id":"user-000001"},"vehicle":{"id":"vehicle-000001"},"errors":[{"type":"CONNECTED_SERVICES_ACCOUNT","code":"AUTHENTICATION_FAILED","state":"ERROR"}]}}';

	sql("SELECT smartcar_receive_webhook('$event', smartcar_hash_challenge('$event', 'sandbox-management-token'), 'v3')");
	like($session->query("CALL smartcar_sync(server => 'v3')"), qr/^1\|0\|\d+\|\d+$/m, 'a sync after a login error, without a signal that contradicts it');
	is(status('error_code, action', 'true'), 'AUTHENTICATION_FAILED|reauthenticate', 'the sync keeps the error');
}

# A row that cannot be stored, or is locked, does not affect the others

Manager::start_over($node, $sandbox);
connect_owner('ada', 'owner-7');
connect_owner('ben', 'owner-8');
$sandbox->ask('fleet', { owners => 3 });
like($session->query("CALL smartcar_sync(details => false, server => 'v3')"), qr/^6\|0\|\d+\|\d+$/m, 'a sync lists all connections');
sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN IF NEW.user_id IN ('$ben_id', 'user-000002') THEN RAISE 'not this one'; END IF; RETURN NEW; END \$\$;"
	  . ' CREATE TRIGGER refuse BEFORE UPDATE ON smartcar_tesla.connection FOR EACH ROW EXECUTE FUNCTION refuse()');
{
	my $result = $session->query('CALL smartcar_sync()');

	like($result, qr/^1\|1\|\d+\|\d+$/m, 'an owner whose vehicles cannot be stored is a failure');
	like($result, qr/^WARNING:.* could not store the vehicles of user "$ben_id": not this one$/m, 'the failure is a warning');
	$result = $session->query("CALL smartcar_sync(details => false, server => 'v3')");
	like($result, qr/^\d+\|\d+\|\d+\|\d+$/m, 'the list of v3 is read to its end');
	like($result, qr/^WARNING:.* could not store a connection: not this one$/m, 'the connection that cannot be stored is a warning');
	is(sql("SELECT count(*) FROM smartcar_tesla.connection WHERE server = 'v3' AND user_id IN ('user-000001', 'user-000003') AND synced_at > now() - interval '10 seconds'"), 2, 'the other connections are stored');
}
sql('DROP TRIGGER refuse ON smartcar_tesla.connection; DROP FUNCTION refuse()');

# An event about every user of a vehicle locks rows in one order, as a new login does,
# here against the order in which the rows are stored

Manager::start_over($node, $sandbox);
sql("INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id) VALUES ('smartcar', 'user-b', 'shared'), ('smartcar', 'user-a', 'shared')");
{
	my $first = Session->new($node);
	my $second = Session->new($node);
	my $event = '{"eventType":"VEHICLE_ERROR","data":{"vehicle":{"id":"shared"},"errors":[{"type":"BILLING","state":"ERROR"}]}}';

	$first->query('BEGIN');
	$first->query("SELECT FROM smartcar_tesla.connection WHERE vehicle_id = 'shared' AND user_id = 'user-a' FOR UPDATE");
	$second->start("SELECT smartcar_receive_webhook('$event', smartcar_hash_challenge('$event', 'sandbox-management-token'), 'smartcar')");
	$node->poll_query_until('postgres', q{SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = } . $second->backend) or die 'it does not wait';
	is($first->query("SELECT user_id FROM smartcar_tesla.connection WHERE vehicle_id = 'shared' AND user_id = 'user-b' FOR UPDATE"), 'user-b', 'an event locks rows in the order of the key');
	$first->query('COMMIT');
	is($second->result, '', 'the event is applied');
	is(sql("SELECT count(*) FROM smartcar_tesla.connection WHERE error_type = 'BILLING'"), 2, 'to all of them');
	$first->finish;
	$second->finish;
}

# A vehicle is disconnected, and another sync has noticed it

Manager::start_over($node, $sandbox);
connect_owner('ben', 'owner-8');
{
	my $sync = begin_sync("CALL smartcar_sync(user_id => '$ben_id')", "/vehicles/$model_s/permissions\$", 3000);

	sql("SELECT count(*) FROM smartcar_delete_connections(vehicle_id => '$model_x', user_id => '$ben_id')");
	like($session->query("CALL smartcar_sync(user_id => '$ben_id')"), qr/^1\|0\|\d+\|\d+$/m, 'a second sync');
	is(status('vehicle_id, status', 'true'), "$model_s|connected\n$model_x|disconnected", 'marks the vehicle as disconnected');
	like($sync->result, qr/^1\|0\|\d+\|\d+$/m, 'the first sync');
	is(status('vehicle_id, status', 'true'), "$model_s|connected\n$model_x|disconnected", 'the first sync does not connect it again');
}

# The owner connects it again while an older list without it is on its way
{
	my $sync = begin_sync("CALL smartcar_sync(user_id => '$ben_id')", "/vehicles/$model_s/permissions\$", 3000);

	like(connect_owner('ben', 'owner-8'), qr/^finished\|owner-8/m, 'a vehicle is connected again');
	like($sync->result, qr/^1\|0\|\d+\|\d+$/m, 'while a sync has a list without it');
	is(status('vehicle_id, status', 'true'), "$model_s|connected\n$model_x|connected", 'it stays connected');
}

# v3: failures are counted for a sync of the whole application, too

Manager::start_over($node, $sandbox);
$sandbox->ask('fleet', { owners => 3 });
like($session->query("CALL smartcar_sync(server => 'v3')"), qr/^3\|0\|\d+\|\d+$/m, 'a sync of the whole application');
$sandbox->faults({ match => { path => '/vehicles/vehicle-000002/signals$' }, times => 0, status => 500 });
like($session->query("CALL smartcar_sync(server => 'v3')"), qr/^2\|1\|\d+\|\d+$/m, 'a vehicle whose details fail is a failure');
$sandbox->faults({ match => { path => '^/v3/connections$', query => '^(?!.*userId)' }, times => 0, body => { data => [], meta => { totalCount => 0 } } },
	{ match => { path => '^/v3/connections$', query => 'user-000002' }, times => 0, status => 403 });
{
	my $result = $session->query("CALL smartcar_sync(server => 'v3')");

	like($result, qr/^3\|1\|\d+\|\d+$/m, 'a user whose vehicles cannot be listed is a failure');
	like($result, qr/WARNING: .*could not list the vehicles of user "user-000002"/, 'the list that fails is a warning');
}

# Tokens are resealed while another session has a lock on the table, as VACUUM does:
# sessions that store tokens do not wait

Manager::start_over($node, $sandbox);
Manager::add_fleet($node, $sandbox, 'smartcar', 3);
{
	my $vacuum = Session->new($node);
	my $reseal = Session->new($node);
	my $refresh = Session->new($node);

	$vacuum->query("BEGIN; LOCK TABLE $Manager::table{account} IN SHARE UPDATE EXCLUSIVE MODE");
	$reseal->start('CALL smartcar_reseal_tokens()');
	Session::wait_until(sub { sql('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $reseal->backend) });
	$refresh->query("SET statement_timeout = '20s'");
	is(Manager::counts($refresh->query('CALL smartcar_refresh()')), '3|0|0', 'a refresh does not wait behind reseal');
	is(sql("SELECT state FROM pg_stat_activity WHERE pid = " . $reseal->backend), 'active', 'reseal waits meanwhile');
	$vacuum->query('COMMIT');
	unlike($reseal->result, qr/ERROR/, 'reseal continues when the lock is released');
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');
}

done_testing();
