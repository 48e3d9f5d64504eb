# Token requests: codes and refresh tokens are exchanged with exactly the right
# requests, and no secret is logged.

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

my $client_id = '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07';
my $basic = 'Basic ' . encode_base64("$client_id:sandbox-client-secret", '');

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "log_min_messages = debug5\nlog_statement = none\nlog_min_error_statement = panic\n");
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => 'read_vin');
Sandbox::create_server($node, 'wrong', $sandbox->url,
	mapping => { client_secret => 'not-the-secret-canary' });

my $session = Session->new($node);

# Secrets that must not be in the server's log at the end.
my @secrets = ('sandbox-client-secret', 'not-the-secret-canary', $basic);

sub as_secret
{
	push @secrets, @_;
	return @_;
}

# A code that has not been used.
sub new_code
{
	my (%given) = @_;
	my $response = $sandbox->connect(owner => 'ada', %given);

	as_secret(@$response{qw(code access_token refresh_token)});
	return $response->{code};
}

# The tokens that a call returns, as a hash, or its error.
sub tokens
{
	my ($call) = @_;
	my @columns = qw(access_token token_type expires_in refresh_token refresh_expires_in);
	my $result = $session->query(
		"SELECT access_token, token_type, extract(epoch FROM expires_at - statement_timestamp()), "
		  . "refresh_token, extract(epoch FROM refresh_expires_at - statement_timestamp()) FROM $call");
	my %tokens;

	return Session::parts_of_error($result) if $result =~ /^ERROR/;
	@tokens{@columns} = split /\|/, $result, -1;
	as_secret(grep { defined && length > 8 } @tokens{qw(access_token refresh_token)});
	return \%tokens;
}

# Whether something takes as long as it should; the statement began a little before
# the request.
sub about
{
	my ($seconds, $expected, $name) = @_;

	cmp_ok($seconds, '>=', $expected, "$name, not less") && cmp_ok($seconds, '<', $expected + 1, "$name, not more");
	return;
}

# Exchange of a code

$sandbox->faults();
my $code = new_code();
my $first = tokens("smartcar_exchange_code('$code')");
is($first->{token_type}, 'Bearer', 'a code is exchanged for tokens');
about($first->{expires_in}, 7200, 'the access token expires as the response says');
about($first->{refresh_expires_in}, 60 * 24 * 3600, 'the refresh token expires after 60 days');
is($session->query("SELECT smartcar_get_user('$first->{access_token}')"),
	'725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11', 'the access token belongs to the owner');

my @log = $sandbox->log(path => '/oauth/token$');
is(scalar @log, 1, 'an exchange is one request');
is("$log[0]{method} $log[0]{path}$log[0]{query}", 'POST /oauth/token', 'exchange: method and path, without a query');
is($log[0]{headers}{authorization}, $basic, 'exchange: credentials');
is($log[0]{headers}{'content-type'}, 'application/x-www-form-urlencoded', 'exchange: content type');
is($log[0]{headers}{accept}, 'application/json', 'exchange: Accept header');
is($log[0]{body},
	"grant_type=authorization_code&code=$code&redirect_uri=https%3A%2F%2Fexample.com%2Fcallback",
	'exchange: form');

is_deeply(
	$session->error("SELECT smartcar_exchange_code('$code')"),
	{
		sqlstate => 'SC400',
		message => 'Smartcar refused the request: invalid_request',
		detail => 'POST /oauth/token returned HTTP status 400: Invalid code: (hidden).',
		hint => 'The owner has to connect again: '
		  . $session->query('SELECT smartcar_connect_url()')
	},
	'a code is single-use, and the error does not show it');

# The redirect URI

my $redirect_uri = 'http://localhost:8000/callback?a=b&c=d';
$code = new_code(redirect_uri => $redirect_uri);
is($session->error("SELECT smartcar_exchange_code('$code')")->{sqlstate}, 'SC400', 'another redirect URI than that of the link is refused');
is(tokens("smartcar_exchange_code('$code', redirect_uri => '$redirect_uri')")->{token_type}, 'Bearer', 'the redirect URI of the link is accepted');
@log = $sandbox->log(path => '/oauth/token$');
like($log[-1]{body}, qr/&redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fcallback%3Fa%3Db%26c%3Dd$/, 'the redirect URI is encoded');
is($session->error("SELECT smartcar_exchange_code('x', redirect_uri => 'ftp://example.com')")->{sqlstate}, '22023', 'an invalid redirect URI is refused');

