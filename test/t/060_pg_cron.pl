# pg_cron: the schedules of the manual work as jobs, in both ways in which pg_cron runs
# one, through a connection and in a background worker.
#
# Before version 1.5 pg_cron looks at a schedule once a minute, but jobs with the schedule
# @reboot begin when the server starts, so the test restarts it.  With
# SMARTCAR_TEST_CRON_MINUTE=1 in the environment it also waits for a minute to begin.

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

my $accounts = 20;

chomp(my $directory = `pg_config --sharedir`);
plan(skip_all => 'pg_cron is not installed') if !-e "$directory/extension/pg_cron.control";

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->start;

# Jobs run as a role with only the privileges of an operator, one of them in a database
# in which pg_cron is not installed.
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '5s');
Manager::create_server($node, 'v3', $sandbox->url, api_version => '3');
$node->safe_psql('postgres', 'CREATE ROLE operator LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE fleet TEMPLATE postgres');
$node->safe_psql($_, "SELECT smartcar_grant('operator', 'operator', name) FROM unnest('{smartcar,v3}'::text[]) AS name")
  foreach qw(postgres fleet);
Manager::add_fleet($node, $sandbox, 'smartcar', $accounts);

$node->append_conf('postgresql.conf', sprintf "shared_preload_libraries = 'pg_cron'\ncron.host = '%s'\n", $node->host);
$node->restart;

# The procedure and the schedules come from the manual.
my $page = slurp_file("$FindBin::RealBin/../../doc/how-to/refresh-and-sync.md");
my ($install) = grep { /CREATE EXTENSION pg_cron/ } $page =~ /^```sql\n(.*?)^```$/msg;
$node->safe_psql('postgres', $install);
my ($every_night, $every_seconds, $every_minute, $elsewhere) = grep { /cron\.schedule/ } $page =~ /^```sql\n(.*?)^```$/msg;
my ($keep_alive, $keep_alive_jobs) = $every_minute =~ /^(CREATE PROCEDURE .*?^\$\$;\n)(.*)$/ms;
like($keep_alive, qr/pg_sleep\(14\)/, 'the procedure is in the manual');
$node->safe_psql('postgres', $keep_alive =~ s/pg_sleep\(14\)/pg_sleep(0.05)/r);

sub schedule
{
	my ($name, $schedule, $command, $database) = @_;

	$node->safe_psql('postgres',
		"SELECT cron.schedule_in_database('$name', '$schedule', '$command', '$database', 'operator')");
	return;
}

schedule('keep alive', '@reboot', 'CALL keep_alive()', 'postgres');
schedule('refresh', '@reboot', 'CALL smartcar_refresh()', 'postgres');
schedule('sync', '@reboot', q{CALL smartcar_sync(server => ''v3'')}, 'fleet');
schedule('two', '@reboot', 'CALL smartcar_refresh(); CALL smartcar_refresh()', 'postgres');

# The jobs and their results; nothing as long as a job still runs, or the server is not
# back.
sub runs
{
	my $runs;
	my $status = $node->psql('postgres',
		q{SELECT string_agg(format('%s: %s', jobname, d.status), E'\n' ORDER BY jobname) }
		  . q{FROM cron.job LEFT JOIN cron.job_run_details AS d USING (jobid) }
		  . q{HAVING bool_and(d.status IN ('succeeded', 'failed'))}, stdout => \$runs);

	return $status == 0 ? $runs : '';
}

my $rounds = 0;

# All accounts are due, and no connection of the fleet is stored.
sub begin_round
{
	Manager::make_due($node);
	Manager::delete_rows([ $node, 'fleet' ], 'connection');
	$node->safe_psql('postgres', 'TRUNCATE cron.job_run_details');
	$rounds++;
	return;
}

sub check_round
{
	my ($when) = @_;

	Session::wait_until(sub { runs() }, 20);
	is(runs(), "keep alive: succeeded\nrefresh: succeeded\nsync: succeeded\ntwo: failed", "jobs end as expected, $when");

	my $refreshes = Manager::refreshes($sandbox);
	is("$refreshes->{least}, $refreshes->{most}", "$rounds, $rounds", "each account is refreshed once, $when");
	is(Manager::count([ $node, 'fleet' ], 'connection', server => 'v3', 'virtual_key_paired IS NOT' => undef), $accounts, "the other database is synchronized, $when");
	return;
}

foreach my $workers (qw(off on))
{
	my $kind = $workers eq 'on' ? 'in background workers' : 'through connections';

	$node->append_conf('postgresql.conf', "cron.use_background_workers = $workers\n");
	begin_round();
	$node->restart;
	check_round($kind);
	like($node->safe_psql('postgres', q{SELECT return_message FROM cron.job JOIN cron.job_run_details USING (jobid) WHERE jobname = 'two'}),
		qr/smartcar_refresh\(\) cannot run inside a transaction block/, "two statements in one job are one transaction, $kind");

	# a killed process makes the server restart all others
	begin_round();
	kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'});
	check_round("$kind, after a crash");
}

# The daily schedules
my $has_seconds = $node->safe_psql('postgres',
	q{SELECT string_to_array(substring(extversion from '^\d+\.\d+'), '.')::integer[] >= '{1,5}' FROM pg_extension WHERE extname = 'pg_cron'}) eq 't';

sub scheduled_by
{
	my ($statements, $role) = @_;

	$node->safe_psql('postgres', 'SELECT cron.unschedule(jobid) FROM cron.job');
	my ($result, $output, $error) = $node->psql('postgres', $statements, extra_params => [ '-U', $role ]);
	my $jobs = $node->safe_psql('postgres', q{SELECT jobname, schedule, command, database, username FROM cron.job ORDER BY jobname});
	$node->safe_psql('postgres', 'SELECT cron.unschedule(jobid) FROM cron.job');
	return $result == 0 ? $jobs : $error;
}

my $user = $node->safe_psql('postgres', 'SELECT current_user');
is(scheduled_by($every_night, 'operator'), 'smartcar sync|15 3 * * *|CALL smartcar_sync()|postgres|operator', 'the manual\'s schedule for both versions, by the operator');
is(scheduled_by($keep_alive_jobs, 'operator'),
	"smartcar refresh|* * * * *|CALL keep_alive()|postgres|operator\nsmartcar refresh at start|\@reboot|CALL keep_alive()|postgres|operator",
	'its schedules for v2.0');
is(scheduled_by($elsewhere, $user), 'fleet refresh|* * * * *|CALL keep_alive()|fleet|operator', 'its schedule for another database');
if ($has_seconds)
{
	is(scheduled_by($every_seconds, 'operator'), "smartcar refresh|10 seconds|CALL smartcar_refresh()|postgres|operator", 'its schedules with seconds');
}
else
{
	like(scheduled_by($every_seconds, 'operator'), qr/invalid schedule/, 'seconds are refused if pg_cron has none');
}

SKIP:
{
	skip 'pg_cron has no seconds, and SMARTCAR_TEST_CRON_MINUTE is not set', 1
	  if !$has_seconds && !$ENV{SMARTCAR_TEST_CRON_MINUTE};

	Manager::make_due($node);
	$rounds++;
	schedule('refresh', $has_seconds ? '2 seconds' : '* * * * *', 'CALL smartcar_refresh()', 'postgres');
	Session::wait_until(sub { Manager::refreshes($sandbox)->{least} == $rounds }, 65);
	my $refreshes = Manager::refreshes($sandbox);
	is("$refreshes->{least}, $refreshes->{most}", "$rounds, $rounds", 'each account is refreshed once, at its time');
}

$node->stop;
done_testing();
