# The errors of calls without a response: the SQLSTATE, the phase of the request, the
# milliseconds, and the option that is involved.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use HostNames;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;

my $sandbox = Sandbox->start('--tls');
my $names = HostNames::library();
my $deaf = Sandbox::deaf_origin();
my $node = PostgreSQL::Test::Cluster->new('main');
my @ca = (ca_file => $sandbox->url('ca_file'));

$node->init;
HostNames::start_node($node, $names);
Sandbox::create_server($node, 'smartcar', $sandbox->url);
Sandbox::create_server($node, 'closed', $sandbox->url('closed_port'));
Sandbox::create_server($node, 'unknown', 'https://smartcar.invalid');
Sandbox::create_server($node, 'slow_name', 'https://slow.test', connect_timeout => '200ms');
Sandbox::create_server($node, 'deaf', $deaf, connect_timeout => '200ms') if $deaf;
Sandbox::create_server($node, 'silent_tls', $sandbox->url('tls_silent'), @ca, connect_timeout => '200ms');
Sandbox::create_server($node, 'silent', $sandbox->url('tcp_silent'), timeout => '200ms');
Sandbox::create_server($node, 'hasty', $sandbox->url, timeout => '200ms');
Sandbox::create_server($node, 'hasty_tls', $sandbox->url('https'), @ca, timeout => '200ms');
Sandbox::create_server($node, 'quick_to_connect', $sandbox->url('https'), @ca, connect_timeout => '250ms');
Sandbox::create_server($node, 'one_second', $sandbox->url, timeout => '1s');

my $session = Session->new($node);
my $ada = $session->connect_owner($sandbox, 'ada');

$names = undef if $names && !HostNames::in_use($session, 'slow_name');

# A request that may be repeated, and one that may not.
my $get = 'SELECT smartcar_get_user(access_token) FROM token';
my $post = q(SELECT (smartcar_request('POST', '/vehicles', access_token)).status FROM token);

# A refused connection.
{
	my $origin = $sandbox->url('closed_port');
	my $error = $session->use_server('closed')->error($post);

	is($error->{sqlstate}, 'SC001', 'a refused connection is SC001');
	is($error->{message}, qq(could not connect to "$origin"), 'the message names the origin');
	like($error->{detail}, qr{^POST /v2\.0/vehicles failed after \d+ ms, while connecting: \S.*\.$},
		'the detail has the phase, the time and the reason');
	like($error->{hint}, qr/can reach that host\. The option "api_origin" sets where requests go\.$/, 'the hint names the option');

	$error = $session->use_server('closed')->error($get);
	is($error->{sqlstate}, 'SC001', 'a request that was repeated fails with SC001, too');
	like($error->{detail}, qr/after [5-9]\d\d ms/, 'after the pauses of its repeats');

	like($session->use_server('closed')->error(q(SELECT smartcar_request('POST', '/connections', origin => 'management')))->{hint},
		qr/The option "management_origin" sets/, 'the hint names the option of the management origin');
}
{
	my $error = $session->use_server('unknown')->error($post);

	is($error->{sqlstate}, 'SC001', 'an unknown host name is SC001');
	is($error->{message}, 'could not connect to "https://smartcar.invalid"', 'the message names the origin with the unknown host');
	like($error->{detail}, qr{while resolving the host name: .*smartcar\.invalid}, 'the detail says that the name could not be resolved');
}

# A lost connection.
my $lost = 'connection to "' . $sandbox->url . '" was lost';
foreach my $case (
	[ 'before the work', { drop => 'before' }, 'waiting for the response' ],
	[ 'after the work', { drop => 'after' }, 'waiting for the response' ],
	[ 'with a reset', { reset => 1, drop => 'before' }, 'waiting for the response' ],
	[ 'within the body', { truncate => 10 }, 'receiving the response' ],
  )
{
	my ($when, $fault, $phase) = @$case;

	# a POST: nobody knows whether Smartcar has received it
	$sandbox->faults({ %$fault, times => 0 });
	my $error = $session->use_server('smartcar')->error($post);
	is($error->{sqlstate}, 'SC001', "a connection that is lost $when is SC001");
	is($error->{message}, $lost, 'the message says that the connection was lost');
	like($error->{detail}, qr{^POST /v2\.0/vehicles failed after \d+ ms, while $phase: \S.*\.$}, "the detail has the phase: $phase");
	like($error->{hint}, qr/^Smartcar may have carried out the request\. /, 'the hint says that the request may have been carried out');
	is(scalar $sandbox->log, 1, 'the POST is not repeated');

	$sandbox->faults;
	is($session->query($get), $ada->{user_id}, 'the next call works');
}
{
	$sandbox->faults({ drop => 'after', times => 0 });
	my $error = $session->use_server('smartcar')->error($get);
	is("$error->{sqlstate}$error->{hint}", 'SC001', 'a GET needs no hint');
}

