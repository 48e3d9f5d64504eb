# smartcar_forget(): an owner is disconnected at Smartcar, and nothing about them is left
# here.  What cannot be disconnected stays, what belongs to another owner stays, and
# nothing that was running brings the owner back.  The server "smartcar" has version 3
# of the API, "v2" and "token_only" have version 2.0.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my %user = (
	ada => '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11',
	ben => '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622',
	carla => 'b82d6f04-1e59-4c73-a6f8-20d3c4e5a733');
my $ada_car = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
my ($ben_s, $ben_x) = qw(9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2 d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081);

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '5s', api_version => '3');
my %without_management = %Sandbox::mapping;
delete $without_management{management_token};
Manager::create_server($node, 'v2', $sandbox->url, timeout => '5s');
Manager::create_server($node, 'token_only', $sandbox->url, timeout => '5s', mapping => \%without_management);
my $session = Session->new($node);
my $other = Session->new($node);

# v3: an owner consents, and the callback is finished.
sub callback
{
	my ($owner, $external_id) = @_;
	my ($state) = $session->query("SELECT smartcar_begin_connect('$external_id')") =~ /[?&]state=([^&]*)/;

	$sandbox->connect(owner => $owner, external_id => $external_id);
	return "CALL smartcar_finish_connect('https://example.com/callback?state=$state&user_id=$user{$owner}')";
}

sub connect_owner
{
	my ($owner, $external_id) = @_;

	like($session->query(callback($owner, $external_id)), qr/^finished\|/m, "$owner connects as $external_id");
	return;
}

# v2.0.
sub connect_with_code
{
	my ($owner, $external_id, $server) = @_;
	my ($state) = $session->query("SELECT smartcar_begin_connect('$external_id', server => '$server')") =~ /[?&]state=([^&]*)/;
	my $code = $sandbox->connect(owner => $owner)->{code};

	return "CALL smartcar_finish_connect('https://example.com/callback?code=$code&state=$state', server => '$server')";
}

sub start_over
{
	$sandbox->faults;
	Manager::start_over($node, $sandbox);

	# so that the sessions have a token that works
	$_->query('SELECT FROM smartcar_get_connections()') foreach $session, $other;
	return;
}

# The vehicles of a user at Smartcar.
sub at_smartcar
{
	my ($owner) = @_;

	return $session->query("SELECT string_agg(vehicle_id, ' ' ORDER BY vehicle_id) FROM smartcar_get_connections(user_id => '$user{$owner}')");
}

# What is stored about an owner: accounts, connections, sessions.
sub stored
{
	my ($external_id) = @_;

	return join '|', map { Manager::count($node, $_, external_id => $external_id) } qw(account connection session);
}

sub sent
{
	return join "\n", map { "$_->{method} $_->{path}" } grep { $_->{path} !~ /token/ } $sandbox->log;
}

my $limit = { type => 'RATE_LIMIT', code => 'SMARTCAR_API' };

#
# Everything is deleted
#

start_over();
connect_owner('ben', 'owner-7');
my ($open) = $session->query("SELECT smartcar_begin_connect('owner-7')") =~ /[?&]state=([^&]*)/;
connect_owner('ada', 'owner-8');
Manager::receive($node, $sandbox, 'smartcar', type => 'VEHICLE_ERROR', user_id => $user{ben}, vehicle_id => $ben_s);
is(stored('owner-7'), '1|2|2', 'an owner with two vehicles, a finished session and an open one');
$sandbox->faults;

