# Crashes during a refresh must not cost an owner their login.
#
# The sandbox processes a request on its arrival and holds back the response, so a
# crash in between leaves a refresh token that was used and works for one more minute.
# The test moves the time instead of waiting: the sandbox's by advancing its clock, that
# of a lease by writing the table.
# sandbox by advancing its clock, that of a lease by writing the table.

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

my $accounts = 100;
my $refresh = 'CALL smartcar_refresh()';
my $token = { path => '/oauth/token' };

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
# a crash and a restart should be logged in a few lines, and be fast
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = on\nwal_writer_delay = 10s\n");
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '10s');

# Begins a refresh of all accounts in which the responses are held back, after a number
# of them has come through; each request was processed.  Returns when as many requests
# are held as one session makes at once.
sub refresh_and_hold
{
	my ($on, %given) = @_;
	my $session = Session->new($on);

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $accounts);
	$sandbox->faults({ match => $token, times => 0, after => $given{after} // 20, delay_ms => 8000 });
	$session->query($given{set}) if $given{set};
	$session->start($refresh);
	Session::wait_until(sub { $sandbox->ask('statistics')->{in_flight} >= 8 }) or die 'no requests are held';
	return $session;
}

sub used
{
	my ($on) = @_;

	return Manager::refreshes($sandbox)->{sum};
}

# After a crash: some refresh tokens were used whose successors are not stored.
# Refreshes the remaining accounts and checks that nothing is lost.
sub recover
{
	my ($on, $name) = @_;
	my $stored = Manager::count_refreshed($on);
	my $used = used();

	note("$name: $stored of $used refreshes were stored");
	cmp_ok($used, '>', $stored, "$name: some responses were lost");
	cmp_ok($stored, '>=', 20, "$name: earlier responses are stored");
	$sandbox->faults;
	Manager::pass_time($on, $sandbox, $Manager::lease);
	is(Manager::counts(Session->new($on)->query($refresh)), ($accounts - $stored) . '|0|0', "$name: the others are refreshed after their leases have ended");

	# tokens that were used before the crash now expire; only stored ones are left
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($on, $sandbox), $Manager::no_losses, "$name: nothing is lost");
	my $refreshes = Manager::refreshes($sandbox);
	is($refreshes->{refused}, 0, "$name: nothing was refused");
	is($refreshes->{most}, 2, "$name: no account was refreshed more than twice");
	is($refreshes->{repeated}, $used - $stored, "$name: and only those twice whose response was lost");
	Manager::make_due($on);
	is(Manager::counts(Session->new($on)->query($refresh)), "$accounts|0|0", "$name: every account can be refreshed again");
	return;
}

sub is_gone
{
	my ($pid, $seconds) = @_;

	return Session::wait_until(sub { !-d "/proc/$pid" || slurp_file("/proc/$pid/stat") =~ /^\d+ \(.*\) Z/ }, $seconds);
}

sub kill_postmaster
{
	my ($on) = @_;
	my ($pid) = slurp_file($on->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	$on->kill9;
	# its process id is free once somebody has waited for it
	Session::wait_until(sub { !kill 0, $pid });
	return;
}

# Starts a node whose postmaster was killed; its other processes may need a moment to
# notice.
sub start_again
{
	my ($on) = @_;

	Session::wait_until(sub { $on->start(fail_ok => 1) }, 20) or die 'the server does not start';
	return;
}

# Kills a backend, after which the server restarts all others.  Returns whether it has
# come back.
sub kill_backend
{
	my ($on, $pid) = @_;
	my $offset = -s $on->logfile;

	kill 'KILL', $pid;
	return Session::wait_until(
		sub { slurp_file($on->logfile, $offset) =~ /ready to accept connections/ && $on->psql('postgres', 'SELECT 1') == 0 }, 60);
}

# A backend is killed, and the postmaster restarts the rest

{
	my $session = refresh_and_hold($node);

	ok(kill_backend($node, $session->backend), 'kill -9 of the backend: the server comes back');
	recover($node, 'kill -9 of the backend');
}

# The same crash without moving the time: leases end by themselves, within the minute of
# the used tokens.
{
	my $session = refresh_and_hold($node);
	my $begun = time;

	kill_backend($node, $session->backend);
	$sandbox->faults;
	Session::wait_until(
		sub {
			sleep 0.5;
			Session->new($node)->query($refresh);
			return Manager::count_refreshed($node) == $accounts;
		},
		40);
	my $seconds = time - $begun;
	note(sprintf 'the last account was refreshed after %.1f s', $seconds);
	cmp_ok($seconds, '<', 30, 'leases of killed sessions end within half a minute');
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost after the leases have ended');
}

# The end of the session and of its client

{
	my $session = refresh_and_hold($node);

	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $session->backend . ')');
	ok(is_gone($session->backend, 2), 'pg_terminate_backend: the session ends at once');
	recover($node, 'pg_terminate_backend');
}

