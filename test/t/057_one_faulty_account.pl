# A problem of one account does not affect any other: locked rows, triggers and
# constraints that raise errors, timeouts of the role, a cancel and the end of the
# session.
#
# The sandbox's clock is moved by more than the minute in which an old refresh token
# works, so a token that was not stored until then is lost.

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
my $session = Session->new($node);
my $locker = Session->new($node);

$node->safe_psql('postgres', q(ALTER SERVER smartcar OPTIONS (ADD max_concurrency '32')));

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# Accounts that are due, with open connections, so that requests run in parallel from
# the first one on.
sub start_over
{
	my ($count, $delay) = @_;

	$locker->query('ROLLBACK');
	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $count);
	$session = Session->new($node) if !kill(0, $session->backend);
	$session->query($refresh);
	Manager::make_due($node);
	$sandbox->faults({ match => $token, times => 0, delay_ms => $delay // 500 });
	return;
}

sub wait_for_requests
{
	my ($count) = @_;

	return Session::wait_until(sub { scalar($sandbox->log) >= $count });
}

# Accounts that were refreshed since they became due.
sub refreshed
{
	return Manager::count_refreshed($node, @_);
}

sub losses_after_the_minute
{
	$sandbox->faults;
	Manager::pass_time($node, $sandbox, $Manager::grace + 1);
	return Manager::losses($node, $sandbox);
}

sub lock_account
{
	my ($user_id) = @_;

	$locker->query('BEGIN');
	Manager::set_accounts($locker, { external_id => 'locked' }, user_id => $user_id);
	return;
}

# A row that is locked after it was claimed

foreach my $sessions (1, 2, 4)
{
	my $name = "a locked row, $sessions " . ($sessions == 1 ? 'session' : 'sessions');
	my @others = map { Session->new($node) } 2 .. $sessions;

	start_over(32);
	$session->start($refresh);
	wait_for_requests(32);
	lock_account('user-000010');
	$_->start($refresh) foreach @others;
	ok(Session::wait_until(sub { refreshed() == 31 }, 5), "$name: the others are stored") or diag(refreshed());
	Manager::add_fleet($node, $sandbox, 'smartcar', 32);
	Manager::set_accounts($node, { refreshed => '-1 hour' }, user_id => Manager::fleet(33, 64));
	ok(Session::wait_until(sub { refreshed() == 63 }, 5), "$name: accounts that become due meanwhile are refreshed") or diag(refreshed());
	# for the account whose row is locked, the table has tokens of an hour ago
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
	$locker->query('ROLLBACK');
	my @results = map { Manager::counts($_->result(30)) } $session, @others;

	is($results[0] =~ /^(\d+)\|0\|0$/ && $1 >= 32, 1, 'the account itself is stored when the lock is released') or diag("@results");
	is(refreshed(), 64, 'all accounts are refreshed');
	is_deeply(losses_after_the_minute(), $Manager::no_losses, "$name: nothing is lost");
}

# Rows that are locked before they are claimed, more than are read at a time

start_over(160);
$sandbox->faults;
$locker->query('BEGIN');
Manager::lock_rows($locker, 'account', 'user_id', user_id => Manager::fleet(1, 150));
$session->start($refresh);
ok(Session::wait_until(sub { refreshed() == 10 }, 10), 'locked rows are skipped') or diag(refreshed());
$locker->query('ROLLBACK');
is(Manager::counts($session->result(30)), '160|0|0', 'locked rows are claimed when the lock is released');

start_over(4);
$sandbox->faults;
lock_account('user-000002');
is(Manager::counts($session->query($refresh)), '3|1|0', 'after 20 seconds, the locked account fails');
$locker->query('ROLLBACK');

# A locked connection, as by a webhook in an open transaction

start_over(8, 300);
Manager::add_vehicles($node);
$sandbox->faults(
	{ match => { %$token, body => 'grant_type=refresh_token' }, times => 1, error => { error => 'invalid_grant' }, status => 400 },
	{ match => $token, times => 0, delay_ms => 300 });
$locker->query('BEGIN');
Manager::lock_rows($locker, 'connection', 'user_id');
$session->start($refresh);
ok(Session::wait_until(sub { refreshed() == 7 }, 5), 'locked connections: tokens are stored') or diag(refreshed());
is(Manager::count($node, 'account', status => 'reauthenticate'), 1, 'locked connections: a refusal is stored');
$locker->query('ROLLBACK');
is(Manager::counts($session->result(30)), '7|0|1', 'afterwards, the connections are updated');
is(Manager::count($node, 'connection', error_action => 'connect'), 1, 'the refusal is stored in the connection');

start_over(1);
Manager::add_vehicles($node);
$sandbox->faults({ match => $token, times => 1, error => { error => 'invalid_grant' }, status => 400 });
$locker->query('BEGIN');
Manager::lock_rows($locker, 'connection', 'user_id');
$session->start($refresh);
ok(Session::wait_until(sub { Manager::count($node, 'account', status => 'reauthenticate') == 1 }, 5), 'a locked connection: a refusal is stored');
Manager::set_accounts($node, { status => 'active', access_expires => '2 hours' });
$locker->query('ROLLBACK');
is(Manager::counts($session->result(30)), '0|0|1', 'the owner connects again before the lock is released');
is(Manager::count($node, 'connection', error_action => 'connect'), 0, 'the refusal is not stored in the connection');

# An account that cannot be updated

sub trigger
{
	my ($when, $condition) = @_;

	sql(qq(DROP TRIGGER IF EXISTS refuse ON $Manager::table{account};
		CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
			IF NEW.user_id = 'user-000004' AND $condition THEN
				RAISE 'not this one';
			END IF;
			RETURN NEW;
		END \$\$));
	sql("CREATE $when ON $Manager::table{account}" . ($when =~ /^CONSTRAINT/ ? ' DEFERRABLE INITIALLY DEFERRED' : '') . ' FOR EACH ROW EXECUTE FUNCTION refuse()');
	return;
}

foreach my $case (
	[ 'a trigger', 'TRIGGER refuse BEFORE UPDATE', 'NEW.refreshed_at > OLD.refreshed_at', 'store the tokens of' ],
	[ 'a deferred constraint', 'CONSTRAINT TRIGGER refuse AFTER UPDATE', 'NEW.refreshed_at > OLD.refreshed_at', 'store the tokens of' ],
	[ 'a trigger at the claim', 'TRIGGER refuse BEFORE UPDATE', 'NEW.lease IS DISTINCT FROM OLD.lease AND NEW.lease IS NOT NULL', 'claim account of' ])
{
	my ($name, $when, $condition, $what) = @$case;

	start_over(32, 200);
	trigger($when, $condition);
	my $result = $session->query($refresh);

	like($result, qr/^WARNING:  P0001: could not $what user "user-000004": not this one$/m, "$name: a warning");
	is(() = $result =~ /^WARNING/mg, 1, "$name: one warning");
	is(Manager::counts($result), '31|1|0', "$name: a failure of that account");
	sql("DROP TRIGGER refuse ON $Manager::table{account}");
	my $losses = losses_after_the_minute();
	my $stored = $what =~ /^store/ ? 1 : 0;

	is_deeply($losses, { dead => $stored, lost => $stored, asked_again => 0 }, "$name: no other account is lost");
}

# Timeouts of the role

start_over(32);
$session->query(q(SET lock_timeout = '50ms'));
$session->start($refresh);
wait_for_requests(32);
lock_account('user-000010');
ok(Session::wait_until(sub { refreshed() == 31 }, 5), 'lock_timeout does not end the run') or diag(refreshed());
$locker->query('ROLLBACK');
is(Manager::counts($session->result(30)), '32|0|0', 'no account fails because of lock_timeout');
$session->query('RESET lock_timeout');

start_over(8, 2000);
$session->query(q(SET statement_timeout = '1s'));
like($session->query($refresh), qr/^ERROR:  57014: canceling statement due to statement timeout/m, 'statement_timeout ends the run');
$session->query('RESET statement_timeout');
is(refreshed(), 8, 'responses to requests that were sent are stored');
is_deeply(losses_after_the_minute(), $Manager::no_losses, 'statement_timeout: nothing is lost');

start_over(4);
$sandbox->faults;
like($session->query(qq(DO \$\$ DECLARE a bigint; b bigint; c bigint; d bigint;
	BEGIN
		CALL smartcar_refresh(refreshed => a, failed => b, refused => c, requests => d);
		RAISE NOTICE 'counts % % %', a, b, c;
		PERFORM pg_sleep(5);
	END \$\$) =~ s/^/SET statement_timeout = '2s'; /r), qr/counts 4 0 0.*57014/s, 'the timeout still applies to statements after the procedure');
$session->query('RESET statement_timeout');

# A cancel, and the end of the session, while a row is locked

foreach my $end ([ 'a cancel', 'pg_cancel_backend', 'ERROR:  57014' ], [ 'a termination', 'pg_terminate_backend', 'FATAL:  57P01' ])
{
	my ($name, $function, $error) = @$end;

	start_over(32);
	$session->start($refresh);
	wait_for_requests(32);
	lock_account('user-000010');
	Session::wait_until(sub { refreshed() == 31 }, 5);
	my $begun = time;
	sql("SELECT $function(" . $session->backend . ')');
	like($session->result(30), qr/$error/, "$name ends the run");
	cmp_ok(time - $begun, '<', 3, "$name ends the run within three seconds");
	$locker->query('ROLLBACK');
	is(refreshed(), 31, 'the others are stored');
}

# A stopped process has new tokens, and its leases expire: the refusal of the old tokens
# is no reason to ask the owners

start_over(8);
$session->start($refresh);
wait_for_requests(8);
kill 'STOP', $session->backend;
Manager::pass_time($node, $sandbox, $Manager::grace + 1);
{
	my $second = Session->new($node);

	$second->start($refresh);
	wait_for_requests(16);
	ok(Session::wait_until(sub { Manager::count($node, 'account', 'error_sqlstate IS NOT' => undef) == 8 }), 'another run is refused');
	is(Manager::count($node, 'account', 'status <>' => 'active'), 0, 'no owner has to connect again after the refusal of another run');
	kill 'CONT', $session->backend;
	$session->result(30);
	$second->result(30);
	is(refreshed(), 8, 'the tokens are stored when the first run continues');
	is_deeply(losses_after_the_minute(), $Manager::no_losses, 'no account is lost');
	$second->finish;
}

# The lock is released, and a cancel comes before the account is stored

start_over(32);
$session->start($refresh);
wait_for_requests(32);
lock_account('user-000010');
Session::wait_until(sub { refreshed() == 31 }, 5);
sleep 2;
# in one message: the account is stored within a second
$locker->query('ROLLBACK \; SELECT pg_cancel_backend(' . $session->backend . ')');
like($session->result(30), qr/ERROR:  57014/, 'a cancel just after a lock was released');
is(refreshed(), 32, 'ends the run when all accounts are stored');

# A cancel while accounts are claimed, and while tokens are stored, that are not locked
# like another one.  A sequence keeps its value when a subtransaction is rolled back.

sql(q(CREATE SEQUENCE cancel_count));
sql(q(CREATE FUNCTION cancel_once() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('public.cancel_count') = 1 THEN
			PERFORM pg_cancel_backend(pg_backend_pid());
			PERFORM pg_sleep(1);
		END IF;
		RETURN NEW;
	END $$));
foreach my $work ([ 'claimed', 'NEW.lease IS NOT NULL', 0 ], [ 'stored', 'NEW.refreshed_at > OLD.refreshed_at', 8 ])
{
	my ($name, $condition, $requests) = @$work;

	start_over(8);
	sql("ALTER SEQUENCE cancel_count RESTART");
	sql("CREATE TRIGGER cancel_once BEFORE UPDATE ON $Manager::table{account} FOR EACH ROW WHEN (NEW.user_id = 'user-000002' AND $condition) EXECUTE FUNCTION cancel_once()");
	lock_account('user-000001') if !$requests;
	$session->start($refresh);
	wait_for_requests($requests);
	lock_account('user-000001') if $requests;
	like($session->result(10) // 'no result', qr/ERROR:  57014/, "a cancel while other accounts are $name ends the run");
	is(refreshed(user_id => 'user-000002'), $requests ? 1 : 0, $requests ? 'when the account is stored' : 'before a request');
	$locker->query('ROLLBACK');
	sql("DROP TRIGGER cancel_once ON $Manager::table{account}");
}

# The end of the session while tokens are stored

start_over(1, 0);
sql(q(CREATE OR REPLACE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.refreshed_at > OLD.refreshed_at THEN
			PERFORM pg_sleep(1);
		END IF;
		RETURN NEW;
	END $$));
sql("CREATE TRIGGER take_time BEFORE UPDATE ON $Manager::table{account} FOR EACH ROW EXECUTE FUNCTION take_time()");
$session->start($refresh);
Session::wait_until(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep')) == 1 });
sql('SELECT pg_terminate_backend(' . $session->backend . ')');
like($session->result(30), qr/FATAL:  57P01/, 'a termination while tokens are stored');
is(refreshed(), 1, 'takes effect afterwards');
sql("DROP TRIGGER take_time ON $Manager::table{account}");

# Accounts that are due are refreshed, however long the queue takes

start_over(2, 9000);
sql(q(ALTER SERVER smartcar OPTIONS (SET max_concurrency '1', SET timeout '12s')));
$session = Session->new($node);
is(Manager::counts($session->query($refresh)), '2|0|0', 'slow responses and max_concurrency 1: no account is left out');
is(Manager::refreshes($sandbox)->{repeated}, 0, 'no account is refreshed twice');
sql(q(ALTER SERVER smartcar OPTIONS (SET max_concurrency '32', SET timeout '3s')));

# Responses without the expiry of the access token

foreach my $without ({}, { expires_in => '7200' }, { expires_in => undef })
{
	start_over(1);
	$sandbox->faults({ match => $token, times => 0,
		body => { access_token => 'a', refresh_token => 'refresh-of-the-test', token_type => 'Bearer', %$without } });
	is(Manager::counts($session->query($refresh)), '1|0|0', 'a response without an expiry');
	is(Manager::counts($session->query($refresh)), '0|0|0', 'the account is not due in the next run');
	is($session->query(q(SELECT smartcar_access_token(user_id => 'user-000001'))), 'a', 'its access token can be used');
}

# Clocks

start_over(1, 0);
Manager::lease($node, '45 s');
is(Manager::counts($session->query($refresh)), '1|0|0', 'a lease that is longer than possible, because the clock was set back, is ignored');

# An owner connects while Smartcar cannot tell the user

sub connect_ada
{
	my (@faults) = @_;
	my $callback = Manager::callback_of($node, $sandbox, 'ada', 'owner-7');

	$sandbox->faults(@faults);
	my $result = $session->query($callback);
	$sandbox->faults;
	return $result;
}
my @no_user = map { { match => { path => '/user$' }, times => 3, status => 500 } } 1;

start_over(0, 0);
like(connect_ada(), qr/^finished\|owner-7\|/m, 'an owner connects');
like(connect_ada(@no_user), qr/^finished\|owner-7\|\|/m, 'the owner connects again, when the user cannot be looked up');
is(Manager::count($node, 'account'), 2, 'there are two accounts');
unlike($session->query(q(SELECT smartcar_access_token('owner-7'))), qr/ERROR/, 'an access token is available');
my $latest = Manager::stored_tokens($node)->{ Manager::rows($node, 'account', 'user_id', 'user_id LIKE' => 'session-%') };
is(Manager::counts($session->query($refresh)), '0|0|0', 'a refresh without accounts that are due');
is(Manager::count($node, 'account', 'user_id LIKE' => 'session-%'), 0, 'looks up the user again');
is(Manager::count($node, 'account'), 1, 'the user then has one account');
is_deeply([ values %{ Manager::stored_tokens($node) } ], [$latest], 'the account has the tokens of the later connection');

start_over(0, 0);
connect_ada(@no_user);
connect_ada();
$latest = Manager::stored_tokens($node)->{ Manager::rows($node, 'account', 'user_id', 'user_id NOT LIKE' => 'session-%') };
is(Manager::counts($session->query($refresh)), '0|0|0', 'the user of the earlier connection is looked up later');
is_deeply([ values %{ Manager::stored_tokens($node) } ], [$latest], 'the tokens of the later connection stay');

start_over(0, 0);
like(connect_ada(@no_user), qr/^finished\|owner-7\|\|/m, 'an owner connects for the first time, and the user cannot be looked up');
is(Manager::count($node, 'connection'), 0, 'there are no vehicles');
$sandbox->faults({ match => { path => '/user$' }, times => 0, status => 404 });
$session->query($refresh) foreach 1 .. 3;
is(scalar $sandbox->log(path => '/user$'), 1, 'the next refresh looks up the user, and if that fails, not in each run');
$sandbox->faults;
Manager::set_accounts($node, { updated => '-6 minutes' });
$session->query($refresh);
is(Manager::count($node, 'connection'), 1, 'a later run does, and adds the vehicles');

# Smartcar does not tell the users of several owners: accounts that are due must not wait

start_over(0, 0);
foreach my $owner (qw(ada ben carla))
{
	my $callback = Manager::callback_of($node, $sandbox, $owner, "owner of $owner");

	$sandbox->faults(@no_user);
	$session->query($callback);
}
is(Manager::count($node, 'account', 'user_id LIKE' => 'session-%'), 3, 'three owners whose users could not be looked up');
Manager::set_accounts($node, { updated => '-6 minutes' });
$sandbox->faults({ match => { path => '/user$' }, times => 0, delay_ms => 20000 });
is(Manager::counts($session->query($refresh)), '0|0|0', 'a refresh while Smartcar does not respond to that');
is(scalar $sandbox->log(path => '/user$'), 1, 'looks up one of them');
$sandbox->faults;
$session->query($refresh);
is(Manager::count($node, 'account', 'user_id LIKE' => 'session-%'), 1, 'the next one looks up the others');

# A damaged refresh token does not affect the others

start_over(0, 0);
connect_ada(@no_user);
my ($provisional) = Manager::rows($node, 'account', 'user_id');
Manager::damage_token($node, 'refresh', $provisional);
like($session->query('CALL smartcar_sync()'), qr/^WARNING:  XX001: could not get the user id of account "$provisional": .*^0\|1\|\d+\|\d+$/ms,
	'a stored token that cannot be opened does not end a sync');
is(Manager::rows($node, 'account', 'user_id'), $provisional, 'the account with the damaged token is unchanged');

# The account was stored with a clock that was ahead

start_over(0, 0);
connect_ada();
Manager::sql($node, "UPDATE $Manager::table{account} SET created_at = created_at + interval '5 minutes'");
my $before = Manager::rows($node, 'account', 'refresh_token');
$sandbox->ask('advance', { seconds => 61 * 86400 });
like(connect_ada(), qr/^finished\|owner-7\|/m, 'the owner connects again');
isnt(Manager::rows($node, 'account', 'refresh_token'), $before, 'the new tokens are stored, whatever the clock was');
is(Manager::losses($node, $sandbox)->{dead}, 0, 'the new tokens work');

# A key file that cannot be read while tokens are stored

start_over(0, 0);
my $callback = Manager::callback_of($node, $sandbox, 'ada', 'owner-7');
$sandbox->faults({ match => $token, delay_ms => 1500 }, @no_user);
$session->start($callback);
wait_for_requests(1);
chmod 0640, Manager::key_file($node);
like($session->result, qr/^finished\|owner-7\|/m, 'if the key file can no longer be read, the keys that were read are used');
chmod 0600, Manager::key_file($node);
$session->query(q(SET statement_timeout = '500ms'));
like($session->query('SELECT pg_sleep(3)'), qr/^ERROR:  57014/m, 'the session can be interrupted afterwards');

$session->finish;
$locker->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/refresh-00\d\d\d\d|access-00\d\d\d\d|was terminated by signal|TRAP/, 'no token is in the log, and no backend has crashed');

done_testing();
