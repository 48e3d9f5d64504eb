# Commands: their requests, their timeout, their outcome, and that they are sent once.

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
Sandbox::create_server($node, 'smartcar', $sandbox->url, api_version => '3', timeout => '500ms');
Sandbox::create_server($node, 'old', $sandbox->url);

my $session = Session->new($node);
my $ada = $sandbox->connect(owner => 'ada');
my $of_ada = "'$ada->{vehicles}[0]', '$ada->{user_id}'";
my $commands = "/v3/vehicles/$ada->{vehicles}[0]/commands";
$sandbox->ask('vehicle', { id => $ada->{vehicles}[0], paired => JSON::PP::true });

sub commands
{
	return grep { $_->{method} eq 'POST' } $sandbox->log(path => '/commands/');
}

# The response to every command
sub respond
{
	$sandbox->faults({ match => { path => '/commands/' }, times => 0, @_ });
	return;
}

# Requests

$sandbox->faults();
$session->result_is("SELECT smartcar_send_command($of_ada, 'charge/start')", 't', 'a command that was carried out');
my ($request) = commands();
is("$request->{path} $request->{body}", "$commands/charge/start ", 'its path, and no body');
is($request->{headers}{'content-length'}, '0', 'its length is 0');
is($request->{headers}{'sc-user-id'}, $ada->{user_id}, 'the request is for the owner');
$session->result_is("SELECT value FROM smartcar_get_signals($of_ada, '{charge-ischarging}')", 'true', 'the vehicle has carried it out');
$session->result_is("SELECT smartcar_send_command($of_ada, 'charge/set-limit', '{\"data\": {\"attributes\": {\"percent\": 80}}}')", 't', 'a command with a body');
is((commands())[-1]{headers}{'content-type'}, 'application/json', 'its content type is JSON');
$session->error_is("SELECT smartcar_send_command($of_ada, 'charge/set-limit', '{\"data\": {\"attributes\": {\"percent\": 10}}}')", 'SC400', qr/VALIDATION/, 'a body that Smartcar refuses');
$sandbox->ask('vehicle', { id => $ada->{vehicles}[0], paired => JSON::PP::false });
$session->error_is("SELECT smartcar_send_command($of_ada, 'charge/stop')", 'SC400', qr/CONNECTED_SERVICES_ACCOUNT:VIRTUAL_KEY_REQUIRED.*_ak/, 'a vehicle without the virtual key: the hint has the link that adds it');
$sandbox->ask('vehicle', { id => $ada->{vehicles}[0], paired => JSON::PP::true });

# A command that takes long

$sandbox->ask('settings', { long_command => { after => 100, takes => 900 } });
$session->result_is("SELECT smartcar_send_command($of_ada, 'charge/stop')", 't', 'a result after a 202, later than the timeout of the server');
$sandbox->ask('settings', { long_command => { after => 100, takes => 300, error => { type => 'VEHICLE_STATE', code => 'NOT_CHARGING' } } });
$session->error_is("SELECT smartcar_send_command($of_ada, 'charge/stop')", 'SC409', qr/VEHICLE_STATE:NOT_CHARGING.*HTTP status 202/, 'an error after a 202');
$session->result_is("SELECT status, sqlstate, (error).type, (error).status FROM smartcar_request_many('POST', '{/vehicles/$ada->{vehicles}[0]/commands/charge/stop}', user_ids => '{$ada->{user_id}}', timeout => '5 s')",
	'202||VEHICLE_STATE|409', 'the same of smartcar_request_many()');
$sandbox->ask('settings', { long_command => { after => 0, takes => 5000 } });
$sandbox->faults();
$session->error_is("SELECT smartcar_send_command($of_ada, 'security/lock', timeout => '400 ms')", 'SC003', qr/Smartcar may have carried out the request/, 'a timeout as an argument');
$session->error_is("SELECT smartcar_send_command($of_ada, 'security/lock', timeout => NULL)", 'SC003', qr/option "timeout" is 500ms/, 'the timeout of the server');
is(scalar commands(), 2, 'each command was sent once');
$session->query("SET statement_timeout = '300ms'");
is($session->error("SELECT smartcar_send_command($of_ada, 'security/lock')")->{sqlstate}, '57014', 'a command can be canceled');
$session->query('RESET statement_timeout');
$sandbox->ask('settings', { long_command => undef });

