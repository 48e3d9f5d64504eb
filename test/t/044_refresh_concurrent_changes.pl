# smartcar_refresh() as a statement: refused inside a transaction block, with progress,
# and interrupted, or while accounts, servers, secrets or keys change.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Manager;
use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = Manager::start_node($sandbox);

my $session = Session->new($node);
my $refresh = 'CALL smartcar_refresh()';

sub counts
{
	my ($sql) = @_;

	return Manager::counts($session->query($sql // $refresh));
}

sub start_over
{
	my ($count) = @_;

	Manager::start_over($node, $sandbox);
	Manager::add_fleet($node, $sandbox, 'smartcar', $count) if $count;
	return;
}

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub no_losses
{
	my ($name) = @_;

	is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, "$name: nothing is lost");
	return;
}

my $token = { path => '/oauth/token' };
my $key_file = Manager::key_file($node);
my $content = slurp_file($key_file);

# Inside a transaction

start_over(3);
$sandbox->faults;
foreach my $case (
	[ 'a transaction block', "BEGIN; $refresh" ],
	[ 'a savepoint', "BEGIN; SAVEPOINT s; $refresh" ])
{
	my ($name, $sql) = @$case;
	my $error = $session->error($sql);

	is($error->{sqlstate}, '25001', "$name: refused");
	is($error->{hint}, 'Call it as a statement of its own, with autocommit.', "$name: with a hint");
	$session->query('ROLLBACK');
}
{
	my ($result, $output, $errors) = $node->psql('postgres', "SELECT 1; $refresh; SELECT 2");

	# psql -c sends them one by one with autocommit; here they are one query
	$node->psql('postgres', "SELECT 1 \\; $refresh \\; SELECT 2", stderr => \$errors);
	like($errors, qr/cannot run inside a transaction block/, 'a query of several statements');
}
start_over(3);
$sandbox->faults;
sql(qq(CREATE OR REPLACE FUNCTION call_it() RETURNS void LANGUAGE plpgsql AS \$\$
	DECLARE a bigint; b bigint; c bigint; d bigint;
	BEGIN CALL smartcar_refresh(refreshed => a, failed => b, refused => c, requests => d); END \$\$;));
is($session->error('SELECT call_it()')->{sqlstate}, '25001', 'a call in a function');
sql(qq(CREATE OR REPLACE PROCEDURE call_it_with_a_handler() LANGUAGE plpgsql AS \$\$
	DECLARE a bigint; b bigint; c bigint; d bigint;
	BEGIN
		CALL smartcar_refresh(refreshed => a, failed => b, refused => c, requests => d);
	EXCEPTION WHEN OTHERS THEN
		RAISE NOTICE 'caught %', SQLSTATE;
	END \$\$;));
like($session->query('CALL call_it_with_a_handler()'), qr/caught (25001|2D000)/, 'a call in a block with an exception handler');
is(scalar $sandbox->log, 0, 'nothing was sent');
is(Manager::count_claimed($node), 0, 'nothing was claimed');
like($session->query("DO \$\$ DECLARE a bigint; b bigint; c bigint; d bigint; BEGIN CALL smartcar_refresh(refreshed => a, failed => b, refused => c, requests => d); RAISE NOTICE 'counts % % %', a, b, c; END \$\$"),
	qr/counts 3 0 0/, 'a DO block is no transaction block');

$session->query("SET default_transaction_isolation = 'serializable'");
like($session->query("DO \$\$ DECLARE a bigint; b bigint; c bigint; d bigint; BEGIN CALL smartcar_refresh(refreshed => a, failed => b, refused => c, requests => d); RAISE NOTICE 'it is %', current_setting('transaction_isolation'); END \$\$"),
	qr/it is serializable/, 'its isolation level is that of the session afterwards');
$session->query('RESET default_transaction_isolation');

# Progress

start_over(60);
sql("ALTER SERVER smartcar OPTIONS (ADD max_concurrency '2')");
$sandbox->faults({ match => $token, times => 0, delay_ms => 250 });
$session->start($refresh);
{
	my $backend = $session->backend;
	my $seen = '';

	ok( Session::wait_until(
			sub { $seen = sql("SELECT query FROM pg_stat_activity WHERE pid = $backend"); $seen =~ / -- \d+ of 60 accounts/ }, 20),
		'pg_stat_activity shows the progress') or diag($seen);
	is(sql("SELECT backend_xid IS NULL FROM pg_stat_activity WHERE pid = $backend"), 't', 'no transaction is open while requests run');
	my $result = $session->result;
	like($result, qr/^NOTICE:  (00000: )?smartcar_refresh\(\): \d\d of 60 accounts in [5-6]\.\d s, \d+\.\d per second$/m, 'a notice after five seconds');
	like($result, qr/^NOTICE:  (00000: )?smartcar_refresh\(\): 60 of 60 accounts in \d\.\d s, \d+\.\d per second$/m, 'a notice at the end');
	is(Manager::counts($result), '60|0|0', 'all accounts are refreshed');
}
sql('ALTER SERVER smartcar OPTIONS (DROP max_concurrency)');

# The next request does not wait until a response is stored.

start_over(2);
sql("ALTER SERVER smartcar OPTIONS (ADD max_concurrency '1')");
sql(q(CREATE FUNCTION store_slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$;
	CREATE TRIGGER store_slowly BEFORE UPDATE ON smartcar_tesla.account FOR EACH ROW
		WHEN (NEW.refresh_token <> OLD.refresh_token) EXECUTE FUNCTION store_slowly()));
$session->start($refresh);
ok(Session::wait_until(sub { $sandbox->log == 2 }), 'both requests are made');
is(sql('SELECT count(*) FROM smartcar_tesla.account WHERE access_expires_at > now() + interval \'1 hour\''), 0, 'the second one before the first response is stored');
is(Manager::counts($session->result), '2|0|0', 'both accounts are refreshed');
sql('DROP TRIGGER store_slowly ON smartcar_tesla.account');
sql('ALTER SERVER smartcar OPTIONS (DROP max_concurrency)');

# Memory

start_over(3000);
$sandbox->faults({ match => $token, times => 0, after => 2900, delay_ms => 3000 });
$session->start($refresh);
Session::wait_until(sub { $sandbox->ask('statistics')->{in_flight} >= 8 }, 60);
{
	my $offset = -s $node->logfile;
	my $largest = 0;

	sql('SELECT pg_log_backend_memory_contexts(' . $session->backend . ')');
	Session::wait_until(sub { slurp_file($node->logfile, $offset) =~ /Grand total/ });
	foreach my $line (split /\n/, slurp_file($node->logfile, $offset))
	{
		next if $line !~ /level: \d+; ([^:]+): (\d+) total in/ || $2 <= $largest || $1 =~ /^(CacheMemoryContext|Top)/;
		$largest = $2;
		note($line);
	}
	cmp_ok($largest, '<', 500_000, 'thousands of accounts need no more memory than a few');
	$sandbox->faults;
	is(Manager::counts($session->result), '3000|0|0', 'all of them are refreshed');
}

# Changes during a refresh

sub while_refreshing
{
	my ($count, $what) = @_;

	start_over($count);
	$sandbox->faults({ match => $token, times => 0, delay_ms => 1000 });
	$session->start($refresh);
	Session::wait_until(sub { scalar($sandbox->log) >= ($count < 8 ? $count : 8) });
	$what->();
	my $result = $session->result;
	$sandbox->faults;
	return $result;
}

is( Manager::counts(
		while_refreshing(4, sub { Manager::delete_rows($node, 'account', user_id => 'user-000002') })) =~ s/\|.*//r,
	3, 'an account is deleted: the others are refreshed');
is(Manager::count($node, 'account'), 3, 'the deleted account is not stored again');

{
	my $result = while_refreshing(20, sub { sql('DROP SERVER smartcar CASCADE') });

	like($result, qr/^(20\|0\|0\|\d+|ERROR:  42704:.*)$/m, 'the server is dropped: the refresh ends');
	Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '3s');
	Manager::pass_time($node, $sandbox, $Manager::lease);
	counts();
	no_losses('the server is dropped');
}
{
	my $result = while_refreshing(20, sub { sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET client_secret 'changed'))) });

	sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET client_secret 'sandbox-client-secret')));
	Manager::pass_time($node, $sandbox, $Manager::lease);
	counts();
	no_losses('the secret is changed');
}
is(Manager::counts(while_refreshing(20, sub { unlink $key_file })), '20|0|0', 'the key file is removed: the refresh uses the key that it has read');
Manager::write_key_file($key_file, $content);
no_losses('the key file is removed');

