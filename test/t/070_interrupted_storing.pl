# A cancel, a timeout, a termination or a lost client at the moments at which something is
# stored: nothing is lost, no session of Connect stays without a result, and the statement
# ends soon.
#
# A trigger interrupts its own session, at the time that a sequence counts, because a
# sequence keeps its value when a subtransaction is rolled back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Manager;
use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = Manager::start_node($sandbox);
my $token = { path => '/oauth/token' };
my $refresh = 'CALL smartcar_refresh()';
my $locker = Session->new($node);
my $session;

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub set_concurrency
{
	my ($count) = @_;

	sql("ALTER SERVER smartcar OPTIONS (SET max_concurrency '$count')");
	return;
}

# A new session and accounts that are due.  With a delay, the session has open connections,
# so that responses arrive together.
sub start_over
{
	my ($count, $delay) = @_;

	$locker->query('ROLLBACK');
	$session = Session->new($node);
	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $count) if $count;
	if ($delay)
	{
		$session->query($refresh);
		Manager::make_due($node);
		$sandbox->faults({ match => $token, times => 0, delay_ms => $delay });
	}
	sql('ALTER SEQUENCE turn RESTART');
	return;
}

sub wait_for_requests
{
	my ($count) = @_;

	return Session::wait_until(sub { scalar($sandbox->log) >= $count });
}

# Stops the session until all responses have arrived, so that it reads them at once.
sub let_responses_arrive
{
	kill 'STOP', $session->backend;
	sleep 4;
	kill 'CONT', $session->backend;
	return;
}

