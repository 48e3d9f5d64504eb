# Webhooks and subscriptions of v3: the management API, with single functions and with the
# procedures that subscribe new vehicles.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
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
my %options = (api_version => '3', scope => 'read_vehicle_info', connect_origin => $sandbox->url);
Manager::create_server($node, 'v3', $sandbox->url, %options);
Manager::create_server($node, 'old', $sandbox->url);
my $session = Session->new($node);

my ($ada, $ada_car) = qw(725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11 36ab27d0-fd9d-4455-823a-ce30af709ffc);
my $webhook = 'd1c6b0a4-6f7e-4f3f-9c0d-3a2b1c0d9e8f';
my $other = '3b2f5f0e-1a2b-4c3d-8e4f-5a6b7c8d9e0f';
my $about = "'$ada_car', '$ada'";

# No vehicle is subscribed automatically.
sub start_over
{
	Manager::start_over($node, $sandbox);
	$sandbox->ask('settings', { webhooks => [ { autoSubscribe => JSON::PP::false, data => ['odometer-traveleddistance'] },
		{ id => $other, name => 'everything', autoSubscribe => JSON::PP::true, isEnabled => JSON::PP::false } ] });
	return;
}

sub subscriptions
{
	my ($server) = @_;
	my $body = $session->query("SELECT body FROM smartcar_request('GET', '/subscriptions', origin => 'management', query => '{\"filter[webhookId]\": \"$webhook\"}', server => 'v3')");

	return join ' ', sort map { $_->{relationships}{vehicle}{data}{id} } @{ JSON::PP::decode_json($body)->{data} };
}

sub posts
{
	return scalar grep { $_->{method} eq 'POST' && $_->{path} eq '/v3/subscriptions' } $sandbox->log;
}

sub connect_owner
{
	my ($server, $owner, $external_id) = @_;
	my $link = $session->query("SELECT smartcar_begin_connect('$external_id', server => '$server')");
	my $callback = $sandbox->callback($link, owner => $owner);

	return $session->query('CALL smartcar_finish_connect(' . Sandbox::quoted($callback) . ", server => '$server')");
}

# The management API

start_over();
is($session->query("SELECT status FROM smartcar_request('GET', '/webhooks', origin => 'management', server => 'v3')"), 200, 'the management API of v3');
my ($request) = grep { $_->{path} =~ /webhooks/ } $sandbox->log;
is($request->{path}, '/v3/webhooks', 'its path has the version');
like($session->query("SELECT (smartcar_request('GET', '/management/connections', origin => 'management', server => 'old')).status"), qr/^200$/, 'the management API of v2.0');
$node->safe_psql('postgres', q(CREATE SERVER plain FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (api_version '3'); CREATE SERVER plain_old FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (api_version '2.0')));
is($session->query("SELECT s, setting, source FROM unnest(ARRAY['plain', 'plain_old', 'v3']) WITH ORDINALITY AS v (s, n), smartcar_info(s) WHERE name = 'management_origin' ORDER BY n"),
	"plain|https://management.api.smartcar.com|default\nplain_old|https://management.smartcar.com|default\nv3|" . $sandbox->url . '|server', 'each version has its own host');

# Functions

is($session->query("SELECT webhook_id, name, callback_uri, is_enabled, auto_subscribe, signals FROM smartcar_get_webhooks('v3') WHERE webhook_id = '$webhook'"),
	"$webhook|sandbox|https://example.com/webhook|t|f|{odometer-traveleddistance}", 'a webhook');
is($session->query("SELECT name, is_enabled, auto_subscribe, 'vehicleuseraccount-permissions' = ANY (signals), triggers = signals FROM smartcar_get_webhooks('v3') WHERE webhook_id = '$other'"),
	'everything|f|t|t|t', 'another one');
$sandbox->ask('settings', { webhooks => [ map { { id => sprintf('00000000-0000-4000-8000-%012d', $_) } } 1 .. 205 ] });
is($session->query("SELECT count(*), count(DISTINCT webhook_id) FROM smartcar_get_webhooks('v3')"), '205|205', 'webhooks on several pages');
start_over();