# The outcome

my %outcomes = (
	'200 {}' => 't',
	'200 {"data": {"attributes": {"status": {"value": "SUCCESS"}}}}' => 't',
	'202 {}' => 'f',
	'202 ' => 'f',
	'202 {"data": {"id": "1", "attributes": {"status": {"value": "IN_PROGRESS"}}}}' => 'f',
	'202 {"data": {"attributes": {"status": {"value": "success"}}}}' => 't',
	'204 ' => 't');
foreach my $response (sort keys %outcomes)
{
	my ($status, $body) = split / /, $response, 2;

	respond(status => 0 + $status, body => $body, content_type => 'application/json');
	$session->result_is("SELECT smartcar_send_command('v', 'u', 'charge/start')", $outcomes{$response}, "status $response");
}
my %errors = (
	'{"errors": [{"type": "UPSTREAM", "code": "NO_RESPONSE"}]}' => 'SC502',
	'{"errors": [{"type": "UPSTREAM", "code": "NO_RESPONSE", "status": "504"}]}' => 'SC504',
	'{"data": {"attributes": {"status": {"value": "ERROR", "error": {"type": "VEHICLE_STATE", "code": "ASLEEP"}}}}}' => 'SC409',
	'{"data": {"attributes": {"status": {"value": "ERROR"}}}}' => 'SC500',
	'{"type": "PERMISSION", "code": null, "description": "x"}' => 'SC403');
foreach my $body (sort keys %errors)
{
	respond(status => 202, body => $body, content_type => 'application/json');
	is($session->error("SELECT smartcar_send_command('v', 'u', 'charge/start')")->{sqlstate}, $errors{$body}, "an error after 202: $body");
}

# Never sent twice

foreach my $fault ({ status => 503, headers => { 'Retry-After' => '0' } }, { status => 429, headers => { 'Retry-After' => '0' } }, { status => 504 }, { drop => 'before' }, { drop => 'after' })
{
	respond(%$fault);
	$session->error("SELECT smartcar_send_command('v', 'u', 'security/unlock')");
	is(scalar commands(), 1, 'sent once: ' . JSON::PP->new->canonical->encode($fault));
}

# Arguments

$sandbox->faults();
$session->result_is("SELECT smartcar_send_command(NULL, 'u', 'charge/start') IS NULL", 't', 'NULL in, NULL out');
$session->error_is("SELECT smartcar_send_command('v', NULL, 'charge/start')", '22004', qr/user_id must not be null/, 'user_id is required');
$session->error_is("SELECT smartcar_send_command('v', 'u', NULL)", '22004', qr/command must not be null/, 'command is required');
$session->error_is("SELECT smartcar_send_command('v', 'u', '$_')", '22023', qr/invalid command: .*An example is "charge\/start"/, "the command \"$_\"") foreach '', '/charge/start', 'charge/start/', '../../x', 'charge start', 'charge?x', 'charge/%2e%2e';
$session->error_is("SELECT smartcar_send_command('v', 'u', 'charge/start', timeout => '11 min')", '22023', qr/timeout must be between/, 'a timeout that is too long');
$session->error_is("SELECT smartcar_send_command('v', 'u', 'charge/start', server => 'old')", '0A000',
	qr/smartcar_send_command\(\) does not exist in version 2.0 of Smartcar's API; Server "old" has api_version "2.0".; Version 2.0 has other commands, which smartcar_request\(\) can send: SELECT/, 'there are no commands in v2.0');
is(scalar commands(), 0, 'no command was sent');

done_testing();
