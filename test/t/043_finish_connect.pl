# smartcar_finish_connect(): invalid callbacks, callbacks with an error, exchanges that
# fail, and what is stored about an owner in the end.  The servers "smartcar" and
# "other" have version 2.0 of the API.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Encode;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Manager;
use Sandbox;
use Session;

my $ada_id = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
my $ada_car = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
my @ben_cars = qw(9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2 d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081);
my $shared_car = 'e7b4c2d9-8f30-4b12-a5c6-7d8e9f0a1b2c';
my $token = { path => '/oauth/token' };

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->start;
my %options = (connect_origin => $sandbox->url, timeout => '3s', scope => 'read_vehicle_info read_odometer read_location');
Manager::create_server($node, 'smartcar', $sandbox->url, %options);
Manager::create_server($node, 'other', $sandbox->url, %options);
Manager::create_server($node, 'v3', $sandbox->url, %options, api_version => '3');

my $session = Session->new($node);

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub start_over
{
	Manager::start_over($node, $sandbox);
	return;
}

sub link_for
{
	my ($arguments) = @_;

	return $session->query('SELECT smartcar_begin_connect(' . ($arguments // '') . ')');
}

sub finish
{
	my ($callback, $server) = @_;

	return 'CALL smartcar_finish_connect(' . Sandbox::quoted($callback) . ($server ? ", server => '$server'" : '') . ')';
}

sub connect_owner
{
	my ($owner, $external_id, %given) = @_;
	my $server = delete $given{server} // 'smartcar';
	my $link = link_for('external_id => ' . Sandbox::quoted($external_id) . ", server => '$server'");

	return $session->query(finish($sandbox->callback($link, owner => $owner, %given), $server));
}

sub state_of
{
	my ($link) = @_;

	return $link =~ /[?&]state=([^&]+)/ ? $1 : die "no state in $link";
}

# The row of the session of a link.
sub session_of
{
	my ($link, $columns) = @_;

	return Manager::rows($node, 'session', $columns, state_hash => '\x' . sha256_hex(state_of($link)));
}

# A whole Connect round trip

start_over();
my $link = link_for("external_id => 'owner-7'");
unlike(Manager::rows($node, 'session', '*'), qr/\Q${\state_of($link)}\E/, 'the state is not stored');
is(session_of($link, 'status, external_id, link, server'), 'open|owner-7|connect|smartcar', 'its SHA-256 is stored');
cmp_ok(length(state_of($link)) * 4, '>=', 256, 'the state has 256 bits');
$sandbox->faults;
my $callback = $sandbox->callback($link, owner => 'ada');
is($session->query(finish($callback)), "finished|owner-7|$ada_id|{$ada_car}||||7", 'a valid callback');
is(session_of($link, 'status, user_id, error, ended_at IS NOT NULL'), "finished|$ada_id||t", 'ends its session');
my ($exchange) = $sandbox->log(path => '/oauth/token$');
like($exchange->{body}, qr/&redirect_uri=https%3A%2F%2Fexample.com%2Fcallback$/, 'the exchange uses the redirect URI of the link');
is(Manager::rows($node, 'account', 'external_id, status', user_id => $ada_id), 'owner-7|active', 'the account is stored');
is($session->query("SELECT smartcar_get_user(smartcar_access_token('owner-7'))"), $ada_id, 'the access token works');
is(sql("SELECT model, action FROM smartcar_status"), 'Model 3|add_virtual_key', 'the vehicle is stored, with its action');
is(Manager::losses($node, $sandbox)->{dead}, 0, 'the refresh token works');

# A repeated callback returns the first result

sub repeated
{
	my ($name, $callback, $result) = @_;
	my $before = Manager::checksum($node, 'session', 'account');

	$sandbox->faults;
	is($session->query(finish($callback)), "$result||0", $name);
	is(scalar $sandbox->log, 0, "$name: nothing is sent");
	is(Manager::checksum($node, 'session', 'account'), $before, "$name: nothing is changed");
	return;
}

repeated('a callback that comes again', $callback, "finished|owner-7|$ada_id|{$ada_car}||");
repeated('the query string of the callback alone', $callback =~ s/^[^?]*//r, "finished|owner-7|$ada_id|{$ada_car}||");
is($session->error("CALL smartcar_finish_connect('$callback', 'owner-8')")->{sqlstate}, 'SCOWN', 'a callback in the browser of another owner is refused');
Manager::set_rows($node, 'session', { expires => '0' });
repeated('a callback that comes again much later', $callback, "finished|owner-7|$ada_id|{$ada_car}||");

# Invalid states

sub refused
{
	my ($name, $callback, $sqlstate, $server) = @_;
	my $before = Manager::checksum($node, 'session', 'account');

	$sandbox->faults;
	my $error = $session->error(finish($callback, $server));
	is($error->{sqlstate}, $sqlstate, $name);
	is(scalar $sandbox->log, 0, "$name: nothing is sent");
	is(Manager::checksum($node, 'session', 'account'),
		$before, "$name: nothing is changed");
	return;
}

refused('another code with a state that was used', $callback =~ s/code=[^&]*/code=x/r, 'SCUSD');
refused('a state that was never given out', 'https://example.com/callback?code=x&state=' . '0' x 64, 'SCUNK');
refused('an empty state', 'https://example.com/callback?code=x&state=', 'SCUNK');
refused('no state', 'https://example.com/callback?code=x', 'SCUNK');
refused('a forged error', 'https://example.com/callback?error=access_denied&state=guess', 'SCUNK');
$link = link_for("lifetime => '0.3 seconds'");
$callback = $sandbox->callback($link, owner => 'ada');
sleep 0.4;
refused('a callback that comes too late', $callback, 'SCEXP');
$callback = $sandbox->callback(link_for("external_id => 'owner-8'"), owner => 'ben');
refused('a callback for another server', $callback, 'SCUNK', 'other');
like($session->query(finish($callback)), qr/^finished\|owner-8/, 'the callback works for its own server');
refused('a state with another case', $callback =~ s/(state=)(\w+)/$1\U$2/r, 'SCUNK');
is($session->error(finish('https://example.com/callback?state=%zz'))->{sqlstate}, '22P02', 'a malformed callback');
is($session->error('CALL smartcar_finish_connect(NULL)')->{sqlstate}, '22004', 'a callback that is NULL');
is($session->error('BEGIN; ' . finish($callback))->{sqlstate}, '25001', 'a callback in a transaction block');
$session->query('ROLLBACK');

# A link that was sent to another owner: the callback comes from their browser.
{
	my $callback = $sandbox->callback(link_for("external_id => 'mallory'"), owner => 'ben');

	$sandbox->faults;
	my $error = $session->error("CALL smartcar_finish_connect('$callback', 'owner-8')");
	is("$error->{sqlstate} $error->{message}", 'SCOWN callback belongs to a session of another owner', 'the session of another owner');
	is(scalar $sandbox->log, 0, 'nothing is sent');
	is(Manager::rows($node, 'session', 'status', external_id => 'mallory'), 'open', 'the session is unchanged');
	like($session->query("CALL smartcar_finish_connect('$callback', 'mallory')"), qr/^finished\|mallory/m, 'its own owner can finish it');
	$callback = $sandbox->callback(link_for(''), owner => 'ben');
	is($session->error("CALL smartcar_finish_connect('$callback', 'owner-8')")->{sqlstate}, 'SCOWN', 'a session without an external_id is refused for a logged-in owner');
	like($session->query(finish($callback)), qr/^finished/, 'it can be finished without an owner');
}

# Two sessions receive the same callback at once: one of them succeeds.
{
	my $second = Session->new($node);
	$callback = $sandbox->callback(link_for("external_id => 'owner-9'"), owner => 'carla');
	$sandbox->faults({ match => $token, times => 0, delay_ms => 500 });
	$session->start(finish($callback));
	$second->start(finish($callback));
	my @results = sort map { /^(finished|SCBSY)|^ERROR:\s+(SCBSY)/m ? $1 // $2 : $_ } $session->result, $second->result;
	is("@results", 'SCBSY finished', 'one of two identical callbacks is finished');
	is(scalar $sandbox->log(path => '/oauth/token$'), 1, 'its code is sent once');
	$sandbox->faults;
}

# Errors of the callback

foreach my $case (
	[ 'access_denied', 'connect' ],
	[ 'vehicle_incompatible', 'none' ],
	[ 'invalid_subscription', 'ask_owner' ],
	[ 'no_vehicles', 'ask_owner' ],
	[ 'configuration_error', 'fix_setup' ],
	[ 'server_error', 'retry' ],
	[ 'user_cancelled', 'connect' ],
	[ 'an_error_of_tomorrow', '' ])
{
	my ($error, $action) = @$case;
	my $description = 'Grüße: 100 % 雪';

	start_over();
	$link = link_for("external_id => 'owner-7'");
	$callback = $sandbox->callback($link, decision => 'error', error => $error, error_description => decode_utf8($description));
	$sandbox->faults;
	is($session->query(finish($callback)), "failed|owner-7|||$error|$action||0", "$error ends the session");
	is(session_of($link, 'status, error, error_description, action'), "failed|$error|$description|$action", "$error is kept");
	is(scalar $sandbox->log, 0, "$error: nothing is sent");
	is(Manager::count($node, 'account'), 0, "$error: nothing is stored");
}

# A callback without a result
start_over();
$link = link_for();
like($session->query(finish("https://example.com/callback?state=" . state_of($link))), qr/^failed\|\|\|\|the callback has neither a code nor a user_id\|connect\|\|\d+$/m, 'a callback with neither a code nor a user_id');

# The exchange fails

my %exchange_faults = (
	'a code that Smartcar does not take' => [ { status => 400, error => { error => 'invalid_grant', error_description => 'Invalid code: x' } }, qr/^SC400$/, 'connect' ],
	'the response is lost' => [ { drop => 'after' }, qr/^SC001$/, 'connect' ],
	'the response is cut' => [ { truncate => 10 }, qr/^SC001$/, 'connect' ],
	'a response that cannot be parsed' => [ { body => '<html>', content_type => 'text/html', do_work => JSON::PP::true }, qr/^SC004$/, 'connect' ],
	'a timeout' => [ { delay_ms => 5000 }, qr/^SC003$/, 'connect' ],
	'a server error' => [ { status => 503 }, qr/^SC503$/, 'connect' ]);
foreach my $name (sort keys %exchange_faults)
{
	my ($fault, $sqlstate, $action) = @{ $exchange_faults{$name} };

	start_over();
	$link = link_for("external_id => 'owner-7'");
	$callback = $sandbox->callback($link, owner => 'ada');
	$session->query("SELECT smartcar_get_user('warm')");    # keeps a connection
	$sandbox->faults({ match => $token, times => 0, %$fault });
	like($session->error(finish($callback))->{sqlstate}, $sqlstate, "$name: an error");
	is(scalar $sandbox->log(method => 'POST'), 1, "$name: the code is sent once");
	is(session_of($link, "status, error <> '', ended_at IS NOT NULL"), 'failed|t|t', "$name: the session stores the error");
	is(session_of($link, 'action'), $action, "$name: its action is to connect again");
	is(Manager::count($node, 'account'), 0, "$name: no account is made");
	like($session->query(finish($callback)), qr/^failed\|owner-7\|\|\|[^|]+\|$action\|\|0$/, "$name: the callback again returns the error");
}

# A missing key or secret is reported before the code is used

start_over();
my $key_file = Manager::key_file($node);
rename $key_file, "$key_file.gone";
$link = link_for("external_id => 'owner-7'");
$callback = $sandbox->callback($link, owner => 'ada');
$sandbox->faults;
like($session->error(finish($callback))->{sqlstate}, qr/^(55000|58P01)$/, 'no key file');
is(scalar $sandbox->log, 0, 'nothing was sent');
is(session_of($link, 'status'), 'open', 'the session is still open');
rename "$key_file.gone", $key_file;
like($session->query(finish($callback)), qr/^finished/, 'with the key the same callback is finished');

start_over();
$link = link_for("external_id => 'owner-7'");
$callback = $sandbox->callback($link, owner => 'ada');
sql('ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (DROP client_secret)');
$sandbox->faults;
is($session->error(finish($callback))->{sqlstate}, '55000', 'no client secret');
is(scalar $sandbox->log, 0, 'nothing was sent');
is(session_of($link, 'status'), 'open', 'the session is still open');
sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (ADD client_secret 'wrong')));
is($session->error(finish($callback))->{sqlstate}, 'SC401', 'a wrong client secret is an error');
is(session_of($link, 'action'), 'fix_setup', 'the action is fix_setup');
sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET client_secret 'sandbox-client-secret')));

