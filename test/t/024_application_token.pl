# The application token, which v3 calls get by themselves: a backend keeps it, and
# requests another one only when it must.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, api_version => '3');
$sandbox->ask('fleet', { owners => 20, vehicles => 20 });
$sandbox->ask('settings', { api_client_secrets => [ 'sandbox-api-secret', 'another-secret' ] });

my $call = q(SELECT model FROM smartcar_get_vehicle('vehicle-000001'));
my $bulk = q(SELECT count(*), count(model), count(sqlstate) FROM smartcar_get_vehicle_many(
	ARRAY(SELECT 'vehicle-' || lpad(n::text, 6, '0') FROM generate_series(1, 20) n)));

# The number of requests for tokens, and of other requests by status.
sub requests
{
	my %count = (tokens => 0);

	foreach my $entry ($sandbox->log)
	{
		$count{ $entry->{path} eq '/oauth2/token' ? 'tokens' : $entry->{status} }++;
	}
	return \%count;
}

# This session waits for its token to expire while the test goes on.
$sandbox->ask('settings', { application_token_lifetime => 10 });
my $patient = Session->new($node);
my $begun = time();
$patient->query($call);
$sandbox->ask('settings', { application_token_lifetime => 3600 });

# One token for many calls

my $session = Session->new($node);
$sandbox->faults();
is($session->query($call), 'Model Y', 'a call gets its token');
is($session->query($bulk), '20|20|0', 'many calls get their token');
is_deeply(requests(), { tokens => 1, 200 => 21 }, 'many calls share one token');

my ($request) = $sandbox->log(path => '^/oauth2/token$');
is("$request->{method} $request->{path}$request->{query}", 'POST /oauth2/token', 'token request: method and path');
is($request->{body}, 'grant_type=client_credentials&client_id=client_sandbox&client_secret=sandbox-api-secret', 'token request: form');
is($request->{headers}{'content-type'}, 'application/x-www-form-urlencoded', 'token request: content type');
is($request->{headers}{authorization}, undef, 'token request: no other credentials');

my ($token, $type, $life) = split /\|/, $session->query(
	"SELECT access_token, token_type, extract(epoch FROM expires_at - now()) FROM smartcar_get_application_token()");
is($type, 'Bearer', 'the type of the token');
cmp_ok($life, '>', 3590, 'it does not expire too early');
cmp_ok($life, '<=', 3600, 'it does not expire too late');
my ($used) = $sandbox->log(path => '^/v3/');
is($used->{headers}{authorization}, "Bearer $token", 'the calls have used this token');
is(requests()->{tokens}, 1, 'it was requested once');

# A token as an argument

$sandbox->faults();
is($session->query("SELECT model FROM smartcar_get_vehicle('vehicle-000001', '$token')"), 'Model Y', 'a token as an argument is used');
is($session->error(q(SELECT smartcar_get_vehicle('vehicle-000001', 'x')))->{sqlstate}, 'SC401', 'an invalid token as an argument is an error');
is_deeply(requests(), { tokens => 0, 200 => 1, 401 => 1 }, 'an invalid token as an argument causes no request for a token');

# A token that was revoked

$sandbox->ask('advance', { seconds => 3700 });
$sandbox->faults();
is($session->query($call), 'Model Y', 'a token that is refused is replaced');
is_deeply(requests(), { tokens => 1, 401 => 1, 200 => 1 }, 'the token is replaced once, and the call is repeated');

$sandbox->ask('advance', { seconds => 3700 });
$sandbox->faults();
is($session->query($bulk), '20|20|0', 'a token that is refused in a call for many');
my $count = requests();
is_deeply([ @$count{qw(tokens 200)} ], [ 1, 20 ], 'the token is replaced once for all items');

my $hundreds = q(SELECT count(*), count(model), count(sqlstate) FROM smartcar_get_vehicle_many(
	ARRAY(SELECT 'vehicle-' || lpad((n % 20 + 1)::text, 6, '0') FROM generate_series(1, 300) n)));
$sandbox->ask('advance', { seconds => 3700 });
$sandbox->faults();
is($session->query($hundreds), '300|300|0', 'a token that is refused in a call for hundreds');
$count = requests();
cmp_ok($count->{401}, '<', 40, 'most requests wait for the new token');
is_deeply([ @$count{qw(tokens 200)} ], [ 1, 300 ], 'the new token is requested once');

# a refusal because of the vehicle is no reason for a new token each
$sandbox->faults({ match => { path => '/vehicle-00000[36]$' }, status => 401, times => 0 });
is($session->query($hundreds), '300|270|30', 'a call for hundreds of which some are always refused');
$count = requests();
cmp_ok($count->{tokens}, '<=', 2, 'few tokens are requested');
is($count->{200}, 270, 'successful items are not repeated');

# between two pages
$sandbox->ask('fleet', { owners => 1, vehicles => 120 });
$sandbox->faults({ match => { path => '^/v3/connections', query => 'page%5Bnumber%5D=2' }, status => 401 });
is($session->query(q(SELECT count(*), count(DISTINCT v) FROM smartcar_get_vehicles(NULL::text, 'user-000021') v)), '120|120', 'a token that is refused between two pages');
is_deeply(requests(), { tokens => 1, 401 => 1, 200 => 2 }, 'no page is requested twice');

