# Owners who are connected already: missing permissions are granted, a dead login is
# renewed, and smartcar_status shows what is left to do.

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

my $ada_id = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
my $ada_car = '36ab27d0-fd9d-4455-823a-ce30af709ffc';
my $carla_id = 'b82d6f04-1e59-4c73-a6f8-20d3c4e5a733';
my $northwind_id = '1d0e8b7c-93a4-4f25-bc61-84f5a6b7c844';
my $shared_car = 'e7b4c2d9-8f30-4b12-a5c6-7d8e9f0a1b2c';

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my %options = (connect_origin => $sandbox->url, scope => 'read_vehicle_info read_user_profile read_odometer read_location');
Manager::create_server($node, 'smartcar', $sandbox->url, %options);
Manager::create_server($node, 'v3', $sandbox->url, %options, api_version => '3');

my $session = Session->new($node);

# Follows a link with the consent of the owner, and finishes the callback.
sub follow
{
	my ($server, $link, %form) = @_;
	my $response = $sandbox->consent($link, %form);
	my $callback = $response->{headers}{location} // return "no callback: $response->{status} $response->{content}";

	return $session->query('CALL smartcar_finish_connect(' . Sandbox::quoted($callback) . ", server => '$server')");
}

sub link_of
{
	my ($call) = @_;

	return $session->query("SELECT $call");
}

sub status
{
	my ($server, $user_id) = @_;

	return $session->query("SELECT missing_scopes, missing_tesla_permissions, action FROM smartcar_status WHERE server = '$server' AND user_id = '$user_id'");
}

foreach my $server (qw(smartcar v3))
{
	my $of_server = "server => '$server'";

	Manager::start_over($node, $sandbox);
	$sandbox->ask('vehicle', { id => $ada_car, paired => JSON::PP::true });
	like(follow($server, link_of("smartcar_begin_connect('owner-7', $of_server)"), owner => 'ada', tesla_permission => 'vehicle_device_data,user_data'),
		qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, "$server: an owner who has not ticked everything is connected");
	is(status($server, $ada_id), '{read_location}|{"Vehicle Location"}|update_access', "$server: has to update access");
	my $before = Manager::stored_tokens($node)->{$ada_id};

	like(follow($server, link_of("smartcar_begin_reauth('owner-7', $of_server)"), owner => 'ada', decision => 'deny'),
		qr/^failed\|owner-7\|\|\|access_denied\|connect\|\|\d+$/m, "$server: an owner who denies the update");
	is(status($server, $ada_id), '{read_location}|{"Vehicle Location"}|update_access', "$server: is unchanged");
	like(follow($server, link_of("smartcar_begin_reauth('owner-7', $of_server)"), owner => 'ada', tesla_permission => 'all'),
		qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, "$server: an owner who grants the update");
	is(status($server, $ada_id), '{}|{}|none', "$server: has nothing left to do");
	is(Manager::count($node, 'account', server => $server), 1, "$server: has one account");
	if ($server eq 'smartcar')
	{
		isnt(Manager::stored_tokens($node)->{$ada_id}, $before, 'the tokens are those of the new code');
		is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'the tokens work');
	}

	# the login at Tesla no longer works, for two users of one vehicle
	follow($server, link_of("smartcar_begin_connect('a driver', $of_server)"), owner => 'carla', tesla_permission => 'all');
	follow($server, link_of("smartcar_begin_connect('the owner', $of_server)"), owner => 'northwind', tesla_permission => 'all');
	$sandbox->ask('owner', { owner => $_, authentication_failed => JSON::PP::true }) foreach qw(carla northwind);
	$session->query("CALL smartcar_sync($of_server)");
	my $actions = "SELECT user_id, action = 'reauthenticate' FROM smartcar_status WHERE server = '$server' AND vehicle_id = '$shared_car' ORDER BY 1";
	is($session->query($actions), "$northwind_id|t\n$carla_id|t", "$server: both logins have to be renewed");
	$sandbox->ask('owner', { owner => 'carla', authentication_failed => JSON::PP::false });
	like(follow($server, link_of("smartcar_begin_reauth('a driver', vehicle_id => '$shared_car', $of_server)"), owner => 'carla'),
		qr/^finished\|a driver\|/m, "$server: one of them is renewed");
	is($session->query($actions), "$northwind_id|t\n$carla_id|f", "$server: the other one still has to be");

	# the link of smartcar_status has no callback
	my $sent = $session->query("SELECT action_url FROM smartcar_status WHERE server = '$server' AND user_id = '$northwind_id' AND vehicle_id = '$shared_car'");
	my $page = $sandbox->consent($sent, owner => 'northwind');
	is($page->{status}, 200, "$server: the link of smartcar_status ends on a page of Connect");
	like($page->{content}, qr/logged in again/, "$server: the page says that the owner is logged in");
	$session->query("CALL smartcar_sync($of_server)");
	is($session->query($actions), "$northwind_id|f\n$carla_id|f", "$server: both logins work");
}

# In v3, a link that updates access has the external_id, too.
Manager::start_over($node, $sandbox);
my $link = link_of("smartcar_connect_url(scope => ARRAY['read_vehicle_info'], server => 'v3')");
is($sandbox->consent($link, owner => 'ada', tesla_permission => 'vehicle_device_data,user_data')->{status}, 302, 'v3: an owner connects without an external_id');
$session->query("CALL smartcar_sync(server => 'v3')");
is($session->query("CALL smartcar_adopt('{$ada_id}', '{owner-7}', 'v3')"), '1|0|0', 'v3: the user is adopted');
like(follow('v3', link_of("smartcar_begin_reauth('owner-7', server => 'v3')"), owner => 'ada', tesla_permission => 'all'),
	qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, 'v3: the owner finishes a link that updates access');
is($session->query("SELECT external_id FROM smartcar_get_connections(user_id => '$ada_id', server => 'v3')"), 'owner-7', 'v3: Smartcar then knows the external_id');
$link = link_of("smartcar_reauth_url(ARRAY['read_vehicle_info'], flow => 'reauthenticate', external_id => 'owner-8', server => 'v3')");
is($sandbox->consent($link, owner => 'ada', tesla_permission => 'all')->{status}, 200, 'v3: the other flow of the link');
is($session->query("SELECT external_id FROM smartcar_get_connections(user_id => '$ada_id', server => 'v3')"), 'owner-8', 'v3: has the external_id, too');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
