# smartcar_refresh(): which tokens are due, several sessions at once, which failures are
# retried, and the effect of wrong keys and secrets.

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

# Which accounts are due

start_over(8);
Manager::set_accounts($node, { access_expires => '1 hour' }, user_id => Manager::fleet(2, 8));
Manager::set_accounts($node, { refresh_expires => '6 days' }, user_id => 'user-000002');
Manager::set_accounts($node, { access_expires => undef }, user_id => 'user-000003');
Manager::set_accounts($node, { access_expires => '-1 year' }, user_id => 'user-000004');
Manager::set_accounts($node, { access_expires => '0 s', status => 'reauthenticate' }, user_id => 'user-000005');
Manager::set_accounts($node, { access_expires => '0 s', next_attempt => '1 minute' }, user_id => 'user-000006');
Manager::set_accounts($node, { access_expires => '0 s', refresh_token => undef }, user_id => 'user-000007');
is(counts(), '4|0|0', 'accounts that are due are refreshed');
is( join(' ', map { $_->{refreshes} } @{ $sandbox->ask('accounts')->{accounts} }),
	'1 1 1 1 0 0 0 0',
	'due: access token about to expire, refresh token about to expire, unknown expiry, expired long ago');
is(counts(), '0|0|0', 'afterwards nothing is due');
is(Manager::rows($node, 'account', q(access_expires_at > now() + interval '119 minutes' AND refresh_expires_at > now() + interval '59 days' AND attempts = 0
		AND lease IS NULL AND leased_until IS NULL AND error_at IS NULL AND refreshed_at > now() - interval '1 minute'
		AND external_id = 'owner of user-000001'), user_id => 'user-000001'),
	't', 'the stored expiry times');
is($session->query("SELECT smartcar_access_token(user_id => 'user-000001')"),
	Manager::stored_tokens($node, 'access')->{'user-000001'}, 'the access token is that of the new pair');
is($session->query("SELECT smartcar_get_user(smartcar_access_token(external_id => 'owner of user-000001'))"),
	'user-000001', 'the access token works');

start_over(20);
is(counts("CALL smartcar_refresh(access_within => '30 seconds')"), '0|0|0', 'access_within shorter than the life of the tokens');
is(counts("CALL smartcar_refresh(access_within => NULL)"), '0|0|0', 'access_within NULL does not refresh access tokens');
is(counts("CALL smartcar_refresh(access_within => NULL, refresh_within => '61 days', max_accounts => 5)"), '5|0|0',
	'refresh_within and max_accounts');
is(counts('CALL smartcar_refresh(max_accounts => 3)'), '3|0|0', 'max_accounts below the concurrency');
is(counts('CALL smartcar_refresh(max_accounts => 0)'), '0|0|0', 'max_accounts of 0');
is(counts('CALL smartcar_refresh(max_accounts => 100)'), '12|0|0', 'max_accounts above the number of accounts');
is_deeply(Manager::refreshes($sandbox), { least => 1, most => 1, sum => 20, repeated => 0, refused => 0 },
	'each account was refreshed once');
no_losses('what is due');

# access_within beyond the life of a token, so that a new token is due at once.
start_over(5);
is(counts("SET statement_timeout = '20s'; CALL smartcar_refresh(access_within => '1 day', refresh_within => '90 days')"), '5|0|0',
	'access_within longer than the life of tokens does not refresh without end');
is(Manager::refreshes($sandbox)->{most}, 1, 'no account is refreshed twice');
$session->query('RESET statement_timeout');

# Several sessions at once

