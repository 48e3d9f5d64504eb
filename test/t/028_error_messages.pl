# The error of a request that Smartcar refuses: the whole message, DETAIL and HINT, the
# links in them, and how PL/pgSQL tells errors apart.

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
my $scope = 'required:read_location read_odometer';
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => $scope);
Sandbox::create_server($node, 'own_connect', $sandbox->url, scope => $scope, connect_origin => $sandbox->url);
Sandbox::create_server($node, 'v3', $sandbox->url, scope => $scope, api_version => '3');
Sandbox::create_server($node, 'bare', $sandbox->url);

my $session = Session->new($node);
my $ada = $sandbox->connect(owner => 'ada');
my $vehicle = $ada->{vehicles}[0];
my $path = "GET /v2.0/vehicles/$vehicle";
my $docs = 'https://smartcar.com/docs/errors/api-errors';

# A call is refused with a given response; the request id is removed from DETAIL.
sub is_refusal
{
	my ($name, $refusal, $expected, $server) = @_;

	$sandbox->faults({ match => { path => '^/v' }, times => 0, %$refusal });
	$server //= 'smartcar';
	my $error = $session->error("SELECT smartcar_get_vehicle('$vehicle', 'a-token', server => '$server')");
	$error->{detail} =~ s/ The request id is [0-9a-f-]{36}\.$//;
	is_deeply($error, $expected, $name);
	return;
}

sub refusal
{
	my ($type, $code, %more) = @_;

	return { error => { type => $type, code => $code, description => 'A reason.', %more } };
}

sub expected
{
	my ($status, $what, $hint) = @_;

	return {
		sqlstate => "SC$status",
		message => "Smartcar refused the request: $what",
		detail => "$path returned HTTP status $status: A reason.",
		hint => $hint // ''
	};
}

# With a link

my $update = 'The owner can grant the permissions of the option "scope": ' . $session->query(q(SELECT smartcar_reauth_url(flow => 'reauthenticate')));
is_refusal('a permission that the application lacks', refusal('PERMISSION'), expected(403, 'PERMISSION', $update));
is_refusal('one that was taken back at Tesla', refusal('CONNECTED_SERVICES_ACCOUNT', 'PERMISSION'), expected(400, 'CONNECTED_SERVICES_ACCOUNT:PERMISSION', $update));

my $half_built = $sandbox->url . "/oauth/reauthenticate?response_type=vehicle_id&client_id=c&vehicle_id=$vehicle";
my $login = refusal('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', resolution => { type => 'REAUTHENTICATE', url => $half_built });
is_refusal('a lost login, whose link leads somewhere else', $login,
	expected(400, 'CONNECTED_SERVICES_ACCOUNT:AUTHENTICATION_FAILED', 'The owner has to log in again: ' . $session->query("SELECT smartcar_reauth_vehicle_url('$vehicle', response_type => 'none')")));
is_refusal('a lost login, whose link is completed', $login,
	expected(400, 'CONNECTED_SERVICES_ACCOUNT:AUTHENTICATION_FAILED', 'The owner has to log in again: ' . $session->query("SELECT smartcar_complete_reauth_url('$half_built', server => 'own_connect')")),
	'own_connect');
is_refusal('a lost login without a link', refusal('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', resolution => { type => 'REAUTHENTICATE' }),
	expected(400, 'CONNECTED_SERVICES_ACCOUNT:AUTHENTICATION_FAILED', 'The owner has to log in again: ' . $session->query("SELECT smartcar_reauth_vehicle_url('$vehicle', response_type => 'none')")));

