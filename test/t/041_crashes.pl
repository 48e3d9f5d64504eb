# What crashes do to refreshes: none of them may cost an owner his login.
#
# The sandbox does the work of a request on its arrival and holds the answer
# back, so that whoever dies in between leaves a refresh token that was used and
# has a minute to live.  Time is moved rather than waited for: that of the
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
# a crash and a restart in a few lines of log, and at once
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = on\nwal_writer_delay = 10s\n");
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '10s');

# Begins a refresh of everybody whose answers are held back, each of them after
# the work was done, once a number of them has come through.  Returns when so
# many requests as one session has at once are held.
sub refresh_and_hold
{
	my ($on, %given) = @_;
	my $session = Session->new($on);

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $accounts);
	$sandbox->faults({ match => $token, times => 0, after => $given{after} // 20, delay_ms => 8000 });
	$session->query($given{set}) if $given{set};
	$session->start($refresh);
	Manager::wait_until(sub { $sandbox->ask('statistics')->{in_flight} >= 8 }) or die 'no requests are held';
	return $session;
}

sub used
{
	my ($on) = @_;

	return Manager::refreshes($sandbox)->{sum};
}

# After the crash: some refresh tokens were used whose successors are not stored.
# Then what remains is refreshed and everything is as it should be.
sub recover
{
	my ($on, $name) = @_;
	my $stored = Manager::count_refreshed($on);
	my $used = used();

	note("$name: $stored of $used refreshes were stored");
	cmp_ok($used, '>', $stored, "$name: some answers were lost");
	cmp_ok($stored, '>=', 20, "$name: what came before is there");
	$sandbox->faults;
	Manager::pass_time($on, $sandbox, $Manager::lease);
	is(Manager::counts(Session->new($on)->query($refresh)), ($accounts - $stored) . '|0|0', "$name: the others are refreshed when their lease is over");

	# what was used by the dead ends now, and only what is stored is left
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($on, $sandbox), $Manager::no_losses, "$name: nothing is lost");
	my $refreshes = Manager::refreshes($sandbox);
	is($refreshes->{refused}, 0, "$name: nothing was refused");
	is($refreshes->{most}, 2, "$name: nobody was refreshed more than twice");
	is($refreshes->{repeated}, $used - $stored, "$name: and only those twice whose answer was lost");
	Manager::make_due($on);
	is(Manager::counts(Session->new($on)->query($refresh)), "$accounts|0|0", "$name: everybody can be refreshed again");
	return;
}

sub is_gone
{
	my ($pid, $seconds) = @_;

	return Manager::wait_until(sub { !-d "/proc/$pid" || slurp_file("/proc/$pid/stat") =~ /^\d+ \(.*\) Z/ }, $seconds);
}

sub kill_postmaster
{
	my ($on) = @_;
	my ($pid) = slurp_file($on->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	$on->kill9;
	# its number is free once somebody has asked how it died
	Manager::wait_until(sub { !kill 0, $pid });
	return;
}

# Starts a node whose postmaster was killed; its other processes may need a
# moment to find out.
sub start_again
{
	my ($on) = @_;

	Manager::wait_until(sub { $on->start(fail_ok => 1) }, 20) or die 'the server does not start';
	return;
}

# Kills a backend.  Returns whether the server, which restarts all others because
# of that, has come back.
sub kill_backend
{
	my ($on, $pid) = @_;
	my $offset = -s $on->logfile;

	kill 'KILL', $pid;
	return Manager::wait_until(
		sub { slurp_file($on->logfile, $offset) =~ /ready to accept connections/ && $on->psql('postgres', 'SELECT 1') == 0 }, 60);
}

# A backend is killed, and the postmaster restarts the rest

{
	my $session = refresh_and_hold($node);

	ok(kill_backend($node, $session->backend), 'kill -9 of the backend: the server comes back');
	recover($node, 'kill -9 of the backend');
}

# The same without anything being moved by the test: a lease ends by itself, in
# time for the minute.
{
	my $session = refresh_and_hold($node);
	my $begun = time;

	kill_backend($node, $session->backend);
	$sandbox->faults;
	Manager::wait_until(
		sub {
			sleep 0.5;
			Session->new($node)->query($refresh);
			return Manager::count_refreshed($node) == $accounts;
		},
		40);
	my $seconds = time - $begun;
	note(sprintf 'the last account was refreshed after %.1f s', $seconds);
	cmp_ok($seconds, '<', 30, 'leases of the dead end in half of the minute');
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'and nothing is lost');
}