start_over(300);
$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, delay_ms => 20 });
{
	my @sessions = map { Session->new($node) } 1 .. 4;
	my $sum = 0;
	my @counts;

	$_->start($refresh) foreach @sessions;
	@counts = map { Manager::counts($_->result) } @sessions;
	$sum += (split /\|/)[0] foreach @counts;
	note("refreshed, failed, refused by four sessions: @counts");
	is($sum, 300, 'four sessions refresh 300 accounts');
	is(scalar(grep { /^[1-9]/ } @counts), 4, 'each session refreshes some');
	is_deeply(Manager::refreshes($sandbox), { least => 1, most => 1, sum => 300, repeated => 0, refused => 0 },
		'no account is refreshed twice');
	cmp_ok($sandbox->max_in_flight, '>', 8, 'they work at the same time');
	no_losses('side by side');
	is(Manager::count_claimed($node), 0, 'no lease is left');
}

# The lease of another session is respected until it ends.
start_over(1);
Manager::lease($node, '5 s');
is(counts(), '0|0|0', 'an account that another session has claimed is left alone');
Manager::pass_time($node, $sandbox, 5);
is(counts(), '1|0|0', 'when its lease has ended, the account is refreshed');

# A request may take as long as the timeout of the server, three seconds.  The
# trigger shortens the lease, as if the claim had waited for a lock.
start_over(2);
$sandbox->faults;
sql(q(CREATE FUNCTION shorten_lease() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN NEW.leased_until := now() + interval '2 s'; RETURN NEW; END $$;
	CREATE TRIGGER shorten_lease BEFORE UPDATE ON smartcar_tesla.account FOR EACH ROW
		WHEN (NEW.user_id = 'user-000002' AND NEW.leased_until IS NOT NULL) EXECUTE FUNCTION shorten_lease()));
