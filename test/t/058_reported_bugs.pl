# Bugs that others reported in public and that need a request: each case names the bug
# report, test or document that it is from.  sql/reported_bugs.sql has those that need no
# network.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = Manager::start_node($sandbox);
my $scope = 'read_vehicle_info read_odometer';
Sandbox::create_server($node, 'v2', $sandbox->url, timeout => '5s', scope => $scope);
Sandbox::create_server($node, 'v3', $sandbox->url, scope => $scope, api_version => '3');
my $session = Session->new($node);

# Bytes that a server sends unchanged.
sub raw
{
	my ($status, $headers, $body) = @_;

	return { raw => "HTTP/1.1 $status\r\n$headers\r\n$body" };
}

sub with_length
{
	my ($status, $headers, $body) = @_;

	return raw($status, $headers . 'content-length: ' . length($body) . "\r\n", $body);
}

# teslamotors/vehicle-command #185, TeslaBuds/AuthAppForTesla #16: after a 403 of a
# firewall or gateway, there is nothing that an owner can grant

foreach my $case (
	[ 'HTML', { status => 403, body => '<html><body>Access Denied</body></html>', content_type => 'text/html' } ],
	[ 'a bare message', { status => 403, body => { message => 'Forbidden' } } ],
	[ 'nothing', { status => 403, body => '' } ])
{
	my ($what, $fault) = @$case;

	foreach my $server ('v2', 'v3')
	{
		$sandbox->faults({ match => { path => '^/v' }, times => 0, %$fault });
		my $error = $session->error("SELECT smartcar_get_vehicle('a-vehicle', 'a-token', server => '$server')");
		is("$error->{sqlstate}: $error->{hint}", 'SC403: Try again later.', "$server: a 403 with $what does not ask the owner");
		is($session->query("SELECT (error).action FROM smartcar_get_virtual_key_many('{a-vehicle}', '{a-token}', server => '$server')"),
			'retry', "$server: neither does its action");
	}
}

# a v3 handoff document: the request id is only in the body

$sandbox->faults({
	match => { path => '^/v' },
	%{ with_length('409 Conflict', "content-type: application/json\r\n",
			'{"errors":[{"type":"VEHICLE_STATE","code":"ASLEEP","status":"409","meta":{"debug":{"requestId":"the-id-in-debug"}}}]}') },
	times => 0 });
like($session->error("SELECT smartcar_get_vehicle('a-vehicle', 'a-token', server => 'v3')")->{detail},
	qr/The request id is the-id-in-debug\.$/, 'a request id in meta.debug is part of the detail');

# smartcar/node-sdk #137: an unregistered redirect URI

