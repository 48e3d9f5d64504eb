# TLS and the way to the server: whom a call trusts, HTTP/2, and that no proxy
# of the environment gets in between.

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

# The environment of the postmaster names a proxy where nobody is, and an
# authority that only the option may name.
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

my $ada = $sandbox->connect(owner => 'ada');
my $session = Session->new($node);
my $ask = 'SELECT smartcar_get_user(access_token) FROM token';

$session->query("CREATE TABLE token AS SELECT '$ada->{access_token}' AS access_token");

sub on
{
	my ($server) = @_;

	$session->query("SET smartcar_tesla.server = $server");
	return $session;
}

# Who is trusted.
foreach my $case ([ 'plain', '1.1', 0 ], [ 'http2', '2', 1 ], [ 'http1', '1.1', 1 ])
{
	my ($server, $protocol, $secure) = @$case;

	$sandbox->faults;
	is(on($server)->query($ask), $ada->{user_id}, "$server: a call works, whatever proxy the environment names");
	my ($entry) = $sandbox->log;
	is($entry->{protocol}, $protocol, "in HTTP/$protocol");
	is(!!$entry->{secure}, !!$secure, $secure ? 'over TLS' : 'without TLS');
}

# Who is not.  The reason is libcurl's or OpenSSL's, so only its subject is known.
my %reasons = (
	stranger => qr/certificate|CA/,
	wrong_host => qr/host ?name|subject name|does not match/i,
	expired => qr/expired/,
	untrusted => qr/certificate/);
foreach my $server (sort keys %reasons)
{
	$sandbox->faults;
	my $error = on($server)->error($ask);

	is($error->{sqlstate}, 'SC002', "$server: a certificate that must not be trusted");
	like($error->{message}, qr{^could not establish a trusted connection to "https://localhost:\d+"$}, 'is refused');
	like($error->{detail},
		qr{^GET /v2\.0/user failed after \d+ ms, while negotiating TLS: .*$reasons{$server}.*\.$}, 'with the reason');
	like($error->{hint}, qr/have a superuser run ALTER SERVER \w+ OPTIONS \((?:ADD|SET) ca_file '\/etc\/smartcar\/ca\.crt'\)\.$/, 'and what might help');
	is(scalar $sandbox->log, 0, 'before anything was sent, and not again');
}
is(on('http2')->query($ask), $ada->{user_id}, 'the session is none the worse for it');
is(on('stranger')->error($ask)->{sqlstate}, 'SC002',
	'a server without ca_file does not use the connection of one that has it');

