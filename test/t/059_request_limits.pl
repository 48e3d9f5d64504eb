# Requests cost money: how many smartcar_sync() sends, where it stops, and that the next
# run continues; and how many connections a list may disconnect at once.

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
Manager::create_server($node, 'v3', $sandbox->url, api_version => '3', scope => 'read_location');
Manager::create_server($node, 'v2', $sandbox->url, scope => 'read_location');
my $session = Session->new($node);

# An application with a number of owners, of one vehicle each by default, of which nothing
# is stored.  The application token is requested first, so that it is not counted.
sub start_over
{
	my ($owners, %given) = @_;

	Manager::start_over($node, $sandbox);
	$sandbox->ask('fleet', { owners => $owners, %given });
	$session->query("SELECT smartcar_get_connections('no vehicle', server => 'v3')");
	$sandbox->faults();
	return;
}

# The counts synced, failed, disconnected, requests; and the messages.
sub sync
{
	my ($arguments) = @_;
	my $output = $session->query('CALL smartcar_sync(' . join(', ', grep { defined } $arguments, "server => 'v3'") . ')');

	return ($output =~ /^(\d+\|\d+\|\d+\|\d+)$/m ? $1 : $output, $output);
}

sub counts
{
	return (sync(@_))[0];
}

# How often each kind of request was sent.
sub sent
{
	my %sent = (list => 0, details => 0, other => 0);

	foreach my $path (map { $_->{path} } $sandbox->log)
	{
		$sent{ $path eq '/v3/connections' ? 'list' : $path =~ m{^/v3/vehicles/[^/]+/signals$} ? 'details' : 'other' }++;
	}
	$sandbox->faults();
	return "$sent{list} $sent{details} $sent{other}";
}

sub bucket
{
	foreach my $requests (undef, @_)
	{
		$sandbox->ask('settings', { application_bucket => $requests, application_refill => 0 });
		$sandbox->ask('limits');
	}
	return;
}

sub known
{
	return Manager::aggregate($session, 'connection', 'count(*), count(virtual_key_paired)', server => 'v3');
}

sub statuses
{
	return $session->query("SELECT status, count(*) FROM smartcar_status WHERE server = 'v3' GROUP BY 1 ORDER BY 1") =~ s/\n/ /gr;
}

sub disconnect
{
	my ($first, $last) = @_;

	$session->query("SELECT smartcar_delete_connections(format('vehicle-%s', lpad(n::text, 6, '0')), server => 'v3') FROM generate_series($first, $last) n");
	return;
}

# The minimum of requests

start_over(40);
bucket(120);
is(counts(), '40|0|0|41', '40 vehicles: one page, and a request for each');
is(sent(), '1 40 0', 'no other request');
is(known(), '40|40', 'all details are known');
is(counts("external_id => 'external-000001'"), '1|0|0|2', 'one owner: one page and one vehicle');
is(sent(), '1 1 0', 'no other request for one owner');

start_over(250);
is(counts('details => false'), '250|0|0|3', '250 connections are three pages');
is(sent(), '3 0 0', 'no page is requested in vain');

# Values from webhooks are not requested, as long as the webhooks are recent

start_over(3);
is(counts(), '3|0|0|4', 'three vehicles');
Manager::receive($session, $sandbox, 'v3', type => 'VEHICLE_STATE', user_id => 'user-000001', vehicle_id => 'vehicle-000001',
	signals => [qw(vehicleuseraccount-permissions vehicleuseraccount-role connectivitystatus-isdigitalkeypaired)]);
Manager::receive($session, $sandbox, 'v3', type => 'VEHICLE_STATE', user_id => 'user-000002', vehicle_id => 'vehicle-000002',
	signals => ['vehicleuseraccount-role']);
sent();
is(counts(), '3|0|0|3', 'a webhook has all details of one vehicle, and some of another one');
is(join(' ', map { $_->{path} =~ m{vehicles/(.*)/signals} } sort { $a->{path} cmp $b->{path} } $sandbox->log), 'vehicle-000002 vehicle-000003', 'only the first one is not requested');
$node->safe_psql('postgres', "UPDATE smartcar_tesla.connection SET details_at = details_at - interval '3 days', access_type_known_at = access_type_known_at - interval '2 days' WHERE vehicle_id = 'vehicle-000001'");
is(counts(), '3|0|0|4', 'a webhook that has sent nothing for a day does not count');
sent();

