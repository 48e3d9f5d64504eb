# smartcar_request(): any endpoint of any API, every part of a request, and the whole
# response, whatever its status.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url);
Sandbox::create_server($node, 'v3', $sandbox->url, api_version => '3');
$sandbox->ask('fleet', { owners => 2, vehicles => 2 });

my $session = Session->new($node);

# The only request of a call to /x, which always gets a 200.
sub request_of
{
	my ($arguments) = @_;

	$sandbox->faults({ match => { path => '/x' }, body => {} });
	is($session->query("SELECT status FROM smartcar_request($arguments)"), '200', $arguments);
	my @log = $sandbox->log(path => '/x');
	return $log[0];
}

# Methods and bodies

foreach my $method (qw(GET HEAD POST PUT PATCH DELETE))
{
	my $request = request_of("lower('$method'), '/x', 't'");

	is("$request->{method} $request->{path}$request->{query}", "$method /v2.0/x", "method $method");
	is($request->{body}, '', "method $method: no body");
	is($request->{headers}{'content-type'}, undef, "method $method: no content type");
	is($request->{headers}{authorization}, 'Bearer t', "method $method: the token");
}
is(request_of(q('POST', '/x', 't'))->{headers}{'content-length'}, '0', 'a POST without a body has the length 0');
foreach my $method (qw(POST PUT PATCH DELETE))
{
	my $request = request_of(qq('$method', '/x', 't', body => '{"text": "\\"\\\\ ü", "list": [1, 2.50, true, null]}'));

	is("$request->{method} $request->{headers}{'content-type'}", "$method application/json", "method $method: the content type of a body");
	is_deeply(JSON::PP->new->decode($request->{body}), { text => "\"\\ \x{fc}", list => [ 1, 2.5, JSON::PP::true, undef ] }, "method $method: the body");
	like($request->{body}, qr/2\.50/, "method $method: numbers keep their digits");
}
is($session->error(q(SELECT smartcar_request('GET', '/x', 't', query => jsonb_build_object('a', repeat('x', 9000000)))))->{sqlstate}, '54000', 'a query that is too long is refused');
is($session->error(q(SELECT smartcar_request('HEAD', '/x', 't', body => '{}')))->{message}, 'method HEAD does not allow a body', 'HEAD with a body is refused');
is(request_of(q('POST', '/x', 't', body => '"text"'))->{body}, '"text"', 'a body that is not an object');
is(request_of(q('POST', '/x', 't', body => 'null'))->{body}, 'null', 'a body of null');

# Queries

my %query = (
	'{"limit": 10, "offset": 0}' => 'limit=10&offset=0',
	'{"a": "b c&d=e/f?g#h+i%j"}' => 'a=b%20c%26d%3De%2Ff%3Fg%23h%2Bi%25j',
	'{"a": "ü日"}' => 'a=%C3%BC%E6%97%A5',
	'{"page[size]": 1, "ü": 2}' => '%C3%BC=2&page%5Bsize%5D=1',
	'{"number": 1.50, "yes": true, "no": false, "nothing": null, "empty": ""}' => 'no=false&yes=true&empty=&number=1.50',
	'{}' => '');
is(request_of("'GET', '/x', 't', query => '$_'")->{query}, $query{$_}, "query $_") foreach sort keys %query;

# Other headers

is(request_of(q('GET', '/x', 't', unit_system => 'imperial'))->{headers}{'sc-unit-system'}, 'imperial', 'the unit system');
is(request_of(q('GET', '/x', 't'))->{headers}{'sc-unit-system'}, undef, 'no unit system');
is(request_of(q('GET', '/x', 't', 'u'))->{headers}{'sc-user-id'}, undef, 'no user in v2.0');
is(request_of(q('GET', '/x', 't', 'u', origin => 'vehicle'))->{headers}{'sc-user-id'}, 'u', 'the user in v3');
is(request_of(q('GET', '/x', 't'))->{headers}{accept}, 'application/json', 'an Accept header');

# Origins, each with its credentials

my $token = $session->query("SELECT access_token FROM smartcar_get_application_token()");
my $management = 'Basic ZGVmYXVsdDpzYW5kYm94LW1hbmFnZW1lbnQtdG9rZW4=';
my @origins = (
	[ q('GET', '/x', 't'), '/v2.0/x', 'Bearer t' ],
	[ q('GET', '/x', server => 'v3'), '/v3/x', "Bearer $token" ],
	[ q('GET', '/x', 't', server => 'v3'), '/v3/x', 'Bearer t' ],
	[ q('GET', '/x', 't', origin => 'api', server => 'v3'), '/v2.0/x', 'Bearer t' ],
	[ q('GET', '/x', origin => 'vehicle'), '/v3/x', "Bearer $token" ],
	[ q('GET', '/x', origin => 'management'), '/v2.0/x', $management ],
	[ q('GET', '/x', origin => 'management', server => 'v3'), '/v3/x', "Bearer $token" ],
	[ q('GET', '/x', origin => 'compatibility'), '/v3/x', undef ],
	[ q('GET', '/x', origin => 'compatibility', server => 'v3'), '/v3/x', undef ]);