connect_owner('v3', 'ada', 'owner-7');
is(subscriptions(), '', 'a vehicle is not subscribed automatically');
is($session->query("SELECT smartcar_subscribe($about, '$webhook', 'v3')"), 't', 'smartcar_subscribe() subscribes it');
is(subscriptions(), $ada_car, 'the vehicle is subscribed');
is($session->query("SELECT smartcar_subscribe($about, '$webhook', 'v3')"), 'f', 'a second time it returns false');
$sandbox->faults({ match => { path => '^/v3/subscriptions' }, reset => JSON::PP::true }, { match => { path => '^/v3/subscriptions' }, status => 503 });
is($session->query("SELECT smartcar_subscribe($about, '$webhook', 'v3')"), 'f', 'a request that fails is repeated');
is($session->query("SELECT smartcar_unsubscribe($about, '$webhook', 'v3')"), 't', 'smartcar_unsubscribe() removes the subscription');
is(subscriptions(), '', 'the vehicle is not subscribed');
is($session->query("SELECT smartcar_unsubscribe($about, '$webhook', 'v3')"), 'f', 'a second time it returns false, too');
is($session->query("SELECT smartcar_subscribe(NULL, '$ada', '$webhook', 'v3') IS NULL, smartcar_unsubscribe(NULL, '$ada', '$webhook', 'v3') IS NULL"), 't|t', 'NULL in, NULL out');

# Errors

like($session->error("SELECT smartcar_subscribe($about, '$other-', 'v3')")->{sqlstate}, qr/^SC404$/, 'an unknown webhook');
is($session->error("SELECT smartcar_subscribe('$ada_car', NULL, '$webhook', 'v3')")->{sqlstate}, '22004', 'user_id is required');
is($session->error("SELECT smartcar_subscribe($about, 'a b', 'v3')")->{sqlstate}, '22023', 'an invalid webhook_id');
my $error = $session->error("SELECT smartcar_subscribe($about, server => 'v3')");
is("$error->{sqlstate} $error->{message}", '55000 option "webhook_id" is not set', 'neither an argument nor an option webhook_id');
is($session->error("SELECT $_->{sql}")->{sqlstate}, '0A000', "$_->{name} in v2.0") foreach { name => 'no webhooks', sql => "smartcar_get_webhooks('old')" },
  { name => 'no subscription', sql => "smartcar_subscribe($about, 'w', 'old')" };
$sandbox->faults({ match => { path => '^/v3/subscriptions' }, status => 409, error => { type => 'VEHICLE_STATE', code => 'ASLEEP' } });
is($session->error("SELECT smartcar_unsubscribe($about, '$webhook', 'v3')")->{sqlstate}, 'SC409', 'a conflict that is not about the subscription');

# a subscription that may be another one is not deleted
$session->query("SELECT smartcar_subscribe($about, '$webhook', 'v3')");
foreach my $kind (qw(vehicle user webhook))
{
	foreach my $said ('nothing', 'another')
	{
		my %relationships = map { $_->[0] => { data => { id => $_->[1] } } } [ vehicle => $ada_car ], [ user => $ada ], [ webhook => $webhook ];

		$relationships{$kind} = $said eq 'nothing' ? {} : { data => { id => 'another' } };
		$sandbox->faults({ match => { path => '^/v3/subscriptions$' }, content_type => 'application/json', body => JSON::PP::encode_json({ data => [ { id => 's', relationships => \%relationships } ] }) });
		is($session->error("SELECT smartcar_unsubscribe($about, '$webhook', 'v3')")->{sqlstate}, 'SC004', "a subscription with $said as $kind");
	}
}
$sandbox->faults;
is(subscriptions(), $ada_car, 'nothing was deleted');

# The procedures, if the server names a webhook