# columns: disconnected, accounts, connections, sessions, requests
is($session->query("CALL smartcar_forget('owner-7')"), '2|1|2|2|3', 'the owner is forgotten');
is(scalar(() = sent() =~ m{^DELETE /v3/connections/}mg), 2, 'each connection is deleted at Smartcar');
is(at_smartcar('ben'), '', 'Smartcar lists none of them');
is(stored('owner-7'), '0|0|0', 'nothing is stored');
is(stored('owner-8') . ' ' . at_smartcar('ada'), "1|1|1 $ada_car", 'the other owner is unchanged');
is($session->error("CALL smartcar_finish_connect('https://example.com/callback?state=$open&user_id=$user{ben}')")->{sqlstate}, 'SCUNK', 'an open link is refused');
$node->command_ok([ 'pg_dump', '-f', $node->basedir . '/dump', '-d', $node->connstr('postgres') ], 'pg_dump succeeds');
unlike(slurp_file($node->basedir . '/dump'), qr/owner-7|$user{ben}|$ben_s|$ben_x/, 'a dump has no id of the owner');
is($session->query("CALL smartcar_forget('owner-7')"), '0|0|0|0|1', 'a second time is no error');
is($session->query("CALL smartcar_forget('nobody')"), '0|0|0|0|1', 'an unknown owner is no error');
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '0|0|0|0|0', 'an unknown owner needs no request in v2.0');

# A connection that is not stored here
$sandbox->connect(owner => 'carla', external_id => 'owner-9');
is($session->query("CALL smartcar_forget('owner-9')"), '1|0|0|0|2', 'a connection that only Smartcar has');
is(at_smartcar('carla'), '', 'a connection that only Smartcar has is disconnected');

# A user whose external_id Smartcar does not know
start_over();
$sandbox->connect(owner => 'ben');
$session->query('CALL smartcar_sync()');
$session->query("CALL smartcar_adopt('{$user{ben}}', '{owner-10}')");
is($session->query("CALL smartcar_forget('owner-10')"), '2|1|2|0|4', 'a user who was adopted');
is(at_smartcar('ben'), '', 'a user who was adopted is found by user_id');

# Vehicles that are already disconnected
start_over();
connect_owner('ben', 'owner-7');
Manager::set_connections($node, { status => 'disconnected' }, vehicle_id => $ben_x);
$session->query("SELECT smartcar_delete_connections('$ben_x', '$user{ben}')");
$sandbox->faults;
is($session->query("CALL smartcar_forget('owner-7')"), '1|1|2|1|2', 'a vehicle that is disconnected already is not deleted');
is(scalar(() = sent() =~ /^DELETE/mg), 1, 'only the other one is');
connect_owner('ben', 'owner-7');
Manager::set_connections($node, { status => 'disconnected' }, vehicle_id => $ben_x);
is($session->query("CALL smartcar_forget('owner-7')"), '2|1|2|1|3', 'a disconnected vehicle that Smartcar still lists is deleted');
connect_owner('ben', 'owner-7');
$sandbox->faults({ match => { method => 'DELETE' }, status => 404 });
is($session->query("CALL smartcar_forget('owner-7')"), '2|1|2|1|3', 'a connection that is deleted meanwhile counts, too');

#
# Another owner
#

start_over();
connect_owner('ben', 'husband');
connect_owner('ben', 'wife');
is(stored('husband') . ' ' . stored('wife'), '0|0|1 1|2|1', 'a user who belongs to another owner now');
my $previous = sub { return join '|', map { Manager::count($node, $_, previous_external_id => 'husband') } qw(connection session) };
is($previous->(), '2|1', 'the rows name the previous owner');
Manager::set_connections($node, { external_id => 'husband', status => 'disconnected' }, vehicle_id => $ben_x);
$sandbox->faults;
is($session->query("CALL smartcar_forget('husband')"), '0|0|1|1|1', 'only the rows of the previous owner are deleted');
unlike(sent(), qr/DELETE/, 'nothing is deleted at Smartcar');
is(stored('husband') . ' ' . stored('wife'), '0|0|0 1|1|1', 'the rows of the new owner stay');
is($previous->() . Manager::count($node, 'connection', 'owner_changed_at IS NOT' => undef), '0|00', 'the name of the previous owner is deleted');
is(at_smartcar('ben'), "$ben_s $ben_x", 'both vehicles stay connected');

