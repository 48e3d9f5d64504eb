# The API version of a server, and credentials of the other version: the error says so
# before anything is sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

my %v2_only = (client_secret => $Sandbox::mapping{client_secret});
my %v3_only = map { $_ => $Sandbox::mapping{$_} } qw(api_client_id api_client_secret);

Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => 'read_odometer', mapping => \%v3_only);
Sandbox::create_server($node, 'sealing', $sandbox->url, scope => 'read_odometer', mapping => \%v3_only,
	token_key_file => Manager::key_file($node));
Sandbox::create_server($node, 'v3', $sandbox->url, scope => 'read_odometer', mapping => \%v2_only, api_version => '3');

my $session = Session->new($node);

# A server without the option uses v3

$session->query("CREATE SERVER plain FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', "
	  . "redirect_uri 'https://example.com/callback', scope 'read_odometer', iam_origin '${\$sandbox->url}', vehicle_origin '${\$sandbox->url}')");
$session->query('CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (' . Sandbox::option_list(%v3_only) . ')');
my ($state) = $session->query("SELECT smartcar_begin_connect('owner-1', server => 'plain')") =~ /[?&]state=([^&]*)/;
my $ada = $sandbox->connect(owner => 'ada', external_id => 'owner-1');
like($session->query("CALL smartcar_finish_connect('https://example.com/callback?user_id=$ada->{user_id}&state=$state', server => 'plain')"),
	qr/^finished\|owner-1\|/m, 'an owner is connected without a version, a code or a key');

# Credentials of the other version only

sub refused
{
	my ($server, $statement, $name) = @_;
	my ($version, $other) = $server eq 'v3' ? ('3', '2.0') : ('2.0', '3');

	$sandbox->faults;
	my $error = $session->error($statement);
	is("$error->{sqlstate} $error->{message}",
		"55000 credentials are those of api_version \"$other\", but server \"$server\" has api_version \"$version\"", $name);
	like($error->{hint}, qr/ALTER SERVER $server OPTIONS \(SET api_version '\Q$other\E'\)/, "$name: the hint names the version to set");
	is(scalar $sandbox->log, 0, "$name: nothing is sent");
	return;
}

foreach my $server (qw(smartcar sealing v3))
{
	my ($state) = $session->query("SELECT smartcar_begin_connect('owner-1', server => '$server')") =~ /[?&]state=([^&]*)/;

	refused($server, "CALL smartcar_finish_connect('https://example.com/callback?code=c&user_id=$ada->{user_id}&state=$state', server => '$server')",
		"a callback on server $server");
	is(Manager::sql($node, "SELECT status FROM smartcar_tesla.session WHERE server = '$server'"), 'open', 'the session is still open');
	refused($server, "SELECT smartcar_get_vehicle('v', server => '$server')", "a call without a token on server $server");
	refused($server, "SELECT smartcar_get_connections(server => '$server')", "a list of connections on server $server");
	refused($server, "SELECT smartcar_request('GET', '/x', server => '$server')", "any request on server $server");
}
refused('smartcar', "CALL smartcar_$_", $_) foreach ('sync()', 'refresh()', 'reseal_tokens()');
refused('sealing', "CALL smartcar_$_(server => 'sealing')", "$_() with a key") foreach (qw(sync refresh));
refused('v3', "CALL smartcar_sync(server => 'v3')", 'sync()');
refused('smartcar', "SELECT smartcar_exchange_code('code')", 'a code');
refused('smartcar', "SELECT smartcar_refresh_token('token')", 'a refresh token');

# Credentials in a file

my $secret = $node->basedir . '/secret';
Manager::write_key_file($secret, "$v3_only{api_client_secret}\n");
$session->query("DROP USER MAPPING FOR PUBLIC SERVER smartcar; CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (api_client_secret_file '$secret')");
refused('smartcar', 'CALL smartcar_refresh()', 'credentials in a file');

# With one credential of its own version, the other one is reported as missing

$session->query("ALTER USER MAPPING FOR PUBLIC SERVER v3 OPTIONS (ADD api_client_id 'client_sandbox')");
my $half = $session->error("SELECT smartcar_get_connections(server => 'v3')");
is($half->{message}, 'option "api_client_secret" is not set', 'half of the credentials');
like($half->{detail}, qr/server "v3", which has api_version "3"/, 'the detail names the version that needs the other half');
like($half->{hint}, qr/ALTER USER MAPPING FOR PUBLIC SERVER v3 OPTIONS \(ADD api_client_secret '...'\)/, 'the hint has the statement that adds it');
$session->query(($half->{hint} =~ /with (.*)\./)[0] =~ s/'\.\.\.'/'sandbox-api-secret'/r);
unlike($session->query("SELECT count(*) FROM smartcar_get_connections(server => 'v3')"), qr/ERROR/, 'following the hint makes the call succeed');

# Codes and tokens of owners are part of v2.0

foreach my $function (qw(smartcar_exchange_code smartcar_refresh_token))
{
	my $error = $session->error("SELECT $function('x', server => 'plain')");
	is("$error->{sqlstate} $error->{message}", "0A000 $function() does not exist in version 3 of Smartcar's API", "$function() on a server of version 3");
	like($error->{detail}, qr/api_version "3"/, 'the detail names the option api_version');
}

# Procedures that have nothing to do in v3 say so, and need no key

$sandbox->faults;
$session->query("SET smartcar_tesla.server = 'plain'");
my $result = $session->query('CALL smartcar_refresh()');
like($result, qr/^0\|0\|0\|0$/m, 'nothing is refreshed in v3');
like($result, qr/NOTICE:  00000: nothing to do for server "plain"\nDETAIL:  It has api_version "3"/, 'a notice says so');
like($session->query('CALL smartcar_reseal_tokens()'), qr/NOTICE:  00000: nothing to do for server "plain"/, 'nothing is resealed in v3');
is(scalar $sandbox->log, 0, 'no request was made');

$session->finish;
done_testing();
