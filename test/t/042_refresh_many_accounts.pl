# Thousands of accounts, four sessions that refresh them, everything that can go
# wrong with an answer, and now and then a session or the whole server killed: no
# account may be lost.
#
# 10,000 accounts, or as many as SMARTCAR_TEST_ACCOUNTS says.  The check prints the
# line that begins with "figures".

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

# A tenth of the tokens meets something that goes wrong, more than once where it
# is asked for again, and differently for each ending of the token.
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
my $end = $begun + 30 + $accounts / 100;

sub count_left
{
	my $refreshed = eval { Manager::count_refreshed($node) };

	return defined $refreshed ? $accounts - $refreshed : undef;
}

# A session that has died is replaced, once the server is back.
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

		# the others are restarted by the postmaster
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
is($refreshes->{refused}, 0, 'no dead token was ever sent');
is($refreshes->{sum} - $refreshes->{repeated}, $accounts, 'a new token is used for the first time once per account');
cmp_ok($refreshes->{repeated}, '<', $accounts / 2 + 200 * $killed, 'and repeated only where an answer was lost');
cmp_ok($killed, '>=', 1, 'sessions were killed');

$node->stop;
done_testing();
