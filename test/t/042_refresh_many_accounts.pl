# Thousands of accounts, four sessions that refresh them, every fault of a response, and
# now and then a session or the whole server killed: no account may be lost.  Then a
# database with problems: locked rows, a row that cannot be updated, webhooks in open
# transactions, timeouts of the role, a missing key file, an absent synchronous standby
# and stopped processes.
#
# 10,000 accounts, or as many as SMARTCAR_TEST_ACCOUNTS says; rows are locked, and
# processes stopped, for 5 seconds, or as many as SMARTCAR_TEST_HOLD says, in which the
# sandbox lets more than a minute pass.  The check prints the lines that begin with
# "figures".

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

my $accounts = $ENV{SMARTCAR_TEST_ACCOUNTS} // 10_000;
my $hold = $ENV{SMARTCAR_TEST_HOLD} // 5;
my $sessions = 4;
my $token = { path => '/oauth/token' };

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nlog_statement = none\nlog_connections = off\nlog_disconnections = off\n");
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '3s', max_concurrency => 32);
Manager::add_fleet($node, $sandbox, 'smartcar', $accounts);
$sandbox->ask('log', { enabled => JSON::PP::false });

# A tenth of the tokens meets a fault, more than once if the request is repeated; the
# last digits of the token decide which one.
my $mix = int($accounts / 100);
$sandbox->faults(
	map { { match => { %$token, body => "refresh_token=[^&]*$_->[0]" }, times => $_->[1] * $mix, %{ $_->[2] } } }
	  ( [ '0[1]$', 3, { drop => 'after' } ], [ '0[2]$', 2, { drop => 'before' } ], [ '1[3]$', 2, { status => 500 } ],
		[ '1[4]$', 2, { status => 503, do_work => JSON::PP::true } ], [ '2[5]$', 2, { retry_after => 1 } ],
		[ '3[6]$', 2, { truncate => 25 } ], [ '4[7]$', 2, { delay_ms => 400 } ], [ '5[8]$', 1, { delay_ms => 5000 } ],
		[ '6[9]$', 2, { reset => JSON::PP::true } ], [ '7[0]$', 1, { body => '<html>', content_type => 'text/html', do_work => JSON::PP::true } ] ));

my $begun = time;
my %sum = (refreshed => 0, failed => 0, refused => 0);
my @running = map { Session->new($node) } 1 .. $sessions;
my ($killed, $restarts, $errors) = (0, 0, 0);
my $next_kill = $begun + 1.5;
my $end = $begun + 300;

sub count_left
{
	my $refreshed = eval { Manager::count_refreshed($node) };

	return defined $refreshed ? $accounts - $refreshed : undef;
}

# A session that was killed is replaced, once the server is back.
sub begin
{
	my ($number) = @_;

	$running[$number] //= eval { Session->new($node) } or return;
	$running[$number]->start('CALL smartcar_refresh()');
	return;
}

begin($_) foreach 0 .. $sessions - 1;
for (my $left = $accounts; $left > 0 && time < $end;)
{
	foreach my $number (0 .. $sessions - 1)
	{
		if (!$running[$number])
		{
			begin($number);
			next;
		}
		my $result = $running[$number]->result(0.1) // next;

		if ($result =~ /^(\d+)\|(\d+)\|(\d+)$/m)
		{
			$sum{refreshed} += $1;
			$sum{failed} += $2;
			$sum{refused} += $3;
			sleep 0.3;
		}
		else
		{
			$errors++;
			note($result) if $result !~ /terminat|shut down|recovery|^$/;
			undef $running[$number];
		}
		begin($number);
	}
	if ($killed < 3 && time > $next_kill)
	{
		my $victim = $running[ $killed % $sessions ];

		# the postmaster restarts the others
		kill 'KILL', $victim->backend if $victim;
		$killed++;
		$next_kill = time + 3;
	}
	$left = count_left() // $left;
}
my $seconds = time - $begun;

is(count_left(), 0, "all $accounts accounts are refreshed in the end");
$_->finish foreach grep { defined } @running;

my $refreshes = Manager::refreshes($sandbox);
$sandbox->ask('advance', { seconds => 61 });
my $losses = Manager::losses($node, $sandbox);
diag(sprintf 'figures: %d of %d accounts lost, %d owners asked to connect again, after %d refreshes at Smartcar in %.0f s, '
	  . '%d of them repeated, by %d sessions of which %d were killed with kill -9',
	$losses->{lost}, $accounts, $losses->{asked_again}, $refreshes->{sum}, $seconds, $refreshes->{repeated}, $sessions, $killed);
note(sprintf 'sessions counted %d refreshed, %d failed, %d refused, and %d ended with the server', @sum{qw(refreshed failed refused)}, $errors);
is_deeply($losses, $Manager::no_losses, "0 of $accounts accounts are lost");
is($refreshes->{refused}, 0, 'no expired token was ever sent');
is($refreshes->{sum} - $refreshes->{repeated}, $accounts, 'each account got one new token for its first one');
cmp_ok($refreshes->{repeated}, '<', $accounts / 2 + 200 * $killed, 'tokens were used again only where a response was lost');
cmp_ok($killed, '>=', 1, 'sessions were killed');

# A database with problems