# Tokens are resealed during a refresh: the response still belongs to the account.
is( Manager::counts(
		while_refreshing(4,
			sub {
				Manager::write_key_file($key_file, 'key2 ' . ('44556677' x 8) . "\n$content");
				is($node->psql('postgres', 'CALL smartcar_reseal_tokens()'), 0, 'tokens are resealed meanwhile');
			})),
	'4|0|0',
	'tokens are resealed: the responses are stored');
$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
no_losses('tokens are sealed again');
Manager::write_key_file($key_file, $content);

# An account that is claimed later is sealed with the key that is then the first, even
# if the previous key still works.
{
	my $reseal = Session->new($node);
	my $new_key = 'key2 ' . ('44556677' x 8) . "\n";

	Manager::write_key_file($key_file, "$content$new_key");
	is( Manager::counts(
			while_refreshing(40,
				sub {
					Manager::write_key_file($key_file, "$new_key$content");
					$reseal->start('CALL smartcar_reseal_tokens()');
				})),
		'40|0|0',
		'tokens are resealed while others are claimed: all are refreshed');
	unlike($reseal->result(30), qr/ERROR/, 'tokens are resealed while others are claimed: all are sealed');
	Manager::write_key_file($key_file, $new_key);
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
	no_losses('the old key is removed');
	Manager::write_key_file($key_file, $content);
}

