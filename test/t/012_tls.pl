# TLS, HTTP/2 and proxies: whom a call trusts, which protocol it uses, and that a
# proxy of the environment is ignored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;

my $sandbox = Sandbox->start('--tls');
my @ca = (ca_file => $sandbox->url('ca_file'));
my $node = PostgreSQL::Test::Cluster->new('main');

# The environment of the postmaster names a proxy where nobody listens, and a
# certificate authority, which only the option may name.
$node->init;
{
	local %ENV = %ENV;

	$ENV{$_} = $sandbox->url('closed_port')
	  foreach qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY);
	delete @ENV{qw(no_proxy NO_PROXY)};
	$ENV{$_} = $sandbox->url('ca_file') foreach qw(CURL_CA_BUNDLE SSL_CERT_FILE);
	$node->start;
}
Sandbox::create_server($node, 'plain', $sandbox->url);
Sandbox::create_server($node, 'http2', $sandbox->url('https'), @ca);
Sandbox::create_server($node, 'http1', $sandbox->url('https_http1'), @ca);
Sandbox::create_server($node, 'stranger', $sandbox->url('https'));
Sandbox::create_server($node, $_, $sandbox->url("https_$_"), @ca) foreach qw(wrong_host expired untrusted);

my $session = Session->new($node);
my $ada = $session->connect_owner($sandbox, 'ada');
my $ask = 'SELECT smartcar_get_user(access_token) FROM token';

# Trusted servers.
foreach my $case ([ 'plain', '1.1', 0 ], [ 'http2', '2', 1 ], [ 'http1', '1.1', 1 ])
{
	my ($server, $protocol, $secure) = @$case;

	$sandbox->faults;
	is($session->use_server($server)->query($ask), $ada->{user_id}, "$server: a call works, in spite of the proxy in the environment");
	my ($entry) = $sandbox->log;
	is($entry->{protocol}, $protocol, "$server: HTTP/$protocol");
	is(!!$entry->{secure}, !!$secure, $secure ? 'over TLS' : 'without TLS');
}

# Untrusted servers.  The reason comes from libcurl or OpenSSL, so only its subject is
# compared.
my %reasons = (
	stranger => qr/certificate|CA/,
	wrong_host => qr/host ?name|subject name|does not match/i,
	expired => qr/expired/,
	untrusted => qr/certificate/);
foreach my $server (sort keys %reasons)
{
	$sandbox->faults;
	my $error = $session->use_server($server)->error($ask);

	is($error->{sqlstate}, 'SC002', "$server: a certificate that must not be trusted is SC002");
	like($error->{message}, qr{^could not establish a trusted connection to "https://localhost:\d+"$}, "$server: the message names the origin");
	like($error->{detail},
		qr{^GET /v2\.0/user failed after \d+ ms, while negotiating TLS: .*$reasons{$server}.*\.$}, "$server: the detail has the reason");
	like($error->{hint}, qr/have a superuser run ALTER SERVER \w+ OPTIONS \((?:ADD|SET) ca_file '\/etc\/smartcar\/ca\.crt'\)\.$/, "$server: the hint names the option ca_file");
	is(scalar $sandbox->log, 0, "$server: nothing was sent");
}
is($session->use_server('http2')->query($ask), $ada->{user_id}, 'the session still works');
is($session->use_server('stranger')->error($ask)->{sqlstate}, 'SC002',
	'a server without ca_file does not use the connection of one that has it');