# the tables have the new owner, and Smartcar does not yet
start_over();
connect_owner('ben', 'husband');
$session->query("CALL smartcar_adopt('{$user{ben}}', '{wife}')");
is($session->query("CALL smartcar_forget('husband')"), '0|0|0|1|1', 'what the tables give to another owner');
is(stored('wife') . ' ' . at_smartcar('ben'), "1|2|0 $ben_s $ben_x", 'what the tables give to another owner stays');

# Smartcar has the new owner, and the tables do not yet
start_over();
connect_owner('ben', 'husband');
$sandbox->connect(owner => 'ben', external_id => 'wife');
like($session->query("CALL smartcar_forget('husband')"), qr/does not list 2 connections of owner "husband" as theirs\n.*^0\|1\|2\|1\|2$/ms, 'what Smartcar gives to another owner');
is(at_smartcar('ben'), "$ben_s $ben_x", 'what Smartcar gives to another owner stays at Smartcar');

#
# Failures
#

start_over();
connect_owner('ben', 'owner-7');
$sandbox->faults({ match => { method => 'DELETE' }, times => 1, after => 1, status => 500 });
my $result = $session->query("CALL smartcar_forget('owner-7')");
like($result, qr/^WARNING:  SC500: could not disconnect vehicle "[0-9a-f-]+" of user "$user{ben}": Smartcar /m, 'a vehicle that cannot be disconnected is a warning');
my $error = Session::parts_of_error($result);
like("$error->{sqlstate} $error->{message}", qr/^SC500 could not forget owner "owner-7": Smartcar /, 'a vehicle that cannot be disconnected is an error');
like($error->{detail}, qr/^Connections disconnected: 1, known to be left: 1\. DELETE /, 'the detail says what was done');
like($error->{hint}, qr/^Run CALL smartcar_forget\('owner-7', 'smartcar'\) again to continue from here\./, 'the hint has the statement that continues');
is(stored('owner-7'), '1|1|0', 'the other vehicle is deleted, the account stays');
is(Manager::rows($node, 'connection', 'vehicle_id'), at_smartcar('ben'), 'the vehicle that Smartcar still has stays');
$sandbox->faults;
is($session->query("CALL smartcar_forget('owner-7')"), '1|1|1|0|2', 'the next call continues');
is(stored('owner-7') . at_smartcar('ben'), '0|0|0', 'nothing is left');

# a rate limit
$session->query(q{ALTER SERVER smartcar OPTIONS (ADD max_concurrency '1')});
connect_owner('ben', 'owner-7');
$sandbox->faults({ match => { method => 'DELETE' }, times => 0, after => 1, status => 429, error => $limit });
$error = $session->error("CALL smartcar_forget('owner-7')");
is($error->{sqlstate}, 'SC429', 'Smartcar allows no more requests');
is(stored('owner-7'), '1|1|0', 'what was disconnected is deleted');
$sandbox->faults({ match => { method => 'GET' }, times => 0, status => 429, error => $limit });
is($session->error("CALL smartcar_forget('owner-7')")->{sqlstate}, 'SC429', 'a rate limit at the first request');
is(sent(), 'GET /v3/connections', 'the request that meets the rate limit is the only one');
is(stored('owner-7'), '1|1|0', 'nothing is deleted');
connect_owner('ben', 'owner-7');
$sandbox->faults({ match => { method => 'DELETE' }, times => 0, status => 429, error => $limit });
$session->query("CALL smartcar_forget('owner-7')");
is(scalar(() = sent() =~ /DELETE/g), 1, 'a rate limit ends the requests');
$sandbox->faults;
$session->query("CALL smartcar_forget('owner-7')");
is(stored('owner-7') . at_smartcar('ben'), '0|0|0', 'the next call continues');

