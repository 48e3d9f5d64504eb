# A call to Smartcar can be interrupted at every stage: a cancel, a statement
# timeout and pg_terminate_backend() take effect at once, and after the first two
# the session goes on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use HostNames;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;
use Time::HiRes qw(sleep time);

# Seconds within which an interrupt must take effect.  A busy machine gets more
# chances.
my $limit = 0.3;
my $chances = 3;

my $sandbox = Sandbox->start('--tls');
my $names = HostNames::library();
my $deaf = Sandbox::deaf_origin();
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
HostNames::start_node($node, $names);
Sandbox::create_server($node, 'smartcar', $sandbox->url);
Sandbox::create_server($node, 'silent_tls', $sandbox->url('tls_silent'),
	connect_timeout => '30s', ca_file => $sandbox->url('ca_file'));
Sandbox::create_server($node, 'slow_name', 'https://slow.test', connect_timeout => '30s');
Sandbox::create_server($node, 'deaf', $deaf, connect_timeout => '30s') if $deaf;
Sandbox::create_server($node, 'crowd', $sandbox->url('https'), ca_file => $sandbox->url('ca_file'), max_concurrency => '256');
Sandbox::create_server($node, 'hasty', $sandbox->url, timeout => '200ms');

my $control = Session->new($node);
my $session = Session->new($node);
my $ada = $control->connect_owner($sandbox, 'ada');
my $ask = 'SELECT smartcar_get_user(access_token) FROM token';

$names = undef if $names && !HostNames::in_use($session, 'slow_name');

my $event = $node->pg_version->major >= 17 ? 'Extension|SmartcarCall' : 'Extension|Extension';

sub is_waiting
{
	my $backend = $session->backend;

	return $control->query("SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = $backend") eq $event;
}

