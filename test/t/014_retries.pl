# When a request is made again, and when it must not be; and how many there are
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
$session->query('CREATE TABLE token (access_token text, refresh_token text, code text)');

# Connects anew, because a code and a refresh token are used up.
sub connect_owner
{
	my $owner = $sandbox->connect(owner => 'ada');

	$session->query('TRUNCATE token');
	$session->query("INSERT INTO token VALUES ('$owner->{access_token}', '$owner->{refresh_token}', '$owner->{code}')");
	return $owner;
}
my $ada = connect_owner();

my $get = 'SELECT smartcar_get_user(access_token) FROM token';
my $post = q(SELECT (smartcar_request('POST', '/user', access_token)).status FROM token);
my $exchange = 'SELECT (smartcar_exchange_code(code)).token_type FROM token';
my $refresh = 'INSERT INTO refreshed SELECT r.refresh_token FROM token, smartcar_refresh_token(refresh_token) r';
$session->query('CREATE TABLE refreshed (refresh_token text)');

sub on
{
	my ($server) = @_;

	$session->query("SET smartcar_tesla.server = $server");
	return $session;
}

# A fault that lasts, and how often the request is then made.  Those of a method
# go at once, so that their pauses do, too; but where a connection is cut, none
# that is kept may come in, over which libcurl would make the request once more.
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
	on('smartcar')->query(
		"SELECT count(*) FROM token, smartcar_request_many('$method', '{" . join(',', @paths) . "}', ARRAY[access_token])");
	push @{ $times{ $_->{path} } }, $_->{time} foreach $sandbox->log;
	foreach my $index (0 .. $#mine)
	{
		my ($name) = join ', ', map { "$_ $mine[$index][1]{$_}" } sort keys %{ $mine[$index][1] };

		my @times = @{ $times{"/v2.0/case/$index"} // [] };

		is(scalar @times, $mine[$index][2], "$method with $name: requests that are made");

		# the pauses grow, and are never nothing; a machine that is busy makes them
		# longer, so only their least lengths count, and the first is 200 ms at most
		next if @times != 3 || $group ne 'GET';
		my ($first, $second) = ($times[1] - $times[0], $times[2] - $times[1]);
		cmp_ok($first, '>=', 95, 'after a pause');
		cmp_ok($second, '>=', 395, 'and a longer one');
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

	# a machine that is busy does not add those pauses three times in a row
	my ($shortest) = sort { $a <=> $b } map { $milliseconds_of->($post) } 1 .. 3;
	ok($shortest >= 0 && $shortest < 500, "POST is not ($shortest ms)");
}

# One that is repeated gets what the last try brings.
foreach my $fault ({ status => 500 }, { status => 502 }, { status => 503 }, { status => 504 }, { drop => 'after' })
{
	my ($name) = %$fault;

	$sandbox->faults({ %$fault, times => 1 });
	is(on('smartcar')->query($get), $ada->{user_id}, "a passing fault ($name) is not seen");
}

# A timeout leaves no time for a repeat.
$sandbox->faults({ delay_ms => 5000, times => 0 });
is(on('hasty')->error($get)->{sqlstate}, 'SC003', 'a request that takes too long');
is(scalar $sandbox->log, 1, 'is not repeated');

# Smartcar says when it is ready again.
foreach my $case ([ 'GET', $get, $ada->{user_id} ], [ 'POST', $post, '204' ])
{
	my ($method, $sql, $expected) = @$case;

	$sandbox->faults({ retry_after => 1 }, $method eq 'POST' ? { status => 204 } : ());
	is(on('smartcar')->query($sql), $expected, "$method: a rate limit that ends within the timeout is waited for");
	my @entries = $sandbox->log;
	is(join(' ', map { $_->{status} } @entries), $method eq 'POST' ? '429 204' : '429 200', 'and the request is made again');
	cmp_ok($entries[1]{time} - $entries[0]{time}, '>=', 1000, 'not before it is allowed');
}
{
	$sandbox->faults({ retry_after => 1, times => 0 });
	my $error = on('hasty')->error($get);

	is($error->{sqlstate}, 'SC429', 'a rate limit that ends later is an error');
	is($error->{hint}, 'Try again in 1 seconds.', 'that says when');
	is(scalar $sandbox->log, 1, 'and the request is not made again');
}

# A code is good once.  libcurl itself makes a request again when a connection
# that it has kept turns out to be closed.
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
	connect_owner();
	on('smartcar')->query($get);
	$sandbox->faults({ %$fault, do_work => 1, times => 0 });
	like($session->error($exchange)->{sqlstate}, qr/^SC(001|50[03])$/, "an exchange that fails ($name)");
	is(scalar $sandbox->log(path => '/oauth/token$'), 1, 'is made once');
}
{
	$sandbox->faults;
	connect_owner();
	on('smartcar')->query($get);
	$sandbox->faults({ drop => 'after' });
	like($session->error($exchange)->{hint}, qr/may have carried out/, 'its caller learns that the code may be used up');
	like($session->error($exchange)->{sqlstate}, qr/^SC400$/, 'as it is');

	connect_owner();
	$sandbox->faults({ retry_after => 0 });
	is($session->error($exchange)->{sqlstate}, 'SC429', 'one that meets the rate limit is not made again by itself');
	is($session->query($exchange), 'Bearer', 'but its caller can');
	is(scalar $sandbox->log(path => '/oauth/token$'), 2, 'which is the second request');
}

# A refresh token can be used again for a while, so a lost answer is asked for again.
foreach my $fault ({ drop => 'after' }, { drop => 'before' }, { truncate => 30 }, { status => 503, do_work => 1 })
{
	my ($name) = join ' ', %$fault;

	connect_owner();
	$session->query('TRUNCATE refreshed');
	$sandbox->faults($fault);
	is(on('smartcar')->query($refresh), '', "a refresh whose answer is lost ($name)");
	is(scalar $sandbox->log(path => '/oauth/token$'), 2, 'is made again');
	my $token = $session->query('SELECT refresh_token FROM refreshed');
	ok($sandbox->ask("account?refresh_token=$token")->{token_live}, 'and gives a token that works');
}
{
	connect_owner();
	$session->finish;
	$session = Session->new($node);
	$sandbox->faults({ drop => 'after', times => 0 });
	is(on('smartcar')->error($refresh)->{sqlstate}, 'SC001', 'a refresh whose answers are all lost is an error');
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
is($session->query("SELECT count(smartcar_get_user(access_token)) FROM token, generate_series(1, 25)"), '25', 'many calls');
is(scalar $sandbox->log, 50, 'are as many requests');
is(ports(), 1, 'over one connection');
$session->query("BEGIN; SELECT smartcar_get_user('wrong'); ROLLBACK");
$session->query($get);
is(ports(), 1, 'which an error does not end');

# The connection may be the reason for a failure, even if it is still there.
$sandbox->faults({ status => 503, times => 2 });
is($session->query($get), $ada->{user_id}, 'a request that is repeated twice');
is(scalar $sandbox->log, 3, 'is three requests');
is(ports(), 3, 'over a connection each');

# A kept connection that breaks under a request which has waited for longer than
# one may take to connect: libcurl makes another, which has that time anew.
{
	on('by_name')->query($get);
	$sandbox->faults({ delay_ms => 1500, drop => 'after' });
	is($session->query($get), $ada->{user_id}, 'a kept connection that breaks late is made again');
	is(scalar $sandbox->log, 2, 'and the request, too');
	is(ports(), 2, 'over a new one');
}

# So many at once as the option says, and no fewer.
foreach my $case ([ 'smartcar', 8 ], [ 'three', 3 ])
{
	my ($server, $limit) = @$case;

	$sandbox->faults({ delay_ms => 50, times => 0 });
	is( on($server)->query(
			q(SELECT count(*) FROM token,
			smartcar_request_many('GET', array_fill('/user'::text, ARRAY[30]), ARRAY[access_token]) r WHERE r.status = 200)),
		'30', "$server: a bulk call");
	is($sandbox->max_in_flight, $limit, "has $limit requests at once");
	cmp_ok(ports(), '<=', $limit, 'over no more connections');
}

# A pause holds up only the request that needs it.
{
	$sandbox->faults({ match => { path => '/case' }, retry_after => 1 });
	on('three')->query(
		q(SELECT count(*) FROM token, smartcar_request_many('GET', '{/case,/user,/user,/user,/user}', ARRAY[access_token])));
	my @paths = map { $_->{path} } $sandbox->log;
	is($paths[-1], '/v2.0/case', 'the others go on while a request pauses');
}

$session->finish;
$node->stop;

done_testing();