# The end of the session, and of its client

{
	my $session = refresh_and_hold($node);

	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $session->backend . ')');
	ok(is_gone($session->backend, 2), 'pg_terminate_backend: it ends at once');
	recover($node, 'pg_terminate_backend');
}

# The postmaster is killed

{
	my $session = refresh_and_hold($node);

	kill_postmaster($node);
	ok(is_gone($session->backend, 3), 'kill -9 of the postmaster: its backend does not live on');
	kill 'KILL', $session->backend;
	is_gone($session->backend);
	start_again($node);
	recover($node, 'kill -9 of the postmaster');
}

# The same where commits do not wait for the disk: those of tokens do.
{
	my $session = refresh_and_hold($node, set => 'SET synchronous_commit = off', after => 60);
	my $used = used();

	Manager::wait_until(sub { used() >= 68 });
	kill_postmaster($node);
	kill 'KILL', $session->backend;
	is_gone($session->backend);
	# the minute of the used tokens goes by before anybody looks
	$sandbox->ask('advance', { seconds => 30 });
	start_again($node);
	my $stored = Manager::count_refreshed($node);
	cmp_ok($stored, '>=', 60, 'synchronous_commit = off: what was answered is stored all the same');
	$sandbox->faults;
	Manager::set_accounts($node, { leased_until => undef });
	Session->new($node)->query($refresh);
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'synchronous_commit = off: nothing is lost');
}

# Nothing comes after the last one that would bring it to the disk.
{
	my $session = Session->new($node);

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', 1);
	$session->query('SET synchronous_commit = off');
	is(Manager::counts($session->query($refresh)), '1|0|0', 'synchronous_commit = off: a refresh');
	kill_postmaster($node);
	start_again($node);
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'synchronous_commit = off: what the procedure has told is stored');
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

# Smartcar goes away in the middle: answers are cut, then nobody listens

{
	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $accounts);
	$sandbox->faults(
		{ match => $token, times => 20, delay_ms => 10 },
		{ match => $token, times => 8, drop => 'after' },
		{ match => $token, times => 0, drop => 'before' });
	my $session = Session->new($node);
	$session->start($refresh);
	ok(Manager::wait_until(sub { Manager::count($node, 'account', 'attempts >' => 0) == 80 }, 20),
		'Smartcar goes away: what came is stored, the rest fails');
	$sandbox->faults;
	is(Manager::counts($session->result) =~ s/\|.*//r, $accounts, 'Smartcar comes back: the same call refreshes all');
	$sandbox->ask('advance', { seconds => 61 });
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'Smartcar comes back: nothing is lost');
	is(Manager::refreshes($sandbox)->{repeated}, 8, 'only those were repeated whose answer was cut');

	# nobody listens
	Manager::set_accounts($node, { access_expires => '1 minute', attempts => 6, next_attempt => undef });
	my $closed = $sandbox->url('closed_port');
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (SET auth_origin '$closed')");
	is(Manager::counts(Session->new($node)->query('CALL smartcar_refresh(max_accounts => 10)')), '0|10|0', 'nobody listens: all fail');
	$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (SET auth_origin '" . $sandbox->url . "')");
	Manager::pass_time($node, $sandbox, 600);
	is(Manager::counts(Session->new($node)->query($refresh)), "$accounts|0|0", 'and later all are refreshed');
}

# Two databases with a server of the same name and their own accounts

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
	is(Manager::refreshes($sandbox)->{most}, 1, 'two databases: nobody twice');
	is(Manager::count_refreshed([ $node, 'other' ]), $accounts, 'two databases: each has stored its own');
	$_->finish foreach @sessions;
	$node->safe_psql('postgres', 'DROP DATABASE other');
}

# A standby is promoted while the primary refreshes, and goes on

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

	# only a server that starts there removes the shared memory of one that was killed
	start_again($node);
}

done_testing();