$session->query('ALTER SERVER smartcar OPTIONS (DROP redirect_uri)');
$sandbox->faults();
$code = new_code();
is(tokens("smartcar_exchange_code('$code')")->{token_type}, 'Bearer', 'an exchange without a redirect URI');
@log = $sandbox->log(path => '/oauth/token$');
is($log[0]{body}, "grant_type=authorization_code&code=$code", 'the form of an exchange without a redirect URI has no such field');
$session->query("ALTER SERVER smartcar OPTIONS (ADD redirect_uri 'https://example.com/callback')");

# An expired code

$code = new_code();
$sandbox->ask('advance', { seconds => 601 });
is($session->error("SELECT smartcar_exchange_code('$code')")->{sqlstate}, 'SC400', 'a code expires after 10 minutes');

# Refresh

$sandbox->faults();
my $old = $sandbox->connect(owner => 'ada')->{refresh_token};
as_secret($old);
my $new = tokens("smartcar_refresh_token('$old')");
about($new->{expires_in}, 7200, 'a refresh returns an access token');
about($new->{refresh_expires_in}, 60 * 24 * 3600, 'a refresh returns a refresh token');
isnt($new->{refresh_token}, $old, 'the refresh token is a new one');
@log = $sandbox->log;
is(scalar @log, 1, 'a refresh is one request');
is($log[0]{headers}{authorization}, $basic, 'refresh: credentials');
is($log[0]{body}, "grant_type=refresh_token&refresh_token=$old", 'refresh: form');

is(tokens("smartcar_refresh_token('$old')")->{token_type}, 'Bearer', 'the old refresh token works for a while');
$sandbox->ask('advance', { seconds => 61 });
is_deeply(
	$session->error("SELECT smartcar_refresh_token('$old')"),
	{
		sqlstate => 'SC400',
		message => 'Smartcar refused the request: invalid_request',
		detail => 'POST /oauth/token returned HTTP status 400: Invalid refresh_token: (hidden).',
		hint => 'The owner has to connect again: '
		  . $session->query('SELECT smartcar_connect_url()')
	},
	'the old refresh token expires');
is(tokens("smartcar_refresh_token('$new->{refresh_token}')")->{token_type}, 'Bearer', 'the new refresh token works');

# Repeats

$old = $sandbox->connect(owner => 'ada')->{refresh_token};
$sandbox->faults({ match => { path => '/oauth/token' }, drop => 'after' });
is(tokens("smartcar_refresh_token('$old')")->{token_type}, 'Bearer', 'a refresh is repeated when its response is lost');
is(scalar $sandbox->log, 2, 'the refresh is repeated once');

$code = new_code();
$sandbox->faults({ match => { path => '/oauth/token' }, drop => 'after' });
is($session->error("SELECT smartcar_exchange_code('$code')")->{sqlstate}, 'SC001', 'an exchange is not repeated when its response is lost');
is(scalar $sandbox->log, 1, 'the code was sent once');
$sandbox->faults({ match => { path => '/oauth/token' }, status => 503 });
is($session->error("SELECT smartcar_exchange_code('$code')")->{sqlstate}, 'SC503', 'an exchange is not repeated after a server error');
is(scalar $sandbox->log, 1, 'the code was sent once');

# The lifetime of a refresh token, and flags

$old = $sandbox->connect(owner => 'ada')->{refresh_token};
$sandbox->faults();
about(tokens("smartcar_refresh_token('$old', '12 hours', '{\"country\": \"DE\", \"a\": true}')")->{refresh_expires_in},
	12 * 3600, 'the lifetime of a refresh token as an argument');