# A crash between the exchange and the storing of its tokens

start_over();
$link = link_for("external_id => 'owner-7'");
$callback = $sandbox->callback($link, owner => 'ada');
$sandbox->faults({ match => $token, times => 0, delay_ms => 8000 });

# tools/coverage.sh does not count what a killed session has executed
$session->finish;
$session = Session->new($node);
$session->start(finish($callback));
Session::wait_until(sub { scalar $sandbox->log });
{
	my $offset = -s $node->logfile;

	kill 'KILL', $session->backend;
	ok( Session::wait_until(
			sub { slurp_file($node->logfile, $offset) =~ /ready to accept connections/ && $node->psql('postgres', 'SELECT 1') == 0 }, 60),
		'kill -9 while the code is exchanged');
}
$session = Session->new($node);
is(session_of($link, 'status'), 'exchanging', 'the session stays "exchanging"');
refused('the same callback again', $callback, 'SCCUT');
like(connect_owner('ada', 'owner-7'), qr/^finished\|owner-7\|$ada_id/, 'the owner connects again');

# An interrupt while the tokens wait to be stored: they are stored first.
sub while_locked
{
	my ($name, $set, $interrupt) = @_;
	my $locker = Session->new($node);

	start_over();
	$link = link_for("external_id => 'owner-7'");
	$callback = $sandbox->callback($link, owner => 'ada');
	$session->query($set);
	$sandbox->faults({ match => $token, times => 0, delay_ms => 300 });
	$session->start(finish($callback));
	Session::wait_until(sub { scalar $sandbox->log });
	$locker->query("BEGIN; LOCK TABLE $Manager::table{account}");
	sleep 1;
	is(sql('SELECT state FROM pg_stat_activity WHERE pid = ' . $session->backend), 'active', "$name: tokens wait for a lock");
	$interrupt->();
	sleep 0.5;
	$locker->query('COMMIT');
	$session->result;
	$sandbox->faults;
	$session = Session->new($node);
	is(session_of($link, 'status'), 'finished', "$name: the tokens are stored");
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, "$name: nothing is lost");
	$session->query('CALL smartcar_sync()');
	is(Manager::rows($node, 'account', 'user_id'), $ada_id, "$name: smartcar_sync() finds out their user");
	return;
}
while_locked('a statement timeout', 'SET statement_timeout = 700', sub { });
while_locked('a lock timeout', 'SET lock_timeout = 100', sub { });
while_locked('a cancel', 'SET statement_timeout = 0', sub { sql('SELECT pg_cancel_backend(' . $session->backend . ')') });
while_locked('the end of the session', 'SET statement_timeout = 0', sub { sql('SELECT pg_terminate_backend(' . $session->backend . ')') });

