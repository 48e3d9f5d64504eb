# The token of the application, which calls to the v3 API get by themselves: a
# backend keeps it, and asks for another one when it must and no oftener.

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

# How many requests there were for tokens, and how many others with which statuses.
sub requests
{
	my %count = (tokens => 0);

	foreach my $entry ($sandbox->log)
	{
		$count{ $entry->{path} eq '/oauth2/token' ? 'tokens' : $entry->{status} }++;
	}
	return \%count;
}

# This one waits for the end of its token while the rest goes on.
$sandbox->ask('settings', { application_token_lifetime => 10 });
my $patient = Session->new($node);
my $begun = time();
$patient->query($call);
$sandbox->ask('settings', { application_token_lifetime => 3600 });

# One token for many calls

my $session = Session->new($node);
$sandbox->faults();
is($session->query($call), 'Model Y', 'a call gets its token');
is($session->query($bulk), '20|20|0', 'many calls');
is_deeply(requests(), { tokens => 1, 200 => 21 }, 'with one and the same token');

my ($request) = $sandbox->log(path => '^/oauth2/token$');
is("$request->{method} $request->{path}$request->{query}", 'POST /oauth2/token', 'how it is asked for');
is($request->{body}, 'grant_type=client_credentials&client_id=client_sandbox&client_secret=sandbox-api-secret', 'its form');
is($request->{headers}{'content-type'}, 'application/x-www-form-urlencoded', 'its content type');
is($request->{headers}{authorization}, undef, 'no other credentials');

my ($token, $type, $life) = split /\|/, $session->query(
	"SELECT access_token, token_type, extract(epoch FROM expires_at - now()) FROM smartcar_get_application_token()");
is($type, 'Bearer', 'its type');
cmp_ok($life, '>', 3590, 'its end, not too early');
cmp_ok($life, '<=', 3600, 'and not too late');
my ($used) = $sandbox->log(path => '^/v3/');
is($used->{headers}{authorization}, "Bearer $token", 'it is the token that the calls have used');
is(requests()->{tokens}, 1, 'and is not asked for again');

# A token of one's own

$sandbox->faults();
is($session->query("SELECT model FROM smartcar_get_vehicle('vehicle-000001', '$token')"), 'Model Y', 'a token that is handed over');
is($session->error(q(SELECT smartcar_get_vehicle('vehicle-000001', 'x')))->{sqlstate}, 'SC401', 'one that is not good');
is_deeply(requests(), { tokens => 0, 200 => 1, 401 => 1 }, 'does not bring another');

# Withdrawn before its time

$sandbox->ask('advance', { seconds => 3700 });
$sandbox->faults();
is($session->query($call), 'Model Y', 'a token that is refused is replaced');
is_deeply(requests(), { tokens => 1, 401 => 1, 200 => 1 }, 'once, and the call is made again');

$sandbox->ask('advance', { seconds => 3700 });
$sandbox->faults();
is($session->query($bulk), '20|20|0', 'the same in a call for many');
my $count = requests();
is_deeply([ @$count{qw(tokens 200)} ], [ 1, 20 ], 'one new token for all of them');

my $hundreds = q(SELECT count(*), count(model), count(sqlstate) FROM smartcar_get_vehicle_many(
	ARRAY(SELECT 'vehicle-' || lpad((n % 20 + 1)::text, 6, '0') FROM generate_series(1, 300) n)));
$sandbox->ask('advance', { seconds => 3700 });
$sandbox->faults();
is($session->query($hundreds), '300|300|0', 'in one for hundreds');
$count = requests();
cmp_ok($count->{401}, '<', 40, 'the rest waits for the new token');
is_deeply([ @$count{qw(tokens 200)} ], [ 1, 300 ], 'and is asked for once');

# what is refused because of the vehicle is no reason for a token each
$sandbox->faults({ match => { path => '/vehicle-00000[36]$' }, status => 401, times => 0 });
is($session->query($hundreds), '300|270|30', 'some of which are always refused');
$count = requests();
cmp_ok($count->{tokens}, '<=', 2, 'are no reason for many tokens');
is($count->{200}, 270, 'nor to ask again for the others');

# in the middle of a walk through pages
$sandbox->ask('fleet', { owners => 1, vehicles => 120 });
$sandbox->faults({ match => { path => '^/v3/connections', query => 'page%5Bnumber%5D=2' }, status => 401 });
is($session->query(q(SELECT count(*), count(DISTINCT v) FROM smartcar_get_vehicles(NULL::text, 'user-000021') v)), '120|120', 'between two pages');
is_deeply(requests(), { tokens => 1, 401 => 1, 200 => 2 }, 'no page is asked for twice');