foreach my $origin (@origins)
{
	my $request = request_of($origin->[0]);

	is($request->{path}, $origin->[1], "path of: $origin->[0]");
	is($request->{headers}{authorization}, $origin->[2], "credentials of: $origin->[0]");
}

# Each origin leads to its own host
$session->query(q(ALTER SERVER smartcar OPTIONS (SET auth_origin 'http://127.0.0.1:1', SET iam_origin 'http://127.0.0.1:1', SET vehicle_origin 'http://127.0.0.1:1', SET management_origin 'http://127.0.0.1:1', SET compatibility_origin 'http://127.0.0.1:1')));
is(request_of(q('GET', '/x', 't'))->{path}, '/v2.0/x', 'api_origin leads to the sandbox');
foreach my $origin (qw(vehicle management compatibility))
{
	my $error = $session->error("SELECT smartcar_request('GET', '/x', 't', origin => '$origin')");

	is($error->{sqlstate}, 'SC001', "the origin $origin leads to another host");
	like($error->{hint}, qr/"${origin}_origin"/, "the hint names the option of the origin $origin");
}
$session->query("ALTER SERVER smartcar OPTIONS (SET ${_}_origin '" . $sandbox->url . "')") foreach qw(auth iam vehicle management compatibility);

# The list of models

$sandbox->faults();
$session->result_is(q(SELECT body::jsonb -> 'data' -> 1 -> 'id' FROM smartcar_request('GET', '/compatible-vehicles', query => '{"filter[make]": "TESLA", "filter[region]": "US"}', origin => 'compatibility')),
	'"TESLA-Model 3-2016-2026-BEV-US"', 'the list of models that v3 supports');
is(($sandbox->log)[0]->{query}, 'filter%5Bmake%5D=TESLA&filter%5Bregion%5D=US', 'the filters of the list of models are sent');

# The timeout of a command

{
	my $lock = q('POST', '/vehicles/v/commands/security/lock', 't', body => '{}');

	$session->query("ALTER SERVER smartcar OPTIONS (ADD timeout '500ms')");
	$sandbox->faults({ match => { path => '/commands/' }, times => 0, status => 202, body => {}, delay_ms => 900 });
	my $error = $session->error("SELECT smartcar_request($lock)");
	is($error->{sqlstate}, 'SC003', 'a command that takes longer than the timeout of the server is SC003');
	like($error->{hint}, qr/^Smartcar may have carried out the request\..*The option "timeout" is 500ms/, 'the hint says that it may have been carried out');
	$session->result_is("SELECT status FROM smartcar_request($lock, timeout => '310 s')", '202', 'a command with a longer timeout as an argument');
	$session->result_is("SELECT status FROM smartcar_request_many('POST', '{/vehicles/v/commands/security/lock}', '{t}', body => '{}', timeout => '310 s')", '202', 'a timeout as an argument of smartcar_request_many()');
	is($session->error("SELECT smartcar_request($lock, timeout => '300 ms')")->{hint},
		'Smartcar may have carried out the request. Find out before you repeat it. The timeout of this call was 300 ms.', 'a shorter timeout as an argument');
	$session->query('ALTER SERVER smartcar OPTIONS (DROP timeout)');
	$sandbox->faults();
}

# Paths

request_of("'GET', '/x$_', 't'") foreach '/...', '/.a', '/..a', '/%20', '/a;b=c,d', '/%2e%2e%2e', '/@a:b', "/~!\$&()*+=";
$sandbox->faults();
foreach my $path ('', '/', 'x', 'http://example.com/', '//x', '//example.com/x', '/x//y', '/x/', '/.', '/..', '/x/..', '/x/../y', '/x/./y',
	'/%2e', '/%2E%2e/x', '/.%2e', '/%2e./x', '/x?y', '/x#y', '/x y', '/ü', '/x\\y', '/x/..\\y', "/x\r\nA: b", "/x\ty")
{
	my $error = $session->error("SELECT smartcar_request('GET', \$path\$$path\$path\$, 't')");

	is($error->{sqlstate}, '22023', 'a path that is refused: ' . ($path =~ s/([\r\n])/sprintf '\x%02x', ord $1/egr));
}
is(scalar $sandbox->log, 0, 'no request was made');

# The columns of a response

$sandbox->faults(
	{
		match => { path => '/x' },
		status => 503,
		body => "not JSON, but \x{fc}",
		headers => {
			'Content-Type' => 'text/plain',
			'SC-Request-Id' => 'an-id',
			'SC-Data-Age' => '2018-05-04T07:20:50.844Z',
			'SC-Fetched-At' => '2018-05-04T07:20:51.844Z',
			'SC-Unit-System' => 'metric',
			'Retry-After' => '9000',
			'Set-Cookie' => [ 'a=1', 'b=2' ],
			'X-Empty' => ''
		}
	});