# a list without an owner, or with another one
connect_owner('ben', 'owner-7');
connect_owner('ada', 'owner-8');
$sandbox->connect(owner => 'carla');
my $rows = sub { return { match => { query => 'externalId' }, times => 0, body => { data => [ map { { id => "connection-$_->[0]", relationships => { user => { data => { id => $_->[0] }, meta => $_->[1] }, vehicle => { data => { id => 'v' } } } } } @_ ] } } };
$sandbox->faults($rows->([ $user{carla}, {} ]));
$error = $session->error("CALL smartcar_forget('owner-7')");
is($error->{sqlstate} . $error->{detail}, 'SC004Connections disconnected: 2, known to be left: 1.', 'a connection that does not say whose it is');
is(stored('owner-7') . at_smartcar('ben') . ' ' . at_smartcar('carla'), '0|0|0 e7b4c2d9-8f30-4b12-a5c6-7d8e9f0a1b2c', 'stays, and the known ones are deleted');
$sandbox->faults;
connect_owner('ben', 'owner-7');
my $climbing = $rows->([ $user{ben}, { externalId => 'owner-7' } ]);
$climbing->{body}{data}[0]{id} = '../users/1';
$sandbox->faults($climbing);
is($session->error("CALL smartcar_forget('owner-7')")->{sqlstate} . ' ' . stored('owner-7'), 'SC004 1|2|0', 'an id that would change the path is not deleted');
unlike(sent(), qr/DELETE/, 'an id that would change the path is not sent');
$sandbox->faults;
connect_owner('ben', 'owner-7');
$sandbox->faults($rows->([ $user{ada}, { externalId => 'owner-8' } ]));
is($session->error("CALL smartcar_forget('owner-7')")->{sqlstate}, 'SC004', 'a list of others is refused');
is(stored('owner-8') . ' ' . at_smartcar('ada'), "1|1|1 $ada_car", 'nothing of the other owners is deleted');
is(stored('owner-7'), '0|0|0', 'the user of the owner is found by user_id');
$sandbox->faults;
connect_owner('ben', 'owner-7');
$sandbox->faults({ match => { query => 'userId' }, times => 0, status => 400 }, { match => { query => 'externalId' }, times => 0, body => { data => [] } });
is($session->error("CALL smartcar_forget('owner-7')")->{sqlstate} . ' ' . stored('owner-7'), 'SC400 1|2|0', 'a list of a user that fails keeps the user');
$sandbox->faults({ match => { query => 'externalId' }, times => 0, status => 400 });
is($session->error("CALL smartcar_forget('owner-7')")->{sqlstate}, 'SC400', 'a list of the owner that fails is an error');
is(stored('owner-7'), '0|0|0', 'the known vehicles are deleted although the list fails');
$sandbox->faults;
connect_owner('ben', 'owner-7');
$sandbox->faults({ match => { query => 'user' }, times => 0, body => { data => [] } });
like($session->query("CALL smartcar_forget('owner-7')"), qr/^WARNING:  P0002: Smartcar does not list 2 connections of owner "owner-7" as theirs\n.*^0\|1\|2\|1\|\d+$/ms, 'a list that lacks stored connections is a warning');

# a 404 that does not come from Smartcar
foreach my $server (qw(smartcar v2 token_only))
{
	start_over();
	$session->query($server eq 'smartcar' ? callback('ben', 'owner-7') : connect_with_code('ben', 'owner-7', $server));
	$sandbox->faults({ match => { method => 'DELETE' }, times => 0, gateway => 'html', status => 404 });
	is($session->error("CALL smartcar_forget('owner-7', server => '$server')")->{sqlstate}, 'SC404', "$server: a 404 of a gateway does not mean that a connection is gone");
	$sandbox->faults;
	is(stored('owner-7') . ' ' . at_smartcar('ben'), "1|2|0 $ben_s $ben_x", 'everything that is needed to disconnect it stays');
}

#
# Changes at the same time
#

# a callback that is being finished
start_over();
my $callback = callback('ben', 'owner-7');
$sandbox->faults({ match => { method => 'GET', path => '^/v3/connections', nth => 2 }, delay_ms => 1500 });
$other->start($callback);
Session::wait_until(sub { scalar(grep { $_->{path} eq '/v3/connections' } $sandbox->log) == 2 }) or die 'no list';
like($session->query("CALL smartcar_forget('owner-7')"), qr/^2\|1\|2\|1\|\d+$/m, 'a callback that is being finished is waited for');
like($other->result, qr/^finished\|/m, 'the callback that is being finished is finished');
is(stored('owner-7') . at_smartcar('ben'), '0|0|0', 'it does not bring the owner back');