is(counts() =~ s/\|.*//r, 1, 'a request that could take longer than the lease of its account');
is(scalar $sandbox->log(path => '/oauth/token$'), 1, 'a request that could take longer than the lease is not made');
sql('DROP TRIGGER shorten_lease ON smartcar_tesla.account');
is(counts(), '1|0|0', 'a later refresh makes it');

# Five sessions without a fault, so that none gets ahead of the others.
start_over(400);
{
	my @sessions = map { Session->new($node) } 1 .. 5;
	my $result;

	$_->start($refresh) foreach @sessions;
	$result = join "\n", map { $_->result } @sessions;
	unlike($result, qr/^ERROR/m, 'five sessions do not conflict');
	no_losses('five sessions');
	is(Manager::refreshes($sandbox)->{most}, 1, 'no account is refreshed twice');
}

# An account that another session has changed in the meantime is not refreshed.
foreach my $case (
	[ 'has set a pause', { attempts => 1, next_attempt => '1 minute' } ],
	[ 'has refreshed it', { refreshed => '0 s', access_expires => '2 hours' } ])
{
	my ($name, $values) = @$case;
	my $other = Session->new($node);

	start_over(1);
	$other->query('BEGIN');
	Manager::set_accounts($other, $values);
	$session->start($refresh);
	is($session->result(1), undef, "a claim waits for another session, which $name");
	$other->query('COMMIT');
	is(Manager::counts($session->result), '0|0|0', 'the account is not refreshed');
}

# The procedure works with any default isolation level.
start_over(100);
sql("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'");
{
	my @sessions = map { Session->new($node) } 1 .. 3;
	my $result;

	$_->start($refresh) foreach @sessions;
	$result = join "\n", map { $_->result } @sessions;
	unlike($result, qr/^ERROR/m, 'sessions with serializable transactions do not fail');
	is(Manager::count_refreshed($node), 100, 'sessions with serializable transactions refresh all accounts');
}
sql('ALTER ROLE postgres RESET default_transaction_isolation');
Manager::set_accounts($node, { leased_until => '0 s' }, 'leased_until IS NOT' => undef);

# Failures that are retried.  Each account meets another fault, for all requests of an
# attempt; the same call retries it within seconds.  If a connection was cut, libcurl
# itself may repeat the request, depending on whether the connection was used before,
# so such an attempt can succeed.

my $token = { path => '/oauth/token' };
my @passing = (
	[ 'the response is lost', 3, { drop => 'after' } ],
	[ 'the request is lost', 3, { drop => 'before' } ],
	[ 'a server error before the work', 3, { status => 503 } ],
	[ 'a server error after the work', 3, { status => 500, do_work => JSON::PP::true } ],
	[ 'a truncated response', 3, { truncate => 20 } ],
	[ 'a response that is not JSON', 1, { body => '<html>', content_type => 'text/html', do_work => JSON::PP::true } ],
	[ 'a response without a token', 1, { body => {}, do_work => JSON::PP::true } ],
	[ 'a rate limit', 1, { retry_after => 5 } ],
	[ 'a refusal of somebody in between', 1, { status => 403, body => 'Forbidden', content_type => 'text/plain' } ],
	[ 'a 400 that says nothing', 1, { status => 400, body => 'Bad Request', content_type => 'text/plain' } ],
	[ 'a 404', 1, { status => 404, body => 'Not Found', content_type => 'text/plain' } ],
	[ 'a timeout', 1, { delay_ms => 5000 } ]);

# Watches a refresh in the background: the state of each account after its first
# failure.  Returns the result of the refresh.
sub watch
{
	my ($seen, $columns) = @_;
	my $watcher = Session->new($node);
	my $result;

	$session->start($refresh);
	until (defined($result = $session->result(0.1)))
	{
		foreach my $line (split /\n/, Manager::rows($watcher, 'account', "user_id, $columns", attempts => 1, 'error_at IS NOT' => undef))
		{
			my ($user_id, $state) = split /\|/, $line, 2;
			$seen->{$user_id} //= $state;
		}
	}
	return $result;
}

start_over(scalar @passing);
$sandbox->faults(
	map {
		{ match => { %$token, body => sprintf('refresh-%06d', $_ + 1) }, times => $passing[$_][1], %{ $passing[$_][2] } }
	} 0 .. $#passing);
{
	my %seen;
	my $result = watch(\%seen, q(status, extract(epoch FROM next_attempt_at - error_at) < 10, error_sqlstate ~ '^SC', error_description <> ''));

	is(Manager::counts($result) =~ s/\|.*//r, scalar @passing, 'the same call refreshes all accounts after their faults');
	foreach my $number (0 .. $#passing)
	{
		my ($name, undef, $fault) = @{ $passing[$number] };
		my $state = $seen{ sprintf('user-%06d', $number + 1) };

		$state //= 'active|t|t|t' if $fault->{drop};
		is($state, 'active|t|t|t', "$name: a transient failure, which is stored");
	}
	is(Manager::count_failing($node), 0, 'the failures are cleared afterwards');
	is(Manager::refreshes($sandbox)->{refused}, 0, 'no expired token was sent');
	$sandbox->ask('advance', { seconds => 61 });
	no_losses('whatever went wrong');
}
$sandbox->faults;

# An account that keeps failing is not waited for without end, and waiting uses no CPU.
sub seconds_of_cpu
{
	my ($pid) = @_;
	my @fields = split / /, slurp_file("/proc/$pid/stat") =~ s/^.*\) //r;

	return ($fields[11] + $fields[12]) / 100;
}

# A result that may never come.
sub result_or_cancel
{
	my ($seconds) = @_;
	my $result = $session->result($seconds);

	return $result if defined $result;
	sql('SELECT pg_cancel_backend(' . $session->backend . ')');
	return $session->result;
}

SKIP:
{
	skip 'there is no /proc', 4 if !-d '/proc/self';
	my $before;

	start_over(1);
	$sandbox->faults({ match => $token, times => 1, status => 403, body => 'Forbidden', content_type => 'text/plain' });
	$before = seconds_of_cpu($session->backend);
	$session->start('CALL smartcar_refresh(max_accounts => 1)');
	like(Manager::counts(result_or_cancel(12)), qr/^[01]\|[01]\|0$/, 'max_accounts: an account that fails');
	cmp_ok(seconds_of_cpu($session->backend) - $before, '<', 0.5, 'waiting for it uses no CPU');

	start_over(1);
	Manager::set_accounts($node, { attempts => 1, next_attempt => '0 s' });
	Manager::lease($node, '3 s');
	$before = seconds_of_cpu($session->backend);
	$session->start($refresh);
	like(Manager::counts(result_or_cancel(12)), qr/^[01]\|0\|0$/, 'an account that failed, and that another session retries');
	cmp_ok(seconds_of_cpu($session->backend) - $before, '<', 0.5, 'waiting for it uses no CPU');
}

# Lets all accounts fail once more, and cancels the call after that.
sub fail_once
{
	my ($attempts) = @_;

	Manager::set_accounts($node, { next_attempt => undef, error => undef, attempts => $attempts });
	$session->start($refresh);
	Session::wait_until(sub { Manager::count($node, 'account', error_at => undef) == 0 });
	sql('SELECT pg_cancel_backend(' . $session->backend . ')');
	$session->result;
	return;
}

# Pauses grow up to a limit, and are spread.
start_over(8);
$sandbox->faults({ match => $token, times => 0, status => 403, body => 'Forbidden', content_type => 'text/plain' });
{
	my $pause = 'extract(epoch FROM next_attempt_at - error_at)::numeric(10, 2)';
	my @pauses;

	foreach my $attempts (0, 1, 2, 3, 6, 30, 2000000)
	{
		fail_once($attempts);
		my ($least, $most, $different) = split /\|/, Manager::aggregate($node, 'account', "min($pause), max($pause), count(DISTINCT $pause)");
		note("after $attempts failures: $least to $most seconds");
		push @pauses, $most;
		cmp_ok($most, '<=', 900, 'a pause is at most 15 minutes');
		cmp_ok($most, '<=', 15, 'the first pauses are shorter than the minute of a used token') if $attempts < 4;
		cmp_ok($different, '>', 4, 'pauses are spread') if $attempts < 6;
	}
	cmp_ok($pauses[0], '<', 5, 'the first pause is short');
	cmp_ok($pauses[-1], '>=', 600, 'the last pause is long');

	$sandbox->faults({ match => $token, times => 0, status => 403, body => 'Forbidden', content_type => 'text/plain', headers => { 'retry-after' => '1' } });
	fail_once(10);
	cmp_ok(Manager::aggregate($node, 'account', "min($pause)"), '>=', 60, 'a Retry-After does not shorten the pause');
	$sandbox->faults({ match => $token, times => 0, status => 403, body => 'Forbidden', content_type => 'text/plain', headers => { 'retry-after' => '120' } });
	fail_once(0);
	cmp_ok(Manager::aggregate($node, 'account', "min($pause)"), '>=', 120, 'a Retry-After lengthens the pause');
}
$sandbox->faults;

# One call attempts an account at most six times.
start_over(1);
sql('UPDATE smartcar_tesla.account SET attempts = 5');
$sandbox->faults({ match => $token, times => 0, status => 403, body => 'Forbidden', content_type => 'text/plain' });
is(counts(), '0|1|0', 'the sixth attempt fails');
is(sql('SELECT attempts FROM smartcar_tesla.account'), 6, 'a later call makes the seventh attempt');
$sandbox->faults;

# Only a definite refusal marks an account, and only that account.

start_over(5);
Manager::add_vehicles($node);
$sandbox->faults({ match => { %$token, body => 'refresh-000003' }, error => { error => 'invalid_grant', error_description => 'Invalid refresh token: refresh-000003' }, status => 400, times => 0 });
is(counts(), '4|0|1', 'one of five accounts is refused');
is(Manager::rows($node, 'account', 'user_id', status => 'reauthenticate'), 'user-000003', 'only that account is marked');
is(sql(q(SELECT user_id, error_type, action FROM smartcar_status WHERE action = 'connect')), 'user-000003|invalid_grant|connect', 'smartcar_status shows it');
is(Manager::rows($node, 'account', 'error_sqlstate, error_description', user_id => 'user-000003'), 'SC400|Invalid refresh token: (hidden)', 'the error is stored without the token');
is(Manager::rows($node, 'account', 'refresh_token IS NOT NULL', user_id => 'user-000003'), 't', 'the token is kept');
like($session->error("SELECT smartcar_access_token(user_id => 'user-000003')")->{message}, qr/owner of user "user-000003" has to connect again/, 'no access token is returned for it');
$sandbox->faults;
Manager::make_due($node);
is(counts(), '4|0|0', 'it is not retried');

# An account with an unknown error does not stop the others.
start_over(40);
Manager::set_accounts($node, { attempts => 6 }, user_id => 'user-000003');
$sandbox->faults({ match => { %$token, body => 'refresh-000003' }, status => 400, times => 0,
	error => { error => 'invalid_request', error_description => 'Something else is wrong.' } });
is(counts(), '39|1|0', 'one of forty accounts gets an unknown error');
is(Manager::rows($node, 'account', 'status', user_id => 'user-000003'), 'active', 'it is not marked');
$sandbox->faults;

# An error with another name is no refusal, even if it would be one in a callback.
start_over(1);
Manager::set_accounts($node, { attempts => 6 });
$sandbox->faults({ match => $token, status => 400, times => 0, error => { error => 'access_denied', error_description => 'Not from this address.' } });
is(counts(), '0|1|0', 'an error of callbacks is not definite');
is(Manager::rows($node, 'account', 'status'), 'active', 'the account is not marked');
$sandbox->faults;

# RFC 6749, section 6, inferno-framework/smart-app-launch-test-kit #39: a response without
# a refresh token leaves the old one in place.
foreach my $without ({}, { refresh_token => '' }, { refresh_token => undef })
{
	start_over(1);
	$sandbox->faults({ match => $token, times => 0, body => { access_token => 'a', token_type => 'Bearer', expires_in => 7200, %$without } });
	is(counts(), '1|0|0', 'a response without a refresh token');
	is(Manager::stored_tokens($node)->{'user-000001'}, 'refresh-000001', 'the old refresh token stays in place');
}
$sandbox->faults;

# Impossible times in the future: the clock was wrong when they were stored.
start_over(2);
Manager::lease($node, '10 minutes', user_id => 'user-000001');
Manager::set_accounts($node, { attempts => 3, next_attempt => '1 day' }, user_id => 'user-000002');
is(counts(), '2|0|0', 'times that were stored by a clock that was ahead do not delay a refresh');

# The refusal of an expired token
start_over(2);
$sandbox->ask('advance', { seconds => 61 * 86400 });
is(counts(), '0|0|2', 'expired tokens are refused');

# A session that stores a token while another session is refused wins.
start_over(1);
$sandbox->faults({ match => $token, error => { error => 'invalid_grant' }, status => 400, delay_ms => 2000, times => 0 });
$session->start($refresh);
Session::wait_until(sub { scalar $sandbox->log });
Manager::set_accounts($node, { lease => undef, leased_until => undef, refresh_token => '\x00', access_expires => '2 hours' });
is(Manager::counts($session->result), '0|0|0', 'a refusal that arrives after newer tokens were stored');
is(Manager::rows($node, 'account', 'status, attempts'), 'active|0', 'a refusal that arrives late changes nothing');
start_over(1);
$sandbox->faults({ match => $token, delay_ms => 2000, times => 0 });
$session->start($refresh);
Session::wait_until(sub { scalar $sandbox->log });
Manager::set_accounts($node, { lease => undef, leased_until => undef, refresh_token => '\x00', access_expires => '2 hours' });
is(Manager::counts($session->result), '0|0|0', 'a response that arrives after the owner has connected again');
is(Manager::rows($node, 'account', 'refresh_token'), '\x00', 'the newer tokens are not replaced');
$sandbox->faults;

# A wrong client secret

start_over(40);
sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET client_secret 'not-the-secret')));
is($session->error($refresh)->{sqlstate}, 'SC401', 'a wrong client secret is an error');
cmp_ok(scalar $sandbox->log, '<=', 8, 'after at most as many requests as are made at once');
is(Manager::count($node, 'account', 'status <>' => 'active'), 0, 'no account is marked');
is(Manager::count_failing($node) + Manager::count_claimed($node), 0,
	'every account is unchanged');
