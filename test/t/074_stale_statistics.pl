# Work on one owner reads the rows of this owner and scans no table, also when the
# statistics are those of another time: of tables with a few rows, or of a fleet before
# its owners were adopted.  Nothing is timed: the server counts scans and rows.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my $others = 20_000;
my @tables = @Manager::table{qw(account connection session webhook_event)};
my ($ada, $ada_car) = qw(725146a3-5c8e-4e5f-9d1b-0f4a6c2b7e11 36ab27d0-fd9d-4455-823a-ce30af709ffc);

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_timing = off
CONF
$node->start;
Manager::create_server($node, 'v3', $sandbox->url, timeout => '5s', api_version => '3');
Manager::create_server($node, 'v2', $sandbox->url, timeout => '5s');
my $session = Session->new($node);

# Scans of each whole table, and its rows that were read.
sub reads
{
	$session->query('SELECT pg_stat_force_next_flush()');
	return map { [ split /\|/, $session->query("SELECT seq_scan, seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relid = '$_'::regclass") ] } @tables;
}

my $statistics;

sub check_reads
{
	my ($name, $call, $expected) = @_;
	my @before = reads();
	my $log = -s $node->logfile;
	my $result = $session->query($call);
	my @after = reads();
	my @scanned = grep { $after[$_][0] != $before[$_][0] } 0 .. $#tables;
	my @large = grep { $after[$_][1] - $before[$_][1] > 200 } 0 .. $#tables;

	like($result, $expected, "$statistics: $name");
	is(join(' ', map { $tables[$_] } @scanned), '', "$statistics: $name: no table is scanned");
	is(join(' ', map { "$tables[$_]: " . ($after[$_][1] - $before[$_][1]) } @large), '', "$statistics: $name: few rows are read");
	if (@scanned || @large)
	{
		my $text = substr slurp_file($node->logfile), $log;
		diag(join "\n", grep { /smartcar_tesla\./ && !/pg_stat/ && /Seq Scan on (connection|account|session|webhook)|Removed by Filter: \d{4}|actual rows=\d{4}/ } split /^(?=\d{4}-)/m, $text);
	}
	return;
}

sub callback
{
	my ($server, $owner, $external_id) = @_;
	my ($state) = $session->query("SELECT smartcar_begin_connect('$external_id', server => '$server')") =~ /[?&]state=([^&]*)/;
	my $response = $sandbox->connect(owner => $owner, $server eq 'v3' ? (external_id => $external_id) : ());

	return "CALL smartcar_finish_connect('https://example.com/callback?state=$state&"
	  . ($server eq 'v3' ? "user_id=$ada" : "code=$response->{code}") . "', server => '$server')";
}

sub event
{
	my (%event) = @_;
	my $delivery = $sandbox->ask('webhook', { vehicle_id => $ada_car, user_id => $ada, %event })->{deliveries}[0];

	return 'SELECT smartcar_receive_webhook(' . Sandbox::quoted($delivery->{body}) . ", '$delivery->{signature}', 'v3')";
}

sub all_calls
{
	my $finish;

	# the settings of the session's first call
	$session->query("SELECT smartcar_get_application_token('v3')");

	check_reads('v3: begin', "SELECT smartcar_begin_connect('ada', server => 'v3')", qr/^https/);
	$finish = callback('v3', 'ada', 'ada');
	check_reads('v3: finish', $finish, qr/^finished/);
	check_reads('v3: the same callback again', $finish, qr/^finished/);
	check_reads('v3: reauthenticate', "SELECT smartcar_begin_reauth('ada', server => 'v3')", qr/^https/);
	check_reads('v3: event that changes nothing', event(type => 'VEHICLE_STATE'), qr/^$/);
	check_reads('v3: event of an error', event(type => 'VEHICLE_ERROR', error => { type => 'PERMISSION', code => undef }), qr/^$/);
	check_reads('v3: the error ends', event(type => 'VEHICLE_ERROR', state => 'RESOLVED', error => { type => 'PERMISSION', code => undef }), qr/^$/);
	check_reads('v3: sync of an owner', "CALL smartcar_sync('ada', server => 'v3')", qr/^1\|0/m);
	check_reads('v3: sync of a user', "CALL smartcar_sync(user_id => '$ada', server => 'v3')", qr/^1\|0/m);
	check_reads('v3: adopt', "CALL smartcar_adopt(ARRAY['$ada'], ARRAY['lovelace'], 'v3')", qr/^1\|1/m);
	check_reads('v3: disconnect', "CALL smartcar_disconnect_vehicle('$ada_car', server => 'v3')", qr/^\d/);
	check_reads('v3: forget', "CALL smartcar_forget('ada', server => 'v3')", qr/^\d/);

	check_reads('v2: finish', callback('v2', 'ada', 'ada'), qr/^finished/);
	check_reads('v2: a token of an owner', "SELECT length(smartcar_access_token('ada', server => 'v2')) > 0", qr/^t/);
	check_reads('v2: a token of a user', "SELECT length(smartcar_access_token(user_id => '$ada', server => 'v2')) > 0", qr/^t/);
	check_reads('v2: sync of an owner', "CALL smartcar_sync('ada', server => 'v2')", qr/^\d\|0/m);
	check_reads('v2: reauthenticate', "SELECT smartcar_begin_reauth('ada', server => 'v2')", qr/^https/);
	check_reads('v2: import', "CALL smartcar_import_tokens(ARRAY['some-user'], ARRAY['ada'], ARRAY[NULL]::text[], ARRAY['a-refresh-token'], ARRAY[now()], 'v2')", qr/^1\|/);
	check_reads('v2: disconnect', "CALL smartcar_disconnect_vehicle('$ada_car', server => 'v2')", qr/^\d/);
	check_reads('v2: forget', "CALL smartcar_forget('ada', server => 'v2')", qr/^\d|^ERROR/);
	return;
}

$statistics = 'statistics of a few rows';
Manager::add_crowd($session, 'v3', 1, 10);
Manager::add_crowd($session, 'v2', 1, 10);
Manager::sql($session, "VACUUM ANALYZE $_") foreach @tables;
Manager::add_crowd($session, 'v3', 11, $others);
Manager::add_crowd($session, 'v2', 11, $others);
all_calls();

$statistics = 'statistics without owners';
Manager::start_over($node, $sandbox);
foreach my $server ('v3', 'v2')
{
	Manager::add_crowd($session, $server, 1, $others);
}
Manager::set_rows($session, $_, { external_id => undef }) foreach qw(account connection session);
Manager::sql($session, "VACUUM ANALYZE $_") foreach @tables;
Manager::sql($session, "UPDATE $Manager::table{$_} SET external_id = 'owner of ' || user_id") foreach qw(account connection);
Manager::sql($session, "UPDATE $Manager::table{session} SET external_id = encode(state_hash, 'hex')");
Manager::sql($session, "VACUUM (INDEX_CLEANUP on) $_") foreach @tables;
all_calls();

$session->finish;
$node->stop;
done_testing();