$callback = callback('ben', 'owner-7');
my ($state) = $callback =~ /state=([0-9a-f]+)/;
$other->query('SELECT pg_advisory_lock(' . unpack('q>', sha256($state)) . ')');
$sandbox->faults;
$session->error_is("CALL smartcar_forget('owner-7')", 'SCBSY', qr/callback of the owner is being finished/, 'a callback that takes too long is an error');
is(scalar $sandbox->log, 0, 'nothing is sent');
$other->query('SELECT pg_advisory_unlock_all()');
like($session->query("CALL smartcar_forget('owner-7')"), qr/^2\|0\|0\|1\|\d+$/m, 'the next call deletes the callback\'s session');

# a list that was requested before
start_over();
connect_owner('ben', 'owner-7');
$sandbox->faults({ match => { method => 'GET', path => '^/v3/connections$', query => '^(?!.*(userId|externalId))' }, delay_ms => 2000 });
$other->start("CALL smartcar_sync(details => false)");
Session::wait_until(sub { scalar $sandbox->log > 0 }) or die 'no list';
like($session->query("CALL smartcar_forget('owner-7')"), qr/^2\|1\|2\|1\|\d+$/m, 'the owner is forgotten during a sync');
is(stored('owner-7'), '0|0|0', 'nothing is stored');
like($other->result, qr/^2\|0\|/m, 'the sync ends with the connections of the list');
is(Manager::count($node, 'connection'), 0, 'connections of the old list are not stored');

# a repeated event
connect_owner('ben', 'owner-7');
my $delivery = $sandbox->ask('webhook', { user_id => $user{ben}, vehicle_id => $ben_s })->{deliveries}[0];
my $receive = "SELECT smartcar_receive_webhook('\\x" . unpack('H*', $delivery->{body}) . "'::bytea, '$delivery->{signature}') IS NOT NULL";
like($delivery->{body}, qr/owner-7/, 'an event that names the owner');
$session->query("CALL smartcar_forget('owner-7')");
is($session->query($receive), 't', 'the repeated event is received after the owner was forgotten');
is(Manager::count($node, 'connection'), 0, 'the repeated event stores nothing');
is(Manager::rows($node, 'forgotten_user', 'octet_length(user_hash)'), 32, 'the hash of the user is kept');
Manager::set_rows($node, 'forgotten_user', { forgotten => '-24 hours' });
$session->query('CALL smartcar_sync()');
is(Manager::count($node, 'forgotten_user'), 1, 'the hash is kept for a day');
Manager::set_rows($node, 'forgotten_user', { forgotten => '-26 hours' });
$session->query('CALL smartcar_sync()');
is(Manager::count($node, 'forgotten_user'), 0, 'the hash is deleted after a day');

# the owner connects again at once, here or elsewhere
connect_owner('ben', 'owner-7');
$session->query("CALL smartcar_forget('owner-7')");
connect_owner('ben', 'owner-7');
is(stored('owner-7'), '1|2|1', 'an owner who connects again is stored');
$session->query("CALL smartcar_forget('owner-7')");
$sandbox->connect(owner => 'ben', external_id => 'owner-7');
$session->query('CALL smartcar_sync(details => false)');
is(stored('owner-7'), '0|2|0', 'an owner who connects elsewhere is stored again');

# an event in an open transaction
start_over();
$sandbox->connect(owner => 'ben', external_id => 'owner-7');
$delivery = $sandbox->ask('webhook', { user_id => $user{ben}, vehicle_id => $ben_s })->{deliveries}[0];
$other->query('BEGIN');
$other->query("SELECT smartcar_receive_webhook('\\x" . unpack('H*', $delivery->{body}) . "'::bytea, '$delivery->{signature}')");
$session->start("CALL smartcar_forget('owner-7')");
is($session->result(2), undef, 'waits for a transaction that stores something');
$other->query('COMMIT');
is($session->result, '2|0|1|0|3', 'what an open transaction stored is deleted');
is(stored('owner-7'), '0|0|0', 'nothing is left after an open transaction');

