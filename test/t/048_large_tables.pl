# How much smartcar_refresh() reads of large tables: the rows that are due or deleted,
# and no others.  Nothing is timed: the server counts scans and rows.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my $others = 20_000;
my $account = $Manager::table{account};
my @tables = ($account, @Manager::table{qw(session webhook_event)});

my $sandbox = Sandbox->start;
my $node = Manager::start_node($sandbox);

my $session = Session->new($node);

# In the session that counts, because another one reports what it has read only when
# it ends.
sub sql
{
	my ($sql) = @_;
	my $result = $session->query($sql);

	die $result if $result =~ /^(?:ERROR|FATAL)/m;
	return $result;
}

# Some accounts that are due, and many that are not.  Their times are spread as in a
# real fleet.
sub start_over
{
	my ($due) = @_;

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $due) if $due;
	Manager::add_others($session, $others);
	sql("VACUUM ANALYZE $_") foreach @tables;
	return;
}

# Scans of whole tables, and rows that were read.
sub reads
{
	$session->query('SELECT pg_stat_force_next_flush()');
	return map { [ split /\|/, $session->query("SELECT seq_scan, seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = '$_'::regclass") ] } @tables;
}

# Makes a call and checks what it has read: some rows of accounts for each that is due,
# and the deleted rows of other tables.
sub check_reads
{
	my ($name, $expected, $most, $call) = @_;
	my @before = reads();
	my $result = $session->query($call // 'CALL smartcar_refresh()');
	my @after = reads();

	like($result, qr/^$expected/m, $name);
	foreach my $i (0 .. $#tables)
	{
		is($after[$i][0] - $before[$i][0], 0, "$name: $tables[$i] is not scanned");
		cmp_ok($after[$i][1] - $before[$i][1], '<=', $i == 0 ? $most : 10, "$name: few rows of $tables[$i] are read");
	}
	return;
}

start_over(500);
check_reads('as many as are due', qr/500\|0\|0\|\d+$/, 20_000);
check_reads('nothing is due', qr/0\|0\|0\|\d+$/, 10);

# Outdated statistics, by which every account is due.
start_over(100);
Manager::shift_access_expiry($session, '-1 day');
sql("ANALYZE $account");
Manager::shift_access_expiry($session, '1 day');
sql("VACUUM (INDEX_CLEANUP on) $account");
check_reads('statistics of another time', qr/100\|0\|0\|\d+$/, 5000);

# Of the plans in the log since then: the most rows that a filter has removed, and those
# that were compared with a list that is not hashed.
sub removed_rows
{
	my ($log) = @_;
	my @most = (0, 0);

	foreach my $plan (grep { /urgency/ } split /^(?=\d{4}-)/m, substr slurp_file($node->logfile), $log)
	{
		while ($plan =~ /^\s*Filter: (.*)\n\s*Rows Removed by Filter: (\d+)/mg)
		{
			my ($filter, $removed) = ($1, $2);

			$most[0] = max($most[0], $removed);
			$most[1] = max($most[1], $removed) if $filter =~ /ALL \(\$6\)/;
		}
	}
	return @most;
}

# Thousands of accounts are locked by another session and skipped: a row is looked up in
# the list of them, which is hashed only if the planner knows it.
start_over(3000);
{
	my $locker = Session->new($node);
	my $log = -s $node->logfile;

	Manager::sql($node, "ALTER SERVER smartcar OPTIONS (ADD max_concurrency '64')");
	$locker->query('BEGIN');
	Manager::lock_rows($locker, 'account', 'user_id', user_id => Manager::fleet(1, 3000));
	$session->query("LOAD 'auto_explain'");
	$session->query("SET $_") foreach 'auto_explain.log_min_duration = 0', 'auto_explain.log_nested_statements = on',
	  'auto_explain.log_analyze = on', 'auto_explain.log_timing = off';
	$session->start('CALL smartcar_refresh()');
	ok(Session::wait_until(sub { (removed_rows($log))[0] > 500 }, 15), 'thousands of locked accounts: hundreds are skipped');
	Manager::sql($node, 'SELECT pg_cancel_backend(' . $session->backend . ')');
	like($session->result, qr/^ERROR:  57014/m, 'thousands of locked accounts: the run waits for them');
	$session->query('SET auto_explain.log_min_duration = -1');
	$locker->query('ROLLBACK');
	cmp_ok((removed_rows($log))[1], '<', 200, 'thousands of locked accounts: no long list is compared with each row');
	Manager::sql($node, 'ALTER SERVER smartcar OPTIONS (DROP max_concurrency)');
}

# Each reason for which an account is due
start_over(40);
Manager::set_accounts($session, { access_expires => '1 hour' }, user_id => Manager::fleet(11, 40));
Manager::set_accounts($session, { refresh_expires => '6 days' }, user_id => Manager::fleet(11, 20));
Manager::set_accounts($session, { access_expires => undef }, user_id => Manager::fleet(21, 30));
Manager::set_accounts($session, { attempts => 3, next_attempt => '0 s', access_expires => '0 s' }, user_id => Manager::fleet(31, 35));
Manager::set_accounts($session, { attempts => 3, access_expires => undef }, user_id => Manager::fleet(36, 38));
check_reads('any reason', qr/38\|0\|0\|\d+$/, 5000);
check_reads('access_within: NULL', qr/0\|0\|0\|\d+$/, 10, 'CALL smartcar_refresh(access_within => NULL)');
check_reads('refresh_within: NULL', qr/0\|0\|0\|\d+$/, 10, 'CALL smartcar_refresh(refresh_within => NULL)');

# Accounts that fail, that wait for their next attempt, and that are released
start_over(20);
$sandbox->faults({ match => { path => '/oauth/token' }, times => 10, status => 403, body => 'Forbidden', content_type => 'text/plain' });
check_reads('some fail at first', qr/20\|0\|0\|\d+$/, 2000);
start_over(40);
Manager::set_accounts($session, { attempts => 3, next_attempt => '10 minutes' }, 'user_id LIKE' => 'user-%');
check_reads('all wait for their next attempt', qr/0\|0\|0\|\d+$/, 200);
Manager::set_accounts($session, { attempts => 0, next_attempt => undef }, 'user_id LIKE' => 'user-%');
sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET client_secret 'not-the-secret')));
check_reads('a wrong client secret', qr/ERROR:  SC401/, 1000);
is(Manager::count_claimed($session), 0, 'no lease is left');
sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET client_secret 'sandbox-client-secret')));