my $due = int($accounts * 0.3);
my $broken = 'user-000100';
my $seen_errors = '';

# Losses, without those of the broken account.
sub losses_of_others
{
	my %stored = %{ Manager::stored_tokens($node) };

	delete $stored{$broken};
	return {
		dead => scalar @{ $sandbox->ask('account', { refresh_tokens => [ values %stored ] })->{dead} },
		asked_again => Manager::count($node, 'account', status => 'reauthenticate', 'user_id <>' => $broken)
	};
}

# Sessions refresh until only the broken account is due, or for some seconds.  Returns
# how many accounts were refreshed in a second.
sub refresh_for
{
	my ($seconds) = @_;
	my $begun = time;
	my $before = count_left();

	while (time < $begun + $seconds && count_left() > 1)
	{
		foreach my $number (grep { $running[$_] } 0 .. $sessions - 1)
		{
			my $result = $running[$number]->result(0.05) // next;

			$seen_errors .= "$1\n" while $result =~ /^((?:ERROR|FATAL):.*)$/mg;
			begin($number);
		}
	}
	return ($before - count_left()) / (time - $begun);
}

# More than the minute in which an old token works, if the hold is shorter.
sub let_the_minute_pass
{
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 }) if $hold <= $Manager::grace;
	return;
}

sub begin_round
{
	$_->finish foreach grep { defined } @running;
	@running = map { Session->new($node) } 1 .. $sessions;
	$running[$_]->query(q(SET lock_timeout = '1s'; SET statement_timeout = '4s')) foreach 0, 1;
	Manager::retry_now($node);
	Manager::make_due($node, user_id => Manager::fleet(1, $due));
	begin($_) foreach 0 .. $sessions - 1;
	return;
}

$sandbox->faults({ match => $token, times => 0, delay_ms => 500 });
$sandbox->ask('log', { enabled => JSON::PP::false });
Manager::add_vehicles($node);
Manager::set_connections($node, { error_action => 'connect', errors => '[{"type": "invalid_grant", "action": "connect", "known_at": "2026-01-01 00:00+00"}]' },
	user_id => Manager::fleet(1, 500));
$node->safe_psql('postgres', qq(CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		IF NEW.user_id = '$broken' AND NEW.refreshed_at > OLD.refreshed_at THEN
			RAISE 'not this one';
		END IF;
		RETURN NEW;
	END \$\$));
$node->safe_psql('postgres', "CREATE TRIGGER refuse BEFORE UPDATE ON $Manager::table{account} FOR EACH ROW EXECUTE FUNCTION refuse()");

# Rows and connections are locked while their requests are running, and the key file is
# missing for a second.
my ($rows, $webhooks) = map { Session->new($node) } 1 .. 2;
my $key_file = Manager::key_file($node);

begin_round();
my $rate_before = refresh_for(2);
$rows->query('BEGIN');
$webhooks->query('BEGIN');
my @locked = split /\n/, Manager::lock_rows($rows, 'account', 'user_id', 'leased_until IS NOT' => undef, 'user_id <>' => $broken);
Manager::lock_rows($webhooks, 'connection', 'user_id', user_id => Manager::fleet(1, 500));
rename $key_file, "$key_file.gone" or die;
my $rate = refresh_for(1);
rename "$key_file.gone", $key_file or die;
$rate = refresh_for($hold - 1);
let_the_minute_pass();
$_->query('ROLLBACK') foreach $rows, $webhooks;
refresh_for(60);
cmp_ok(scalar @locked, '>', 10, 'rows were locked while their requests were running');
cmp_ok(count_left(), '<=', 1, 'locked rows: all other accounts are refreshed in the end');
is_deeply(losses_of_others(), { dead => 0, asked_again => 0 }, 'locked rows: no account is lost');
is(Manager::count($node, 'connection', error_action => 'connect', user_id => Manager::fleet(1, 99)), 0, 'connections that were locked are updated');

# The standby is absent, and two of the sessions are stopped.
begin_round();
refresh_for(2);
my @stopped = map { $running[$_]->backend } 1, 2;
$node->safe_psql('postgres', q(ALTER SYSTEM SET synchronous_standby_names = 'absent'));
$node->reload;
kill 'STOP', @stopped;
sleep $hold;
let_the_minute_pass();
kill 'CONT', @stopped;
$node->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
$node->reload;
refresh_for(60);
cmp_ok(count_left(), '<=', 1, 'an absent standby and stopped processes: all other accounts are refreshed in the end');
is_deeply(losses_of_others(), { dead => 0, asked_again => 0 }, 'an absent standby and stopped processes: no account is lost');
unlike($seen_errors =~ s/^ERROR:  (?:57014|58P01): .*\n//mgr, qr/./, 'a run ends only with its statement_timeout, or without a key file');

my $others = losses_of_others();
diag(sprintf 'figures: unkind database, %d s each: %d of %d accounts lost, %d owners asked to connect again; %d rows were locked, '
	  . '%.0f accounts refreshed per second before and %.0f while they were',
	$hold, $others->{dead}, 2 * $due, $others->{asked_again}, scalar @locked, $rate_before, $rate);
$_->finish foreach grep { defined } @running;

$node->stop;
done_testing();