my $key = refusal('CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED', resolution => { type => 'ACTION_REQUIRED', url => 'https://www.tesla.com/_ak/garage.example' });
is_refusal('a virtual key that is missing', $key, expected(400, 'CONNECTED_SERVICES_ACCOUNT:VIRTUAL_KEY_REQUIRED', 'The owner has to add the virtual key: https://www.tesla.com/_ak/garage.example'));
$key->{error}{resolution}{url} = 'https://tesla.example/_ak/smartcar.com';
is_refusal('the same, and the link leads somewhere else', $key, expected(400, 'CONNECTED_SERVICES_ACCOUNT:VIRTUAL_KEY_REQUIRED', 'The owner has to add the virtual key: ' . $session->query('SELECT smartcar_virtual_key_url()')));

# if options of a link are missing, the hint names the function that makes it
is_refusal('no link, for lack of options', refusal('PERMISSION'), expected(403, 'PERMISSION', 'The owner can grant the permissions of the option "scope". smartcar_reauth_url() makes the link.'), 'bare');

# Without a link

is_refusal('a rate limit', { retry_after => 5000, error => { type => 'RATE_LIMIT', code => 'VEHICLE', description => 'A reason.' } }, expected(429, 'RATE_LIMIT:VEHICLE', 'Try again in 5000 seconds.'));
is_refusal('a car that sleeps', refusal('VEHICLE_STATE', 'ASLEEP'), expected(409, 'VEHICLE_STATE:ASLEEP', 'Try again later.'));
is_refusal('a car with an open door', refusal('VEHICLE_STATE', 'DOOR_OPEN', suggestedUserMessage => 'Please close the door.'), expected(409, 'VEHICLE_STATE:DOOR_OPEN', 'Tell the owner: Please close the door.'));
is_refusal('the same in no words', { status => 409, body => { type => 'VEHICLE_STATE', code => 'DOOR_OPEN', description => 'A reason.' } }, expected(409, 'VEHICLE_STATE:DOOR_OPEN', "The owner has to act at the car or in Tesla's app."));
is_refusal('a bill', refusal('BILLING', 'INVALID_PLAN'), expected(430, 'BILLING:INVALID_PLAN', "The owner cannot fix this; see $docs/billing-errors#invalid-plan"));
is_refusal('a link that is long', refusal('VALIDATION', 'A_CODE_SO_LONG_THAT_THE_LINK_TO_ITS_PAGE_IS_LONGER_THAN_AN_EXCERPT'),
	expected(400, 'VALIDATION:A_CODE_SO_LONG_THAT_THE_LINK_TO_ITS_PAGE_IS_LONGER_THAN_AN_EXCER...',
		"The owner cannot fix this; see $docs/validation-errors#a-code-so-long-that-the-link-to-its-page-is-longer-than-an-excerpt"));
is_refusal('words without end', refusal('VEHICLE_STATE', 'DOOR_OPEN', suggestedUserMessage => "\x{fc}" x 1000), expected(409, 'VEHICLE_STATE:DOOR_OPEN', 'Tell the owner: ' . "\xc3\xbc" x 250 . '...'));
is_refusal('a link without end', { status => 400, body => { type => 'VALIDATION', code => 'X', description => 'A reason.', docURL => 'https://smartcar.com/' . 'x' x 1000 } }, expected(400, 'VALIDATION:X', "Check the options of the server, those of its user mapping, and the application's settings at Smartcar."));
is_refusal('what a car cannot do', refusal('COMPATIBILITY', 'VEHICLE_NOT_CAPABLE'), expected(501, 'COMPATIBILITY:VEHICLE_NOT_CAPABLE'));
is_refusal('a type that nobody knows', refusal('SOMETHING', 'NEW', status => 418), expected(418, 'SOMETHING:NEW', "The owner cannot fix this; see $docs/something-errors#new"));

# Text from elsewhere must not forge a line of a log or control a terminal

is_refusal('control characters', refusal('VEHICLE_STATE', "DOOR\n_OPEN", description => "line1\nERROR:  forged\r\n\e[31mred\x{9b}31m", suggestedUserMessage => "close\n\e]0;it\a"),
	{ %{ expected(409, 'VEHICLE_STATE:DOOR?_OPEN', 'Tell the owner: close??]0;it?') }, detail => "$path returned HTTP status 409: line1?ERROR:  forged???[31mred??31m." });