# Tokens that cannot be stored end the session.
start_over();
$link = link_for("external_id => 'owner-7'");
$callback = $sandbox->callback($link, owner => 'ada');
sql(q(CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full USING MESSAGE = 'the disk is full'; END $$));
sql("CREATE TRIGGER full_disk BEFORE INSERT ON $Manager::table{account} FOR EACH ROW EXECUTE FUNCTION full_disk()");
is($session->error(finish($callback))->{sqlstate}, '53100', 'tokens that cannot be stored are an error');
is(session_of($link, 'status, error, action'), 'failed|the disk is full|connect', 'the session stores the error');
repeated('the callback', $callback, 'failed|owner-7|||the disk is full|connect');
sql('DROP FUNCTION full_disk CASCADE');
like(connect_owner('ada', 'owner-7'), qr/^finished\|owner-7\|$ada_id/, 'the owner connects again');

# A failure after the tokens were stored does not undo that.
start_over();
$link = link_for("external_id => 'owner-7'");
$callback = $sandbox->callback($link, owner => 'ada');
$sandbox->faults({ match => { path => '/vehicles' }, times => 0, status => 500 });
like($session->query(finish($callback)), qr/^WARNING:  SC500: owner is connected, but could not list the vehicles.*^finished\|owner-7\|$ada_id\|/ms,
	'a list of vehicles that fails is a warning');