@log = $sandbox->log;
is($log[0]{query}, 'flags=a%3Atrue%20country%3ADE', 'flags are in the URL');
unlike($log[0]{body}, qr/flags/, 'flags are not in the form');
$code = new_code();
about(tokens("smartcar_exchange_code('$code', refresh_lifetime => '1 day', flags => '{\"a\": 1}')")->{refresh_expires_in},
	24 * 3600, 'the lifetime as an argument of an exchange');
@log = $sandbox->log;
is($log[-1]{query}, 'flags=a%3A1', 'flags of an exchange');

# Expiry is counted from before the request

$sandbox->faults({ match => { path => '/oauth/token' }, delay_ms => 1200 });
about(tokens("smartcar_refresh_token('$old')")->{expires_in}, 7200, 'a slow response does not extend the life of its token');

# Stack Overflow 18369778: PostgreSQL calls the function of (f()).* once for each column

$code = new_code();
$sandbox->faults();
my @all = split /\|/, $session->query("SELECT (smartcar_exchange_code('$code')).*"), -1;
as_secret(@all[ 0, 3 ]);
is_deeply([ scalar(grep { $_ ne '' } @all), scalar $sandbox->log ], [ 5, 1 ], 'all columns of an exchange come from one request');
is($session->error("SELECT smartcar_exchange_code('$code')")->{sqlstate}, 'SC400', 'the next statement sends the code again');
$sandbox->faults();
@all = split /\|/, $session->query("SELECT (smartcar_refresh_token('$all[3]')).*"), -1;
as_secret(@all[ 0, 3 ]);
is_deeply([ scalar(grep { $_ ne '' } @all), scalar $sandbox->log ], [ 5, 1 ], 'all columns of a refresh come from one request');
ok($session->query("SELECT smartcar_get_user('$all[0]')") !~ /ERROR/, 'the columns belong together');
my @codes = map { new_code() } 1, 2;
$sandbox->faults();
is($session->query("SELECT count(DISTINCT t.access_token), count(DISTINCT t.refresh_token), count(t.expires_at) FROM (SELECT (smartcar_exchange_code(c)).* FROM unnest(ARRAY['$codes[0]', '$codes[1]', '$codes[0]']) c) t"), '2|2|3', 'codes of several rows, one of them twice');
is(scalar $sandbox->log, 2, 'each code is sent once');
$sandbox->faults();
$session->query("SELECT (smartcar_refresh_token('$all[3]')).refresh_token FROM generate_series(1, 2)");
is(scalar $sandbox->log, 2, 'an expression that is evaluated again refreshes again');
$code = new_code();
$sandbox->faults();
$session->query("DO \$\$ DECLARE a smartcar_token; b smartcar_token; BEGIN a := smartcar_exchange_code('$code'); b := smartcar_exchange_code('$code'); ASSERT a = b; END \$\$");
is(scalar $sandbox->log, 1, 'in a DO block, a code is sent once');

# Secrets in other spellings