# After hours in which everything has failed: all accounts wait, and then all can be
# attempted again; they are counted once.
start_over(100);
Manager::set_accounts($session, { attempts => 8, next_attempt => '10 minutes', access_expires => '-1 minute' }, 'user_id LIKE' => 'other-%');
sql("VACUUM ANALYZE $account");
check_reads('all others wait', qr/100\|0\|0\|\d+$/, 5000);
start_over(100);
Manager::set_accounts($session, { attempts => 8, next_attempt => '0 s', access_expires => '5 minutes' });
Manager::set_accounts($session, { access_expires => '0 s', next_attempt => '-1 s' }, 'user_id LIKE' => 'user-%');
sql("VACUUM ANALYZE $account");
check_reads('all are attempted again', qr/16\|0\|0\|\d+$/, $others + 1000, 'CALL smartcar_refresh(max_accounts => 16)');

# At the beginning of an outage, statistics are outdated: almost all accounts wait, some
# can be attempted.
start_over(100);
Manager::set_accounts($session, { attempts => 8, next_attempt => '10 minutes', access_expires => '-1 minute' }, 'user_id LIKE' => 'other-%');
Manager::set_accounts($session, { attempts => 3, next_attempt => '-1 s', access_expires => '-30 s' }, 'user_id LIKE' => 'user-%');
sql("VACUUM (INDEX_CLEANUP on) $account");
check_reads('statistics of a quiet day', qr/100\|0\|0\|\d+$/, 5000);

# Outdated statistics, by which the refresh tokens of all others expire soon.
start_over(100);
Manager::set_accounts($session, { refresh_expires => '1 day' }, 'user_id LIKE' => 'other-%');
sql("ANALYZE $account");
Manager::set_accounts($session, { refresh_expires => '60 days' }, 'user_id LIKE' => 'other-%');
sql("VACUUM (INDEX_CLEANUP on) $account");
check_reads('statistics of refresh tokens that end', qr/100\|0\|0\|\d+$/, 5000);

# Old rows are found by their time.
start_over(40);
Manager::add_old_rows($session, 5);
check_reads('the past', qr/40\|0\|0\|\d+$/, 2000);
is(Manager::count($session, 'session'), $others, 'sessions that ended long ago are deleted');
is(Manager::count($session, 'webhook_event'), $others, 'old events are deleted');

# A claim changes no index.
{
	my $before;

	start_over(100);
	sql("ALTER TABLE $account SET (fillfactor = 50)");
	sql("VACUUM FULL $account");
	reads();
	$before = sql("SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = '$account'::regclass");
	check_reads('with space on its pages', qr/100\|0\|0\|\d+$/, 5000);
	is(sql("SELECT n_tup_upd - n_tup_hot_upd - $before FROM pg_stat_user_tables WHERE relid = '$account'::regclass"), 100,
		'only the result of a refresh changes indexes, no claim does');
}

# The order of urgency: accounts that have failed, by the end of their pause; then the
# others, by the expiry of a token; then those of unknown expiry.  With max_accounts => 1
# it is one of the first four.
start_over(16);
Manager::set_accounts($session, { attempts => 1, next_attempt => '-3 s', access_expires => '14 minutes' }, user_id => Manager::fleet(9, 10));
Manager::set_accounts($session, { attempts => 2, next_attempt => '-2 s', access_expires => '3 hours', refresh_expires => '1 day' }, user_id => 'user-000011');
Manager::set_accounts($session, { attempts => 2, next_attempt => '-1 s', access_expires => undef }, user_id => 'user-000012');
Manager::set_accounts($session, { access_expires => '2 minutes' }, user_id => Manager::fleet(13, 16));
Manager::set_accounts($session, { access_expires => undef }, user_id => 'user-000001');
Manager::set_accounts($session, { access_expires => '1 hour', refresh_expires => '1 day' }, user_id => Manager::fleet(2, 4));
{
	my @urgency = ([ 9, 10 ], [11], [12], [ 5 .. 8 ], [ 13 .. 16 ], [ 2, 3, 4 ], [1]);
	my @left;
	my @early;

	foreach my $place (0 .. $#urgency)
	{
		push @left, map { [ $_, $place ] } @{ $urgency[$place] };
	}
	while (@left)
	{
		is(Manager::counts($session->query('CALL smartcar_refresh(max_accounts => 1)')), '1|0|0', 'one account at a time');
		my $user = Manager::aggregate($session, 'account', '(array_agg(right(user_id, 2)::int ORDER BY refreshed_at DESC))[1]', 'user_id LIKE' => 'user-%');
		my ($taken) = grep { $_->[0] == $user } @left;
		my $fourth = $left[ $#left < 3 ? $#left : 3 ];

		push @early, $user if $taken->[1] > $fourth->[1];
		@left = grep { $_->[0] != $user } @left;
	}
	is("@early", '', 'accounts are refreshed in the order of urgency');
}

$session->finish;
$node->stop;
done_testing();
