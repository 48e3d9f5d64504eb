# Requests and responses, compared with the official SDKs.
#
# Each test is a fact from the test suite of an SDK, or was observed in a run of
# one: what it sends, or what it reads from a response.  They are listed in
# test/sdk.md.  Where we differ on purpose, the difference is a test of its own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => 'read_vin');

my $session = Session->new($node);

# A server with the client of a test.
sub client
{
	my ($id, $secret, $redirect_uri) = @_;

	$session->query('DROP SERVER IF EXISTS client CASCADE');
	Sandbox::create_server($node, 'client', $sandbox->url, client_id => $id, redirect_uri => $redirect_uri,
		mapping => { client_secret => $secret, management_token => 'fake-amt' });
	return;
}

# The only request of a call that gets a certain response, and the result.
sub request_of
{
	my ($call, $response, $more) = @_;

	$sandbox->faults({ body => $response, %{ $more // {} } });
	my $result = $session->query("SELECT * FROM $call");
	my @log = $sandbox->log;
	die "not one request: $call: $result" if @log != 1;
	return ($log[0], $result);
}

sub address
{
	my ($request) = @_;

	return $request->{path} . ($request->{query} eq '' ? '' : "?$request->{query}");
}

# A form, or a query, as a hash.
sub fields
{
	my ($form) = @_;
	my %fields = map { s/%([0-9A-F]{2})/chr hex $1/egr } map { /^([^=]*)=(.*)$/s } split /&/, $form;

	return \%fields;
}

# Requests for tokens

my $id = '4cf82729-4275-46d9-9255-8437ba777151';
my $basic = 'Basic ' . encode_base64("$id:$id", '');
my $tokens = { access_token => 'a' };
my %exchange = (grant_type => 'authorization_code', code => 'AUTHCODE', redirect_uri => 'https://insurance.co/callback');
client($id, $id, $exchange{redirect_uri});

my ($request) = request_of(q(smartcar_exchange_code('AUTHCODE', flags => '{"pizza": "pasta"}', server => 'client')), $tokens);
is("$request->{method} " . address($request), 'POST /oauth/token?flags=pizza%3Apasta', 'node-25: exchangeCode');
is($request->{headers}{authorization}, $basic, 'node-25: its credentials');
is($request->{headers}{'content-type'}, 'application/x-www-form-urlencoded', 'node-25: its content type');
is_deeply(fields($request->{body}), \%exchange, 'node-25: its form');

($request) = request_of(q(smartcar_exchange_code('AUTHCODE', server => 'client')), $tokens);
is("$request->{method} " . address($request), 'POST /oauth/token', 'node-26: exchangeCode without flags');
is($request->{headers}{authorization}, $basic, 'node-26: its credentials');
is_deeply(fields($request->{body}), \%exchange, 'node-26: its form');

($request) = request_of(q(smartcar_refresh_token('TOKEN', server => 'client')), $tokens);
is("$request->{method} " . address($request), 'POST /oauth/token', 'node-27: exchangeRefreshToken without flags');
is($request->{headers}{authorization}, $basic, 'node-27: its credentials');
is_deeply(fields($request->{body}), { grant_type => 'refresh_token', refresh_token => 'TOKEN' }, 'node-27: its form');

client('cl13nt1d-t35t-46dc-aa25-bdd042f54e7d', '24d55382-843f-4ce9-a7a7-cl13nts3cr3t', 'https://example.com/');
($request) = request_of(q(smartcar_exchange_code('x', flags => '{"foo": "bar", "test": true}', server => 'client')), $tokens);
is(address($request), '/oauth/token?flags=foo%3Abar%20test%3Atrue', 'java-07: exchangeCode');
is($request->{body} =~ s/code=x/code=/r, 'grant_type=authorization_code&code=&redirect_uri=https%3A%2F%2Fexample.com%2F', 'java-07: its form, to the byte');
is(length($request->{body}) - 1, 77, 'java-07: and its length');
is($session->error(q(SELECT smartcar_exchange_code('', server => 'client')))->{sqlstate}, '22023', 'java-07, on purpose: an empty code is refused');

client('the-client-id', 'client_secret', 'https://example.com/auth');
($request) = request_of(q(smartcar_exchange_code('auth_code', server => 'client')), $tokens);
is(address($request), '/oauth/token', 'ruby-06: exchange_code');
is_deeply(
	fields($request->{body}), { grant_type => 'authorization_code', code => 'auth_code', redirect_uri => 'https://example.com/auth' },
	'ruby-06, on purpose: the credentials do not stand in the form');
is($request->{headers}{authorization}, 'Basic ' . encode_base64('the-client-id:client_secret', ''), 'ruby-06, on purpose: but in the header');

$session->query('ALTER SERVER client OPTIONS (DROP redirect_uri)');
($request) = request_of(q(smartcar_exchange_code('c', server => 'client')), $tokens);
is_deeply(fields($request->{body}), { grant_type => 'authorization_code', code => 'c' }, 'node-29, on purpose: no redirect_uri is none, not "undefined"');

# Responses of the token endpoint

sub is_token
{
	my ($name, $call, $response, $access_token, $refresh_token) = @_;
	my ($sent, $result) = request_of("(SELECT access_token, refresh_token, round(extract(epoch FROM expires_at - statement_timestamp())), "
		  . "refresh_expires_at - statement_timestamp() BETWEEN interval '60 days' AND interval '60 days 10 seconds' FROM $call) t", $response);

	is($result, "$access_token|$refresh_token|7200|t", $name);
	return;
}
is_token('node-28: formatAccess', q(smartcar_exchange_code('c')),
	{
		token_type => 'Bearer',
		expires_in => 7200,
		access_token => 'df12ca11-36a7-4196-9c33-b9fa1f18dd14',
		refresh_token => 'c569b7ed-6536-4d19-9790-61ba7a4389c6'
	},
	'df12ca11-36a7-4196-9c33-b9fa1f18dd14', 'c569b7ed-6536-4d19-9790-61ba7a4389c6');
is_token('java-08: AuthGetTokens', q(smartcar_refresh_token('r')),
	{
		access_token => 'cf7ba7e9-8c5d-417d-a99f-c386cfc235cc',
		token_type => 'Bearer',
		expires_in => 7200,
		refresh_token => '3e565aed-d4b2-4296-9b4c-aec35825a6aa'
	},
	'cf7ba7e9-8c5d-417d-a99f-c386cfc235cc', '3e565aed-d4b2-4296-9b4c-aec35825a6aa');
$sandbox->faults({ body => { expires_in => 7200 } });
is($session->error(q(SELECT smartcar_exchange_code('c')))->{sqlstate}, 'SC004', 'go-03, on purpose: a response without tokens is refused');
is_token('go-03: the times', q(smartcar_exchange_code('c')), { expires_in => 7200, access_token => 'a', refresh_token => 'r' }, 'a', 'r');

# Requests to the API

my $vehicles = { vehicles => ['vehicle1'], paging => { count => 1, offset => 0 } };
($request, my $result) = request_of(q(smartcar_get_vehicles('token')), $vehicles);
is("$request->{method} $request->{path}", 'GET /v2.0/vehicles', 'node-42, on purpose: no slash at the end');
is($request->{headers}{authorization}, 'Bearer token', 'node-42: its credentials');
is($result, 'vehicle1', 'node-42: its result');
($request) = request_of(q(smartcar_request('GET', '/vehicles', 'token', query => '{"limit": 1}')), $vehicles);
is(address($request), '/v2.0/vehicles?limit=1', 'node-42: with a page size of one');

($request, $result) = request_of(q(smartcar_get_user('token')), { id => 'userid' });
is("$request->{method} " . address($request), 'GET /v2.0/user', 'node-43, on purpose: no slash at the end');
is($request->{headers}{authorization}, 'Bearer token', 'node-43: its credentials');
is($result, 'userid', 'node-43: its result');

($request, $result) = request_of(
	q((SELECT request_id, extract(epoch FROM data_age) * 1000, extract(epoch FROM fetched_at) * 1000 FROM
	   smartcar_request('GET', '/vehicles/VID/permissions', 'token', query => '{"limit": 1}')) t),
	{ permissions => [] },
	{
		headers => {
			'sc-request-id' => 'requestId',
			'sc-data-age' => '2018-05-04T07:20:50.844Z',
			'sc-fetched-at' => '2018-05-04T07:20:51.844Z'
		}
	});
like(address($request), qr{/permissions\?limit=1$}, 'node-44: permissions');
is($result =~ s/\.0+\b//gr, 'requestId|1525418450844|1525418451844', 'node-44: the values of its headers');

($request) = request_of(q(smartcar_request('GET', '/vehicles/VID/odometer', 'token')), {});
is(address($request), '/v2.0/vehicles/VID/odometer', 'node-45: getUrl');

my $vehicle = 'ada7207c-3c0a-4027-a47f-6215ce6f7b93';
($request) = request_of(qq(smartcar_request('GET', '/vehicles/$vehicle/pizza', 'token', query => '{"flags": "country:DE flag:true"}')), {});
is(address($request), "/v2.0/vehicles/$vehicle/pizza?flags=country%3ADE%20flag%3Atrue", 'python-04: a vehicle with flags, encoded');

# The management API

my $connections = { connections => [] };
client($id, $id, 'https://example.com/');
$session->query('ALTER USER MAPPING FOR PUBLIC SERVER client OPTIONS (SET management_token $$amt$$)' =~ s/\$\$/'/gr);
($request) = request_of(q(smartcar_get_connections(server => 'client')), $connections);
is($request->{headers}{authorization}, 'Basic ZGVmYXVsdDphbXQ=', 'node-46: getManagementToken');

$session->query("ALTER USER MAPPING FOR PUBLIC SERVER client OPTIONS (SET management_token 'fake-amt')");
($request) = request_of(
	q(smartcar_request('GET', '/management/connections', query => '{"user_id": "test-user-789", "limit": 5, "cursor": "test-cursor"}', origin => 'management', server => 'client')),
	$connections);
is("$request->{method} $request->{path}", 'GET /v2.0/management/connections', 'node-47: getConnections');
is_deeply(fields($request->{query}), { user_id => 'test-user-789', limit => 5, cursor => 'test-cursor' }, 'node-47: its query');
is($request->{headers}{authorization}, 'Basic ZGVmYXVsdDpmYWtlLWFtdA==', 'node-47: its credentials');
($request) = request_of(q(smartcar_get_connections(user_id => 'test-user-789', server => 'client')), $connections);
is_deeply(fields($request->{query}), { user_id => 'test-user-789', limit => 100 }, 'node-47, on purpose: all pages, as large as they can be');

($request) = request_of(q(smartcar_delete_connections('vehicle id', 'user-id')), $connections);
is_deeply(fields($request->{query}), { vehicle_id => 'vehicle id', user_id => 'user-id' }, 'node-48, on purpose: a connection is deleted by both of its ends');
$sandbox->faults();
is($session->error('SELECT smartcar_delete_connections()')->{sqlstate}, '22004', 'ruby-11: delete_connections without a filter');
is(scalar $sandbox->log, 0, 'ruby-11: no request');

# Compatibility

my $compatible = { compatible => JSON::PP::true };
client('clientId', 'clientSecret', 'https://example.com/');
($request) = request_of(q(smartcar_get_compatibility('fake_vin', '{read_location,read_odometer}', 'US', '{"test": "test"}', 'test', 'client')), $compatible);
is_deeply(
	fields($request->{query}),
	{ vin => 'fake_vin', scope => 'read_location read_odometer', country => 'US', flags => 'test:test', mode => 'test' },
	'node-49: getCompatibility, but for the level of its test');
is($request->{path}, '/v2.0/compatibility', 'node-49, on purpose: in the one version that Smartcar documents');
is($request->{headers}{authorization}, 'Basic Y2xpZW50SWQ6Y2xpZW50U2VjcmV0', 'node-49: its credentials');

($request) = request_of(q(smartcar_get_compatibility('1234', '{read_odometer}', 'GB', '{"foo": "bar", "test": true}', 'test', 'client')), $compatible);
is(address($request), '/v2.0/compatibility?vin=1234&scope=read_odometer&country=GB&flags=foo%3Abar%20test%3Atrue&mode=test', 'java-19: getCompatibility, but for the level of its test and its version');

$session->query("ALTER SERVER client OPTIONS (ADD extra_scopes 'scope')");
($request) = request_of(q(smartcar_get_compatibility('vin', '{scope}', 'DE', server => 'client')), $compatible);
is($request->{path}, '/v2.0/compatibility', 'go-06, on purpose: no slash at the end');
is_deeply(fields($request->{query}), { country => 'DE', scope => 'scope', vin => 'vin' }, 'go-06: the query');

# A disconnect

($request, $result) = request_of(q(smartcar_request('DELETE', '/vehicles/VID/application', 'token')), { status => 'success' });
is("$request->{method} " . address($request), 'DELETE /v2.0/vehicles/VID/application', 'java-20: disconnect');
like($result, qr/^200\|/, 'java-20: its response is no error');

done_testing();
