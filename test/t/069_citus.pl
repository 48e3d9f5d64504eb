# Citus: the statements of doc/how-to/scale-out.md on a coordinator and two workers, and
# every procedure on the distributed tables.
#
# The test runs if Citus is installed.

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

chomp(my $share = `pg_config --sharedir`);
plan(skip_all => 'Citus is not installed') if !-e "$share/extension/citus.control";

my $sandbox = Sandbox->start;
my %options = (connect_origin => $sandbox->url, timeout => '5s', scope => 'read_vehicle_info read_odometer read_location');

# The examples of the manual's page, by their first words.
my ($section) = slurp_file("$FindBin::RealBin/../../doc/how-to/scale-out.md") =~ /^## More than one machine: Citus$(.*)/ms;
my @examples = $section =~ /^```sql\n(.*?)^```$/msg;

sub example
{
	my ($words) = @_;
	my ($found) = grep { /\Q$words\E/ } @examples;

	return $found // die "the page has no example with $words";
}

# Three servers, the first of which is the coordinator

my %node;
foreach my $name (qw(coordinator worker1 worker2))
{
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'citus'
citus.node_conninfo = 'sslmode=disable'
citus.enable_statistics_collection = off
max_prepared_transactions = 100
CONF
	$node->start;
	$node{$name} = $node;
}
my $node = $node{coordinator};

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub address
{
	my ($name) = @_;

	return "'" . $node{$name}->host . "', " . $node{$name}->port;
}

# A server that was created before Citus is not known to the workers.
Manager::create_server($node, 'early', $sandbox->url, %options);
$_->safe_psql('postgres', 'CREATE EXTENSION citus') foreach values %node;
sql("SELECT citus_set_coordinator_host(${\address('coordinator')}); SELECT citus_add_node(${\address('worker1')}); SELECT citus_add_node(${\address('worker2')})");
Manager::create_server($node, 'smartcar', $sandbox->url, %options);
Manager::create_server($node, 'v3', $sandbox->url, %options, api_version => '3');

sql(example('create_distributed_table'));
is(sql("SELECT logicalrelid, partmethod FROM pg_dist_partition ORDER BY 1::text"), "smartcar_tesla.account|h\nsmartcar_tesla.connection|h", 'the tables that grow are distributed');
is(sql("SELECT DISTINCT result FROM run_command_on_workers('SELECT count(*) FROM pg_extension WHERE extname = ''smartcar_tesla''')"), 1, 'the workers have the extension');

# The servers that the workers have

my $servers = sql(example('FROM pg_foreign_server'));
is(() = $servers =~ /\bsmartcar\b/g, 2, 'a server that was created later is on both workers');
unlike($servers, qr/\bearly\b/, 'a server that was created before is not');
unlike($servers, qr/secret/, 'no secret is on a worker');

# Owners connect, and every procedure runs

my $session = Session->new($node);

sub connect_owner
{
	my ($server, $owner, $external_id) = @_;
	my $link = $session->query("SELECT smartcar_begin_connect('$external_id', server => '$server')");
	my $callback = $sandbox->callback($link, owner => $owner);

	return $session->query('CALL smartcar_finish_connect(' . Sandbox::quoted($callback) . ", server => '$server')");
}

sub receive
{
	my ($server, %event) = @_;
	my $event = $sandbox->ask('webhook', { error => { type => 'CONNECTED_SERVICES_ACCOUNT', code => 'AUTHENTICATION_FAILED' }, type => 'VEHICLE_ERROR', %event })->{deliveries}[0];

	return $session->query('SELECT smartcar_receive_webhook(' . Sandbox::quoted($event->{body}) . ", '$event->{signature}', '$server') IS NOT NULL");
}

sub actions
{
	my ($server) = @_;

	return $session->query("SELECT action, count(*) FROM smartcar_status WHERE server = '$server' GROUP BY 1 ORDER BY 1") =~ s/\n/ /gr;
}

foreach my $server (qw(smartcar v3))
{
	my ($ben, $car);

	Manager::start_over($node, $sandbox);
	like(connect_owner($server, 'ada', 'owner-1'), qr/^finished\|owner-1\|.*\{.*\}/m, "$server: an owner connects");
	like(connect_owner($server, 'ben', 'owner-2'), qr/^finished\|owner-2\|.*\{.*,.*\}/m, "$server: another owner with two vehicles");
	is(actions($server), 'none|2 add_virtual_key|1', "$server: the actions of all vehicles");
	($ben, $car) = split /\|/, $session->query("SELECT user_id, min(vehicle_id) FROM smartcar_status WHERE external_id = 'owner-2' GROUP BY 1");
	like($session->query("CALL smartcar_sync(server => '$server')"), qr/^[23]\|0\|0\|\d+$/m, "$server: smartcar_sync()");
	like($session->query("CALL smartcar_sync(server => '$server')"), qr/^[23]\|0\|0\|\d+$/m, "$server: smartcar_sync() again");
	like($session->query("CALL smartcar_sync(external_id => 'owner-2', server => '$server')"), qr/^[12]\|0\|0\|\d+$/m, "$server: smartcar_sync() of one owner");
	is(receive($server, event_id => 'event-1', user_id => $ben, vehicle_id => $car), 't', "$server: an event");
	is(receive($server, event_id => 'event-2', vehicle_id => $car), 't', "$server: an event without a user");
	is(receive($server, event_id => 'event-1', user_id => $ben, vehicle_id => $car), 't', "$server: a repeated event");
	is($session->query("SELECT action FROM smartcar_status WHERE vehicle_id = '$car'"), 'reauthenticate', "$server: the events are applied");
	like($session->query("SELECT smartcar_begin_reauth('owner-2', vehicle_id => '$car', server => '$server')"), qr/^http/, "$server: smartcar_begin_reauth()");
	is($session->query("CALL smartcar_adopt(ARRAY['$ben'], ARRAY['owner-3'], '$server')") =~ s/.*^(\d)/$1/msr, '1|1|0', "$server: smartcar_adopt()");
	is($session->query("SELECT count(*) FROM smartcar_status WHERE external_id = 'owner-3'"), 2, "$server: gives the vehicles another owner");
	like($session->query("CALL smartcar_disconnect_vehicle('$car', server => '$server')"), qr/^\d+$/, "$server: smartcar_disconnect_vehicle()");
	is($session->query("SELECT count(*) FROM smartcar_status WHERE vehicle_id = '$car'"), 0, "$server: for all users");
}