# A failed TLS handshake is no question of trust: the server hangs up, or does not
# speak TLS.  Nothing was sent, and a GET is repeated.
Sandbox::create_server($node, 'rude', $sandbox->url('tls_hangup'), @ca);
Sandbox::create_server($node, 'not_tls', $sandbox->url =~ s/^http:/https:/r, @ca);
my $command = q(SELECT smartcar_request('POST', '/vehicles', access_token) FROM token);
foreach my $server ('rude', 'not_tls')
{
	foreach my $sql ($ask, $command)
	{
		my $before = $sandbox->ask('statistics')->{connections}{tls_hangup}{opened};
		my $error = $session->use_server($server)->error($sql);
		my $tries = $sql eq $ask ? 3 : 1;

		is($error->{sqlstate}, 'SC001', "$server: a failed TLS handshake is SC001");
		like($error->{message}, qr{^could not connect to "https://[^"/]+"$}, "$server: the message says that there was no connection");
		like($error->{detail}, qr{ failed after \d+ ms, while negotiating TLS: .*\w\.$}, "$server: the detail has the phase and the reason");
		like($error->{hint}, qr/The option "api_origin" sets where requests go\.$/, "$server: the hint names the option api_origin");
		is($sandbox->ask('statistics')->{connections}{tls_hangup}{opened} - $before, $tries, "after $tries tries")
			if $server eq 'rude';
	}
}

# Invalid files in ca_file.
my $empty = PostgreSQL::Test::Utils::tempdir() . '/empty.pem';
append_to_file($empty, '');
foreach my $file ($empty, '/nonexistent/ca.pem')
{
	$session->query("ALTER SERVER stranger OPTIONS (ADD ca_file '$file')");
	my $error = $session->use_server('stranger')->error($ask);
	is($error->{sqlstate}, 'SC002', "no certificate in $file") or diag($error->{message});
	$session->query('ALTER SERVER stranger OPTIONS (DROP ca_file)');
}

# A changed ca_file counts for the next connection.  A command always makes a new one.
my $changing = PostgreSQL::Test::Utils::tempdir() . '/changing.pem';
append_to_file($changing, slurp_file($sandbox->url('ca_file')));
Sandbox::create_server($node, 'changing', $sandbox->url('https'), ca_file => $changing);
is($session->use_server('changing')->query($ask), $ada->{user_id}, 'the authority in ca_file is trusted');
unlink $changing;
append_to_file($changing, '');
is($session->use_server('changing')->error($command)->{sqlstate}, 'SC002', 'an authority that was removed from ca_file is no longer trusted');

# Only https is allowed beyond the loopback interface.
foreach my $origin (
	'http://192.0.2.1',
	'http://api.smartcar.com',
	'http://localhost.example.com',
	'ftp://localhost',
	'file:///etc/passwd')
{
	is($session->error("ALTER SERVER plain OPTIONS (SET api_origin '$origin')")->{sqlstate}, '22023', "$origin is refused");
}

# Nor if the option was stored without a check.
foreach my $origin ('http://192.0.2.1', 'ftp://127.0.0.1', 'http://localhost.example.com')
{
	$session->query(
		qq(UPDATE pg_foreign_server SET srvoptions = (SELECT array_agg(regexp_replace(o, '^api_origin=.*', 'api_origin=$origin'))
			FROM unnest(srvoptions) AS o) WHERE srvname = 'stranger'));
	my $error = $session->use_server('stranger')->error($ask);
	is("$error->{sqlstate}: $error->{message}", qq(22023: invalid value for option "api_origin": "$origin"), "nothing is sent to $origin");
}

# A bulk call over HTTP/2 has its requests in parallel streams of one connection.
my $bulk = q(SELECT count(*) FROM token, smartcar_get_vehicle_many(
	array_fill('36ab27d0-fd9d-4455-823a-ce30af709ffc'::text, ARRAY[16]), ARRAY[access_token]) AS response
	WHERE response.sqlstate IS NULL);
sub bulk_on
{
	my ($server) = @_;
	my (%ports, %streams);

	$sandbox->faults({ delay_ms => 100, times => 0 });
	is($session->use_server($server)->query($bulk), 16, "$server: a bulk call");
	foreach my $entry ($sandbox->log)
	{
		$ports{ $entry->{port} }++;
		$streams{ $entry->{stream} // 'none' }++;
	}
	return (scalar keys %ports, scalar keys %streams);
}
{
	$session = Session->new($node);
	is_deeply([ bulk_on('http2') ], [ 1, 16 ], 'HTTP/2: one connection, with a stream for each request');
	cmp_ok($sandbox->max_in_flight, '>=', 8, 'HTTP/2: 8 requests at once');

	# the open connection is used again
	my ($before) = $sandbox->log;
	$sandbox->faults;
	$session->use_server('http2')->query($ask);
	my ($entry) = $sandbox->log;
	is($entry->{port}, $before->{port}, 'HTTP/2: a later statement uses the connection again');

	is_deeply([ bulk_on('http1') ], [ 8, 1 ], 'HTTP/1.1 over TLS: a connection for each concurrent request');
	is_deeply([ bulk_on('plain') ], [ 8, 1 ], 'HTTP/1.1 without TLS: a connection for each concurrent request');
}

# The server sends GOAWAY, or ends a stream.
foreach my $fault ({ goaway => 1 }, { reset => 1 }, { drop => 'before' })
{
	my ($name) = keys %$fault;

	$sandbox->faults($fault);
	is($session->use_server('http2')->query($bulk), 16, "HTTP/2: no request of a bulk call is lost after $name");
}

$session->finish;
$node->stop;

done_testing();