is(session_of($link, 'status'), 'finished', 'the session is finished');
$sandbox->faults;
is($session->query("SELECT smartcar_get_user(smartcar_access_token('owner-7'))"), $ada_id, 'the token works');
$session->query('CALL smartcar_sync()');
is(Manager::rows($node, 'connection', 'vehicle_id, status'), "$ada_car|connected", 'smartcar_sync() adds the vehicles');

# The callback comes through the owner's browser, and can name another user.

start_over();
connect_owner('ben', 'owner-8');
$link = link_for("external_id => 'mallory'");
$callback = $sandbox->callback($link, owner => 'ada');
my $ben_id = '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622';
like($callback =~ s/\Q$ada_id\E/$ben_id/r, qr/user_id=$ben_id/, 'a callback that names another user');
like($session->query(finish($callback =~ s/\Q$ada_id\E/$ben_id/r)), qr/^finished\|mallory\|$ada_id\|/m, 'tokens are stored for their own user');
is(Manager::rows($node, 'account', 'external_id', user_id => $ben_id), 'owner-8', 'the other user keeps their external_id');
is($session->query("SELECT smartcar_get_user(smartcar_access_token('owner-8'))"), $ben_id, 'the other user keeps their token');
connect_owner('ben', 'owner-8', server => 'v3');
$link = link_for("external_id => 'mallory', server => 'v3'");
$callback = $sandbox->callback($link, owner => 'ada');
like($session->query(finish($callback =~ s/\Q$ada_id\E/$ben_id/r, 'v3')), qr/^failed\|mallory\|\|.*\|connect\|\|\d+$/m, 'v3: a callback that names another user is refused');
is(Manager::rows($node, 'account', 'user_id, external_id', server => 'v3'), "$ben_id|owner-8", 'v3: nothing is stored');