#
# v2.0
#

start_over();
like($session->query(connect_with_code('ben', 'owner-7', 'v2')), qr/^finished\|/m, 'an owner connects in v2.0');
$sandbox->faults;
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '2|1|2|1|1', 'with the management token, the owner is forgotten');
is(sent(), 'DELETE /v2.0/management/connections', 'the management token needs one request');
is(stored('owner-7') . at_smartcar('ben'), '0|0|0', 'nothing is left after the request with the management token');

$session->query(connect_with_code('ben', 'owner-7', 'token_only'));
$sandbox->faults;
is($session->query("CALL smartcar_forget('owner-7', server => 'token_only')"), '2|1|2|1|3', 'without it, the owner\'s token is used');
like(sent(), qr{^GET /v2.0/vehicles\nDELETE /v2.0/vehicles/[^/]+/application\nDELETE /v2.0/vehicles/[^/]+/application$}, 'with a request for each vehicle');
is(stored('owner-7') . at_smartcar('ben'), '0|0|0', 'nothing is left after the requests with the owner\'s token');

$session->query(connect_with_code('ben', 'owner-7', 'token_only'));
Manager::set_accounts($node, { access_expires => '-1 minute' });
$sandbox->faults;
$error = $session->error("CALL smartcar_forget('owner-7', server => 'token_only')");
is($error->{sqlstate} . ' ' . stored('owner-7'), '55000 1|2|0', 'an expired token');
like($error->{hint}, qr/CALL smartcar_refresh\(server => 'token_only'\)/, 'the expired token has to be refreshed first');
is(sent(), '', 'nothing is sent');
Manager::set_accounts($node, { status => 'reauthenticate' });
like($session->error("CALL smartcar_forget('owner-7', server => 'token_only')")->{hint}, qr/management_token/, 'a refused token needs the management token');
Manager::set_accounts($node, { server => 'v2' });
Manager::set_connections($node, { server => 'v2' });
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '2|1|2|0|1', 'the management token needs no token of the owner');

$session->query(connect_with_code('ben', 'owner-7', 'token_only'));
$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, body => { vehicles => ['..'], paging => { count => 1, offset => 0 } } });
is($session->error("CALL smartcar_forget('owner-7', server => 'token_only')")->{sqlstate} . ' ' . stored('owner-7'), '22023 1|2|0', 'an id that would change the path is not deleted in v2.0');
is(sent(), 'GET /v2.0/vehicles', 'the id that would change the path is not sent');
$sandbox->faults;
$session->query("CALL smartcar_forget('owner-7', server => 'token_only')");

# tokens of an unknown user
$sandbox->faults({ match => { path => '^/v2.0/user$' }, times => 0, status => 500 });
$session->query(connect_with_code('ben', 'owner-7', 'v2'));
like(Manager::rows($node, 'account', 'user_id'), qr/^session-/, 'tokens of an unknown user');
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '2|1|0|1|3', 'tokens of an unknown user are used and deleted');
is(at_smartcar('ben'), '', 'the vehicles are disconnected');

# refused tokens of an unknown user
start_over();
$sandbox->faults({ match => { path => '^/v2.0/user$' }, times => 0, status => 500 });
$session->query(connect_with_code('ben', 'owner-7', 'v2'));
Manager::set_accounts($node, { status => 'reauthenticate', access_expires => '-1 minute' });
$result = $session->query("CALL smartcar_forget('owner-7', server => 'v2')");
like($result, qr/^WARNING:  55000: deleting unusable tokens of owner "owner-7"/m, 'tokens that can disconnect nothing are a warning');
like($result, qr/^0\|1\|0\|1\|0$/m, 'tokens that can disconnect nothing are deleted');
$session->query("SELECT FROM smartcar_delete_connections(user_id => '$user{ben}')");