sql(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (SET client_secret 'sandbox-client-secret')));
is(counts(), '40|0|0', 'with the right secret, all are refreshed at once');
no_losses('a wrong client secret');

# Keys

start_over(6);
my $key_file = Manager::key_file($node);
my $content = slurp_file($key_file);
$sandbox->faults;
rename $key_file, "$key_file.gone";
like($session->error($refresh)->{sqlstate}, qr/^(55000|58P01)$/, 'no key file');
Manager::write_key_file($key_file, "key1\n");
is($session->error($refresh)->{sqlstate}, '22023', 'a key file without a key');
Manager::write_key_file($key_file, '');
is($session->error($refresh)->{sqlstate}, '22023', 'an empty key file');
is(scalar $sandbox->log, 0, 'nothing was sent');
is(Manager::count_failing($node) + Manager::count_claimed($node), 0, 'nothing was claimed');
# accounts that have failed often are not waited for
Manager::set_accounts($node, { attempts => 6 });

my $before = Manager::rows($node, 'account', 'refresh_token');
Manager::write_key_file($key_file, 'key2 ' . ('ab' x 32) . "\n");
{
	my $result = $session->query($refresh);

	is(Manager::counts($result), '0|6|0', 'another key: every account fails');
	is(Manager::aggregate($node, 'account', 'DISTINCT status, error_sqlstate'), 'active|55000', 'the error of another key is stored');
}
Manager::set_accounts($node, { next_attempt => undef });
Manager::write_key_file($key_file, 'key1 ' . ('ab' x 32) . "\n");
{
	my $result = $session->query($refresh);

	is(Manager::counts($result), '0|6|0', 'another key of the same name: every account fails');
	is(Manager::aggregate($node, 'account', 'DISTINCT status, error_sqlstate'), 'active|XX001', 'the error of another key of the same name is stored');
}
is(scalar $sandbox->log, 0, 'nothing was sent');
is(Manager::rows($node, 'account', 'refresh_token'), $before, 'every token is unchanged');