# A response about another user or owner is no proof, if Smartcar ignored the filter.
$link = link_for("external_id => 'mallory', server => 'v3'");
$callback = $sandbox->callback($link, owner => 'ada');
sub says
{
	my ($user_id, $external_id) = @_;
	my %connection = (id => 'c', type => 'connection', attributes => { permissions => [] },
		relationships => { vehicle => { data => { id => 'v' } }, user => { data => { id => $user_id }, meta => { externalId => $external_id } } });

	return { match => { path => '^/v3/connections$' }, times => 0, body => { data => [ \%connection ], links => {} } };
}
foreach my $listed ([ $ada_id, 'owner-7' ], [ $ben_id, 'mallory' ], [ $ada_id, undef ])
{
	$link = link_for("external_id => 'mallory', server => 'v3'");
	$callback = $sandbox->callback($link, owner => 'ada');
	$sandbox->faults(says(@$listed));
	like($session->query(finish($callback, 'v3')), qr/^failed\|mallory\|\|.*\|connect\|\|\d+$/m, 'v3: connections of somebody else are no proof');
}
$sandbox->faults;

# Nor are any connections, if the link was made for v2.0 without an external_id.
start_over();
$link = link_for();
$callback = $sandbox->callback($link, owner => 'ada');
sql("ALTER SERVER smartcar OPTIONS (SET api_version '3')");
like($session->query(finish($callback)), qr/^failed\|\|\|.*\|connect\|\|\d+$/m, 'a link without an external_id, made before the server was switched to v3');
sql("ALTER SERVER smartcar OPTIONS (SET api_version '2.0')");