# Errors of other forms

is_refusal('a page of a proxy', { status => 404, content_type => 'text/html', body => '<html>' . 'x' x 1000 },
	{
		sqlstate => 'SC404',
		message => 'Smartcar responded with HTTP status 404',
		detail => "$path returned HTTP status 404: <html>" . 'x' x 494 . '...',
		hint => 'Check the options of the server, those of its user mapping, and the application\'s settings at Smartcar.'
	});
is_refusal('nothing at all', { status => 400, body => '' },
	{
		sqlstate => 'SC400',
		message => 'Smartcar responded with HTTP status 400',
		detail => "$path returned HTTP status 400.",
		hint => 'Check the options of the server, those of its user mapping, and the application\'s settings at Smartcar.'
	});
is_refusal('a redirect', { redirect => 'https://example.com/' },
	{
		sqlstate => 'SC302',
		message => 'Smartcar responded with HTTP status 302',
		detail => "$path returned HTTP status 302.",
		hint => ''
	});
is_refusal('the shape of version 3', { status => 403, body => { errors => [ { type => 'PERMISSION', code => 'NONE', detail => 'Not yours', status => '403' }, { type => 'SERVER' } ] } },
	{
		sqlstate => 'SC403',
		message => 'Smartcar refused the request: PERMISSION:NONE',
		detail => "GET /v3/vehicles/$vehicle returned HTTP status 403: Not yours.",
		hint => 'The owner can grant the permissions of the option "scope": ' . $session->query(q(SELECT smartcar_reauth_url(flow => 'reauthenticate', server => 'v3')))
	}, 'v3');

# The request id

$sandbox->faults({ status => 400, body => { type => 'VALIDATION', requestId => 'of-the-body' }, headers => { 'SC-Request-Id' => 'of-the-header' } });
like($session->error("SELECT smartcar_get_user('x')")->{detail}, qr/ The request id is of-the-body\.$/, 'the request id of the body');
$sandbox->faults({ status => 400, body => { type => 'VALIDATION' }, headers => { 'SC-Request-Id' => 'of-the-header' } });
like($session->error("SELECT smartcar_get_user('x')")->{detail}, qr/ The request id is of-the-header\.$/, 'the request id of the header');

# PL/pgSQL

$session->query(q(
	CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		message text; detail text; hint text; result text;
	BEGIN
		EXECUTE statement INTO result;
		RETURN result;
	EXCEPTION
		WHEN SQLSTATE 'SC403' THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			RETURN 'forbidden: ' || message || (detail ~ 'HTTP status 403')::text || (hint ~ 'https://')::text;
		WHEN SQLSTATE 'SC000' THEN
			RETURN 'another: ' || SQLSTATE;
	END $$));
my $try = "SELECT try('SELECT smartcar_get_user(''x'')')";
$sandbox->faults(refusal('PERMISSION'));
is($session->query($try), 'forbidden: Smartcar refused the request: PERMISSIONtruetrue', 'SC403 can be caught');
$sandbox->faults(refusal('VEHICLE_STATE'));
is($session->query($try), 'another: SC409', 'SC000 catches another status');
$sandbox->faults({ body => 'x' });
is($session->query($try), 'another: SC004', 'SC000 catches a response that cannot be used');
$sandbox->faults({ drop => 'before', times => 0 });
is($session->query($try), 'another: SC001', 'SC000 catches a missing response');
is($session->error("SELECT try('SELECT smartcar_get_user('''')')")->{sqlstate}, '22023', 'SC000 does not catch an invalid argument');
$sandbox->faults();
is($session->query("SELECT try('SELECT smartcar_get_user(''$ada->{access_token}'')')"), $ada->{user_id}, 'calls work afterwards');

done_testing();