# Interrupts the session at the first row for which a condition is true, or at a later one;
# fails for one account if its id is given.
sub add_trigger
{
	my ($table, $condition, $turn, $fails) = @_;

	sql("CREATE TRIGGER interrupt BEFORE UPDATE ON $Manager::table{$table} FOR EACH ROW WHEN ($condition) EXECUTE FUNCTION interrupt("
		  . ($turn // 0) . ', ' . Sandbox::quoted($fails // '') . ')');
	return;
}

sub drop_trigger
{
	my ($table) = @_;

	$locker->query('ROLLBACK');
	sql("DROP TRIGGER interrupt ON $Manager::table{$table}");
	return;
}

# The result of the statement that was started.  It must end soon.
sub ends_soon
{
	my ($name) = @_;
	my $began = time;
	my $result = $session->result(15);

	ok(defined $result && time - $began < 10, "$name: ends soon") or diag($result // 'no result');
	$locker->query('ROLLBACK');
	return $result // $session->result;
}

sub losses_after_the_minute
{
	$sandbox->faults;
	Manager::pass_time($node, $sandbox, $Manager::grace + 1);
	return Manager::losses($node, $sandbox);
}

sql(q(CREATE SEQUENCE turn));
sql(q(ALTER SERVER smartcar OPTIONS (ADD max_concurrency '4')));
sql(q(CREATE FUNCTION interrupt() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('public.turn') = TG_ARGV[0]::int THEN
			PERFORM pg_cancel_backend(pg_backend_pid());
			PERFORM pg_sleep(5);
		END IF;
		IF to_jsonb(NEW)->>'user_id' = TG_ARGV[1] THEN
			RAISE 'not this one';
		END IF;
		PERFORM pg_sleep(0.01);
		RETURN NEW;
	END $$));

# A cancel while accounts are claimed, and the tokens of another one wait for a lock

start_over(24, 400);
add_trigger('account', 'NEW.lease IS NOT NULL AND OLD.lease IS DISTINCT FROM NEW.lease', 14);
$session->start($refresh);
wait_for_requests(4);
$locker->query('BEGIN');
Manager::set_accounts($locker, { external_id => 'locked' },
	user_id => (split /\n/, Manager::rows($node, 'account', 'user_id', 'lease IS NOT' => undef))[0]);
like(ends_soon('a cancel of a claim while a result is locked'), qr/ERROR:  57014/, 'and is reported');
is(Manager::rows($node, 'job_run', 'ended_at IS NOT NULL, error_sqlstate', 'error_sqlstate IS NOT' => undef), 't|57014', 'the run is recorded');
drop_trigger('account');

# A cancel while leases are given back

start_over(12);
$sandbox->faults({ match => $token, times => 0, status => 401, body => { error => 'invalid_client' } });
add_trigger('account', 'NEW.lease IS NULL AND OLD.lease IS NOT NULL', 1);
$session->query($refresh);
is(Manager::count_claimed($node), 0, 'a cancel does not leave leases');
drop_trigger('account');

# The client is lost, and storing one account fails, or its stored token cannot be opened:
# a WARNING ends the session

foreach my $case ([ 'one account cannot be stored', 'user-000016', 32 ], [ 'one token cannot be opened', undef, 4 ])
{
	my ($name, $fails, $requests) = @$case;

	set_concurrency($requests);
	start_over($fails ? 32 : 8, 1500);
	add_trigger('account', 'NEW.refreshed_at > OLD.refreshed_at', 0, $fails) if $fails;
	Manager::damage_token($node, 'refresh', 'user-000005') if !$fails;
	$session->start($refresh);
	wait_for_requests($requests);
	kill 'KILL', $session->{pid};
	let_responses_arrive();
	ok(Session::wait_until(sub { sql('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $session->backend) eq '0' }), "$name, and the client is lost: the session ends");
	drop_trigger('account') if $fails;
	is(losses_after_the_minute()->{dead}, 1, 'and no token of another one is lost');
}

# A cancel while many results are stored one by one, for which one round has no time

set_concurrency(32);
start_over(32, 1500);
add_trigger('account', 'NEW.refreshed_at > OLD.refreshed_at', 1, 'user-000016');
$session->start($refresh);
wait_for_requests(32);
let_responses_arrive();
like(ends_soon('a cancel while results are stored one by one'), qr/ERROR:  57014/, 'and is reported');
is(Manager::count_refreshed($node), 31, 'when all that can be stored are');
drop_trigger('account');

# A cancel that is pending at the first of several WARNINGs

sql(q(CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.user_id = 'user-000008' AND nextval('public.turn') = 2 THEN
			PERFORM 1 / (pg_cancel_backend(pg_backend_pid())::int - 1);
		END IF;
		RAISE 'not this one';
	END $$));
start_over(8, 1500);
sql("CREATE TRIGGER interrupt BEFORE UPDATE ON $Manager::table{account} FOR EACH ROW WHEN (NEW.refreshed_at > OLD.refreshed_at AND right(NEW.user_id, 1)::int % 2 = 0) EXECUTE FUNCTION refuse()");
$session->start($refresh);
wait_for_requests(8);
let_responses_arrive();
{
	my $result = ends_soon('a cancel between WARNINGs');

	like($result, qr/ERROR:  57014/, 'and is reported');
	is(scalar(() = $result =~ /could not store the tokens of user "user-00000[2468]": (?:not this one|division by zero)/g), 4, 'after each WARNING');
	is($session->query('SELECT 1'), '1', 'the server is alive');
}
drop_trigger('account');

# A cancel while many updates of connections wait for a lock

start_over(600);
$locker->query("BEGIN; LOCK TABLE $Manager::table{connection} IN ACCESS EXCLUSIVE MODE");
$session->start($refresh);
ok(Session::wait_until(sub { Manager::count_refreshed($node) == 600 }, 60), 'the table of connections is locked: all accounts are refreshed');
sql('SELECT pg_cancel_backend(' . $session->backend . ')');
like(ends_soon('a cancel while connections are locked'), qr/ERROR:  57014/, 'and is reported');

# A session whose client does not read the WARNINGs about many tokens

start_over(3000);
sql("UPDATE $Manager::table{account} SET refresh_token = set_byte(refresh_token, 30, get_byte(refresh_token, 30) # 1)");
$session->start($refresh);
{
	my $backend = 'FROM pg_stat_activity WHERE pid = ' . $session->backend;

	Session::wait_until(sub { sql("SELECT state $backend") eq 'active' });
	kill 'STOP', $session->{pid};
	ok(Session::wait_until(sub { sql("SELECT wait_event $backend") eq 'ClientWrite' }, 60), 'the client does not read');
	sql('SELECT pg_terminate_backend(' . $session->backend . ')');
	ok(Session::wait_until(sub { sql("SELECT count(*) $backend") eq '0' }, 10), 'its session can be terminated');
}
kill 'CONT', $session->{pid};

# A cancel while the end of a run is recorded, which has a row, or none

foreach my $count (2, 0)
{
	start_over($count);
	add_trigger('job_run', 'true', 1);
	like($session->query($refresh), qr/ERROR:  57014/, 'a cancel while the end of a run is recorded');
	is(Manager::rows($node, 'job_run', 'ended_at IS NOT NULL, done'), "t|$count", 'does not prevent that');
	drop_trigger('job_run');
}

# statement_timeout applies to what comes after the refreshes; rows that are locked are
# left to the next run

{
	my $no_user = { match => { path => '/user$' }, times => 3, status => 500 };
	my $callback;

	start_over(0);
	$callback = Manager::callback_of($node, $sandbox, 'ada', 'owner-7');
	$sandbox->faults($no_user);
	$session->query($callback);
	$sandbox->faults;
	$locker->query('BEGIN');
	Manager::lock_rows($locker, 'account', 'user_id');
	$session->start($refresh);
	like(ends_soon('a provisional account that is locked'), qr/^0\|0\|0\|/m, 'is left to the next run');

	start_over(0);
	Manager::add_old_rows($node, 1);
	$locker->query('BEGIN');
	Manager::lock_rows($locker, 'session', 'state_hash');
	$session->start($refresh);
	like(ends_soon('an expired row that is locked'), qr/^0\|0\|0\|/m, 'is left to the next run');

	start_over(0);
	foreach my $owner (qw(ada ben carla))
	{
		$callback = Manager::callback_of($node, $sandbox, $owner, "owner of $owner");
		$sandbox->faults($no_user);
		$session->query($callback);
	}
	Manager::set_accounts($node, { updated => '-6 minutes' });
	$sandbox->faults({ match => { path => '/v2.0/' }, times => 0, delay_ms => 5000 });
	$session->query("SET statement_timeout = '1s'");
	$session->start($refresh);
	like(ends_soon('statement_timeout while accounts are settled'), qr/ERROR:  57014/, 'and is reported');
}

# The code of a callback is refused, and the row of the session is locked

foreach my $timeout ('statement_timeout', 'lock_timeout', undef)
{
	my $name = 'a refused code, a locked session, and ' . ($timeout // 'a cancel');
	my $callback;

	start_over(0);
	$callback = Manager::callback_of($node, $sandbox, 'ada', 'owner-1');
	$sandbox->faults({ match => $token, delay_ms => 700, status => 400, error => { error => 'invalid_grant' } });
	$session->query("SET $timeout = '3s'") if $timeout;
	$session->start($callback);
	wait_for_requests(1);
	$locker->query('BEGIN');
	Manager::lock_rows($locker, 'session', 'state_hash');
	if (($timeout // '') eq 'lock_timeout')
	{
		sleep 5;
		$locker->query('ROLLBACK');
		like(ends_soon($name), qr/ERROR:  SC400/, 'the refusal is reported');
		is(Manager::rows($node, 'session', 'status'), 'failed', 'and recorded');
		next;
	}
	sleep 1.5;
	sql('SELECT pg_cancel_backend(' . $session->backend . ')') if !$timeout;
	like(ends_soon($name), qr/ERROR:  57014/, 'and is reported');
}

# Version 3: once the user is stored, the session has succeeded.  A login uses nothing up.

Manager::create_server($node, 'v3', $sandbox->url, api_version => '3', connect_origin => $sandbox->url);
start_over(0);
{
	my $link = $session->query("SELECT smartcar_begin_connect('owner-1', server => 'v3')");
	my $finish = 'CALL smartcar_finish_connect(' . Sandbox::quoted($sandbox->callback($link, owner => 'ada')) . ", server => 'v3')";
	my $vehicle;

	$sandbox->faults({ match => { path => '/v3/connections' }, times => 1, delay_ms => 10 }, { match => { path => '/v3/' }, times => 0, delay_ms => 5000 });
	$session->query("SET statement_timeout = '2s'");
	like($session->query($finish), qr/ERROR:  57014/, 'a timeout while the vehicles are listed');
	$session->query('RESET statement_timeout');
	$sandbox->faults;
	like($session->query($finish), qr/^finished\|owner-1\|/m, 'the owner is connected');

	$session->query($session->query("SELECT smartcar_begin_connect('owner-2', server => 'v3')") =~ s/^(.*)$/'CALL smartcar_finish_connect(' . Sandbox::quoted($sandbox->callback($1, owner => 'ben')) . ", server => 'v3')"/er);
	$vehicle = Manager::aggregate($node, 'connection', 'min(vehicle_id)', external_id => 'owner-2');
	$link = $session->query("SELECT smartcar_begin_reauth('owner-2', vehicle_id => '$vehicle', server => 'v3')");
	$finish = 'CALL smartcar_finish_connect(' . Sandbox::quoted('https://example.com/callback?state=' . ($link =~ /[?&]state=([^&]*)/)[0]) . ", server => 'v3')";
	Manager::set_connections($node, { error_type => 'CONNECTED_SERVICES_ACCOUNT', error_code => 'AUTHENTICATION_FAILED', error_action => 'reauthenticate', error => '0 s' }, vehicle_id => $vehicle);
	$locker->query('BEGIN');
	Manager::lock_rows($locker, 'connection', 'user_id');
	$session->query("SET statement_timeout = '1s'");
	like($session->query($finish), qr/ERROR:  57014/, 'a timeout while a login is recorded');
	$session->query('RESET statement_timeout');
	$locker->query('ROLLBACK');
	like($session->query($finish), qr/^finished\|owner-2\|/m, 'the callback can be used again');
}

$node->stop;
done_testing();