sub about
{
	my ($milliseconds, $limit) = @_;

	return defined $milliseconds && $milliseconds >= $limit - 10 && $milliseconds <= $limit + 500;
}

# A timeout in each phase, and the option that the hint names.
my @timeouts = (
	[ 'resolving the host name', 'slow_name', undef, 'connect_timeout', '200ms' ],
	[ 'connecting', 'deaf', undef, 'connect_timeout', '200ms' ],
	[ 'negotiating TLS', 'silent_tls', undef, 'connect_timeout', '200ms' ],
	[ 'waiting for the response', 'silent', undef, 'timeout', '200ms' ],
	[ 'waiting for the response', 'hasty', { delay_ms => 20000 }, 'timeout', '200ms' ],
	[ 'waiting for the response', 'hasty_tls', { delay_ms => 20000 }, 'timeout', '200ms' ],
	[ 'receiving the response', 'hasty', { slow_headers_ms => 20000 }, 'timeout', '200ms' ],
	[ 'receiving the response', 'hasty', { slow_body_ms => 20000 }, 'timeout', '200ms' ],
	[ 'receiving the response', 'hasty_tls', { delay_body_ms => 20000 }, 'timeout', '200ms' ],
);
foreach my $case (@timeouts)
{
	my ($phase, $server, $fault, $option, $value) = @$case;

  SKIP:
	{
		skip 'names cannot be resolved slowly here', 4 if $server eq 'slow_name' && !$names;
		skip 'a full queue of connections does not stop another one here', 4 if $server eq 'deaf' && !$deaf;

		$sandbox->faults($fault ? { %$fault, times => 0 } : ());
		my $error = $session->use_server($server)->error($get);
		my ($milliseconds) = $error->{detail} =~ qr{^GET /v2\.0/user was given up after (\d+) ms, while $phase\.$};

		is($error->{sqlstate}, 'SC003', "a timeout while $phase ($server)");
		like($error->{message}, qr{^request to "https?://[^"/]+" timed out$}, 'the message says that the request timed out');
		# libcurl and the extension read the clock separately
		my ($limit) = $value =~ /(\d+)/;
		ok(about($milliseconds, $limit), "after $value, in that phase") or diag($error->{detail});
		like($error->{hint},
			qr{^The option "$option" is $value; change it with ALTER SERVER $server OPTIONS \(SET $option '\d+s'\)\.$},
			"the hint names $option and its value");
	}
}

# Of many requests one makes a connection and the others wait for it, but no longer
# than for a connection of their own.
{
	my @results = split /\n/, $session->use_server('silent_tls')->query(
		q(SELECT sqlstate, (error).description FROM token,
			smartcar_request_many('GET', array_fill('/user'::text, ARRAY[6]), ARRAY[access_token])));
	my %phases;

	foreach my $result (@results)
	{
		my ($milliseconds, $phase) = $result =~ /^SC003\|.* given up after (\d+) ms, while (.*)\.$/;

		ok(about($milliseconds, 200), 'one of many requests times out in time') or diag($result);
		$phases{ $phase // $result }++;
	}
	# when the first one fails, the next one may just have begun
	ok($phases{'negotiating TLS'} >= 1 && $phases{'connecting'} >= 3 && keys %phases == 2,
		'most requests have waited for the connection of another one') or diag(explain(\%phases));
}

# The statement in the hint can be run, also if the option had its default.
{
	$session->query('ALTER SERVER hasty OPTIONS (DROP timeout, ADD connect_timeout \'100ms\')');
	$sandbox->faults({ delay_ms => 400 });
	is($session->use_server('hasty')->query($get), $ada->{user_id}, 'connect_timeout does not limit the time after the connection was made');
	$session->query('ALTER SERVER hasty OPTIONS (SET connect_timeout \'5s\', ADD timeout \'300ms\')');
	$sandbox->faults({ delay_ms => 1000 });
	my ($statement) = $session->error($get)->{hint} =~ /(ALTER SERVER .*)\.$/;
	is($session->query($statement), '', 'the statement in the hint can be run');
	$sandbox->faults({ delay_ms => 500 });
	is($session->query($get), $ada->{user_id}, 'following the hint makes the call succeed');

	# 30 seconds would be too long for a test
	$session->query('ALTER SERVER hasty OPTIONS (DROP timeout)');
	$session->query(q(ALTER SERVER deaf OPTIONS (SET connect_timeout '30s', ADD timeout '200ms'))) if $deaf;
  SKIP:
	{
		skip 'a full queue of connections does not stop another one here', 1 if !$deaf;
		like($session->use_server('deaf')->error($get)->{hint}, qr/"timeout" is 200ms/, 'the shorter of the two timeouts limits the connection');
	}
}

# A command that timed out may have been carried out, unless it was not sent.
{
	$sandbox->faults({ delay_ms => 20000 });
	my $error = $session->use_server('one_second')->error($post);
	is($error->{sqlstate}, 'SC003', 'a command that takes too long is SC003');
	like($error->{hint}, qr/^Smartcar may have carried out the request\. .* The option "timeout" is 1s; /, 'the hint says that it may have been carried out');
	$error = $session->use_server('silent_tls')->error($post);
	is($error->{sqlstate}, 'SC003', 'a command that was not sent is SC003');
	like($error->{hint}, qr/^The option "connect_timeout" is 200ms; /, 'the hint does not say that it may have been carried out');
}

# The timeout covers a request with its repeats and pauses.
{
	$sandbox->faults({ status => 503, delay_ms => 600 }, { delay_ms => 20000 });
	my $error = $session->use_server('one_second')->error($get);
	is($error->{sqlstate}, 'SC003', 'a timeout in the second attempt is SC003');
	my ($milliseconds) = $error->{detail} =~ /after (\d+) ms/;
	ok(about($milliseconds, 1000), "it comes after the time of both attempts ($milliseconds ms)");
	is(scalar $sandbox->log, 2, 'there is no third attempt');
}

# In a bulk call, each request has its own result.
{
	my $paths = q(ARRAY['/user', '/vehicles', '/vehicles/36ab27d0-fd9d-4455-823a-ce30af709ffc', '/user']);

	$sandbox->faults(
		{ match => { path => '/vehicles$' }, delay_ms => 20000, times => 0 },
		{ match => { path => '/vehicles/' }, drop => 'after', times => 0 });
	is( $session->use_server('one_second')->query(
			qq(SELECT path, status, sqlstate, (error).status, (error).action,
				regexp_replace((error).description, '\\d+ ms', 'N ms')
			FROM token, smartcar_request_many('GET', $paths, ARRAY[access_token]))),
		join("\n",
			'/user|200||||',
			'/vehicles||SC003||retry|request to "' . $sandbox->url
			  . '" timed out: GET /v2.0/vehicles was given up after N ms, while waiting for the response.',
			'/vehicles/36ab27d0-fd9d-4455-823a-ce30af709ffc||SC001||retry|' . $lost
			  . ': GET /v2.0/vehicles/36ab27d0-fd9d-4455-823a-ce30af709ffc failed after N ms, '
			  . 'while waiting for the response: Empty reply from server.',
			'/user|200||||'),
		'each of many requests has its own result');
	is($session->use_server('closed')->query(
			qq(SELECT string_agg(sqlstate, ',') FROM token, smartcar_request_many('POST', $paths, ARRAY[access_token]))),
		'SC001,SC001,SC001,SC001', 'SC001 for all requests if nobody listens');
}

# No SQLSTATE ends in 000, so that PL/pgSQL can catch them all with the class.
like(
	$session->use_server('closed')->query(
		q(DO $$ BEGIN
			PERFORM smartcar_request('POST', '/user', 'x');
		EXCEPTION WHEN SQLSTATE 'SC000' THEN
			RAISE NOTICE 'caught %', SQLSTATE;
		END $$)),
	qr/caught SC001/, 'SC000 catches every error of a call');

$session->finish;
$node->stop;

done_testing();