# Waits until a session waits for an event.
sub wait_for_event
{
	my ($session, $event) = @_;

	return Session::wait_until(
		sub { $node->safe_psql('postgres', 'SELECT wait_event FROM pg_stat_activity WHERE pid = ' . $session->backend) eq $event }, 20);
}

# Ends a session while an update of an account waits in a trigger.
sub end_during_update
{
	my ($session, $update) = @_;

	$node->safe_psql('postgres', "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END'");
	$node->safe_psql('postgres', "CREATE TRIGGER wait BEFORE $update ON $Manager::table{account} FOR EACH ROW EXECUTE FUNCTION wait()");
	$session->start($refresh);
	wait_for_event($session, 'PgSleep');
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $session->backend . ')');
	my $result = $session->result;
	$node->safe_psql('postgres', 'DROP FUNCTION wait() CASCADE');
	return $result;
}

# The session is ended while it claims: the claim is committed, but nothing is sent, since
# the session could not store the response.
{
	my $session = Session->new($node);

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', 1);
	# over a connection that was kept, a request is sent without a pause
	is(Manager::counts($session->query($refresh)), '1|0|0', 'a refresh');
	Manager::make_due($node);
	$sandbox->faults({ match => $token, times => 0, delay_ms => 1000 });
	like(end_during_update($session, 'UPDATE'), qr/^FATAL:  57P01/m, 'the session is ended while it claims');
	is(Manager::count_claimed($node), 1, 'the session is ended while it claims: the account is claimed');
	is(scalar $sandbox->log(path => '/oauth/token$'), 0, 'the session is ended while it claims: nothing is sent');
}

# It is ended while it stores a response: no more accounts are claimed, which others would
# have to leave alone until the leases expire.
{
	my $session = Session->new($node);

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', 4);
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (ADD max_concurrency '1')");
	$sandbox->faults({ match => $token, times => 0, after => 1, delay_ms => 5000 });
	like(end_during_update($session, 'UPDATE OF refreshed_at'), qr/^FATAL:  57P01/m, 'the session is ended while it stores');
	is(Manager::count_refreshed($node), 1, 'the session is ended while it stores: the response is stored');
	is(Manager::count_claimed($node), 1, 'the session is ended while it stores: only the next account is claimed');
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (DROP max_concurrency)");
}

# The server crashes while a session gives back an account, whose lease has become too
# short for a request: the response that has just arrived is stored before.  The session
# is held by its commit, which waits for a standby.
{
	my $session = Session->new($node);
	my $name = 'a crash while an account is given back';

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', 2);
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (ADD max_concurrency '1', SET timeout '12s')");
	# a lease of 20 s is long enough for a request of 12 s only for 8 s
	$sandbox->faults({ match => $token, times => 0, delay_ms => 8500 });
	$session->start($refresh);
	Session::wait_until(sub { $sandbox->ask('statistics')->{in_flight} == 1 });
	is(Manager::count_claimed($node), 2, "$name: one account is refreshed, and another one has to wait");
	$node->safe_psql('postgres', q(ALTER SYSTEM SET synchronous_standby_names = 'absent'));
	$node->reload;
	ok(wait_for_event($session, 'SyncRep'), "$name: the session waits for a standby");
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
	$node->stop('immediate');
	$node->start;
	is(Manager::count_refreshed($node), 1, "$name: the response is stored");
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, "$name: nothing is lost");
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (DROP max_concurrency, SET timeout '10s')");
}

# The postmaster is killed

{
	my $session = refresh_and_hold($node);

	kill_postmaster($node);
	ok(is_gone($session->backend, 3), 'kill -9 of the postmaster: its backend ends');
	kill 'KILL', $session->backend;
	is_gone($session->backend);
	start_again($node);
	recover($node, 'kill -9 of the postmaster');
}