# TLS that is not negotiated is no question of trust: somebody hangs up, or speaks
# another language.  Nothing was sent, and a question is asked again.
Sandbox::create_server($node, 'rude', $sandbox->url('tls_hangup'), @ca);
Sandbox::create_server($node, 'not_tls', $sandbox->url =~ s/^http:/https:/r, @ca);
my $command = q(SELECT smartcar_request('POST', '/vehicles', access_token) FROM token);
foreach my $server ('rude', 'not_tls')
{
	foreach my $sql ($ask, $command)
	{
		my $before = $sandbox->ask('statistics')->{connections}{tls_hangup}{opened};
		my $error = on($server)->error($sql);
		my $tries = $sql eq $ask ? 3 : 1;

		is($error->{sqlstate}, 'SC001', "$server: no TLS");
		like($error->{message}, qr{^could not connect to "https://[^"/]+"$}, 'is no connection');
		like($error->{detail}, qr{ failed after \d+ ms, while negotiating TLS: .*\w\.$}, 'with the phase and the reason');
		like($error->{hint}, qr/The option "api_origin" sets where requests go\.$/, 'and what to look at');
		is($sandbox->ask('statistics')->{connections}{tls_hangup}{opened} - $before, $tries, "after $tries tries")
			if $server eq 'rude';
	}
}

# What ca_file names.
my $empty = PostgreSQL::Test::Utils::tempdir() . '/empty.pem';
append_to_file($empty, '');
foreach my $file ($empty, '/nonexistent/ca.pem')
{
	$session->query("ALTER SERVER stranger OPTIONS (ADD ca_file '$file')");
	my $error = on('stranger')->error($ask);
	is($error->{sqlstate}, 'SC002', "no certificate in $file") or diag($error->{message});
	$session->query('ALTER SERVER stranger OPTIONS (DROP ca_file)');
}

# Another authority in the same file counts with the next connection, which a
# command always makes.
my $changing = PostgreSQL::Test::Utils::tempdir() . '/changing.pem';
append_to_file($changing, slurp_file($sandbox->url('ca_file')));
Sandbox::create_server($node, 'changing', $sandbox->url('https'), ca_file => $changing);
is(on('changing')->query($ask), $ada->{user_id}, 'an authority in a file');
unlink $changing;
append_to_file($changing, '');
is(on('changing')->error($command)->{sqlstate}, 'SC002', 'is no longer trusted when it is no longer there');

# Nothing but https leaves the machine.
foreach my $origin (
	'http://192.0.2.1',
	'http://api.smartcar.com',
	'http://localhost.example.com',
	'ftp://localhost',
	'file:///etc/passwd')
{
	is($session->error("ALTER SERVER plain OPTIONS (SET api_origin '$origin')")->{sqlstate}, '22023', "$origin is refused");
}

# Not even if the option was not checked when it was set.
foreach my $origin ('http://192.0.2.1', 'ftp://127.0.0.1', 'http://localhost.example.com')
{
	$session->query(
		qq(UPDATE pg_foreign_server SET srvoptions = (SELECT array_agg(regexp_replace(o, '^api_origin=.*', 'api_origin=$origin'))
			FROM unnest(srvoptions) AS o) WHERE srvname = 'stranger'));
	my $error = on('stranger')->error($ask);
	is("$error->{sqlstate}: $error->{message}", qq(22023: invalid value for option "api_origin": "$origin"), "nothing is sent to $origin");
}

# A bulk call over HTTP/2 has its requests side by side in one connection.
my $bulk = q(SELECT count(*) FROM token, smartcar_get_vehicle_many(
	array_fill('36ab27d0-fd9d-4455-823a-ce30af709ffc'::text, ARRAY[16]), ARRAY[access_token]) AS answer
	WHERE answer.sqlstate IS NULL);
sub bulk_on
{
	my ($server) = @_;
	my (%ports, %streams);

	$sandbox->faults({ delay_ms => 100, times => 0 });
	is(on($server)->query($bulk), 16, "$server: a bulk call");
	foreach my $entry ($sandbox->log)
	{
		$ports{ $entry->{port} }++;
		$streams{ $entry->{stream} // 'none' }++;
	}
	return (scalar keys %ports, scalar keys %streams);
}
{
	$session = Session->new($node);
	is_deeply([ bulk_on('http2') ], [ 1, 16 ], 'has one connection, and a stream for each request');
	cmp_ok($sandbox->max_in_flight, '>=', 8, 'and 8 of them at once');

	# the connection that is there is used again
	my ($before) = $sandbox->log;
	$sandbox->faults;
	on('http2')->query($ask);
	my ($entry) = $sandbox->log;
	is($entry->{port}, $before->{port}, 'a later statement uses it again');

	is_deeply([ bulk_on('http1') ], [ 8, 1 ], 'has as many connections as requests at once');
	is_deeply([ bulk_on('plain') ], [ 8, 1 ], 'and so it is without TLS');
}

# A server that says it is about to go, and one that ends a stream.
foreach my $fault ({ goaway => 1 }, { reset => 1 }, { drop => 'before' })
{
	my ($name) = keys %$fault;

	$sandbox->faults($fault);
	is(on('http2')->query($bulk), 16, "HTTP/2: no request of a bulk call is lost after $name");
}

$session->finish;
$node->stop;

done_testing();