# In v3, a callback that could not be checked can be used again.
start_over();
$link = link_for("external_id => 'owner-7', server => 'v3'");
$callback = $sandbox->callback($link, owner => 'ada');
$sandbox->faults({ match => { path => '/v3/connections' }, times => 0, status => 500 });
is($session->error(finish($callback, 'v3'))->{sqlstate}, 'SC500', 'v3: the request for the user fails');
is(session_of($link, 'status'), 'open', 'v3: the session stays open');
$sandbox->faults;
like($session->query(finish($callback, 'v3')), qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, 'v3: the same callback is finished later');
{
	my $second = Session->new($node);

	$link = link_for("external_id => 'owner-7', server => 'v3'");
	$callback = $sandbox->callback($link, owner => 'ada');
	$sandbox->faults({ match => { path => '/v3/connections' }, times => 0, delay_ms => 500 });
	$session->start(finish($callback, 'v3'));
	$second->start(finish($callback, 'v3'));
	is(join(' ', sort map { /^(finished|SCBSY)|^ERROR:\s+(SCBSY)/m ? $1 // $2 : $_ } $session->result, $second->result), 'SCBSY finished', 'v3: one of two identical callbacks is finished');
	$sandbox->faults;
}

# Callbacks of older versions of Connect have no user_id.
start_over();
$sandbox->ask('settings', { callback_user_id => JSON::PP::false });
like(connect_owner('ada', 'owner-7'), qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/, 'a callback without user_id');
is(Manager::rows($node, 'account', 'user_id, external_id'), "$ada_id|owner-7", 'the account has the user_id');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'the tokens are stored');
$link = link_for("external_id => 'owner-8'");
$callback = $sandbox->callback($link, owner => 'ben');
$sandbox->faults({ match => { path => '/user$' }, times => 0, status => 500 });
like($session->query(finish($callback)), qr/^WARNING:  SC500: owner is connected, but could not get the user id.*^finished\|owner-8\|\|\|\|\|\|\d+$/ms,
	'a user who cannot be looked up is a warning');
is(session_of($link, 'status, user_id IS NULL, action IS NULL'), 'finished|t|t', 'the owner does not have to connect again');
$sandbox->faults;
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'the tokens are kept');
Manager::make_due($node);
is(Manager::counts($session->query('CALL smartcar_refresh()')), '2|0|0', 'the tokens are refreshed');
$session->query('CALL smartcar_sync()');
is(Manager::rows($node, 'account', 'user_id, external_id'), "$ben_id|owner-8\n$ada_id|owner-7",
	'smartcar_sync() finds out their user');
is(Manager::count($node, 'connection', external_id => 'owner-8', status => 'connected'), 2, 'smartcar_sync() adds their vehicles');
$sandbox->ask('advance', { seconds => 61 });
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'the tokens work');

# Vehicles that a new authorization no longer includes

start_over();
like(connect_owner('ben', 'owner-8'), qr/^finished/, 'an owner with two vehicles');
is(sql("SELECT count(*) FROM smartcar_status WHERE status = 'connected'"), 2, 'both are connected');
$sandbox->ask('owner', { owner => 'ben', vehicles => [ { id => $ben_cars[0] } ] });
$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, times => 1, body => { vehicles => [ $ben_cars[0] ], paging => { count => 1, offset => 0 } } });
like(connect_owner('ben', 'owner-8', vehicle => $ben_cars[0]), qr/^finished\|owner-8\|[^|]+\|\{$ben_cars[0]\}/, 'the owner authorizes one of two vehicles');
is(sql("SELECT string_agg(vehicle_id || ' ' || status || ' ' || action, ', ' ORDER BY vehicle_id) FROM smartcar_status"),
	"$ben_cars[0] connected none, $ben_cars[1] disconnected connect", 'the other one is marked as disconnected');