# Another session claims the accounts before the responses arrive.  The tokens in them
# are the only ones that work after the minute.
my $other_lease = '11111111-1111-1111-1111-111111111111';
my $claim_for_other = "UPDATE smartcar_tesla.account SET lease = '$other_lease', leased_until = now() + interval '20 s' WHERE lease IS NOT NULL";

is( Manager::counts(while_refreshing(4, sub { sql($claim_for_other) })), '4|0|0',
	'another session claims the accounts: the responses are stored');
$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
no_losses('another session claims the accounts');

start_over(20);
$sandbox->faults({ match => $token, times => 0, delay_ms => 1000, status => 401 });
$session->start($refresh);
Session::wait_until(sub { scalar($sandbox->log) == 8 });
{
	my $claimed = sql("WITH c AS ($claim_for_other RETURNING 1) SELECT count(*) FROM c");

	cmp_ok($claimed, '>', 8, 'another session claims accounts whose requests are running and accounts that wait');
	like($session->result, qr/^ERROR:  SC401/m, 'the refresh ends with an error');
	is(sql("SELECT count(*) FROM smartcar_tesla.account WHERE lease = '$other_lease' AND leased_until > now()"), $claimed,
		'no claim of the other session is released');
}
$sandbox->faults;

# A cancel does not wait for requests; statement_timeout, which occurs in every run, does
# not end requests that were sent.
foreach my $interrupt (
	[ 'a statement timeout', 'SET statement_timeout = 700', sub { }, '8|0|0', '0|0|0' ],
	[ 'a cancel', 'SET statement_timeout = 0', sub { sql('SELECT pg_cancel_backend(' . $session->backend . ')') }, '0|0|0', '16|0|0' ])
{
	my ($name, $set, $send, $at_once, $later) = @$interrupt;

	$session->query($set);
	my $result = while_refreshing(16, $send);
	$session->query('SET statement_timeout = 0');
	like($result, qr/^ERROR:  57014/m, "$name ends the refresh");
	is(counts(), $at_once, "$name: requests that were sent and not stored are left alone for a while");
	Manager::pass_time($node, $sandbox, $Manager::lease);
	is(counts(), $later, "$name: later all accounts are refreshed");
	is(Manager::count_refreshed($node), 16, "$name: all sixteen accounts");
	is(Manager::refreshes($sandbox)->{refused}, 0, "$name: no token was refused");
	no_losses($name);
}

# A provisional account gets its user id while its token is refreshed

start_over(0);
{
	my $ada = $sandbox->connect(owner => 'ada');
	my ($state) = sql("SELECT smartcar_begin_connect('owner-ada')") =~ /[?&]state=([^&]+)/;
	my $sync = Session->new($node);

	$sandbox->faults({ match => { path => '/user$' }, status => 404 });
	like($session->query("CALL smartcar_finish_connect('?code=$ada->{code}&state=$state')"), qr/^WARNING:  SC404: .*^finished\|owner-ada\|\|/ms, 'the user of a token cannot be found out');
	is(Manager::count($node, 'account', 'user_id LIKE' => 'session-%'), 1, 'a provisional account is stored');
	$sandbox->faults({ match => { path => '/user$' }, status => 404 });
	like($session->query('CALL smartcar_sync()'), qr/^WARNING:  SC404: could not get the user id of account "session-\w+": .*^0\|1\|\d+\|\d+$/ms, 'the next sync cannot find out the user, either');
	Manager::make_due($node);
	$sandbox->faults({ match => $token, times => 0, delay_ms => 1500 });
	$session->start($refresh);
	Session::wait_until(sub { scalar $sandbox->log(path => '/oauth/token$') });
	$sync->start('CALL smartcar_sync()');
	is(Manager::counts($session->result), '1|0|0', 'its token is refreshed');
	like($sync->result, qr/^1\|0\|\d+\|\d+$/m, 'the account gets the id of its user');
	is(Manager::rows($node, 'account', 'user_id'), $ada->{user_id}, 'there is no other account');
	is(Manager::refreshes($sandbox)->{sum}, 1, 'it was refreshed once');
	Manager::pass_time($node, $sandbox, $Manager::grace + 1);
	is(Manager::losses($node, $sandbox)->{dead}, 0, 'the new token is stored');
}

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/refresh-00\d\d\d\d|access-00\d\d\d\d|was terminated by signal|TRAP/, 'no token is in the log, and no backend has crashed');

done_testing();