$sandbox->faults({ match => { path => '^/v3/' }, status => 401, times => 0 });
is($session->error($call)->{sqlstate}, 'SC401', 'a token that is always refused');
is_deeply(requests(), { tokens => 1, 401 => 2 }, 'the token is replaced once');
is($session->query($bulk), '20|0|20', 'a call for many whose token is always refused');
is(requests()->{tokens}, 2, 'the token of a call for many is replaced once');
$sandbox->faults({ match => { path => '^/v3/' }, status => 401, times => 0 });
is($session->query($hundreds), '300|0|300', 'a call for hundreds whose token is always refused');
$count = requests();
is($count->{tokens}, 1, 'the token of a call for hundreds is replaced once');
cmp_ok($count->{401}, '<', 340, 'few requests are repeated');

# A new token is not available in the middle of a call: the results so far are returned.

$sandbox->faults();
is($session->query($bulk), '20|20|0', 'a token that works');
$sandbox->faults(
	{ match => { path => '/oauth2/token' }, times => 0, status => 503 },
	{ match => { path => '^/v3/' }, after => 2, times => 0, status => 401 });
is($session->query(q(SELECT count(*) FILTER (WHERE status = 200), count(*) FILTER (WHERE sqlstate = 'SC503' AND (error).status = 503), count(*)
	FROM smartcar_request_many('DELETE', ARRAY(SELECT '/connections/connection-' || lpad(n::text, 6, '0') FROM generate_series(11, 20) n)))
	=~ s/status = 200/status BETWEEN 200 AND 204/r), '2|8|10', 'items that were not done have an error');
is(scalar(grep { $_->{status} == 204 } $sandbox->log(method => 'DELETE')), 2, 'items that were done have none');
$sandbox->faults();

# Wrong credentials

$sandbox->faults();
is($session->query($call), 'Model Y', 'the session goes on');
$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET api_client_secret 'wrong-secret-canary')));
$sandbox->faults();
my $error = $session->error($call);
is_deeply(
	$error,
	{
		sqlstate => 'SC401',
		message => 'Smartcar refused the request: invalid_client',
		detail => 'POST /oauth2/token returned HTTP status 401: Client authentication failed.',
		hint => 'Check the options "api_client_id" and "api_client_secret" of the user mapping.'
	},
	'changed credentials count at once, and wrong ones are an error');
is($session->error($bulk)->{sqlstate}, 'SC401', 'a call for many cannot begin, either');
is_deeply(requests(), { tokens => 2 }, 'no request without a token, and no second try');

# Changed credentials

$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET api_client_secret 'another-secret')));
$sandbox->faults();
is($session->query($call), 'Model Y', 'a call succeeds with changed credentials');
($request) = $sandbox->log(path => '^/oauth2/token$');
like($request->{body}, qr/client_secret=another-secret$/, 'changed credentials get another token');
isnt($session->query('SELECT access_token FROM smartcar_get_application_token()'), $token, 'the new token replaces the old one');

# A role with credentials of its own

$session->query(q(
	CREATE ROLE garage;
	GRANT USAGE ON FOREIGN SERVER smartcar TO garage;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO garage;
	CREATE USER MAPPING FOR garage SERVER smartcar
		OPTIONS (api_client_id 'client_sandbox', api_client_secret 'sandbox-api-secret');
	SET ROLE garage));
$sandbox->ask('advance', { seconds => 3700 });
$sandbox->faults();
is($session->query($call), 'Model Y', 'a call of another role');
($request) = $sandbox->log(path => '^/oauth2/token$');
like($request->{body}, qr/client_secret=sandbox-api-secret$/, 'another role uses the credentials of its mapping');
$session->query('RESET ROLE');
is($session->query($call), 'Model Y', 'a call of the first role');
is(($sandbox->log(path => '^/oauth2/token$'))[-1]{body} =~ s/.*=//r, 'another-secret', 'the first role uses its own credentials again');

# More tokens than a backend keeps

$sandbox->ask('settings', { api_client_secrets => [ map { "secret-$_" } 1 .. 10 ] });
$sandbox->faults();
for my $turn (1, 2)
{
	for my $number (1 .. 10)
	{
		$session->query("ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET api_client_secret 'secret-$number')");
		is($session->query($call), 'Model Y', "a call succeeds with credentials $number");
	}
}
is(requests()->{200}, 20, 'more applications than a backend keeps tokens for');

# Incomplete responses

my $live = $session->query('SELECT access_token FROM smartcar_get_application_token()');
$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET api_client_id 'client_other')));
$sandbox->faults({ match => { path => '^/oauth2/token$' }, body => { access_token => $live }, times => 0 });
is($session->query($call), 'Model Y', 'a token without an expiry') for 1 .. 2;
is_deeply(requests(), { tokens => 2, 200 => 2 }, 'a token without an expiry is used for one call');
$sandbox->faults({ match => { path => '^/oauth2/token$' }, body => { token_type => 'Bearer' }, times => 0 });
is($session->error($call)->{sqlstate}, 'SC004', 'a response without a token');
$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (DROP api_client_id)));
is($session->error($call)->{sqlstate}, '55000', 'an error without credentials');

# A token is replaced shortly before it expires: a tenth of its life, or a minute

$sandbox->ask('settings', { api_client_secrets => ['sandbox-api-secret'] });
sleep(9.2 - (time() - $begun)) if time() - $begun < 9.2;
$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (ADD api_client_id 'client_sandbox', SET api_client_secret 'sandbox-api-secret')));
$sandbox->faults();
is($patient->query($call), 'Model Y', 'a token that is about to expire');
is_deeply(requests(), { tokens => 1, 200 => 1 }, 'a token that is about to expire is replaced before it is refused');

done_testing();
