# smartcar_adopt(): users who connected without an external_id get one, keep it, and can
# finish a session in v3.

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
my $ben_id = '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622';

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my %options = (connect_origin => $sandbox->url, timeout => '3s', scope => 'read_vehicle_info read_location');
Manager::create_server($node, 'smartcar', $sandbox->url, %options, api_version => '3');
my $session = Session->new($node);
my $listener = Session->new($node);

sub finish
{
	my ($callback) = @_;

	return $session->query('CALL smartcar_finish_connect(' . Sandbox::quoted($callback) . ')');
}

# Ada and Ben connected in v2.0, which sends no external_id to Smartcar.
sub start_over
{
	Manager::start_over($node, $sandbox);
	$sandbox->connect(owner => $_, tesla_permission => 'vehicle_device_data,user_data') foreach qw(ada ben);
	$session->query('CALL smartcar_sync()');
	return;
}

start_over();
is($session->query("SELECT count(*) FROM smartcar_status WHERE user_id = '$ada_id' AND external_id IS NULL"), 1, 'a user without an external_id');
my $error = $session->error("SELECT smartcar_begin_reauth('owner-7')");
is("$error->{sqlstate} $error->{message}", 'P0002 no user of owner "owner-7" is known on server "smartcar"', 'no link to update access');
like($error->{hint}, qr/smartcar_begin_connect\('owner-7'\).*CALL smartcar_adopt\(ARRAY\['the user_id'\], ARRAY\['owner-7'\], 'smartcar'\)/, 'the hint has statements that help');
is($session->error("SELECT smartcar_begin_reauth('owner-7', vehicle_id => '$ada_car')")->{sqlstate}, 'P0002', 'no link to log in again');
is(Manager::count($node, 'session'), 0, 'no session is begun');

$sandbox->faults;
is($session->query("CALL smartcar_adopt('{$ada_id}', '{owner-7}')"), '1|0|0', 'the user gets an external_id');
is(scalar $sandbox->log, 0, 'no request is made');
is($session->query("SELECT external_id FROM smartcar_status WHERE user_id = '$ada_id'"), 'owner-7', 'smartcar_status has it');
like($session->query("CALL smartcar_sync(external_id => 'owner-7')"), qr/^1\|0\|0\|/m, 'a sync finds the owner by it');
$session->query('CALL smartcar_sync()');
is($session->query("SELECT external_id FROM smartcar_status WHERE user_id = '$ada_id'"), 'owner-7', 'a list without the external_id does not remove it');

# The callback is accepted although Smartcar has not learned the external_id from the link.
my $link = $session->query("SELECT smartcar_begin_reauth('owner-7')");
my $callback = $sandbox->callback($link, owner => 'ada');
like(finish($callback =~ s/\Q$ada_id\E/$ben_id/r), qr/^failed\|owner-7\|\|.*\|connect\|\|\d+$/m, 'another user is still refused');
is(Manager::rows($node, 'account', 'user_id, external_id'), "$ada_id|owner-7", 'another user is not stored');

$link = $session->query("SELECT smartcar_begin_reauth('owner-7')");
$sandbox->callback($link, owner => 'ada');
my ($state) = $link =~ /[?&]state=([^&]+)/;
# the response of a Smartcar that has not learned the external_id from the link
$sandbox->faults({ match => { query => 'user.externalId' }, times => 0, body => { data => [], links => {} } });
like(finish("https://example.com/callback?state=$state&user_id=$ada_id"), qr/^finished\|owner-7\|$ada_id\|\{$ada_car\}/m, 'the adopted user is accepted');
is($session->query("SELECT missing_tesla_permissions FROM smartcar_status WHERE user_id = '$ada_id'"), '{}', 'the missing permission is granted');
$sandbox->faults;

# Another owner
$listener->query('LISTEN smartcar_tesla');
my $result = $session->query("CALL smartcar_adopt('{$ada_id}', '{owner-8}')");
like($result, qr/WARNING:.*user "$ada_id" has a new owner/, 'a takeover is a warning');
like($result, qr/belonged to owner "owner-7", and now belongs to owner "owner-8"/, 'the detail names both owners');
like($result, qr/^1\|1\|0$/m, 'the takeover is counted');
like($listener->query('SELECT 1'), qr/OWNER_CHANGED.*"external_id" : "owner-8"/, 'the takeover is notified');
is($session->error("SELECT smartcar_begin_reauth('owner-7')")->{sqlstate}, 'P0002', 'the previous owner has no vehicle left');

# Two sessions at once, with the ids in another order
{
	my $second = Session->new($node);
	$session->query('BEGIN');
	$session->query("CALL smartcar_adopt('{$ben_id}', '{owner-1}')");
	$second->start("CALL smartcar_adopt('{$ben_id,$ada_id}', '{owner-2,owner-3}')");
	$session->query("CALL smartcar_adopt('{$ben_id}', '{owner-1}')");
	$session->query('COMMIT');
	like($second->result, qr/^2\|2\|0$/m, 'the later one waits, and its values are kept');
	is(Manager::aggregate($node, 'connection', 'string_agg(DISTINCT external_id, \' \' ORDER BY external_id)'), 'owner-2 owner-3', 'whatever the order of its ids');
	$second->finish;
}

$listener->finish;
$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
