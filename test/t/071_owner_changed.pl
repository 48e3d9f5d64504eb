# One login at Tesla that is used by two of the application's owners: the one who connects
# learns who had the vehicles, and the previous owner's loss is recorded and notified.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
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
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '5s', api_version => '3');
Manager::create_server($node, 'smartcar_v2', $sandbox->url, timeout => '5s');

my $session = Session->new($node);
my $listener = Session->new($node);
my $ben = '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622';
my @cars = qw(9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2 d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081);

$listener->query('LISTEN smartcar_tesla');

# The callback of an owner who has consented, as a statement.
sub callback
{
	my ($server, $external_id, @given) = @_;
	my ($state) = $session->query("SELECT smartcar_begin_connect('$external_id', server => '$server')") =~ /[?&]state=([^&]*)/;
	my $given = $sandbox->connect(owner => 'ben', external_id => $external_id, @given);

	return "CALL smartcar_finish_connect('https://example.com/callback?code=$given->{code}&state=$state&user_id=$given->{user_id}', server => '$server')";
}

# The previous owner, and the warnings.
sub connected
{
	my ($call) = @_;
	my $result = $session->query($call);

	like($result, qr/^finished\|/m, 'the owner is connected');
	return [ $result =~ /\|([^|]*)\|\d+$/m, $result =~ /^WARNING:.*?(user ".*" has a new owner)$/mg ];
}

sub heard
{
	my @payloads = $listener->query('SELECT 1') =~ /with payload "(\{.*?\})" received/g;

	return [ sort map { join ' ', @{ JSON::PP::decode_json($_) }{qw(vehicle_id previous_external_id external_id)} } @payloads ];
}

sub owners
{
	my ($server) = @_;

	return Manager::rows($node, 'connection', 'external_id, previous_external_id, owner_changed_at IS NOT NULL', server => $server);
}

foreach my $server (qw(smartcar smartcar_v2))
{
	my $warning = "user \"$ben\" has a new owner";
	my $second;

	Manager::start_over($node, $sandbox);
	is_deeply(connected(callback($server, 'anna')), [''], "$server: nobody had the vehicles before");
	is(owners($server), "anna||f\nanna||f", 'no change is recorded');
	is_deeply(connected(callback($server, 'anna')), [''], 'the same owner connects again');
	is_deeply(heard(), [], 'no change is notified');

	$second = callback($server, 'bruno');
	is_deeply(connected($second), ['anna', $warning], 'another owner with the same login gets the vehicles');
	is(owners($server), "bruno|anna|t\nbruno|anna|t", 'the change is recorded');
	is_deeply(heard(), [ map { "$_ anna bruno" } @cars ], 'the change is notified for each vehicle');
	is_deeply(connected($second), ['anna'], 'the same callback returns the previous owner again');
	is_deeply(heard(), [], 'the repeated callback is not notified again');

	is_deeply(connected(callback($server, 'bruno')), [''], 'the new owner connects again');
	is(owners($server), "bruno|anna|t\nbruno|anna|t", 'the change stays recorded');
	is_deeply(heard(), [], 'without a notification');
	is_deeply(connected(callback($server, 'anna')), ['bruno', $warning], 'the first owner gets the vehicles back');
	is(owners($server), "anna|bruno|t\nanna|bruno|t", 'which is recorded');
	heard();
}

# The callback never arrived, but the list has the new owner.
Manager::start_over($node, $sandbox);
connected(callback('smartcar', 'anna'));
callback('smartcar', 'bruno');
like($session->query("CALL smartcar_sync(server => 'smartcar')"), qr/^WARNING:.* user "$ben" has a new owner$/m, 'a sync warns');
is(owners('smartcar'), "bruno|anna|t\nbruno|anna|t", 'a sync records the change');
is(scalar @{ heard() }, 2, 'a sync notifies the change');
unlike($session->query("CALL smartcar_sync(server => 'smartcar')"), qr/new owner/, 'the next sync does not report the change again');
is_deeply(heard(), [], 'without another notification');

# The list was requested before the callback arrived
Manager::start_over($node, $sandbox);
connected(callback('smartcar', 'anna'));
my $late = callback('smartcar', 'bruno');
$session->query("CALL smartcar_sync(server => 'smartcar')");
is_deeply(connected($late), ['anna'], 'a change that a sync has found is part of the callback\'s result');
heard();

# Several users of a list in v2.0
Manager::start_over($node, $sandbox);
Manager::add_fleet($node, $sandbox, 'smartcar_v2', 3);
$session->query("CALL smartcar_sync(server => 'smartcar_v2')");
Manager::set_connections($node, { external_id => 'anna' });
is(scalar(() = $session->query("CALL smartcar_sync(server => 'smartcar_v2')") =~ /has a new owner$/mg), 3, 'one warning for each user');
is(scalar @{ heard() }, 3, 'one notification for each vehicle');

# By smartcar_adopt()
Manager::start_over($node, $sandbox);
connected(callback('smartcar', 'bruno'));
$session->query("CALL smartcar_adopt('{$ben}', '{carla}', 'smartcar')");
is(owners('smartcar'), "carla|bruno|t\ncarla|bruno|t", 'an adoption is recorded');
is(scalar @{ heard() }, 2, 'an adoption is notified');

$listener->finish;
$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