# Tokens that were moved or changed fail; the others are refreshed.
Manager::write_key_file($key_file, $content);
Manager::set_accounts($node, { next_attempt => undef, attempts => 6 });
Manager::copy_token($node, 'user-000001', 'refresh', 'user-000002', 'refresh');
Manager::damage_token($node, 'refresh', 'user-000003');
Manager::set_accounts($node, { refresh_token => '\x' }, user_id => 'user-000004');
Manager::copy_token($node, 'user-000005', 'access', 'user-000005', 'refresh');
is(counts(), '2|4|0', 'a token that was moved, changed or emptied, and an access token in its place, fail');
is(Manager::rows($node, 'account', 'user_id', error_sqlstate => 'XX001', status => 'active'), join("\n", @{ Manager::fleet(2, 5) }),
	'with the same error, and are unchanged');

# No token_key_file
start_over(1);
sql('ALTER SERVER smartcar OPTIONS (DROP token_key_file)');
is($session->error($refresh)->{sqlstate}, '55000', 'no option token_key_file');
sql("ALTER SERVER smartcar OPTIONS (ADD token_key_file '$key_file')");

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/refresh-00\d\d\d\d|access-00\d\d\d\d|was terminated by signal|TRAP/, 'no token is in the log, and no backend has crashed');

done_testing();