# values from v2.0 do not count in v3, because they say nothing about the errors of v3
start_over(3);
counts();
$node->safe_psql('postgres', 'UPDATE smartcar_tesla.connection SET details_at = NULL');
is(counts(), '3|0|0|4', 'a vehicle that was never requested in v3 is requested');

# A rate limit ends a run, and the next one continues

start_over(1000);
my @runs;
foreach my $run (1 .. 9)
{
	bucket(120);
	my ($counts, $output) = sync();

	push @runs, Manager::aggregate($session, 'connection', 'count(details_at)', server => 'v3');
	like($output, qr/^WARNING:  SC429: synchronization stopped after \d+ requests because of Smartcar's rate limit$/m, "run $run says why it stopped") if $run < 9;
	unlike($output, qr/synchronization stopped/, 'the last run does not stop early') if $run == 9;
	like($output, qr/^NOTICE:  00000: smartcar_sync\(\): 50 connections in/m, 'a run that continues reports what it has done') if $run == 9;
}
is("@runs", '110 230 350 470 590 710 830 950 1000', '1,000 vehicles: each run continues where the previous one stopped');
is(Manager::count($session, 'sync_round', server => 'v3'), 0, 'the round ends when all are done');
is(sent() =~ /^(\d+) /, 1, 'the pages were requested by the first run only');
my $limits = $sandbox->ask('limits');
cmp_ok(scalar(grep { $_->{requests} - $_->{refused} > 1 } @{ $limits->{vehicles} }), '==', 0, 'no vehicle is requested twice');

start_over(1000);
bucket(4);
is((sync('details => false'))[0] =~ s/\|\d+$//r, '400|0|0', 'a limit in the middle of the list');
bucket(4);
is((sync('details => false'))[0] =~ s/\|\d+$//r, '400|0|0', 'the next run lists the pages after it');
bucket();
is(counts('details => false'), '200|0|0|2', 'the last run lists the remaining pages');
is(known(), '1000|0', 'all connections are stored');
is(Manager::count($session, 'connection', server => 'v3', 'status <>' => 'connected'), 0, 'none is missing');

# max_requests

start_over(30);
is(counts('max_requests => 11'), '30|0|0|11', 'max_requests');
like((sync('max_requests => 11'))[1], qr/^NOTICE:  00000: synchronization stopped after 11 requests because of max_requests$/m, 'a notice says why it stopped');
is(Manager::aggregate($session, 'connection', 'count(details_at)', server => 'v3'), 21, 'the next run continues');
is(counts('max_requests => 100'), '9|0|0|9', 'the last run reaches the end');
is(counts('max_requests => 0'), '0|0|0|0', 'max_requests of 0');
is(counts('max_requests => 1, details => false'), '30|0|0|1', 'max_requests of exactly the requests that are needed');
is($session->error("CALL smartcar_sync(max_requests => -1, server => 'v3')")->{sqlstate}, '22023', 'a negative max_requests is refused');
is($session->error("CALL smartcar_sync(max_disconnects => -1, server => 'v3')")->{sqlstate}, '22023', 'a negative max_disconnects is refused');

# vehicles whose details are oldest come first
$node->safe_psql('postgres', "UPDATE smartcar_tesla.connection SET details_at = CASE vehicle_id WHEN 'vehicle-000017' THEN NULL WHEN 'vehicle-000005' THEN now() - interval '2 days' ELSE now() - interval '1 day' END, access_type_known_at = NULL");
sent();
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (ADD max_concurrency '1')");
is(counts('max_requests => 3'), '3|0|0|3', 'three vehicles');
is(join(' ', map { $_->{path} =~ m{vehicles/(.*)/signals} } $sandbox->log), 'vehicle-000017 vehicle-000005 vehicle-000001', 'those with the oldest details');
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (DROP max_concurrency)");

# a run that lists few vehicles and requests many
start_over(101);
is(counts('max_requests => 1'), '100|0|0|1', 'the first page of two');
$sandbox->faults({ match => { path => 'vehicle-00000[1-5]/signals' }, times => 0, status => 429, error => { type => 'RATE_LIMIT', code => 'VEHICLE' } });
is(counts(), '96|5|0|102', 'the counts are about the vehicles');

# each run gets further, however few requests it has
start_over(6);
$session->finish;
$session = Session->new($node);
is(counts('max_requests => 0'), '0|0|0|0', 'no request for a token, either');
start_over(6);
counts('details => false');
disconnect(1, 2);
counts('max_requests => 1, details => false') foreach 1 .. 3;
is(statuses(), 'connected|4 disconnected|2', 'one request at a time for connections on no page');
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (ADD webhook_id 'd1c6b0a4-6f7e-4f3f-9c0d-3a2b1c0d9e8f')");
like((sync('max_requests => 1, details => false'))[1], qr/because of max_requests/, 'subscriptions are left');
counts('max_requests => 1, details => false') foreach 2 .. 5;
is(Manager::aggregate($session, 'connection', 'count(webhook_id)', server => 'v3'), 4, 'one request at a time for subscriptions');
is(Manager::count($session, 'sync_round', server => 'v3'), 0, 'the round ends when all are subscribed');
$node->safe_psql('postgres', 'ALTER SERVER v3 OPTIONS (DROP webhook_id)');

# the vehicles of an owner that are not found are listed again with one request
start_over(1, vehicles => 8);
$sandbox->faults({ match => { path => '/signals' }, times => 0, status => 404, error => { type => 'RESOURCE_NOT_FOUND', code => 'VEHICLE_NOT_FOUND' } });
counts();
is(sent(), '2 8 0', 'vehicles that are not found');

# a connection that is added while a list is read is not missing
start_over(110);
is(counts('details => false, max_requests => 1'), '100|0|0|1', 'an incomplete list');
Manager::add_row($node, 'connection', server => 'v3', user_id => "new-$_", vehicle_id => "new-$_") foreach 1 .. 12;
is(counts('details => false'), '10|0|0|1', 'the incomplete list is completed, and the new connection is not missing');
Manager::add_row($node, 'connection', server => 'v3', user_id => 'new user', vehicle_id => 'new');
my ($counts, $output) = sync('details => false, max_disconnects => 20');
is($counts, '110|1|12|14', 'an invalid user id does not stop those after it');
like($output, qr/^WARNING:.* connections skipped: 1$/m, 'a warning has the number of connections left out');

# the rate limit of one vehicle does not stop the others
start_over(5);
$sandbox->faults({ match => { path => 'vehicle-000002/signals' }, times => 0, status => 429, error => { type => 'RATE_LIMIT', code => 'VEHICLE' } });
is(counts() =~ s/\|\d+$//r, '4|1|0', 'a vehicle with a rate limit of its own');
is(known(), '5|4', 'only its details are unknown');

# v2.0: whole users, from where the previous run stopped

Manager::start_over($node, $sandbox);
Manager::add_fleet($node, $sandbox, 'v2', 8);
sub users
{
	return join ' ', sort map { $_ =~ /0*(\d+)$/ } split /\n/, Manager::rows($session, 'connection', 'user_id', server => 'v2');
}
is($session->query("CALL smartcar_sync(max_requests => 12, server => 'v2')") =~ /^(\d+\|.*)$/m ? $1 : '', '2|0|0|10', 'as many users as max_requests allows');
is($session->query("CALL smartcar_sync(max_requests => 24, server => 'v2')") =~ /^(\d+\|.*)$/m ? $1 : '', '4|0|0|20', 'the next run continues');
is(users(), '1 2 3 4 5 6', 'the next users are synchronized');
$sandbox->faults({ match => { path => '^/v2.0/vehicles$' }, status => 429, error => { type => 'RATE_LIMIT', code => 'SMARTCAR_API' }, times => 1 });
my $v2 = $session->query("CALL smartcar_sync(server => 'v2')");
unlike($v2, qr/smartcar_sync\(\): [1-9]/, 'users who are left do not count as done');
like($v2, qr/^WARNING:  SC429: synchronization stopped/m, 'v2.0 has the same rate limit');
$sandbox->faults();
like($session->query("CALL smartcar_sync(server => 'v2')"), qr/^[12]\|0\|0\|\d+$/m, 'the next run continues');
is(users(), '1 2 3 4 5 6 7 8', 'the last run reaches the end');

$session->query("CALL smartcar_sync(max_requests => 10, server => 'v2')");
$node->safe_psql('postgres', "UPDATE smartcar_tesla.sync_round SET list_began_at = list_began_at - interval '2 days'");
is($session->query("CALL smartcar_sync(server => 'v2')") =~ /^(\d+\|.*)$/m ? $1 : '', '6|0|0|30', 'a run continues after any time');

# fewer requests than a user needs
is($session->query("CALL smartcar_sync(max_requests => 0, server => 'v2')") =~ /^(\d+\|.*)$/m ? $1 : '', '0|0|0|0', 'max_requests of 0 in v2.0');
$session->error_is("CALL smartcar_sync(max_requests => 4, server => 'v2')", '22023', qr/at least 5 for api_version "2\.0"/, 'a max_requests that is too small for a user is refused');

# a user with more vehicles than a run has requests
Manager::start_over($node, $sandbox);
Manager::add_fleet($node, $sandbox, 'v2', 3, undef, vehicles => 4);
Manager::add_fleet($node, $sandbox, 'v2', 2);
my @passes = map { $session->query("CALL smartcar_sync(max_requests => 5, server => 'v2')") } 1 .. 5;
is(users(), '1 2 4 5', 'a user with many vehicles does not delay the users after it');
like($passes[2], qr/^WARNING:  54000: skipping user "user-000003" because max_requests is too small$/m, 'a warning says that the user is skipped');
is(Manager::count($session, 'sync_round', server => 'v2'), 0, 'all users are done');

# How many connections a list may disconnect

sub listed
{
	$sandbox->ask('settings', { connections_listed => $_[0] });
	return;
}

my $sync = "CALL smartcar_sync(details => false, server => 'v3')";
start_over(50);
is(counts('details => false'), '50|0|0|1', '50 connections');
listed('none');
my $error = $session->error($sync);
is($error->{sqlstate}, '54000', 'an empty list is refused');
is($error->{message}, 'Smartcar no longer lists 50 of 50 connections of server "v3"', 'the message has the numbers');
is($error->{hint}, q(Check the credentials and the option "mode" of the server. If the owners have disconnected them, run CALL smartcar_sync(max_disconnects => 50, server => 'v3').), 'the hint says how to go on');
is(statuses(), 'connected|50', 'all connections stay');
listed('foreign');
is($session->error($sync)->{sqlstate}, '54000', 'the list of another application is refused');
is(statuses(), 'connected|50', 'the connections of another application are not kept');
listed('own');
is(counts('details => false'), '50|0|0|1', 'the right list is accepted');
$node->safe_psql('postgres', "ALTER SERVER v3 OPTIONS (ADD mode 'simulated')");
is($session->error($sync)->{sqlstate}, '54000', 'a list of another mode is refused');
$node->safe_psql('postgres', 'ALTER SERVER v3 OPTIONS (DROP mode)');

disconnect(1, 5);
is(counts('details => false'), '45|0|5|6', 'a few disconnected vehicles are accepted and counted');
disconnect(6, 11);
is($session->error($sync)->{sqlstate}, '54000', 'more than a few, and more than a tenth, are refused');
is(counts('details => false, max_disconnects => 6'), '39|0|6|7', 'more are accepted with max_disconnects');
is(statuses(), 'connected|39 disconnected|11', 'the disconnected vehicles are marked');
disconnect(12, 12);
is($session->error("CALL smartcar_sync(details => false, max_disconnects => 0, server => 'v3')")->{sqlstate}, '54000', 'max_disconnects of 0');

start_over(100);
is(counts('details => false'), '100|0|0|1', '100 connections');
disconnect(1, 10);
is(counts('details => false'), '90|0|10|11', 'a tenth of many is accepted');

# the list of one owner, in both versions
start_over(1, vehicles => 8);
is(counts("external_id => 'external-000001', max_requests => 1"), '0|0|0|0', 'an unknown owner');
is(counts('details => false'), '8|0|0|1', 'an owner of eight vehicles');
listed('none');
is($session->error("CALL smartcar_sync('external-000001', server => 'v3')")->{sqlstate}, '54000', 'an empty list of one owner is refused');
is(statuses(), 'connected|8', 'the empty list disconnects nothing');
is(counts("external_id => 'external-000001', max_disconnects => 8"), '1|0|8|1', 'max_disconnects accepts it');
listed('own');

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