$session->result_is(
	q(SELECT status, body, content_type, request_id, data_age AT TIME ZONE 'UTC', fetched_at AT TIME ZONE 'UTC', unit_system, retry_after,
	  headers ->> 'set-cookie', headers ->> 'x-empty', headers ->> 'retry-after', headers ? 'SC-Request-Id', headers ->> 'sc-request-id'
	  FROM smartcar_request('POST', '/x', 't')),
	'503|not JSON, but ü|text/plain|an-id|2018-05-04 07:20:50.844|2018-05-04 07:20:51.844|metric|9000|a=1, b=2||9000|f|an-id',
	'status, body and headers');
$sandbox->faults(
	{ match => { path => '/x' }, body => '', headers => { 'SC-Data-Age' => 'yesterday', 'SC-Fetched-At' => '', 'Retry-After' => 'soon' } });
$session->result_is("SELECT status, body = '', request_id IS NULL, data_age IS NULL, fetched_at IS NULL, unit_system IS NULL, retry_after IS NULL FROM smartcar_request('GET', '/x', 't')",
	'200|t|t|t|t|t|t', 'values that cannot be read are NULL');
$sandbox->faults({ match => { path => '/x' }, status => 503, times => 0, body => '', headers => { 'Retry-After' => 'Wed, 21 Oct 2015 07:28:00 GMT' } });
$session->result_is("SELECT retry_after FROM smartcar_request('POST', '/x', 't')", '0', 'a Retry-After with a date in the past');
$sandbox->faults({ match => { path => '/x' }, status => $_, body => {} }) , $session->result_is("SELECT status FROM smartcar_request('POST', '/x', 't')", $_, "status $_")
  foreach 201, 301, 404, 418, 500;
$sandbox->faults({ match => { path => '/x' }, redirect => 'http://127.0.0.1:1/' });
$session->result_is("SELECT status, headers ->> 'location' FROM smartcar_request('GET', '/x', 't')", '302|http://127.0.0.1:1/', 'a redirect is not followed');
is(scalar $sandbox->log(path => '/x'), 1, 'its location is returned');
$sandbox->faults({ match => { path => '/x' }, status => 401, times => 0 });
$session->result_is("SELECT status FROM smartcar_request('GET', '/x', 't', server => 'v3')", '401', 'a token that is not accepted');
$session->result_is("SELECT status FROM smartcar_request('GET', '/x', server => 'v3')", '401', 'an application token that is not accepted');
$sandbox->faults({ match => { path => '/x' }, nul => JSON::PP::true }, { match => { path => '/x' }, invalid_utf8 => JSON::PP::true });
is($session->error("SELECT smartcar_request('GET', '/x', 't')")->{detail}, 'This is the response to GET /v2.0/x: It contains a zero byte.', 'a body with a zero byte');
is($session->error("SELECT smartcar_request('GET', '/x', 't')")->{detail}, 'This is the response to GET /v2.0/x: It is not valid UTF-8.', 'a body that is not UTF-8');

# Existing endpoints

$session->result_is(
	q(SELECT status, body::jsonb ->> 'distance' IS NOT NULL, unit_system, data_age < fetched_at FROM smartcar_request('GET', '/vehicles/vehicle-000001/odometer', 'access-000001', unit_system => 'imperial')),
	'200|t|imperial|t', 'a reading in v2.0');
$session->result_is(
	q(SELECT status, fetched_at - data_age, fetched_at > now() - interval '1 minute' FROM smartcar_request('GET', '/vehicles/vehicle-000001/signals/odometer-traveleddistance', user_id => 'user-000001', server => 'v3')),
	'200|00:01:30|t', 'a signal in v3, with the times of the body');
$session->result_is(
	q(SELECT status, fetched_at IS NULL, data_age IS NULL FROM smartcar_request('GET', '/vehicles/vehicle-000001/signals', user_id => 'user-000001', server => 'v3')),
	'200|t|t', 'the signals of a batch differ from each other');
$session->result_is(
	q(SELECT status, jsonb_array_length(body::jsonb -> 'responses') FROM smartcar_request('POST', '/vehicles/vehicle-000001/batch', 'access-000001',
	  body => '{"requests": [{"path": "/odometer"}, {"path": "/fuel"}]}')),
	'200|2', 'a batch');
$session->result_is(
	q(SELECT (smartcar_parse_error(body, status, retry_after::text, request_id)).type, (smartcar_parse_error(body, status)).action FROM smartcar_request('GET', '/vehicles/nowhere/odometer', 'access-000001')),
	'PERMISSION|update_access', 'an error for smartcar_parse_error()');
$session->result_is(
	q(SELECT status, jsonb_array_length(body::jsonb -> 'data') > 5 FROM smartcar_request('GET', '/vehicles/vehicle-000001/signals', user_id => 'user-000001', server => 'v3')),
	'200|t', 'all signals of a vehicle');

done_testing();