start_over();
connect_owner('v3', 'ada', 'owner-7');
is(posts(), 0, 'without the option, nothing is subscribed');
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (ADD webhook_id '$webhook'); ALTER SERVER old OPTIONS (ADD webhook_id '$webhook')");
$session->query("CALL smartcar_sync(server => 'v3')");
is(subscriptions(), $ada_car, 'smartcar_sync() subscribes connected vehicles');
is(posts(), 1, 'one request is made');
$session->query("CALL smartcar_sync(server => 'v3')");
$session->query("CALL smartcar_sync('owner-7', server => 'v3')");
is(posts(), 1, 'each vehicle is subscribed once');
connect_owner('v3', 'ben', 'owner-8');
is(scalar(split ' ', subscriptions()), 3, 'smartcar_finish_connect() subscribes the vehicles of the owner');
is(posts(), 3, 'no other vehicles are subscribed');

# an owner who connects again may have disconnected before
$session->query("SELECT smartcar_delete_connections(user_id => '$ada', server => 'v3')");
connect_owner('v3', 'ada', 'owner-7');
is(scalar(split ' ', subscriptions()), 3, 'an owner who has connected again is subscribed again');
$session->query("SELECT smartcar_delete_connections(user_id => '$ada', server => 'v3')");
$session->query("CALL smartcar_sync(server => 'v3')");
is($session->query("SELECT status FROM smartcar_status WHERE user_id = '$ada'"), 'disconnected', 'a vehicle that was disconnected');
$sandbox->connect(owner => 'ada', external_id => 'owner-7');
$session->query("CALL smartcar_sync(server => 'v3')");
is(scalar(split ' ', subscriptions()), 3, 'a vehicle that was disconnected is subscribed when it is back');
$session->query("SELECT smartcar_delete_connections(user_id => '$ada', server => 'v3')");
$sandbox->connect(owner => 'ada', external_id => 'owner-7');
$session->query("CALL smartcar_sync(server => 'v3')");
is(scalar(split ' ', subscriptions()), 3, 'a vehicle is subscribed again also if no sync has noticed the disconnection');

# a failure is a warning, and the next run retries
start_over();
$sandbox->faults({ match => { path => '^/v3/subscriptions$' }, status => 400, error => { type => 'VALIDATION', code => 'X' } });
my $result = connect_owner('v3', 'ada', 'owner-7');
like($result, qr/^finished\|owner-7\|$ada\|/m, 'the owner is connected');
like($result, qr/WARNING.*could not subscribe vehicle "$ada_car" of user "$ada": Smartcar refused the request: VALIDATION:X/, 'a warning has the error of the subscription');
is(subscriptions(), '', 'the vehicle is not subscribed');
$session->query("CALL smartcar_sync('owner-7', server => 'v3')");
is(subscriptions(), $ada_car, 'the next sync subscribes it');

start_over();
$sandbox->faults({ match => { path => '^/v3/subscriptions$' }, status => 404, error => { type => 'RESOURCE_NOT_FOUND', code => 'WEBHOOK_NOT_FOUND' } });
like(connect_owner('v3', 'ada', 'owner-7'), qr/^HINT:  Check the option "webhook_id"; smartcar_get_webhooks\(\) lists the ids\.$/m, 'a webhook that does not exist');

# an error of the whole application ends the subscriptions of a run, and the next one continues
start_over();
$sandbox->ask('fleet', { owners => 100 });
$sandbox->faults({ match => { path => '^/v3/subscriptions$' }, after => 10, times => 0, status => 429, error => { type => 'RATE_LIMIT', code => 'SMARTCAR_API' } });
my $sync = "CALL smartcar_sync(details => false, server => 'v3')";
$result = $session->query($sync);
like($result, qr/^100\|0\|\d+\|\d+$/m, 'a fleet is synchronized');
is(posts(), 32, 'the first vehicles are subscribed, up to the rate limit');
is(scalar(() = $result =~ /WARNING/g), 1, 'the rate limit is one warning');
$sandbox->faults;
$session->query($sync);
is(Manager::count($node, 'connection', webhook_id => $webhook), 100, 'the next run subscribes the others');
is(posts(), 90, 'no vehicle is subscribed twice');
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (SET webhook_id '$webhook-')");
$session->query($sync);
is(posts(), 122, 'for an unknown webhook, not all vehicles are tried');
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (SET webhook_id '$other')");
$session->query($sync);
is(posts(), 222, 'another webhook gets all vehicles');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