# Tokens (v2.0)

Manager::start_over($node, $sandbox);
Manager::add_fleet($node, $sandbox, 'smartcar', 300);
my @running = map { my $one = Session->new($node); $one->start('CALL smartcar_refresh()'); $one } 1 .. 3;
my $sum = 0;
$sum += (split /\|/, Manager::counts($_->result(60)))[0] foreach @running;
is($sum, 300, 'three sessions refresh each account once');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');
Manager::write_key_file(Manager::key_file($node), 'key2 ' . ('44556677' x 8) . "\nkey1 " . ('00112233' x 8) . "\n");
unlike($session->query('CALL smartcar_reseal_tokens()'), qr/ERROR|WARNING/, 'smartcar_reseal_tokens()');
is($session->query("SELECT length(smartcar_access_token(user_id => 'user-000007')) > 0"), 't', 'smartcar_access_token()');

# Smartcar cannot tell the user at first, and the owner also connects again.
Manager::start_over($node, $sandbox);
$sandbox->faults({ match => { path => '^/v2.0/user$' }, status => 500, times => 0 });
like(connect_owner('smartcar', 'ada', 'owner-1'), qr/^finished\|owner-1\|\|/m, 'a provisional account');
$sandbox->faults;
Manager::set_accounts($node, { updated => '-10 minutes' });
unlike($session->query('CALL smartcar_refresh()'), qr/ERROR|WARNING/, 'a refresh looks up the user');
is($session->query("SELECT count(*) FROM smartcar_status WHERE external_id = 'owner-1'"), 1, 'the refresh adds the vehicle');
like(connect_owner('smartcar', 'ada', 'owner-1'), qr/^finished\|owner-1\|.+/m, 'the owner connects again');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');

# A server that the workers do not have

like(connect_owner('early', 'ada', 'owner-1'), qr/^finished\|/m, 'a server that only the coordinator has');
is(actions('early'), '|1', 'its vehicle has no action');

# A role

Manager::start_over($node, $sandbox);
connect_owner('v3', 'ben', 'owner-2');
sql("CREATE ROLE app LOGIN; SELECT smartcar_grant('app', 'application', 'v3')");
sql(example('CREATE FUNCTION') =~ s/'smartcar'/'v3'/r);
my $app = "SET SESSION AUTHORIZATION app;";
like(($node->psql('postgres', "$app SELECT * FROM smartcar_status"))[2], qr/permission denied for schema smartcar_tesla/, 'a role cannot read the view');
is(sql("$app SELECT count(*) FROM status_of('owner-2')"), 2, 'a function can, for an owner');
is(sql("$app SELECT count(*) FROM status_of('owner-1')"), 0, 'the function shows no other owner');
sql("CREATE ROLE stranger");
like(($node->psql('postgres', "SET SESSION AUTHORIZATION stranger; SELECT * FROM status_of('owner-2')"))[2], qr/permission denied for function/, 'not every role may call the function');

# Updates of the extension

my $updates = sql("SELECT source || ' ' || target FROM pg_extension_update_paths('smartcar_tesla') WHERE path = source || '--' || target ORDER BY 1");

sub remaining_tables
{
	return join ' ', map { $_->safe_psql('postgres', "SET citus.override_table_visibility = off; SELECT count(*) FROM pg_class WHERE relname ~ '^(account|connection)_\\d+'") } @node{ sort keys %node };
}

isnt(remaining_tables(), '0 0 0', 'the workers have shards');
sql("DROP FUNCTION status_of;" . example('DROP EXTENSION'));
is(remaining_tables(), '0 0 0', 'DROP EXTENSION drops them');

foreach my $update (split /\n/, $updates)
{
	my ($from, $to) = split / /, $update;

	sql("CREATE EXTENSION smartcar_tesla VERSION '$from'; " . example('create_distributed_table'));
	is(($node->psql('postgres', "ALTER EXTENSION smartcar_tesla UPDATE TO '$to'"))[0], 0, "from $from to $to");
	sql(example('DROP EXTENSION'));
}

$_->stop foreach values %node;
done_testing();