# With synchronous_commit = off, tokens are flushed nevertheless.
{
	my $session = refresh_and_hold($node, set => 'SET synchronous_commit = off', after => 60);
	my $used = used();

	Session::wait_until(sub { used() >= 68 });
	kill_postmaster($node);
	kill 'KILL', $session->backend;
	is_gone($session->backend);
	# the minute of the used tokens passes before the server is started
	$sandbox->ask('advance', { seconds => 30 });
	start_again($node);
	my $stored = Manager::count_refreshed($node);
	cmp_ok($stored, '>=', 60, 'synchronous_commit = off: responses are stored');
	$sandbox->faults;
	Manager::set_accounts($node, { leased_until => undef });
	Session->new($node)->query($refresh);
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'synchronous_commit = off: nothing is lost');
}

# No later commit flushes the last one.
{
	my $session = Session->new($node);

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', 1);
	$session->query('SET synchronous_commit = off');
	is(Manager::counts($session->query($refresh)), '1|0|0', 'synchronous_commit = off: a refresh');
	kill_postmaster($node);
	start_again($node);
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'synchronous_commit = off: a result that was returned is stored');
}

# An immediate stop, and a fast one

foreach my $mode (qw(immediate fast))
{
	my $session = refresh_and_hold($node);
	my $begun = time;

	$node->stop($mode);
	cmp_ok(time - $begun, '<', 5, "$mode stop: it does not wait for Smartcar");
	$node->start;
	recover($node, "$mode stop");
}

# Smartcar goes away during a refresh: responses are cut, then nobody listens

{
	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $accounts);
	$sandbox->faults(
		{ match => $token, times => 20, delay_ms => 10 },
		{ match => $token, times => 8, drop => 'after' },
		{ match => $token, times => 0, drop => 'before' });
	my $session = Session->new($node);
	$session->start($refresh);
	ok(Session::wait_until(sub { Manager::count($node, 'account', 'attempts >' => 0) == 80 }, 20),
		'Smartcar goes away: earlier responses are stored, the others fail');
	$sandbox->faults;
	is(Manager::counts($session->result) =~ s/\|.*//r, $accounts, 'Smartcar comes back: the same call refreshes all accounts');
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'Smartcar comes back: nothing is lost');
	is(Manager::refreshes($sandbox)->{repeated}, 8, 'only accounts whose response was cut were refreshed twice');

	# nobody listens
	Manager::set_accounts($node, { access_expires => '1 minute', attempts => 6, next_attempt => undef });
	my $closed = $sandbox->url('closed_port');
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (SET auth_origin '$closed')");
	is(Manager::counts(Session->new($node)->query('CALL smartcar_refresh(max_accounts => 10)')), '0|10|0', 'nobody listens: all accounts fail');
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (SET auth_origin '" . $sandbox->url . "')");
	Manager::pass_time($node, $sandbox, 600);
	is(Manager::counts(Session->new($node)->query($refresh)), "$accounts|0|0", 'all accounts are refreshed when somebody listens again');
}

# Two databases with servers of the same name and their own accounts

{
	my @sessions;

	Manager::start_over($node, $sandbox);
	$node->safe_psql('postgres', 'CREATE DATABASE other TEMPLATE postgres');
	Manager::add_fleet($node, $sandbox, 'smartcar', 2 * $accounts);
	Manager::move_accounts($node, 'other', user_id => Manager::fleet($accounts + 1, 2 * $accounts));
	$sandbox->faults({ match => $token, times => 0, delay_ms => 20 });
	@sessions = map { Session->new($node, $_) } qw(postgres other postgres other);
	$_->start($refresh) foreach @sessions;
	my $sum = 0;
	$sum += (split /\|/, Manager::counts($_->result))[0] foreach @sessions;
	is($sum, 2 * $accounts, 'two databases: all accounts are refreshed');
	is(Manager::refreshes($sandbox)->{most}, 1, 'two databases: no account is refreshed twice');
	is(Manager::count_refreshed([ $node, 'other' ]), $accounts, 'two databases: each has stored its own accounts');
	$_->finish foreach @sessions;
	$node->safe_psql('postgres', 'DROP DATABASE other');
}

# A standby is promoted while the primary refreshes

{
	$node->backup('backup');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'backup', has_streaming => 1);
	$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\n");
	$standby->start;
	is(Session->new($standby)->error($refresh)->{sqlstate}, '25006', 'a standby does not refresh');

	my $session = refresh_and_hold($node);
	$node->wait_for_catchup($standby, 'replay');
	kill_postmaster($node);
	kill 'KILL', $session->backend;
	$standby->promote;
	recover($standby, 'a promoted standby');
	$standby->stop;

	# only a server that starts there removes the shared memory of a killed one
	start_again($node);
}

done_testing();
