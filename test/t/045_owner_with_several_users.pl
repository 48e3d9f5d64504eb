# Owners with several users at Smartcar, and changes while their vehicles are listed: an
# account that works is not deleted because of another one, and older responses do not
# replace newer ones.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use Manager;
use Sandbox;
use Session;

my $ada_id = '725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11';
my $ben_id = '4f1c9a52-7b36-4d0e-8a7c-91e2d5b3f622';
my $carla_id = 'b82d6f04-1e59-4c73-a6f8-20d3c4e5a733';
my $northwind_id = '1d0e8b7c-93a4-4f25-bc61-84f5a6b7c844';
my @ben_cars = qw(9c1f0e7a-2b64-4c1d-b3a8-5e6d7f8091a2 d5a3b1c8-6e2f-4a90-9b17-3c4d5e6f7081);

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '5s');

my $session = Session->new($node);

# The statement that finishes the connection of an owner who has consented.
sub finish
{
	return Manager::callback_of($node, $sandbox, @_);
}

sub accounts
{
	return join ' ', split /\n/, Manager::rows($node, 'account', 'user_id');
}

my $no_list = { match => { path => '^/v2.0/vehicles$' }, times => 1, status => 404 };
my $no_user = { match => { path => '^/v2.0/user$' }, times => 0, status => 500 };

# Two logins of one household with a car in common

Manager::start_over($node, $sandbox);
like($session->query(finish('carla', 'household')), qr/^finished\|household\|$carla_id/m, 'a driver connects');
like($session->query(finish('northwind', 'household')), qr/^finished\|household\|$northwind_id/m, 'the owner connects with the same external_id');
is(accounts(), "$northwind_id $carla_id", 'both accounts are kept');
is(Manager::aggregate($node, 'connection', 'count(*), count(DISTINCT vehicle_id)', status => 'connected'), '3|2', 'the connections of both are kept');
like($session->query('CALL smartcar_sync()'), qr/^2\|0\|\d+\|\d+$/m, 'a sync lists both users');
is(accounts(), "$northwind_id $carla_id", 'a sync keeps both accounts');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');

# The id of a user has changed, and the old account still works

Manager::start_over($node, $sandbox);
$session->query(finish('ada', 'owner-7'));
$sandbox->ask('owner', { owner => 'ada', user_id => '0-another-id-of-ada' });
$sandbox->faults($no_list);
like($session->query(finish('ada', 'owner-7')), qr/^finished\|owner-7\|0-another-id-of-ada\|\|/m, 'another id, whose vehicles cannot be listed');
$sandbox->faults;
like($session->query('CALL smartcar_sync()'), qr/^2\|0\|\d+\|\d+$/m, 'both accounts are synchronized at once');
is(accounts(), "0-another-id-of-ada $ada_id", 'neither is deleted');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');
Manager::set_accounts($node, { status => 'reauthenticate' }, user_id => $ada_id);
like($session->query('CALL smartcar_sync()'), qr/^1\|0\|\d+\|\d+$/m, 'the old account is refused');
is(accounts(), '0-another-id-of-ada', 'it is deleted');
is(Manager::rows($node, 'connection', 'user_id, status'), '0-another-id-of-ada|connected', 'the vehicle is stored once');

# Tokens of an unknown user, and newer ones of the same user

Manager::start_over($node, $sandbox);
$sandbox->faults($no_user);
$session->query(finish('ben', 'owner-8'));
$sandbox->faults;
is(Manager::count($node, 'account', 'user_id LIKE' => 'session-%'), 1, 'tokens of an unknown user');
like($session->query(finish('ben', 'owner-8')), qr/^finished\|owner-8\|$ben_id/m, 'the owner connects again');
my $newer = Manager::stored_tokens($node)->{$ben_id};
$session->query('CALL smartcar_sync()');
is(accounts(), $ben_id, 'the sync finds out that it is the same user');
is(Manager::stored_tokens($node)->{$ben_id}, $newer, 'the newer tokens are kept');

# the other way round
Manager::start_over($node, $sandbox);
$session->query(finish('ben', 'owner-8'));
$sandbox->faults($no_user);
$session->query(finish('ben', 'owner-8'));
$sandbox->faults;
my ($last) = grep { $_ ne $ben_id } sort keys %{ Manager::stored_tokens($node) };
$newer = Manager::stored_tokens($node)->{$last};
$session->query('CALL smartcar_sync()');
is(Manager::stored_tokens($node)->{$ben_id}, $newer, 'newer tokens replace the stored ones');

# and while they are being refreshed
Manager::start_over($node, $sandbox);
$sandbox->faults($no_user);
$session->query(finish('ben', 'owner-8'));
$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, delay_ms => 1500 });
Manager::make_due($node);
{
	my $refresh = Session->new($node);

	$refresh->start('CALL smartcar_refresh()');
	Session::wait_until(sub { scalar $sandbox->log(path => '/oauth/token') });
	$session->query('CALL smartcar_sync()');
	is(Manager::counts($refresh->result), '1|0|0', 'tokens that are refreshed meanwhile are stored');
	is(Manager::refreshes($sandbox)->{repeated}, 0, 'tokens that are refreshed meanwhile are not refreshed again');
}
$sandbox->faults;
$session->query('CALL smartcar_sync()');
is(accounts(), $ben_id, 'their user is found out later');
$sandbox->ask('advance', { seconds => 61 });
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');

# Nothing is locked during a request

Manager::start_over($node, $sandbox);
$sandbox->faults($no_user);
$session->query(finish('ben', 'owner-8'));
$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, times => 1, delay_ms => 1000 });
$session->start('CALL smartcar_sync()');
Session::wait_until(sub { scalar $sandbox->log(path => '^/v2.0/vehicles$') });
is(Manager::sql($node, 'SELECT backend_xid IS NULL FROM pg_stat_activity WHERE pid = ' . $session->backend), 't',
	'no transaction is open while vehicles are listed');
$session->result;

# An owner connects again while their vehicles are listed with the old tokens

Manager::start_over($node, $sandbox);
$session->query(finish('ben', 'owner-8', vehicles => [ $ben_cars[0] ]));
$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, times => 1, delay_ms => 2500, body => { vehicles => [ $ben_cars[0] ], paging => { count => 1, offset => 0 } } });
$session->start('CALL smartcar_sync()');
Session::wait_until(sub { scalar $sandbox->log(path => '^/v2.0/vehicles$') });
{
	my $second = Session->new($node);

	like($second->query(finish('ben', 'owner-8')), qr/\|\{$ben_cars[0],$ben_cars[1]\}/, 'one more vehicle, while the previous list is on its way');
	like($session->result, qr/^1\|0\|\d+\|\d+$/m, 'the list arrives');
}
is(Manager::count($node, 'connection', status => 'connected'), 2, 'the older list does not disconnect the vehicle');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