my %refused = (error => 'invalid_grant', error_description => 'Unauthorized redirect_uri: https://a.example/exchange');
$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, status => 400, body => \%refused });
like($session->error("SELECT smartcar_exchange_code('a-code', server => 'v2')")->{hint}, qr/application's settings at Smartcar/,
	'a refused redirect URI does not ask the owner to connect again');
{
	my $finish = Manager::callback_of($node, $sandbox, 'ada', 'owner-7');
	like($session->error($finish)->{hint}, qr/application's settings at Smartcar/, 'neither does the connection manager');
	is(Manager::rows($node, 'session', 'action', external_id => 'owner-7'), 'fix_setup', 'the action of its session is fix_setup');
}

# wbyoung/smartcar #129 and other public fixtures: unusual token responses

sub refreshed
{
	my ($body, $columns, $type) = @_;

	$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, body => $body, content_type => $type // 'application/json' });
	my $result = $session->query("SELECT $columns FROM smartcar_refresh_token('a-token', server => 'v2')");
	return $result =~ /^ERROR/ ? Session::parts_of_error($result)->{sqlstate} : $result;
}

my $lifetime = q(round(extract(epoch FROM expires_at - statement_timestamp()) / 60));
foreach my $case (
	[ '7200', '120' ], [ '"7200"', '120' ], [ '7200.5', '120' ], [ '0', '0' ], [ 'null', '' ], [ '-1', '' ], [ '1e300', '' ])
{
	my ($expires_in, $minutes) = @$case;

	is(refreshed(qq({"access_token":"a","expires_in":$expires_in}), $lifetime), $minutes, "a token that expires in $expires_in");
}
is(refreshed(qq({"access_token":"a"}), "$lifetime, token_type"), '|', 'a token without an expiry and a type');
is(refreshed({ access_token => 'a' x 16384 }, 'length(access_token)'), '16384', 'a token of 16 kB');
is(refreshed(@$_), 'SC004', "tokens in $_->[0]") foreach (
	[ '["a"]', '1' ], [ '{"access_token":""}', '1' ], [ '{"access_token":"a b"}', '1' ],
	[ '<html>Welcome to our hotel</html>', '1', 'text/html' ]);

# curl and pramsey/pgsql-http: unusual HTTP

my $user = '{"id":"the-user"}';
my $json = "content-type: application/json\r\n";
foreach my $case (
	[ 'a header in latin-1', with_length('200 OK', "${json}x-name: J\xfcrgen\r\n", $user), 'the-user' ],
	[ 'no reason phrase', with_length('200', $json, $user), 'the-user' ],
	[ 'HTTP/1.0 that ends with the connection', { raw => "HTTP/1.0 200 OK\r\n$json\r\n$user", close => JSON::PP::true }, 'the-user' ],
	[ 'a body without a length', { %{ raw('200 OK', $json, $user) }, close => JSON::PP::true }, 'the-user' ],
	[ 'chunks with a trailer', raw('200 OK', "${json}transfer-encoding: chunked\r\n", sprintf("%x\r\n%s\r\n0\r\nx-sum: 1\r\n\r\n", length $user, $user)), 'the-user' ],
	[ 'an early hint', { raw => "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" . with_length('200 OK', $json, $user)->{raw} }, 'the-user' ],
	[ 'a continue that nobody waits for', { raw => "HTTP/1.1 100 Continue\r\n\r\n" . with_length('200 OK', $json, $user)->{raw} }, 'the-user' ],
	[ 'empty and repeated headers', with_length('200 OK', "${json}x-empty:\r\nx-twice: 1\r\nx-twice: 2\r\n", $user), 'the-user' ],
	[ 'another type of JSON', with_length('200 OK', "content-type: application/vnd.api+json\r\n", $user), 'the-user' ],
	[ 'text/plain', with_length('200 OK', "content-type: text/plain\r\n", $user), 'SC004' ],
	[ 'no type', with_length('200 OK', '', $user), 'SC004' ],
	[ 'an unknown encoding', with_length('200 OK', "${json}content-encoding: zx81\r\n", $user), 'SC004' ],
	[ 'a byte order mark', with_length('200 OK', $json, "\xef\xbb\xbf$user"), 'SC004' ])
{
	my ($what, $fault, $expected) = @$case;

	$sandbox->faults({ match => { path => '/user' }, %$fault });
	my $result = $session->query("SELECT smartcar_get_user('a-token', server => 'v2')");
	is($result =~ /^ERROR/ ? Session::parts_of_error($result)->{sqlstate} : $result, $expected, $what);
}

# soofstad/react-oauth2-pkce #39, #50: a callback that arrives three times at once

{
	my $finish = Manager::callback_of($node, $sandbox, 'ben', 'owner-8');
	my @sessions = map { Session->new($node) } 1 .. 3;
	$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, delay_ms => 500 });
	$_->start($finish) foreach @sessions;
	my @results = sort map { /^(finished|ERROR:  \w+)/m ? $1 : $_ } map { $_->result } @sessions;
	is("@results", 'ERROR:  SCBSY ERROR:  SCBSY finished', 'one of three identical callbacks is finished');
	is(scalar(grep { $_->query($finish) =~ /^finished\|owner-8\|.*\|0$/ } @sessions), 3, 'afterwards each of them gets the result');
	is(scalar $sandbox->log(path => '/oauth/token$'), 1, 'the code is sent once');
	$_->finish foreach @sessions;
}

# teslamate-org/teslamate #891: progress counts accounts, not attempts

Manager::start_over($node, $sandbox);
Manager::add_fleet($node, $sandbox, 'smartcar', 1);
$sandbox->faults({ match => { path => '/oauth/token' }, body => {} });
{
	my $result = $session->query("\\set VERBOSITY terse\nCALL smartcar_refresh()");

	is(Manager::counts($result), '1|0|0', 'an account that is refreshed at the second attempt');
	is(scalar $sandbox->log(path => '/oauth/token$'), 2, 'the account makes two requests');
	like($result, qr/smartcar_refresh\(\): 1 of 1 accounts/, 'counts as one account');
}

$session->finish;
done_testing();
