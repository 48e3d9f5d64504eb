# A connection on which a response was late is not used again, and time in which the
# backend itself was stopped or busy does not count as a timeout.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;
use Time::HiRes qw(sleep);

my $sandbox = Sandbox->start('--tls');
my $node = PostgreSQL::Test::Cluster->new('main');
my @ca = (ca_file => $sandbox->url('ca_file'));

$node->init;
$node->start;
Sandbox::create_server($node, 'http2', $sandbox->url('https'), @ca, timeout => '1s');
Sandbox::create_server($node, 'http1', $sandbox->url, timeout => '1s');
Sandbox::create_server($node, 'roomy', $sandbox->url('https'), @ca, timeout => '1s', max_response_size => '64MB');
Sandbox::create_server($node, 'v3', $sandbox->url('https'), @ca, timeout => '1s', api_version => '3', max_concurrency => '4');

my $session = Session->new($node);
my $ada = $session->connect_owner($sandbox, 'ada');
my $ask = 'SELECT smartcar_get_user(access_token) FROM token';

# A connection of HTTP/2 that stalls, and how the call on it ends.
my %ends = (
	'a timeout' => sub {
		return $session->query($ask);
	},
	'statement_timeout' => sub {
		my $result = $session->query("SET statement_timeout = 300; $ask");

		$session->query('SET statement_timeout = 0');
		return $result;
	},
	'a cancel' => sub {
		$session->start($ask);
		Session::wait_until(sub { $sandbox->log == 2 });
		kill 'INT', $session->backend;
		return $session->result;
	},
	'an error that a block catches' => sub {
		return $session->query(
			qq(SET statement_timeout = 300; DO \$\$ BEGIN PERFORM smartcar_get_user(access_token) FROM token;
			EXCEPTION WHEN query_canceled THEN RAISE EXCEPTION 'caught %', SQLSTATE; END \$\$; SET statement_timeout = 0));
	});
foreach my $server ('http2', 'http1')
{
	foreach my $end (sort keys %ends)
	{
		$sandbox->faults({ silent => 1 });
		is($session->use_server($server)->query($ask), $ada->{user_id}, "$server: the last response of a connection");
		like($ends{$end}->(), qr/SC003|57014/, "$end ends a call on a stalled connection");
		is($session->query('SET statement_timeout = 0;' . $ask), $ada->{user_id}, 'the next call has another connection');
	}
}

# In a bulk call, too, where some request always uses the stalled connection.
{
	my $bulk = q(SELECT count(*) FILTER (WHERE sqlstate IS NULL), count(*) FILTER (WHERE sqlstate = 'SC003')
		FROM token, smartcar_request_many('GET', array_fill('/user'::text, ARRAY[60]), ARRAY[access_token]));

	$sandbox->faults({ match => { nth => 20 }, silent => 1 }, { delay_ms => 10, times => 0 });
	my ($right, $wrong) = split /\|/, $session->use_server('http2')->query($bulk);
	cmp_ok($wrong, '<=', 8, 'only requests on the stalled connection are lost');
	cmp_ok($wrong, '>', 0, 'some are lost');
	$sandbox->faults({ delay_ms => 100, times => 0 });
	is($session->query($bulk), '60|0', 'the next bulk call loses none');
	my %ports = map { $_->{port} => 1 } $sandbox->log;
	cmp_ok(scalar keys %ports, '<=', 2, 'requests share connections again');
}

# A backend that is stopped while a response arrives.
foreach my $server ('http2', 'http1', 'roomy')
{
	my $expected = $server eq 'roomy' ? 20_000_000 : $ada->{user_id};

	$sandbox->faults($server eq 'roomy' ? { oversize => $expected, delay_ms => 200 } : { delay_ms => 200 });
	$session->use_server($server)->start($server eq 'roomy' ? q(SELECT length((smartcar_request('GET', '/user', access_token)).body) FROM token) : $ask);
	Session::wait_until(sub { scalar $sandbox->log });
	sleep 0.05;
	kill 'STOP', $session->backend;
	sleep 2;
	kill 'CONT', $session->backend;
	is($session->result, $expected, "$server: a response that arrived while the backend was stopped is used");
	is(scalar $sandbox->log, 1, 'the request was made once');
}

# The timeout counts again afterwards.
$sandbox->faults({ delay_ms => 30000 });
$session->use_server('http2')->start($ask);
Session::wait_until(sub { scalar $sandbox->log });
kill 'STOP', $session->backend;
sleep 2;
kill 'CONT', $session->backend;
like($session->result(3) // 'nothing', qr/SC003.*\n.* given up after 1\d\d\d ms/, 'a response that does not arrive times out');

# Time that is spent on storing a response is no timeout of the others.
$sandbox->faults;
$sandbox->ask('fleet', { owners => 350 });
$session->query(q(
	CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
	CREATE TRIGGER dawdle AFTER INSERT ON smartcar_connection EXECUTE FUNCTION dawdle()));
$sandbox->faults({ match => { path => '^/v3/connections' }, delay_ms => 200, times => 0 });
like($session->use_server('v3')->query('CALL smartcar_sync(details => false)'), qr/^351\|0\|\d+\|\d+$/m, 'pages that arrived while another one was stored are not lost');
my %pages;
$pages{ $_->{query} }++ foreach $sandbox->log(path => '^/v3/connections');
is_deeply([ grep { $pages{$_} > 1 } keys %pages ], [], 'each page was requested once');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'no backend has crashed');

done_testing();