$sandbox->faults({ match => { path => '^/v3/' }, status => 401, times => 0 });
is($session->error($call)->{sqlstate}, 'SC401', 'one that is always refused');
is_deeply(requests(), { tokens => 1, 401 => 2 }, 'is replaced once');
is($session->query($bulk), '20|0|20', 'the same in a call for many');
is(requests()->{tokens}, 2, 'once for all of them');
$sandbox->faults({ match => { path => '^/v3/' }, status => 401, times => 0 });
is($session->query($hundreds), '300|0|300', 'in one for hundreds');
$count = requests();
is($count->{tokens}, 1, 'once, too');
cmp_ok($count->{401}, '<', 340, 'and hardly any is asked for twice');

# The new token cannot be had in the middle of a call: what was done is told.

$sandbox->faults();
is($session->query($bulk), '20|20|0', 'a token that works');
$sandbox->faults(
	{ match => { path => '/oauth2/token' }, times => 0, status => 503 },
	{ match => { path => '^/v3/' }, after => 2, times => 0, status => 401 });
is($session->query(q(SELECT count(*) FILTER (WHERE status = 200), count(*) FILTER (WHERE sqlstate = 'SC503' AND (error).status = 503), count(*)
	FROM smartcar_request_many('DELETE', ARRAY(SELECT '/connections/connection-' || lpad(n::text, 6, '0') FROM generate_series(11, 20) n)))
	=~ s/status = 200/status BETWEEN 200 AND 204/r), '2|8|10', 'an error of each that was not done');
is(scalar(grep { $_->{status} == 204 } $sandbox->log(method => 'DELETE')), 2, 'and not of those that were');
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
		hint => 'Check the options of the server, those of its user mapping, and the application\'s settings at Smartcar.'
	},
	'changed credentials count at once, and wrong ones are told');
is($session->error($bulk)->{sqlstate}, 'SC401', 'a call for many cannot begin either');
is_deeply(requests(), { tokens => 2 }, 'no request without a token, and no second try');

# Changed credentials

$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET api_client_secret 'another-secret')));
$sandbox->faults();
is($session->query($call), 'Model Y', 'other credentials');
($request) = $sandbox->log(path => '^/oauth2/token$');
like($request->{body}, qr/client_secret=another-secret$/, 'bring another token');
isnt($session->query('SELECT access_token FROM smartcar_get_application_token()'), $token, 'and not the old one');

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
is($session->query($call), 'Model Y', 'another role');
($request) = $sandbox->log(path => '^/oauth2/token$');
like($request->{body}, qr/client_secret=sandbox-api-secret$/, 'uses the credentials of its mapping');
$session->query('RESET ROLE');
is($session->query($call), 'Model Y', 'and the first one');
is(($sandbox->log(path => '^/oauth2/token$'))[-1]{body} =~ s/.*=//r, 'another-secret', 'its own again');

# More tokens than are kept

$sandbox->ask('settings', { api_client_secrets => [ map { "secret-$_" } 1 .. 10 ] });
$sandbox->faults();
for my $turn (1, 2)
{
	for my $number (1 .. 10)
	{
		$session->query("ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET api_client_secret 'secret-$number')");
		is($session->query($call), 'Model Y', "credentials $number");
	}
}
is(requests()->{200}, 20, 'more applications than a backend keeps tokens for');

# Answers that lack something

my $live = $session->query('SELECT access_token FROM smartcar_get_application_token()');
$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET api_client_id 'client_other')));
$sandbox->faults({ match => { path => '^/oauth2/token$' }, body => { access_token => $live }, times => 0 });
is($session->query($call), 'Model Y', 'a token that does not say when it ends') for 1 .. 2;
is_deeply(requests(), { tokens => 2, 200 => 2 }, 'is good for one call');
$sandbox->faults({ match => { path => '^/oauth2/token$' }, body => { token_type => 'Bearer' }, times => 0 });
is($session->error($call)->{sqlstate}, 'SC004', 'an answer without a token');
$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (DROP api_client_id)));
is($session->error($call)->{sqlstate}, '55000', 'no credentials');

# Shortly before its end: a tenth of its life, or a minute

$sandbox->ask('settings', { api_client_secrets => ['sandbox-api-secret'] });
sleep(9.2 - (time() - $begun)) if time() - $begun < 9.2;
$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (ADD api_client_id 'client_sandbox', SET api_client_secret 'sandbox-api-secret')));
$sandbox->faults();
is($patient->query($call), 'Model Y', 'a token that is about to end');
is_deeply(requests(), { tokens => 1, 200 => 1 }, 'is replaced before it is refused');

done_testing();