# The stages of a call: the server to use, the fault, and the condition that shows
# that the request has reached the stage.
my @phases = (
	[ 'resolves the host name', 'slow_name', undef, undef ],
	[ 'connects', 'deaf', undef, undef ],
	[ 'negotiates TLS', 'silent_tls', undef, undef ],
	[ 'waits for the header', 'smartcar', { delay_ms => 30000 }, sub { scalar $sandbox->log } ],
	[ 'receives the header', 'smartcar', { slow_headers_ms => 30000 }, sub { scalar $sandbox->log } ],
	[ 'receives the body', 'smartcar', { slow_body_ms => 30000 }, sub { scalar $sandbox->log } ],
	[ 'pauses before it is repeated', 'smartcar', { retry_after => 20 },
		sub { grep { ($_->{status} // 0) == 429 } $sandbox->log } ],
);

# Sends an interrupt with a function of the server, and returns the time of that.
sub interrupt_by
{
	my ($function) = @_;
	my $sent = time;

	$control->query("SELECT $function(" . $session->backend . ')');
	return $sent;
}

# The statement before the call, the interrupt, and the expected error.
my %interrupts = (
	'a cancel' => [
		'', sub { return interrupt_by('pg_cancel_backend') },
		qr/^ERROR:  57014: canceling statement due to user request$/m
	],
	'the end of the session' => [
		'', sub { return interrupt_by('pg_terminate_backend') },
		qr/^FATAL:  57P01: terminating connection due to administrator command$/m
	],
	'a statement timeout' => [
		'SET statement_timeout = 250;', sub { return $_[0] + 0.25 },
		qr/^ERROR:  57014: canceling statement due to statement timeout$/m
	],
);

# Interrupts a call.  Returns its result, and how long the interrupt took.
sub interrupt
{
	my ($server, $condition, $before, $send) = @_;
	my ($begun, $sent, $result);

	$session->query("SET smartcar_tesla.server = $server; $before");
	$begun = time;
	$session->start($ask);
	if ($before eq '')
	{
		Session::wait_until(\&is_waiting);
		Session::wait_until($condition) if $condition;
		sleep 0.05;
	}
	$sent = $send->($begun);
	$result = $session->result(5);
	$session = Session->new($node) if !defined $result || $result =~ /^FATAL/m;
	return ($result // 'nothing within 5 s', time - $sent);
}

foreach my $phase (@phases)
{
	my ($what, $server, $fault, $condition) = @$phase;

  SKIP:
	{
		skip 'names cannot be resolved slowly here', 2 * keys %interrupts
			if $server eq 'slow_name' && !$names;
		skip 'a full queue of connections does not stop another one here', 2 * keys %interrupts
			if $server eq 'deaf' && !$deaf;

		foreach my $name (sort keys %interrupts)
		{
			my ($before, $send, $expected) = @{ $interrupts{$name} };
			my ($result, $seconds);

			for (1 .. $chances)
			{
				$sandbox->faults($fault ? { %$fault, times => 0 } : ());
				($result, $seconds) = interrupt($server, $condition, $before, $send);
				last if $seconds <= $limit;
			}
			subtest "$name while a request $what" => sub {
				like($result, $expected, 'the error has PostgreSQL\'s text');
				cmp_ok($seconds, '<=', $limit, 'is served within 300 ms');
			};
			$sandbox->faults;
			is($session->query("SET statement_timeout = 0; SET smartcar_tesla.server = smartcar; $ask"),
				$ada->{user_id}, 'the next call works');
		}
	}
}

# Signals are for the backend, not for the thread that resolves a name.
SKIP:
{
	skip 'names cannot be resolved slowly here, or there is no /proc', 1 if !$names || !-d '/proc/self/task';
	my $backend = $session->backend;
	my @masks;

	$session->query('SET smartcar_tesla.server = slow_name');
	$session->start($ask);
	Session::wait_until(\&is_waiting);
	foreach my $task (grep { !m{/$backend$} } glob "/proc/$backend/task/*")
	{
		push @masks, slurp_file("$task/status") =~ /^SigBlk:\s*([0-9a-f]+)/m;
	}
	interrupt_by('pg_cancel_backend');
	$session->result(5);
	$session->query('SET smartcar_tesla.server = smartcar');
	skip 'libcurl does not resolve names in a thread', 1 if !@masks;

	# SIGHUP 1, SIGINT 2, SIGUSR1 10, SIGALRM 14, SIGTERM 15
	is((grep { (hex(substr $_, -8) & 0x6203) == 0x6203 } @masks), @masks,
		'the thread that resolves a name blocks the signals of the server');
}

# The wait is visible in pg_stat_activity.
$sandbox->faults({ delay_ms => 30000 });
$session->start($ask);
ok(Session::wait_until(\&is_waiting), "pg_stat_activity shows $event");

# DROP DATABASE while the call waits: every backend has to process a barrier before the
# files are deleted.
sub seconds_to_drop
{
	my $begun;

	$control->query('CREATE DATABASE short_lived');
	$begun = time;
	$control->start('DROP DATABASE short_lived');
	$control->result(10);
	return time - $begun;
}
{
	my $with_call = seconds_to_drop();

	ok(is_waiting(), 'the call is still waiting');
	interrupt_by('pg_cancel_backend');
	$session->result(5);
	cmp_ok($with_call, '<', seconds_to_drop() + 1, 'DROP DATABASE does not wait for a call');
}

# A cancel in the middle of a bulk call.
sub left_behind
{
	my $backend = $session->backend;
	my @sockets = grep { (readlink($_) // '') =~ /^socket/ } glob "/proc/$backend/fd/*";
	my $contexts =
	  $session->query("SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'smartcar_tesla %'");
	my $in_flight = Session::wait_until(sub { $sandbox->ask('log?limit=1')->{in_flight} == 0 }) ? 0 : 'some';

	return sprintf '%d sockets, %s contexts, %s requests', scalar @sockets, $contexts, $in_flight;
}
{
	my $bulk = q(SELECT count(*) FROM token, smartcar_get_vehicle_many(
		array_fill('36ab27d0-fd9d-4455-823a-ce30af709ffc'::text, ARRAY[20]), ARRAY[access_token]) WHERE sqlstate IS NULL);
	my $before;

	for my $round (0 .. 5)
	{
		# half of the requests get a response, and the others wait
		$sandbox->faults({ after => 10, times => 0, delay_ms => 30000 });
		$session->start($bulk);
		Session::wait_until(sub { (grep { defined $_->{status} } $sandbox->log) == 10 && $sandbox->max_in_flight == 8 });
		interrupt_by('pg_cancel_backend');
		my $result = $session->result(5) // 'nothing';
		like($result, qr/57014: canceling statement due to user request/, 'a bulk call is canceled in its middle')
		  if $round == 0;
		$before = left_behind() if $round == 0;
	}
	is(left_behind(), $before, 'a canceled bulk call leaves no socket, memory context or request behind');
	like($before, qr/ 0 contexts, 0 requests/, 'before the bulk call there were no memory contexts and no requests');
	$sandbox->faults;
	is($session->query($bulk), 20, 'the canceled bulk call can be repeated');
}

# A cancel while many requests negotiate TLS, each for a connection of its own.
{
	my $is_active = sub { $control->query('SELECT state FROM pg_stat_activity WHERE pid = ' . $session->backend) eq 'active' };
	my $crowd = q(SELECT count(*) FROM token, smartcar_request_many('POST', array_fill('/user'::text, ARRAY[256]), ARRAY[access_token]));

	$session->query('SET smartcar_tesla.server = crowd');
	foreach my $moment (0.1, 0.3, 0.6)
	{
		my ($result, $seconds);

		for (1 .. $chances)
		{
			my $sent;

			$sandbox->faults({ delay_ms => 30000, times => 0 });
			$session->start($crowd);
			Session::wait_until($is_active);
			sleep $moment;
			$sent = interrupt_by('pg_cancel_backend');
			$result = $session->result(10) // 'nothing';
			$seconds = time - $sent;
			last if $seconds <= $limit;
		}
		like($result, qr/57014/, "256 commands over TLS are canceled after $moment s");
		cmp_ok($seconds, '<=', $limit, 'the cancel of 256 commands takes effect within 300 ms');
	}
	$session->query('SET smartcar_tesla.server = smartcar');
	$sandbox->faults;
}

# A block that catches the error can go on in the same transaction.
sub caught
{
	my ($condition, $server) = @_;

	return qq(DO \$\$
		DECLARE caught text; token text = (SELECT access_token FROM token);
		BEGIN
			BEGIN
				PERFORM smartcar_get_user(token, server => '$server');
			EXCEPTION WHEN $condition THEN caught = SQLSTATE;
			END;
			RAISE NOTICE 'caught %, then got %', caught, smartcar_get_user(token);
		END \$\$);
}
$sandbox->faults({ delay_ms => 30000 });
$session->start(caught('query_canceled', 'smartcar'));
Session::wait_until(sub { scalar $sandbox->log });
interrupt_by('pg_cancel_backend');
like($session->result(5), qr/caught 57014, then got \Q$ada->{user_id}\E/, 'a block that catches query_canceled goes on');

$sandbox->faults({ delay_ms => 30000 });
like($session->query(caught(q(SQLSTATE 'SC003'), 'hasty')), qr/caught SC003, then got \Q$ada->{user_id}\E/,
	'a block that catches SC003 goes on');

$sandbox->faults({ delay_ms => 30000 });
$session->query("BEGIN; SAVEPOINT before; SET LOCAL smartcar_tesla.server = hasty");
is($session->error($ask)->{sqlstate}, 'SC003', 'a call fails in a transaction');
$session->query('ROLLBACK TO before');
is($session->query("$ask"), $ada->{user_id}, 'after the rollback to a savepoint, calls work again');
$session->query('COMMIT');

# A session that waits for nothing and keeps connections can be terminated.
interrupt_by('pg_terminate_backend');
ok(Session::wait_until(sub { !kill 0, $session->backend }), 'a session that keeps connections ends');

$session->finish;
$control->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'no backend has crashed');

done_testing();
