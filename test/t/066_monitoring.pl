# Support and monitoring: runs of procedures are recorded however they end, and never at
# the cost of a token; what a role that may only read sees; the queries of the manual, and
# postgres_exporter with those of the example.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use HTTP::Tiny;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;
use Session;

my $project = "$FindBin::RealBin/../..";
my $job_run = $Manager::table{job_run};
my %token = (path => '/oauth/token');

my $sandbox = Sandbox->start;
my $node = Manager::start_node($sandbox);
Manager::create_server($node, 'v3', $sandbox->url, api_version => '3', timeout => '3s');
$node->safe_psql('postgres', 'CREATE ROLE monitor LOGIN');
$node->safe_psql('postgres', "SELECT smartcar_grant('monitor', 'reader', name) FROM unnest('{smartcar,v3}'::text[]) AS name");

my $session = Session->new($node);
$session->query("SET smartcar_tesla.server = 'smartcar'");
my $other = Session->new($node);

# What a reader sees.
sub sees
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query, extra_params => [ '-U', 'monitor' ]);
}

# The runs that a reader sees, one per line, the oldest first.
my $columns = q{server, procedure, runs, ended_at IS NOT NULL AS ended, done, failed, refused, disconnected, error_sqlstate, error_description};

sub runs
{
	my ($what) = @_;

	return sees('SELECT ' . ($what // $columns) . ' FROM smartcar_job_run ORDER BY began_at');
}

sub start_over
{
	Manager::start_over($node, $sandbox);
	$sandbox->faults;
	return;
}

# Sets the rate limit of the application.
sub bucket
{
	foreach my $requests (@_)
	{
		$sandbox->ask('settings', { application_bucket => $requests, application_refill => 0 });
		$sandbox->ask('limits');
	}
	return;
}

# Runs without work share a row; each other run has its own

$session->query('CALL smartcar_refresh()') foreach 1 .. 3;
is(runs(), 'smartcar|smartcar_refresh|3|t|0|0|0|||', 'three runs without work are one row');
is(runs('ended_at > began_at'), 't', 'the row has the end of the last run');
Manager::add_fleet($node, $sandbox, 'smartcar', 5);
is(Manager::counts($session->query('CALL smartcar_refresh()')), '5|0|0', 'a run with work');
$session->query('CALL smartcar_refresh()') foreach 1 .. 2;
is(runs('runs, done, requests'), "3|0|0\n1|5|5\n2|0|0", 'a run with work has its own row');
$sandbox->faults({ match => \%token, times => 0, status => 403, body => 'Forbidden', content_type => 'text/plain', headers => { 'retry-after' => '120' } });
Manager::make_due($node);
$session->query('CALL smartcar_refresh()');
like(runs('done, failed, refused, error_sqlstate IS NULL'), qr/^0\|5\|0\|t\z/m, 'a run in which all accounts fail has its own row');
like(sees('SELECT DISTINCT server, kind, action, error, attempts > 0, next_attempt_at IS NOT NULL FROM smartcar_trouble'),
	qr/^smartcar\|account_failing\|retry\|SC403\|t\|t\z/, 'its accounts are in smartcar_trouble');
start_over();

Manager::add_row($node, 'job_run', server => $_->[0], procedure => $_->[1], began => $_->[2])
  foreach [ 'smartcar', 'smartcar_refresh', '-31 days' ], [ 'smartcar', 'smartcar_refresh', '-29 days' ], [ 'smartcar', 'smartcar_refresh', '-61 minutes' ];
$session->query('CALL smartcar_refresh()');
is(runs("runs, date_trunc('day', now() - began_at)"), "1|29 days\n1|00:00:00\n1|00:00:00", 'rows are kept for 30 days');
$session->query('CALL smartcar_refresh()');
is(runs('runs'), "1\n1\n2", 'runs without work share a row');
Manager::set_rows($node, 'job_run', { began => '-61 minutes' }, runs => 2);
$session->query('CALL smartcar_refresh()');
is(runs('runs'), "1\n1\n2\n1", 'runs without work share a row for an hour');
start_over();

# Errors

$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (SET token_key_file '/nonexistent/key')");
$session->query('CALL smartcar_refresh()') foreach 1 .. 2;
like(runs(), qr/\Asmartcar\|smartcar_refresh\|2\|t\|0\|0\|0\|\|58P01\|[^\n]*nonexistent[^\n]*\z/, 'an error is recorded, and the same error again is counted');
$session->error_is('CALL smartcar_reseal_tokens()', '58P01', qr/nonexistent/, 'the error is raised');
like(runs(), qr/^smartcar\|smartcar_reseal_tokens\|1\|t\|0\|0\|\|\|58P01\|/m, 'smartcar_reseal_tokens() is recorded');
$node->safe_psql('postgres', "ALTER SERVER smartcar OPTIONS (SET token_key_file '" . Manager::key_file($node) . "')");
$session->query('CALL smartcar_reseal_tokens()');
like(runs(), qr/^smartcar\|smartcar_reseal_tokens\|1\|t\|0\|0\|\|\|\|\z/m, 'a successful smartcar_reseal_tokens() is recorded');
start_over();

Manager::add_fleet($node, $sandbox, 'smartcar', 4);
$sandbox->faults({ match => \%token, times => 0, after => 1, status => 401, error => { error => 'invalid_client', error_description => "The secret $Sandbox::mapping{client_secret} is wrong." } });
like($session->query('CALL smartcar_refresh()'), qr/^ERROR:  SC401/m, 'refused credentials are an error');
like(runs(), qr/\|t\|1\|\d\|0\|\|SC401\|[^\n]*\z/, 'the run is recorded with the counts so far');
unlike(runs(), qr/\Q$Sandbox::mapping{client_secret}\E/, 'the recorded error has no secret that Smartcar has repeated');
start_over();

# Canceled, terminated, and cut off

Manager::add_fleet($node, $sandbox, 'smartcar', 12);
$sandbox->faults({ match => \%token, times => 0, after => 6, delay_ms => 2500 });
$session->start('CALL smartcar_refresh()');
ok(Session::wait_until(sub { Manager::count_refreshed($node) >= 6 }), 'a run that takes long');
is(runs(), 'smartcar|smartcar_refresh|1|f||||||', 'a run is visible while it runs');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($session->{backend})");
like($session->result, qr/^ERROR:  57014/m, 'the run is canceled');
like(runs(), qr/\Asmartcar\|smartcar_refresh\|1\|t\|\d+\|\d+\|0\|\|57014\|canceling statement due to user request\z/, 'the cancel is recorded');
is($session->query('SELECT 1'), '1', 'the session goes on');
$sandbox->faults;
$sandbox->ask('advance', { seconds => 21 });
Manager::retry_now($node);
$session->query('CALL smartcar_refresh()');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');
start_over();

Manager::add_fleet($node, $sandbox, 'smartcar', 4);
$sandbox->faults({ match => \%token, times => 0, delay_ms => 2500 });
my $ended = Session->new($node);
$ended->query("SET smartcar_tesla.server = 'smartcar'");
$ended->start('CALL smartcar_refresh()');
ok(Session::wait_until(sub { runs() ne '' }), 'a run whose session is terminated');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($ended->{backend}, 10000)");
is(runs(), 'smartcar|smartcar_refresh|1|f||||||', 'a run whose session is terminated has no end');
start_over();

# An error in the middle of a statement, and one in a function that the statement calls

$other->query("BEGIN; LOCK TABLE $Manager::table{sync_round}");
like($session->query("SET lock_timeout = '100ms'; CALL smartcar_sync(server => 'v3')"), qr/^ERROR:  55P03/m, 'a statement that waits too long');
is(runs(), 'v3|smartcar_sync|1|t|0|0||0|55P03|canceling statement due to lock timeout', 'a statement that waits too long is recorded');
$other->query('ROLLBACK');
$session->query('RESET lock_timeout');
$node->safe_psql('postgres', <<SQL);
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''refused''; END';
	CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON $Manager::table{sync_round} EXECUTE FUNCTION refuse();
SQL
like($session->query("CALL smartcar_sync(server => 'v3')"), qr/^ERROR:  P0001: refused/m, 'an error in a trigger function');
like(runs(), qr/^v3\|smartcar_sync\|1\|f\|\|\|\|\|\|\z/m, 'an error in a trigger function leaves a run without an end');
like($session->query("CALL smartcar_sync(server => 'v3')"), qr/^ERROR:  P0001: refused/m, 'the session can be used afterwards');
$node->safe_psql('postgres', "DROP TRIGGER refuse ON $Manager::table{sync_round}");

# a procedure with a loop and no exception handler
$node->safe_psql('postgres', <<'SQL');
	CREATE PROCEDURE each_server() LANGUAGE plpgsql AS $$
	DECLARE
		name text;
		ignored bigint;
	BEGIN
		FOR name IN SELECT srvname FROM pg_foreign_server ORDER BY 1 LOOP
			CALL smartcar_sync(server => name, synced => ignored, failed => ignored, disconnected => ignored, requests => ignored);
		END LOOP;
	END $$;
SQL
start_over();
unlike($session->query('CALL each_server()'), qr/ERROR/, 'a procedure calls smartcar_sync() in a loop');
is(runs('server, procedure, runs, error_sqlstate'), "smartcar|smartcar_sync|1|\nv3|smartcar_sync|1|", 'each server has a run');
$other->query("BEGIN; LOCK TABLE $Manager::table{sync_round}");
like($session->query("SET lock_timeout = '100ms'; CALL each_server()"), qr/^ERROR:  55P03/m, 'the procedure fails');
like(runs('server, procedure, runs, error_sqlstate'), qr/^smartcar\|smartcar_sync\|1\|55P03\z/m, 'the error is recorded');
$other->query('ROLLBACK');
$session->query('RESET lock_timeout');
is($session->query('SELECT 1'), '1', 'the session can be used afterwards');
start_over();

# smartcar_sync()

$sandbox->ask('fleet', { owners => 30 });
$session->query("CALL smartcar_sync(server => 'v3')");
is(runs(), 'v3|smartcar_sync|1|t|30|0||0||', 'a sync is recorded');
$session->query("CALL smartcar_sync(user_id => 'user-000001', server => 'v3')");
is(runs(), 'v3|smartcar_sync|1|t|30|0||0||', 'a sync of one owner is not');
bucket(undef, 0);
like($session->query("CALL smartcar_sync(server => 'v3')"), qr/^WARNING:.* because of Smartcar's rate limit/m, 'a rate limit is a warning');
like(runs(), qr/^v3\|smartcar_sync\|1\|t\|0\|0\|\|0\|SC429\|Smartcar's rate limit was reached\z/m, 'a rate limit is recorded');
bucket(undef);
start_over();

# A run that cannot be recorded runs nevertheless

Manager::add_fleet($node, $sandbox, 'smartcar', 5);
$other->query("BEGIN; LOCK TABLE $job_run");
my $result = $session->query('CALL smartcar_refresh()');
is(Manager::counts($result), '5|0|0', 'if the table is locked, tokens are refreshed');
is(scalar(() = $result =~ /^WARNING:  55P03: could not record the run of smartcar_refresh\(\): canceling statement due to lock timeout/mg), 2, 'a WARNING at the start and one at the end say so');
$other->query('ROLLBACK');
$node->safe_psql('postgres', "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON $job_run EXECUTE FUNCTION refuse()");
Manager::make_due($node);
$result = $session->query('CALL smartcar_refresh()');
is(Manager::counts($result), '5|0|0', 'if the table cannot be written, tokens are refreshed');
like($result, qr/^WARNING:  P0001: could not record the run of smartcar_refresh\(\): refused/m, 'a WARNING says so');
$node->safe_psql('postgres', "DROP TRIGGER refuse ON $job_run");
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'nothing is lost');
is(runs(), '', 'nothing is recorded');
is(Manager::counts($session->query('CALL smartcar_refresh()')), '0|0|0', 'the next refresh succeeds');
is(runs(), 'smartcar|smartcar_refresh|1|t|0|0|0|||', 'runs are recorded again');
start_over();

# A session is no trouble while it is being finished

my ($state) = $session->query("SELECT smartcar_begin_connect('ada')") =~ /[?&]state=([^&]*)/;
my $callback = 'https://example.com/callback?code=' . $sandbox->connect(owner => 'ada')->{code} . "&state=$state";
$sandbox->faults({ match => \%token, times => 0, delay_ms => 1500 });
$session->start("CALL smartcar_finish_connect('$callback')");
ok(Session::wait_until(sub { Manager::count($node, 'session', status => 'exchanging') }), 'a session is being finished');
is(sees('SELECT count(*) FROM smartcar_trouble'), '0', 'it is no trouble');
like($session->result, qr/^finished\|ada\|/m, 'the session is finished');
Manager::set_rows($node, 'session', { status => 'exchanging' });
is(sees('SELECT external_id, kind, action FROM smartcar_trouble'), 'ada|session_cut_off|connect', 'a session that was cut off is trouble');

start_over();

# The queries of the manual, as a role that may only read

$sandbox->ask('fleet', { owners => 30 });
$session->query("CALL smartcar_sync(server => 'v3')");
my $page = slurp_file("$project/doc/how-to/monitor.md");
my @queries = grep { /^SELECT(?! smartcar_grant)/ } map { split /;\n/ } grep { !/CREATE ROLE/ } $page =~ /^```sql\n(.*?)^```$/msg;
cmp_ok(scalar(@queries), '>=', 10, 'the manual has queries');
foreach my $query (@queries)
{
	my ($first) = split /\n/, $query;
	my ($result, $error) = ('', '');

	$node->psql('postgres', $query, stdout => \$result, stderr => \$error, extra_params => [ '-U', 'monitor' ]);
	is($error, '', "a reader may run: $first");
}

# postgres_exporter with the queries of the example

SKIP:
{
	my ($exporter) = grep { -x } map { "$_/prometheus-postgres-exporter" } split /:/, $ENV{PATH};

	skip 'prometheus-postgres-exporter is not installed', 1 if !defined $exporter;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "no port: $!";
	my $port = $listener->sockport;

	Manager::add_fleet($node, $sandbox, 'smartcar', 3);
	Manager::set_accounts($node, { status => 'reauthenticate', error_sqlstate => 'SC400', error => '-1 minute' });
	close $listener;
	local $ENV{DATA_SOURCE_NAME} = 'user=monitor dbname=postgres sslmode=disable host=' . $node->host . ' port=' . $node->port;
	my $log = $node->basedir . '/exporter.log';
	my $pid = fork // die "no process: $!";
	if ($pid == 0)
	{
		open STDOUT, '>', $log;
		open STDERR, '>&', \*STDOUT;
		exec($exporter, "--web.listen-address=127.0.0.1:$port", '--disable-default-metrics', '--disable-settings-metrics',
			"--extend.query-path=$project/example/monitoring/postgres_exporter.yml")
		  or POSIX::_exit(1);
	}
	my $metrics = '';
	my $browser = HTTP::Tiny->new(proxy => undef, http_proxy => undef, timeout => 10);
	Session::wait_until(sub { ($metrics = $browser->get("http://127.0.0.1:$port/metrics")->{content}) =~ /^pg_up/m }, 30);
	kill 'TERM', $pid;
	waitpid $pid, 0;
	my %value = $metrics =~ /^(smartcar_\w+\{.*\}) (\S+)$/mg;
	my %labelled = map { s/\bserver="[^"]*",?//r => $value{$_} } keys %value;

	is($labelled{'smartcar_trouble_count{action="connect",kind="account_refused",smartcar_server="smartcar"}'}, 3, 'the number of troubles');
	is($labelled{'smartcar_trouble_last_hour{action="connect",kind="account_refused",smartcar_server="smartcar"}'}, 3, 'the troubles of the last hour');
	like($labelled{'smartcar_job_last_success_timestamp_seconds{procedure="smartcar_sync",smartcar_server="v3"}'} // 'none', qr/^1\.\d+e\+09$/, 'the last success of a job');
	is($labelled{'smartcar_job_failed_runs{procedure="smartcar_sync",smartcar_server="v3"}'}, 0, 'the failed runs of a job');
	cmp_ok($labelled{'smartcar_job_requests{procedure="smartcar_sync",smartcar_server="v3"}'} // 0, '>', 30, 'the requests of a job');
	is($labelled{'smartcar_connection_count{action="none",smartcar_server="v3",status="connected"}'},
		sees("SELECT count(*) FROM smartcar_status WHERE action = 'none'"), 'the number of connections')
	  or diag(join "\n", sort(keys %labelled), slurp_file($log));
	my %described = map { $_ => 1 } $page =~ /`(smartcar_(?:trouble|job|connection)_[a-z_]+)`/g;
	delete $described{smartcar_job_run};
	my %found = map { /^(\w+)/ ? ($1 => 1) : () } keys %value;
	is_deeply([ sort keys %described ], [ sort keys %found ], 'the manual lists all metrics');
	unlike($metrics, qr/error="1"|scrape_error\{?.*\}? 1$|last_scrape_error 1$/m, 'no query fails');
}

done_testing();