$sandbox->faults;
like(connect_owner('ben', 'owner-8'), qr/^finished/, 'the owner authorizes both again');
is(Manager::count($node, 'connection', vehicle_id => $ben_cars[0]), 1, 'no vehicle is stored twice');

# The id of a user changes, and the external_id does not.

start_over();
connect_owner('ada', 'owner-7');
$sandbox->ask('owner', { owner => 'ada', user_id => 'another-user-id-of-ada' });
like(connect_owner('ada', 'owner-7'), qr/^finished\|owner-7\|another-user-id-of-ada\|\{$ada_car\}/, 'a user_id that has changed');
is(Manager::rows($node, 'connection', 'user_id, vehicle_id, status'), "another-user-id-of-ada|$ada_car|connected", 'the vehicle is stored once, with the new id');
is($session->query("SELECT smartcar_get_user(smartcar_access_token('owner-7'))"), 'another-user-id-of-ada', 'the owner is found by their external_id');
is_deeply(Manager::losses($node, $sandbox)->{dead}, 0, 'the tokens work');

# A vehicle of two users

start_over();
like(connect_owner('carla', 'a driver'), qr/\{$shared_car\}/, 'a driver connects');
like(connect_owner('northwind', 'the owner'), qr/$shared_car/, 'the owner connects');
is(sql("SELECT external_id, access_type, action FROM smartcar_status WHERE vehicle_id = '$shared_car' ORDER BY 1"),
	"a driver|DRIVER|ask_owner\nthe owner|OWNER|add_virtual_key", 'both users have it, each with their own action');
isnt($session->query("SELECT smartcar_access_token('a driver')"), $session->query("SELECT smartcar_access_token('the owner')"), 'each user has their own tokens');

# Both versions of the API in one database

start_over();
connect_owner('ada', 'owner-7');
like(connect_owner('ada', 'owner-7', server => 'v3'), qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/, 'v3: the same owner');
is(Manager::rows($node, 'account', 'server, external_id, access_token IS NULL, refresh_token IS NULL'),
	"smartcar|owner-7|f|f\nv3|owner-7|t|t", 'each server has its own account, and v3 has no tokens');
is(sql("SELECT server, vehicle_id FROM smartcar_status ORDER BY 1"), "smartcar|$ada_car\nv3|$ada_car", 'each server has its own connection');
Manager::make_due($node);
is(Manager::counts($session->query('CALL smartcar_refresh()')), '1|0|0', 'a refresh is for one server');
is(Manager::counts($session->query("CALL smartcar_refresh(server => 'v3')")), '0|0|0', 'v3 has nothing to refresh');
is($session->error("SELECT smartcar_begin_connect(server => 'v3')")->{sqlstate}, '22004', 'v3: a link without an external_id is refused');
$link = link_for("external_id => 'owner-9', server => 'v3'");
is($session->error(finish('https://example.com/callback?code=x&state=' . state_of($link), 'v3'))->{sqlstate},
	'55000', 'v3: a callback without user_id');

# External ids in any script, and of the maximum length

my @external_ids = ('', ' ', "o'neil", 'a|b', 'x' x 512, 'ω∞雪🚗', 'a b+c&d=e%20', "\\x41", 'NULL', 'Ünï' x 50);
start_over();
foreach my $external_id (@external_ids)
{
	my $name = length $external_id > 20 ? substr($external_id, 0, 12) . '... of ' . length($external_id) : $external_id;
	my $result = connect_owner('ada', $external_id);
	like($result, qr/^finished\|\Q$external_id\E\|$ada_id\|/m, "external id \"$name\"") or next;
	is($session->query('SELECT smartcar_get_user(smartcar_access_token(' . Sandbox::quoted($external_id) . '))'), $ada_id, 'its owner is found by it');
}
is($session->error("SELECT smartcar_begin_connect(repeat('x', 513))")->{sqlstate}, '22023', 'a longer external_id is refused');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