# another owner has one of the vehicles
$sandbox->faults;
$session->query(connect_with_code('ben', 'owner-7', 'v2'));
Manager::set_connections($node, { external_id => 'wife' }, vehicle_id => $ben_x);
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '1|1|1|1|1', 'a user with vehicles of two owners');
is(at_smartcar('ben') . ' ' . stored('wife'), "$ben_x 0|1|0", 'one vehicle is disconnected');

# another owner has the tokens, and the vehicles could not be listed yet
foreach my $server (qw(v2 token_only))
{
	start_over();
	$session->query(connect_with_code('ben', 'husband', $server));
	my $takeover = connect_with_code('ben', 'wife', $server);
	$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, times => 0, status => 500 });
	like($session->query($takeover), qr/^finished\|wife\|$user{ben}\|/m, "$server: a user goes over to another owner");
	is(stored('husband') . ' ' . stored('wife'), '0|2|1 1|0|1', 'the vehicles still name the previous owner');
	$sandbox->faults;
	is($session->query("CALL smartcar_forget('husband', server => '$server')"), '0|0|2|1|0', 'only the rows of the previous owner are deleted');
	is(at_smartcar('ben') . ' ' . stored('wife'), "$ben_s $ben_x 1|0|1", 'the vehicles stay connected');
	$session->query("CALL smartcar_sync(server => '$server')");
	is(stored('wife'), '1|2|1', 'the vehicles are listed again');
}

# tokens whose user becomes known meanwhile
start_over();
$sandbox->faults({ match => { path => '^/v2.0/user$' }, times => 0, status => 500 });
$session->query(connect_with_code('ben', 'owner-7', 'v2'));
$sandbox->faults({ match => { method => 'DELETE' }, times => 0, delay_ms => 1500 });
$other->start("CALL smartcar_forget('owner-7', server => 'v2')");
Session::wait_until(sub { scalar(grep { $_->{method} eq 'DELETE' } $sandbox->log) > 0 }) or die 'no deletion';
$session->query("CALL smartcar_sync(server => 'v2')");
$error = Session::parts_of_error($other->result);
is("$error->{sqlstate} $error->{message}", '55006 could not forget owner "owner-7": data of the owner was stored in the meantime', 'something that was stored meanwhile is an error');
is(stored('owner-7'), '1|0|0', 'it is still there');
$session->query("CALL smartcar_forget('owner-7', server => 'v2')");
is(stored('owner-7') . at_smartcar('ben'), '0|0|0', 'the next call deletes what was stored meanwhile');

# a refresh at the same time
start_over();
$session->query(connect_with_code('ben', 'owner-7', 'v2'));
Manager::make_due($node);
$sandbox->faults({ match => { path => '/oauth/token$' }, delay_ms => 1500 });
$other->start("CALL smartcar_refresh(server => 'v2')");
Session::wait_until(sub { scalar $sandbox->log > 0 }) or die 'no refresh';
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '2|1|2|1|1', 'the owner is forgotten during a refresh');
like($other->result, qr/^\d\|\d\|0\|\d+$/m, 'the refresh ends');
is(stored('owner-7'), '0|0|0', 'the refresh stores nothing');

# a code that is being exchanged
my $exchange = connect_with_code('ben', 'owner-7', 'v2');
$sandbox->faults({ match => { path => '/oauth/token$' }, delay_ms => 1500 });
$other->start($exchange);
Session::wait_until(sub { scalar $sandbox->log > 0 }) or die 'no exchange';
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '2|1|2|1|1', 'waits for a code that is being exchanged');
like($other->result, qr/^finished\|owner-7\|$user{ben}\|/m, 'its session is finished');
is(stored('owner-7') . at_smartcar('ben'), '0|0|0', 'nothing of it is left');

