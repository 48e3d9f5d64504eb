# Round trips of owners who are connected: what is missing is granted, a login
# that is dead is renewed, and smartcar_status tells what is left to do.

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
my $browser = HTTP::Tiny->new(max_redirect => 0, keep_alive => 0, proxy => undef, http_proxy => undef);

# What comes of a link, after the consent of the owner.
sub follow
{
	my ($server, $link, %form) = @_;
	my $answer = $browser->post_form($link, \%form);
	my $callback = $answer->{headers}{location} // return "no callback: $answer->{status} $answer->{content}";

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
		qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, "$server: an owner who has not ticked everything");
	is(status($server, $ada_id), '{read_location}|{"Vehicle Location"}|update_access', "$server: is told so");
	my $before = Manager::stored_tokens($node)->{$ada_id};

	like(follow($server, link_of("smartcar_begin_reauth('owner-7', $of_server)"), owner => 'ada', decision => 'deny'),
		qr/^failed\|owner-7\|\|\|access_denied\|connect\|\|\d+$/m, "$server: who does not want to");
	is(status($server, $ada_id), '{read_location}|{"Vehicle Location"}|update_access', "$server: is left as he was");
	like(follow($server, link_of("smartcar_begin_reauth('owner-7', $of_server)"), owner => 'ada', tesla_permission => 'all'),
		qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, "$server: who does");
	is(status($server, $ada_id), '{}|{}|none', "$server: has nothing left to do");
	is(Manager::count($node, 'account', server => $server), 1, "$server: with one account");
	if ($server eq 'smartcar')
	{
		isnt(Manager::stored_tokens($node)->{$ada_id}, $before, 'whose tokens are those of the new code');
		is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'and work');
	}

	# the login at Tesla is dead, of one of two who have the vehicle
	follow($server, link_of("smartcar_begin_connect('a driver', $of_server)"), owner => 'carla', tesla_permission => 'all');
	follow($server, link_of("smartcar_begin_connect('the owner', $of_server)"), owner => 'northwind', tesla_permission => 'all');
	$sandbox->ask('owner', { owner => $_, authentication_failed => JSON::PP::true }) foreach qw(carla northwind);
	$session->query("CALL smartcar_sync($of_server)");
	my $actions = "SELECT user_id, action = 'reauthenticate' FROM smartcar_status WHERE server = '$server' AND vehicle_id = '$shared_car' ORDER BY 1";
	is($session->query($actions), "$northwind_id|t\n$carla_id|t", "$server: logins that are dead");
	$sandbox->ask('owner', { owner => 'carla', authentication_failed => JSON::PP::false });
	like(follow($server, link_of("smartcar_begin_reauth('a driver', vehicle_id => '$shared_car', $of_server)"), owner => 'carla'),
		qr/^finished\|a driver\|/m, "$server: one of them is renewed");
	is($session->query($actions), "$northwind_id|t\n$carla_id|f", "$server: and the other one is still dead");

	# a link that can be sent without a session comes back to nobody
	my $sent = $session->query("SELECT action_url FROM smartcar_status WHERE server = '$server' AND user_id = '$northwind_id' AND vehicle_id = '$shared_car'");
	my $page = $browser->post_form($sent, { owner => 'northwind' });
	is($page->{status}, 200, "$server: the link of the status ends on a page of Connect");
	like($page->{content}, qr/logged in again/, "$server: which says that this is all");
	$session->query("CALL smartcar_sync($of_server)");
	is($session->query($actions), "$northwind_id|f\n$carla_id|f", "$server: and both logins work");
}

# In version 3 of the API, a link that updates access says whose it is, too.
Manager::start_over($node, $sandbox);
my $link = link_of("smartcar_connect_url(scope => ARRAY['read_vehicle_info'], server => 'v3')");
is($browser->post_form($link, { owner => 'ada', tesla_permission => 'vehicle_device_data,user_data' })->{status}, 302, 'v3: an owner connects under no id');
$session->query("CALL smartcar_sync(server => 'v3')");
is($session->query("CALL smartcar_adopt('{$ada_id}', '{owner-7}', 'v3')"), '1|0|0', 'v3: is adopted');
like(follow('v3', link_of("smartcar_begin_reauth('owner-7', server => 'v3')"), owner => 'ada', tesla_permission => 'all'),
	qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, 'v3: and finishes with the link that updates access');
is($session->query("SELECT external_id FROM smartcar_get_connections(user_id => '$ada_id', server => 'v3')"), 'owner-7', 'v3: after which Smartcar knows the id');
$link = link_of("smartcar_reauth_url(ARRAY['read_vehicle_info'], flow => 'reauthenticate', external_id => 'owner-8', server => 'v3')");
is($browser->post_form($link, { owner => 'ada', tesla_permission => 'all' })->{status}, 200, 'v3: the other form of it');
is($session->query("SELECT external_id FROM smartcar_get_connections(user_id => '$ada_id', server => 'v3')"), 'owner-8', 'v3: says it, too');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
