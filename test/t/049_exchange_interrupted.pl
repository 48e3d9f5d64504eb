# A code that is being exchanged is not lost by a statement timeout, by locks on the
# tables, or by a callback of the other API version.

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

my $token = { path => '/oauth/token' };
my $sandbox = Sandbox->start;
my $node = Manager::start_node($sandbox);
Manager::create_server($node, 'v3', $sandbox->url, api_version => '3');
my $session = Session->new($node);
my $other = Session->new($node);

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

# The stored tokens work, and belong to an owner whom the next sync finds.
sub is_connected
{
	my ($external_id, $name) = @_;

	is(sql('SELECT status FROM smartcar_tesla.session'), 'finished', "$name: the session is finished");
	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, "$name: no token is lost");
	$session->query('CALL smartcar_sync()');
	is(sql("SELECT count(*) > 0 FROM smartcar_status WHERE external_id = '$external_id'"), 't', "$name: the vehicle is stored");
	return;
}

# A statement_timeout that is shorter than the response takes

my $call = Manager::callback_of($node, $sandbox, 'ada', 'owner-1');
$sandbox->faults({ match => $token, delay_ms => 1500 });
$session->query("SET statement_timeout = '500ms'");
my $began = time();
my $result = $session->query($call);
cmp_ok(time() - $began, '>', 1.2, 'a timeout waits for the response');
like($result, qr/57014/, 'the timeout ends the statement afterwards');
$session->query('RESET statement_timeout');
is_connected('owner-1', 'a timeout during the exchange');

# without a response, the session stores what the owner has to do

start_over();
$call = Manager::callback_of($node, $sandbox, 'ada', 'owner-1');
$sandbox->faults({ match => $token, delay_ms => 1500, status => 500 });
$session->query("SET statement_timeout = '500ms'");
$session->query($call);
$session->query('RESET statement_timeout');
is(sql('SELECT status, action, error IS NOT NULL FROM smartcar_tesla.session'), 'failed|connect|t', 'a session whose exchange failed stores the action');

# A lock on the table: the wait until then is not reported as a failure

start_over();
$call = Manager::callback_of($node, $sandbox, 'ada', 'owner-1');
$sandbox->faults({ match => $token, delay_ms => 700 });
$session->query("SET lock_timeout = '300ms'");
$session->start($call);
Session::wait_until(sub { scalar $sandbox->log(path => '/oauth/token$') });
$other->query('BEGIN; LOCK TABLE smartcar_tesla.account IN SHARE MODE');
sleep 2;
$other->query('COMMIT');
like($session->result, qr/^finished\|owner-1\|/m, 'lock_timeout while another session locks the table');
$session->query('RESET lock_timeout');
is_connected('owner-1', 'a lock during the exchange');

# The session row is locked and the statement is canceled: it ends, but late

start_over();
$call = Manager::callback_of($node, $sandbox, 'ada', 'owner-1');
$sandbox->faults({ match => $token, delay_ms => 700 });
$session->start($call);
Session::wait_until(sub { scalar $sandbox->log(path => '/oauth/token$') });
$other->query('BEGIN; SELECT FROM smartcar_tesla.session FOR UPDATE');
sleep 1;
sql('SELECT pg_cancel_backend(' . $session->backend . ')');
sleep 1;
$other->query('COMMIT');
like($session->result, qr/57014/, 'a cancel while the row of the session is locked');
is_connected('owner-1', 'a cancel during the exchange');

# The existing account is locked: the new tokens stay in a provisional account

start_over();
$session->query(Manager::callback_of($node, $sandbox, 'ada', 'owner-1'));
$call = Manager::callback_of($node, $sandbox, 'ada', 'owner-1');
$other->query('BEGIN');
Manager::lock_rows($other, 'account', 'user_id');
$session->query("SET lock_timeout = '300ms'");
$result = $session->query($call);
like($result, qr/^WARNING:  55P03: owner is connected, but /m, 'lock_timeout while the account is locked is a warning');
like($result, qr/^finished\|owner-1\|\|/m, 'the owner is connected');
$session->query('RESET lock_timeout');
$other->query('ROLLBACK');
$session->query('CALL smartcar_refresh()');
is(Manager::count($node, 'account'), 1, 'a refresh moves the tokens to the account');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'no token is lost');

# The client disconnects, which the server notices before Smartcar has responded

start_over();
{
	my $client = Session->new($node);
	my $is_there = 'SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $client->backend;

	$call = Manager::callback_of($node, $sandbox, 'ada', 'owner-1');
	$sandbox->faults({ match => $token, delay_ms => 1500 });
	$client->query("SET client_connection_check_interval = '100ms'");
	$client->start($call);
	Session::wait_until(sub { scalar $sandbox->log(path => '/oauth/token$') });
	kill 'KILL', $client->{pid};
	ok(Session::wait_until(sub { sql($is_there) == 0 }), 'a client that disconnects ends the session');
	is_connected('owner-1', 'a client that goes away during the exchange');
}

# Callbacks of the other version

start_over();
foreach my $case ([ 'smartcar', 'user_id=u', '2.0', '3' ], [ 'v3', 'code=c', '3', '2.0' ])
{
	my ($server, $parameters, $version, $other_version) = @$case;
	my ($state) = $session->query("SELECT smartcar_begin_connect('owner-1', server => '$server')") =~ /[?&]state=([^&]*)/;

	$sandbox->faults;
	my $error = $session->error("CALL smartcar_finish_connect('https://example.com/callback?state=$state&$parameters', server => '$server')");
	is("$error->{sqlstate} $error->{message}", "55000 callback is one of api_version \"$other_version\", but server \"$server\" has api_version \"$version\"", "a callback of version $other_version");
	like($error->{hint}, qr/ALTER SERVER $server OPTIONS \((ADD|SET) api_version '\Q$other_version\E'\)/, 'the hint has the statement that changes the version');
	is(scalar $sandbox->log, 0, 'nothing is sent');
	is(sql("SELECT status FROM smartcar_tesla.session WHERE server = '$server'"), 'open', 'the session is still open');
}

$session->finish;
$other->finish;
done_testing();