my $odd = 'LOWER/secret+code&"==';
foreach my $spelled (
	'LOWER%2fsecret%2bcode%26%22%3d%3d', 'LOWER%2Fsecret%2Bcode%26%22%3D%3D', 'LOWER\\/secret+code&\\"==',
	'LOWER\\u002fsecret\\u002Bcode\\u0026\\u0022\\u003d=', 'LOWER/secret+code&amp;&quot;==', 'LOWER&#47;secret&#x2b;code&#38;&#34;==',
	'LOWER/secret+c', 'LOWER%2fsecret%2bco')
{
	$sandbox->faults({ match => { path => '/oauth/token' }, status => 400, body => "Invalid: <$spelled>" });
	my $error = $session->error("SELECT smartcar_exchange_code('$odd')");
	is($error->{detail} =~ s/The request id.*//r =~ s/\s*$//r, 'POST /oauth/token returned HTTP status 400: Invalid: <(hidden)>.', "not shown: $spelled");
}
foreach my $before ('', 'i', 'id', 'id:')
{
	my $base64 = encode_base64("$before$odd", '');

	$sandbox->faults({ match => { path => '/oauth/token' }, status => 400, body => "Invalid: <$base64>" });
	like($session->error("SELECT smartcar_exchange_code('$odd')")->{detail}, qr/Invalid: <.{0,4}\(hidden\).{0,4}>/, "not shown in base64, behind \"$before\"");
}

# Incomplete responses

sub after_response
{
	my ($body) = @_;

	$sandbox->faults({ match => { path => '/oauth/token' }, body => $body });
	return tokens("smartcar_refresh_token('some-refresh-token')");
}

is(after_response({ access_token => 'a-new-access-token' })->{access_token}, 'a-new-access-token', 'a response with only an access token');
is_deeply(
	after_response({ access_token => 'a' }),
	{ access_token => 'a', token_type => '', expires_in => '', refresh_token => 'some-refresh-token', refresh_expires_in => '' },
	'missing values are NULL, and without a new refresh token the old one stays valid');
is(after_response({ access_token => 'a', expires_in => undef, refresh_token => undef })->{expires_in}, '', 'null is the same as missing');
is(after_response({ access_token => 'a', expires_in => -1 })->{expires_in}, '', 'a negative lifetime is the same as missing');
about(after_response({ access_token => 'a', expires_in => 0 })->{expires_in}, 0, 'a lifetime of 0 expires at once');
is(after_response({ access_token => 'a', token_type => 'bearer' })->{token_type}, 'bearer', 'the case of token_type does not matter');

my %unusable = (
	'without an access token' => { expires_in => 7200, refresh_token => 'a-refresh-token-canary' },
	'with an empty one' => { access_token => '', refresh_token => 'a-refresh-token-canary' },
	'with one that cannot be a header' => { access_token => "a\r\nb", refresh_token => 'a-refresh-token-canary' },
	'with an access token that is no text' => { access_token => [ 'a' ] },
	'with a token of another kind' => { access_token => 'an-access-token-canary', token_type => 'mac' });
as_secret('a-refresh-token-canary', 'an-access-token-canary');
is(after_response($unusable{$_})->{sqlstate}, 'SC004', "a response $_") foreach sort keys %unusable;

# A wrong client secret

$sandbox->faults();
my $error = $session->error("SELECT smartcar_refresh_token('$old', server => 'wrong')");
is_deeply(
	$error,
	{
		sqlstate => 'SC401',
		message => 'Smartcar refused the request: invalid_client',
		detail => 'POST /oauth/token returned HTTP status 401.',
		hint => 'Check the options "client_id" of the server and "client_secret" of the user mapping.'
	},
	'a wrong client secret');
is(scalar $sandbox->log, 1, 'a wrong client secret is not retried');
$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, echo => JSON::PP::true });
$error = $session->error("SELECT smartcar_refresh_token('$old', server => 'wrong')");
like($error->{detail}, qr/Authorization was Basic \(hidden\)/, 'credentials that a response repeats are hidden');
unlike(join('', values %$error), qr/\Q$_\E/, 'nothing secret in the error') foreach 'not-the-secret-canary', $old;

# Missing arguments

$sandbox->faults();
is($session->query("SELECT smartcar_exchange_code(NULL) IS NULL, smartcar_refresh_token(NULL) IS NULL"), 't|t', 'NULL in, NULL out');
is($session->error("SELECT smartcar_exchange_code('')")->{sqlstate}, '22023', 'an empty code is refused');
is($session->error("SELECT smartcar_refresh_token('')")->{sqlstate}, '22023', 'an empty refresh token is refused');
is($session->error("SELECT smartcar_refresh_token('x', NULL)")->{sqlstate}, '22004', 'a NULL lifetime is refused');
is($session->error("SELECT smartcar_exchange_code('some-code', refresh_lifetime => '300000 years')")->{sqlstate}, '22008', 'a lifetime that no timestamp can hold is refused for an exchange');
is($session->error("SELECT smartcar_refresh_token('some-token', '300000 years')")->{sqlstate}, '22008', 'a lifetime that no timestamp can hold is refused for a refresh');
is(scalar $sandbox->log, 0, 'no request was made');

# The server's log

$session->finish;
$node->stop;
my $log = slurp_file($node->logfile);
like($log, qr/Smartcar refused the request/, 'the log has the errors');
my @shown = grep { index($log, $_) >= 0 } @secrets;
is_deeply(\@shown, [], 'no code, token or secret is in the log, at debug5');

done_testing();
