# When a request is repeated, and when it must not be; and how many requests are made
# at once, over how many connections.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url);
Sandbox::create_server($node, 'hasty', $sandbox->url, timeout => '300ms');
Sandbox::create_server($node, 'closed', $sandbox->url('closed_port'));
# a name, so that a new connection takes a moment
my $by_name = $sandbox->url =~ s/127\.0\.0\.1/localhost/r;
Sandbox::create_server($node, 'by_name', $by_name, connect_timeout => '500ms');
Sandbox::create_server($node, 'three', $sandbox->url, max_concurrency => '3');

my $session = Session->new($node);
# Ada connects again when the code or the refresh token is used up.
my $ada = $session->connect_owner($sandbox, 'ada');
my $get = 'SELECT smartcar_get_user(access_token) FROM token';
my $post = q(SELECT (smartcar_request('POST', '/user', access_token)).status FROM token);
my $exchange = 'SELECT (smartcar_exchange_code(code)).token_type FROM token';
my $refresh = 'INSERT INTO refreshed SELECT r.refresh_token FROM token, smartcar_refresh_token(refresh_token) r';
$session->query('CREATE TABLE refreshed (refresh_token text)');

# A lasting fault, and how often the request is then made.  The cases of a method run
# in one bulk call, so that their pauses overlap; but where a connection is cut, no kept
# connection may be used, over which libcurl itself would repeat the request.
my @cases = (
	[ 'GET', { status => 500 }, 3 ],
	[ 'GET', { status => 502 }, 3 ],
	[ 'GET', { status => 503 }, 3 ],
	[ 'GET', { status => 504 }, 3 ],
	[ 'GET', { drop => 'before' }, 3 ],
	[ 'GET', { drop => 'after' }, 3 ],
	[ 'GET', { truncate => 5 }, 3 ],
	[ 'GET', { status => 400 }, 1 ],
	[ 'GET', { status => 401 }, 1 ],
	[ 'GET', { status => 404 }, 1 ],
	[ 'GET', { status => 409 }, 1 ],
	[ 'GET', { status => 429 }, 1 ],
	[ 'GET', { status => 501 }, 1 ],
	[ 'GET', { status => 505 }, 1 ],
	[ 'GET', { oversize => 2000000 }, 1 ],
	[ 'GET', { retry_after => 3600 }, 1 ],
	[ 'GET', { retry_after => 'Wed, 21 Oct 2099 07:28:00 GMT' }, 1 ],
	[ 'GET', { retry_after => 'in a while' }, 1 ],
	[ 'GET', { retry_after => 3600, status => 503 }, 1 ],
	[ 'HEAD', { status => 503 }, 3 ],
	[ 'POST', { status => 503 }, 1 ],
	[ 'POST', { retry_after => 1, status => 503 }, 1 ],
	[ 'POST', { drop => 'before' }, 1 ],
	[ 'POST', { retry_after => 3600 }, 1 ],
	[ 'POST', { status => 429 }, 1 ],
	[ 'PUT', { status => 503 }, 1 ],
	[ 'PUT', { drop => 'before' }, 1 ],
	[ 'PATCH', { status => 503 }, 1 ],
	[ 'DELETE', { status => 503 }, 1 ],
	[ 'DELETE', { drop => 'before' }, 1 ],
);
my %groups;
push @{ $groups{ $_->[0] . ($_->[1]{drop} ? ' that is cut' : '') } }, $_ foreach @cases;
$session->query("ALTER SERVER smartcar OPTIONS (ADD max_concurrency '64')");
foreach my $group (sort keys %groups)
{
	my @mine = @{ $groups{$group} };
	my $method = $mine[0][0];
	my @paths = map { "/case/$_" } 0 .. $#mine;
	my %times;

	$session->finish;
	$session = Session->new($node);

	$sandbox->faults(map { { %{ $mine[$_][1] }, match => { path => "/case/$_\$" }, times => 0 } } 0 .. $#mine);
	$session->use_server('smartcar')->query(
		"SELECT count(*) FROM token, smartcar_request_many('$method', '{" . join(',', @paths) . "}', ARRAY[access_token])");
	push @{ $times{ $_->{path} } }, $_->{time} foreach $sandbox->log;
	foreach my $index (0 .. $#mine)
	{
		my ($name) = join ', ', map { "$_ $mine[$index][1]{$_}" } sort keys %{ $mine[$index][1] };

		my @times = @{ $times{"/v2.0/case/$index"} // [] };

		is(scalar @times, $mine[$index][2], "$method with $name: requests that are made");

		# the pauses grow; a busy machine makes them longer, so only their minimum is checked,
		# and the first may be 200 ms at most
		next if @times != 3 || $group ne 'GET';
		my ($first, $second) = ($times[1] - $times[0], $times[2] - $times[1]);
		cmp_ok($first, '>=', 95, 'the second attempt comes after a pause');
		cmp_ok($second, '>=', 395, 'the third attempt comes after a longer pause');
	}
}
$session->query('ALTER SERVER smartcar OPTIONS (DROP max_concurrency)');
{
	my $closed = Session->new($node);

	$sandbox->faults;
	$closed->query("SET smartcar_tesla.server = closed");

	my $milliseconds_of = sub {
		my ($sql) = @_;

		return $closed->error($sql)->{detail} =~ /after (\d+) ms/ ? $1 : -1;
	};
	cmp_ok($milliseconds_of->($get), '>=', 500, 'GET with a refused connection is made again after pauses');

	# a busy machine does not delay three attempts in a row
	my ($shortest) = sort { $a <=> $b } map { $milliseconds_of->($post) } 1 .. 3;
	ok($shortest >= 0 && $shortest < 500, "POST with a refused connection is not repeated ($shortest ms)");
}

# A request that is repeated returns the result of the last attempt.
foreach my $fault ({ status => 500 }, { status => 502 }, { status => 503 }, { status => 504 }, { drop => 'after' })
{
	my ($name) = %$fault;

	$sandbox->faults({ %$fault, times => 1 });
	is($session->use_server('smartcar')->query($get), $ada->{user_id}, "a transient fault ($name) is not visible");
}

# A timeout leaves no time for a repeat.
$sandbox->faults({ delay_ms => 5000, times => 0 });
is($session->use_server('hasty')->error($get)->{sqlstate}, 'SC003', 'a request that takes too long is SC003');
is(scalar $sandbox->log, 1, 'a request that takes too long is not repeated');

# Smartcar says when to try again.
foreach my $case ([ 'GET', $get, $ada->{user_id} ], [ 'POST', $post, '204' ])
{
	my ($method, $sql, $expected) = @$case;

	$sandbox->faults({ retry_after => 1 }, $method eq 'POST' ? { status => 204 } : ());
	is($session->use_server('smartcar')->query($sql), $expected, "$method: a rate limit that ends within the timeout is waited for");
	my @entries = $sandbox->log;
	is(join(' ', map { $_->{status} } @entries), $method eq 'POST' ? '429 204' : '429 200', "$method: the request is repeated");
	cmp_ok($entries[1]{time} - $entries[0]{time}, '>=', 1000, "$method: not before Smartcar allows it");
}
{
	$sandbox->faults({ retry_after => 1, times => 0 });
	my $error = $session->use_server('hasty')->error($get);

	is($error->{sqlstate}, 'SC429', 'a rate limit that ends after the timeout is an error');
	is($error->{hint}, 'Try again in 1 seconds.', 'the hint says when to try again');
	is(scalar $sandbox->log, 1, 'the request is not repeated');
}

# A code is single-use.  libcurl itself repeats a request if a connection that it has
# kept turns out to be closed.
foreach my $fault (
	{ drop => 'after' },
	{ drop => 'before' },
	{ reset => 1 },
	{ status => 503 },
	{ status => 500 },
	{ truncate => 5 })
{
	my ($name) = join ' ', %$fault;

	$sandbox->faults;
	$session->connect_owner($sandbox, 'ada');
	$session->use_server('smartcar')->query($get);
	$sandbox->faults({ %$fault, do_work => 1, times => 0 });
	like($session->error($exchange)->{sqlstate}, qr/^SC(001|50[03])$/, "an exchange that fails ($name)");
	is(scalar $sandbox->log(path => '/oauth/token$'), 1, "the code is sent once ($name)");
}
{
	$sandbox->faults;
	$session->connect_owner($sandbox, 'ada');
	$session->use_server('smartcar')->query($get);
	$sandbox->faults({ drop => 'after' });
	like($session->error($exchange)->{hint}, qr/may have carried out/, 'the hint says that the code may be used up');
	like($session->error($exchange)->{sqlstate}, qr/^SC400$/, 'the code is used up');

	$session->connect_owner($sandbox, 'ada');
	$sandbox->faults({ retry_after => 0 });
	is($session->error($exchange)->{sqlstate}, 'SC429', 'an exchange that meets the rate limit is not repeated');
	is($session->query($exchange), 'Bearer', 'the caller can repeat the exchange');
	is(scalar $sandbox->log(path => '/oauth/token$'), 2, 'the repeated exchange is the second request');
}

# A refresh token can be used again for a while, so a refresh whose response is lost is repeated.
foreach my $fault ({ drop => 'after' }, { drop => 'before' }, { truncate => 30 }, { status => 503, do_work => 1 })
{
	my ($name) = join ' ', %$fault;

	$session->connect_owner($sandbox, 'ada');
	$session->query('TRUNCATE refreshed');
	$sandbox->faults($fault);
	is($session->use_server('smartcar')->query($refresh), '', "a refresh whose response is lost ($name)");
	is(scalar $sandbox->log(path => '/oauth/token$'), 2, "a refresh whose response is lost is repeated ($name)");
	my $token = $session->query('SELECT refresh_token FROM refreshed');
	ok($sandbox->ask("account?refresh_token=$token")->{token_live}, 'the token that it returns works');
}
{
	$session->connect_owner($sandbox, 'ada');
	$session->finish;
	$session = Session->new($node);
	$sandbox->faults({ drop => 'after', times => 0 });
	is($session->use_server('smartcar')->error($refresh)->{sqlstate}, 'SC001', 'a refresh whose responses are all lost is an error');
	is(scalar $sandbox->log(path => '/oauth/token$'), 3, 'after the third request');
}

# Connections are kept.
sub ports
{
	my %ports;

	$ports{ $_->{port} }++ foreach $sandbox->log;
	return scalar keys %ports;
}
$session->finish;
$session = Session->new($node);
$sandbox->faults;
$session->query($get) foreach 1 .. 25;
is($session->query("SELECT count(smartcar_get_user(access_token)) FROM token, generate_series(1, 25)"), '25', '25 more calls');
is(scalar $sandbox->log, 50, '50 calls are 50 requests');
is(ports(), 1, 'over one connection');
$session->query("BEGIN; SELECT smartcar_get_user('wrong'); ROLLBACK");
$session->query($get);
is(ports(), 1, 'an error does not close the connection');

# The connection may be the cause of a failure, even if it is still open.
$sandbox->faults({ status => 503, times => 2 });
is($session->query($get), $ada->{user_id}, 'a request that is repeated twice');
is(scalar $sandbox->log, 3, 'a request that is repeated twice is three requests');
is(ports(), 3, 'each over a connection of its own');

# A kept connection that breaks under a request which has taken longer than
# connect_timeout: libcurl makes another one, with the full connect_timeout.
{
	$session->use_server('by_name')->query($get);
	$sandbox->faults({ delay_ms => 1500, drop => 'after' });
	is($session->query($get), $ada->{user_id}, 'a kept connection that breaks late is replaced');
	is(scalar $sandbox->log, 2, 'the request is repeated');
	is(ports(), 2, 'over the new connection');
}

# As many requests at once as the option says, and no fewer.
foreach my $case ([ 'smartcar', 8 ], [ 'three', 3 ])
{
	my ($server, $limit) = @$case;

	$sandbox->faults({ delay_ms => 50, times => 0 });
	is( $session->use_server($server)->query(
			q(SELECT count(*) FROM token,
			smartcar_request_many('GET', array_fill('/user'::text, ARRAY[30]), ARRAY[access_token]) r WHERE r.status = 200)),
		'30', "$server: a bulk call");
	is($sandbox->max_in_flight, $limit, "$server: $limit requests at once");
	cmp_ok(ports(), '<=', $limit, "$server: no more connections than requests");
}

# A pause delays only the request that needs it.
{
	$sandbox->faults({ match => { path => '/case' }, retry_after => 1 });
	$session->use_server('three')->query(
		q(SELECT count(*) FROM token, smartcar_request_many('GET', '{/case,/user,/user,/user,/user}', ARRAY[access_token])));
	my @paths = map { $_->{path} } $sandbox->log;
	is($paths[-1], '/v2.0/case', 'other requests go on while one pauses');
}

$session->finish;
$node->stop;

done_testing();