# vehicles whose details were requested before
$session->query(connect_with_code('ben', 'owner-7', 'v2'));
Manager::delete_rows($node, 'connection');
$sandbox->faults({ match => { path => '^/v2.0/vehicles/.*/permissions' }, times => 0, delay_ms => 1500 });
$other->start("CALL smartcar_sync(server => 'v2')");
Session::wait_until(sub { scalar(grep { $_->{path} =~ /permissions/ } $sandbox->log) > 1 }) or die 'no permissions';
is($session->query("CALL smartcar_forget('owner-7', server => 'v2')"), '2|1|0|1|1', 'the owner is forgotten while details are requested');
like($other->result, qr/^\d+\|/m, 'the sync ends');
is(stored('owner-7'), '0|0|0', 'the sync stores nothing');

#
# An anonymized copy, as in the manual
#

start_over();
connect_owner('ben', 'husband');
connect_owner('ben', 'wife');
$session->query("SELECT smartcar_begin_connect('garage-9')");
$session->query(connect_with_code('ada', 'garage-8', 'v2'));
Manager::receive($node, $sandbox, 'smartcar', type => 'VEHICLE_ERROR', user_id => $user{ben}, vehicle_id => $ben_s, event_id => 'event-7');
Manager::add_row($node, 'sync_round', server => 'v2', last_user_id => $user{ada});
Manager::add_row($node, 'job_run', server => 'v2', procedure => 'smartcar_sync', began => '-1 minute', error_description => 'a run about Ada');
Manager::set_connections($node, { error => '0 s', error_description => 'of Ben', error_url => 'https://example.com/ben' }, vehicle_id => $ben_x);
my @personal = (@user{qw(ada ben)}, qw(husband wife garage-8 garage-9 event-7), $ada_car, $ben_s, $ben_x, 'of Ben', 'example.com/ben', 'about Ada',
	split(/\|/, Manager::rows($node, 'account', "encode(access_token, 'hex') || '|' || encode(refresh_token, 'hex')", server => 'v2')),
	split(/\n/, Manager::rows($node, 'connection', 'connection_id', server => 'smartcar')),
	split(/\n/, Manager::rows($node, 'session', "encode(state_hash, 'hex')")));
my $of_status = "SELECT string_agg(concat(status, action, error_type, make, model, granted_scopes), ' ' ORDER BY concat(status, action, error_type, make, model, granted_scopes)) FROM smartcar_status";
my $file = $node->basedir . '/production';
$node->command_ok([ 'pg_dump', '-F', 'c', '-f', $file, '-d', $node->connstr('postgres') ], 'production is dumped');
my ($list) = run_command([ 'pg_restore', '-l', $file ]);
append_to_file("$file.list", join("\n", grep { !/USER MAPPING/ } split /\n/, $list) . "\n");
$node->safe_psql('postgres', 'CREATE DATABASE staging TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-L', "$file.list", '-d', $node->connstr('staging'), $file ], 'the dump is restored without user mappings');
my ($content) = run_command([ 'pg_dump', '-d', $node->connstr('staging') ]);
is(join(' ', grep { index($content, $_) < 0 } @personal), '', 'all personal data is in the copy');
unlike($content, qr/sandbox-api-secret/, 'no secret is in the copy');
my ($recipe) = slurp_file("$FindBin::RealBin/../../doc/how-to/personal-data.md") =~ /^```sql\n(BEGIN;\n.*?)^```$/ms;
append_to_file("$file.sql", $recipe);
my $same = $node->safe_psql('staging', $of_status);
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('staging'), '-f', "$file.sql" ], 'the statements of the manual run');
($content) = run_command([ 'pg_dump', '-d', $node->connstr('staging') ]);
is(join(' ', grep { index($content, $_) >= 0 } @personal), '', 'the statements of the manual remove all personal data');
is($node->safe_psql('staging', $of_status), $same, 'smartcar_status is the same');
is($node->safe_psql('staging', "SELECT count(*), count(DISTINCT user_id), count(DISTINCT external_id), count(DISTINCT vehicle_id), count(DISTINCT previous_external_id) FROM smartcar_tesla.connection"), '3|2|2|3|1', 'connections that belonged together still do');
is($node->safe_psql('staging', "SELECT count(*) FROM smartcar_tesla.account JOIN smartcar_tesla.connection USING (server, user_id, external_id)"), 3, 'the accounts still match their connections');

$other->finish;
$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
