# smartcar_import_tokens(): tokens that a team has kept itself are sealed and stored, and
# work.  A list that is imported again, or late, replaces no newer token.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use HTTP::Tiny;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Manager;
use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
# everything is logged: no token may be in the log
$node->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
log_min_messages = debug5
log_min_error_statement = debug5
log_error_verbosity = verbose
log_statement = all
log_min_duration_statement = 0
CONF
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url, timeout => '3s');
my $session = Session->new($node);
my $control = Session->new($node);

# The list of the team comes from a file, because COPY does not log its rows.
$session->query('CREATE TABLE kept_token (place integer GENERATED ALWAYS AS IDENTITY, user_id text, external_id text, access_token text, refresh_token text, expires_at timestamptz)');

my $path = $node->basedir . '/kept_tokens';

sub write_list
{
	my (@rows) = @_;

	$session->query('TRUNCATE kept_token');
	open my $file, '>', $path or die "could not write $path: $!";
	print $file join("\t", map { $_ // '\N' } @{$_}[ 0 .. 3 ], $_->[4] // '2 hours') . "\n" foreach @rows;
	close $file;
	$session->query(q(CREATE TEMPORARY TABLE line (user_id text, external_id text, access_token text, refresh_token text, expires_in interval)));
	$session->query("COPY line FROM '$path'");
	$session->query('INSERT INTO kept_token (user_id, external_id, access_token, refresh_token, expires_at) SELECT user_id, external_id, access_token, refresh_token, now() + expires_in FROM line; DROP TABLE line');
	unlink $path;
	return;
}

# As in the manual: the counts are a NOTICE.
my $import = <<'SQL';
DO $$
DECLARE
	user_ids text[]; external_ids text[]; access_tokens text[]; refresh_tokens text[]; expires_at timestamptz[];
	imported bigint; replaced bigint; kept bigint;
BEGIN
	SELECT array_agg(t.user_id ORDER BY place), array_agg(t.external_id ORDER BY place), array_agg(t.access_token ORDER BY place),
			array_agg(t.refresh_token ORDER BY place), array_agg(t.expires_at ORDER BY place)
		INTO user_ids, external_ids, access_tokens, refresh_tokens, expires_at
		FROM kept_token t;
	CALL smartcar_import_tokens(user_ids, external_ids, access_tokens, refresh_tokens, expires_at,
		imported => imported, replaced => replaced, kept => kept);
	RAISE NOTICE 'counts: % % %', imported, replaced, kept;
END
$$
SQL

sub import_again
{
	my $result = $session->query($import);

	return $result =~ /counts: (.*)$/m ? $1 : $result;
}

sub import_list
{
	write_list(@_);
	return import_again();
}

# A row of the list: tokens that the local Smartcar has given to a user of its fleet.
sub entry
{
	my ($number, $expires_in) = @_;
	my $digits = sprintf '%06d', $number;

	return [ "user-$digits", "owner-$number", "access-$digits", "refresh-$digits", $expires_in // '1 hour' ];
}

# The previous application of the team refreshes a token.  The new one has a name that is
# looked for in the log, too.
my @hidden = ('access-0000', 'refresh-0000');

sub refresh_elsewhere
{
	my ($token) = @_;
	my $response = HTTP::Tiny->new(proxy => undef, http_proxy => undef)->post_form($sandbox->url . '/oauth/token',
		{ grant_type => 'refresh_token', refresh_token => $token },
		{ headers => { authorization => 'Basic ' . encode_base64('8229df9f-91a0-4ff0-a1ae-a1f38ee24d07:sandbox-client-secret', '') } });
	my ($access, $refresh) = map { $response->{content} =~ /"$_"\s*:\s*"([^"]+)"/ ? $1 : die "no $_: $response->{content}" } qw(access_token refresh_token);

	push @hidden, $access, $refresh;
	return ($access, $refresh);
}

sub user
{
	return sprintf 'user-%06d', $_[0];
}

# The stored refresh token of a user.
sub stored
{
	my ($number) = @_;

	return Manager::stored_tokens($node)->{ user($number) };
}

sub refresh
{
	my (%given) = @_;

	Manager::set_accounts($session, { access_expires => '1 minute' }, user_id => $given{users}) if $given{users};
	return Manager::counts($session->query('CALL smartcar_refresh()'));
}

$sandbox->ask('fleet', { owners => 20 });

# The first import
{
	my @list = (entry(2), entry(1), [ user(3), undef, 'access-000003', 'refresh-000003', '-3 days' ]);

	$sandbox->faults;
	is(import_list(@list), '3 0 0', 'three users are imported');
	is(scalar $sandbox->log, 0, 'no request is made');
	is_deeply(Manager::stored_tokens($node), { map { user($_) => "refresh-00000$_" } 1 .. 3 }, 'their refresh tokens are stored');
	is_deeply(Manager::stored_tokens($node, 'access'), { map { user($_) => "access-00000$_" } 1 .. 3 }, 'their access tokens are stored');
	is(Manager::aggregate($session, 'account', q(string_agg(concat_ws(' ', user_id, external_id, status), ', ' ORDER BY user_id))),
		'user-000001 owner-1 active, user-000002 owner-2 active, user-000003 active', 'owners are stored, if they are known');
	is(Manager::aggregate($session, 'account', q(bool_and(refresh_expires_at = access_expires_at + interval '60 days' - interval '2 hours' AND created_at = access_expires_at - interval '2 hours' AND refreshed_at IS NULL))),
		't', 'a refresh token expires 60 days after it was given');
	is($session->query(q(SELECT smartcar_access_token('owner-1') = 'access-' || '000001')), 't', 'an access token can be read at once');

	my $before = Manager::checksum($session, 'account');
	is(import_again(), '0 0 3', 'the same list again');
	is(Manager::checksum($session, 'account'), $before, 'the same list again changes nothing');

	is(refresh(), '1|0|0', 'a refresh refreshes the one whose access token has expired');
	is(refresh(users => [ user(1), user(2) ]), '2|0|0', 'the others are refreshed when they are due');
	is_deeply([ grep { /^refresh-/ } values %{ Manager::stored_tokens($node) } ], [], 'all accounts have new tokens');
	like($session->query('CALL smartcar_sync()'), qr/^3\|0\|0\|/m, 'their vehicles are found');

	$before = Manager::checksum($session, 'account', 'connection');
	is(import_again(), '0 0 3', 'the old list afterwards');
	$session->query(q(UPDATE kept_token SET external_id = 'somebody', expires_at = now() + interval '124 minutes'));
	is(import_again(), '0 0 3', 'the old list with later times');
	is(Manager::checksum($session, 'account', 'connection'), $before, 'the old list with later times changes nothing');
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
	is(refresh(users => [ map { user($_) } 1 .. 3 ]), '3|0|0', 'nothing is lost after the old lists');
}

# A rehearsal: the previous application continues to use the tokens.
{
	is(import_list(entry(4, '30 minutes')), '1 0 0', 'a rehearsal imports the token');
	my ($access, $refresh) = refresh_elsewhere('refresh-000004');
	my @newer = (user(4), 'owner-4', $access, $refresh, '100 minutes');

	is(import_list([ @newer[ 0 .. 3 ], '29 minutes' ], entry(5)), '1 0 1', 'other tokens that are not newer are not imported');
	is(stored(4), 'refresh-000004', 'the first tokens are kept');
	is(import_list([@newer]), '1 1 0', 'newer tokens are imported');
	is(stored(4), $refresh, 'newer tokens replace the first ones');
	is(import_list(entry(4, '31 minutes')), '0 0 1', 'the older list afterwards');
	is(stored(4), $refresh, 'the older list does not bring the old tokens back');

	my $before = Manager::checksum($session, 'account');
	is(import_list([ @newer[ 0 .. 3 ], '115 minutes' ]), '0 0 1', 'the same token with another time');
	is(Manager::checksum($session, 'account'), $before, 'the same token with another time changes nothing');
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
	is(refresh(users => [ user(4) ]), '1|0|0', 'the stored token works');
}

# Without an access token
{
	is(import_list([ user(6), 'owner-6', undef, 'refresh-000006', '2 hours' ]), '1 0 0', 'a refresh token alone');
	$session->error_is(q(SELECT smartcar_access_token('owner-6')), '55000', qr/Run CALL smartcar_refresh\(/, 'no access token is available yet');
	is(refresh(), '1|0|0', 'the next run refreshes it, whatever its time');
	like($session->query(q(SELECT length(smartcar_access_token('owner-6')))), qr/^\d+$/, 'then an access token is available');
}

# A lease
{
	is(import_list(entry(7, '10 minutes')), '1 0 0', 'an account is imported');
	Manager::lease($session, '10 seconds', user_id => user(7));
	my ($access, $refresh) = refresh_elsewhere('refresh-000007');
	my $before = Manager::checksum($session, 'account');

	write_list([ user(7), 'owner-7', $access, $refresh, '115 minutes' ]);
	$session->query('BEGIN');
	is(import_again(), '0 0 1', 'an account that is being refreshed is skipped');
	is(Manager::checksum($session, 'account'), $before, 'it is not changed');
	unlike($control->query(q(SET lock_timeout = '1s'; UPDATE smartcar_tesla.account SET updated_at = updated_at)), qr/ERROR/,
		'nor locked, so that the new tokens can be stored');
	$session->query('COMMIT');
	Manager::set_accounts($session, { leased_until => '-1 second' }, user_id => user(7));
	is(import_again(), '1 1 0', 'an expired lease does not protect the account');
	is(Manager::count_claimed($session), 0, 'the lease is removed');
	is(stored(7), $refresh, 'the token of the list is stored');
}

# An account that Smartcar has refused
{
	is(import_list(entry(8)), '1 0 0', 'an account is imported');
	is(refresh(users => [ user(8) ]), '1|0|0', 'the imported account is refreshed here');
	like($session->query('CALL smartcar_sync(user_id => ' . Sandbox::quoted(user(8)) . ')'), qr/^1\|0\|0\|/m, 'it has a vehicle');
	my (undef, $second) = refresh_elsewhere('refresh-000008');
	my ($access, $third) = refresh_elsewhere($second);
	refresh_elsewhere(stored(8));
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
	is(refresh(users => [ user(8) ]), '0|0|1', 'a token that was used elsewhere is refused');
	is($session->query(q(SELECT action FROM smartcar_status WHERE external_id = 'owner-8')), 'connect', 'the owner has to connect again');

	is(import_list([ user(8), undef, $access, $third, '1 minute' ]), '1 1 0', 'other tokens are imported, whatever their time');
	is($session->query(q(SELECT action FROM smartcar_status WHERE external_id = 'owner-8')), 'none', 'the owner need not connect again');
	is(Manager::count_failing($session), 0, 'the failure is cleared');
	is(refresh(), '1|0|0', 'the tokens work');

	refresh_elsewhere(stored(8));
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
	write_list([ user(8), undef, undef, stored(8) ]);
	is(refresh(users => [ user(8) ]), '0|0|1', 'the token is refused again');
	my $before = Manager::checksum($session, 'account', 'connection');
	is(import_again(), '0 0 1', 'a list with the refused token');
	is(Manager::checksum($session, 'account', 'connection'), $before, 'a list with the refused token changes nothing');
}

# Accounts without tokens, and owners
{
	Manager::add_row($session, 'account', server => 'smartcar', user_id => user(9), external_id => 'owner-9');
	Manager::add_row($session, 'connection', server => 'smartcar', user_id => user(10), vehicle_id => 'v-10', external_id => 'owner-10');
	is(import_list([ @{ entry(9) }[0], 'somebody', @{ entry(9) }[ 2, 3 ] ]), '1 0 0', 'an account without tokens gets some');
	is(Manager::rows($session, 'account', 'external_id', user_id => user(9)), 'owner-9', 'the account keeps its owner');
	like($session->query($import), qr/counts: 0 0 1/, 'the same list again');
	write_list([ user(10), 'owner-11', @{ entry(10) }[ 2, 3 ] ]);
	my $result = $session->query($import);
	like($result, qr/WARNING:.*user "user-000010" has a new owner/, 'another owner is a warning');
	like($result, qr/counts: 1 0 0/, 'the tokens are not replaced');
	is(Manager::rows($session, 'connection', 'external_id', user_id => user(10)), 'owner-11', 'the vehicle has the new owner');
	Manager::delete_rows($session, 'connection', user_id => user(10));
}

# Tokens of a provisional account come from Smartcar, so they are newer.
{
	my $callback = Manager::callback_of($node, $sandbox, 'ada', 'owner-ada');
	my ($ada_id) = $callback =~ /user_id=([-\w]+)/;

	$sandbox->faults({ status => 500, match => { path => '/user$' }, times => 0 });
	$session->query($callback);
	$sandbox->faults;
	my ($given) = map { $_->[1] } grep { $_->[0] =~ /^session-/ } map { [ $_, Manager::stored_tokens($node)->{$_} ] } keys %{ Manager::stored_tokens($node) };
	like($given, qr/^[-\w]{20,}$/, 'an owner connects, whose user is not known yet');
	is(import_list([ $ada_id, undef, 'access-of-an-old-list', 'refresh-of-an-old-list', '123 minutes' ]), '1 0 0', 'an old list has the user');
	push @hidden, $given, 'of-an-old-list';
	Manager::set_rows($session, 'account', { updated => '-10 minutes' }, 'user_id LIKE' => 'session-%');
	$session->query('CALL smartcar_refresh()');
	is(Manager::stored_tokens($node)->{$ada_id}, $given, 'the tokens from Smartcar replace them');
}

# Invalid lists
{
	my $before = Manager::checksum($session, 'account', 'connection');
	my $good = entry(12);
	my $other = sub { my %with = @_; my @entry = @{ entry(13) }; @entry[ keys %with ] = values %with; return \@entry };
	my $long = 'x' x 16385;

	foreach my $case (
		[ 'a NULL user', '22004', qr/user_ids must not contain NULL; Element 2 /, $other->(0 => undef) ],
		[ 'a NULL refresh token', '22004', qr/refresh_tokens must not contain NULL; Element 2 .*smartcar_begin_connect\(\)/, $other->(3 => undef) ],
		[ 'an empty user', '22023', qr/invalid user id in user_ids; Element 2 /, $other->(0 => '') ],
		[ 'a long user', '22023', qr/invalid user id in user_ids; Element 2 /, $other->(0 => 'u' x 129) ],
		[ 'a user with a space', '22023', qr/invalid user id in user_ids; Element 2 /, $other->(0 => 'a b') ],
		[ 'an invalid user id', '22023', qr/invalid user id in user_ids; Element 2 /, $other->(0 => 'session-1') ],
		[ 'an empty owner', '22023', qr/external_ids must not contain an empty text; Element 2 .*NULL/, $other->(1 => '') ],
		[ 'a long owner', '22023', qr/external_ids must not contain .* 512 bytes; Element 2 has 513 bytes/, $other->(1 => 'o' x 513) ],
		[ 'an empty access token', '22023', qr/invalid token in access_tokens; Element 2 /, $other->(2 => '') ],
		[ 'an empty refresh token', '22023', qr/invalid token in refresh_tokens; Element 2 /, $other->(3 => '') ],
		[ 'an access token with a space', '22023', qr/invalid token in access_tokens; Element 2 /, $other->(2 => 'kanarie kanarie') ],
		[ 'a refresh token that is not ASCII', '22023', qr/invalid token in refresh_tokens; Element 2 /, $other->(3 => "kanarie\xc3\xa9") ],
		[ 'a long access token', '54000', qr/token in access_tokens is too long; Element 2 has 16385 bytes/, $other->(2 => $long) ],
		[ 'a long refresh token', '54000', qr/token in refresh_tokens is too long; Element 2 has 16385 bytes/, $other->(3 => $long) ],
		[ 'a token for both', '22023', qr/must not contain the same token; Element 2 is the same/, $other->(2 => 'refresh-000013') ],
		[ 'the expiry of a refresh token', '22023', qr/expires_at is too far in the future; Element 2 .*not when the refresh token does/, $other->(4 => '58 days') ],
		[ 'an expiry in another time zone', '22023', qr/expires_at is too far in the future; Element 2 /, $other->(4 => '126 minutes') ],
		[ 'a user with two tokens', '21000', qr/user_ids contains a user more than once, with different values; Elements 1 and 2 .*newest/, $other->(0 => user(12)) ],
		[ 'a refresh token of two users', '21000', qr/two users have the same token in refresh_tokens; They are elements 1 and 2/, $other->(3 => 'refresh-000012') ],
		[ 'an access token of two users', '21000', qr/two users have the same token in access_tokens; They are elements 1 and 2/, $other->(2 => 'access-000012') ])
	{
		my ($name, $sqlstate, $pattern, $bad) = @$case;

		write_list($good, $bad);
		$session->error_is($import, $sqlstate, $pattern, $name);
	}
	write_list($good, $good);
	foreach my $time (qw(infinity -infinity))
	{
		$session->query("UPDATE kept_token SET expires_at = '$time' WHERE place = (SELECT max(place) FROM kept_token)");
		$session->error_is($import, '22023', qr/expires_at must not contain infinity; Element 2 /, $time);
	}
	$session->query("UPDATE kept_token SET expires_at = '4714-11-24 00:00:00Z BC' WHERE place = (SELECT max(place) FROM kept_token)");
	$session->error_is($import, '22023', qr/expires_at is too far in the past; Element 2 /, 'a time whose lifetime cannot be computed');
	$session->query("UPDATE kept_token SET expires_at = NULL WHERE place = (SELECT max(place) FROM kept_token)");
	$session->error_is($import, '22004', qr/expires_at must not contain NULL; Element 2 /, 'no time');

	my @names = qw(user_ids external_ids access_tokens refresh_tokens expires_at);
	foreach my $number (0 .. 4)
	{
		my $call = sub { my @arrays = (q('{}')) x 5; $arrays[$number] = shift; return 'CALL smartcar_import_tokens(' . join(', ', @arrays) . ')' };

		$session->error_is($call->('NULL'), '22004', qr/^$names[$number] must not be null/, "$names[$number]: NULL");
		$session->error_is($call->(q('{{x}}')), '2202E', qr/^$names[$number] must be a one-dimensional/, "$names[$number]: two dimensions") if $number < 4;
		$session->error_is($call->($number < 4 ? q('{x}') : q('{now}')), '2202E', qr/must have the same length; .*elements/, "$names[$number]: another length");
	}
	is(Manager::checksum($session, 'account', 'connection'), $before, 'nothing of the invalid lists is stored');
	is($session->query(q(CALL smartcar_import_tokens('{}', '{}', '{}', '{}', '{}'))), '0|0|0', 'an empty list');
	is(import_list(entry(12), entry(12), entry(13), entry(12)), '2 0 0', 'equal rows, as from a join');
}

# Two users without an access token.
is(import_list([ @{ entry(12) }[ 0, 1 ], undef, 'refresh-000012' ], [ @{ entry(13) }[ 0, 1 ], undef, 'refresh-000013' ]), '0 0 2', 'two users without an access token');

# An owner who has connected here keeps the user, whatever an old list says.
{
	is(import_list(entry(16)), '1 0 0', 'an account is imported');
	is(refresh(users => [ user(16) ]), '1|0|0', 'the account of an owner who connects is refreshed here');
	$session->query(q(CALL smartcar_adopt('{user-000016}', '{owner-of-today}')));
	refresh_elsewhere(stored(16));
	$sandbox->ask('advance', { seconds => $Manager::grace + 1 });
	is(refresh(users => [ user(16) ]), '0|0|1', 'its token is refused');
	write_list(entry(16));
	my $result = $session->query($import);
	like($result, qr/counts: 1 1 0/, 'the tokens of the old list are imported');
	unlike($result, qr/new owner/, 'the owner of the old list is not stored');
	is(refresh(users => [ user(16) ]), '0|0|1', 'they are refused, too');
	like(import_list([ user(16), 'owner-of-old', undef, 'refresh-of-old', '-1 day' ]), qr/^1 1 0/, 'the tokens of another list are imported');
	is(Manager::rows($session, 'account', 'external_id', user_id => user(16)), 'owner-of-today', 'the current owner is not replaced');
}

# A list does not bring back an owner who was forgotten.
{
	my @late = (user(18), 'owner-18', 'access-000018', 'refresh-000018', '2 hours');

	$session->query(q(ALTER USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (ADD management_token 'sandbox-management-token')));
	is(import_list(entry(17), entry(18)), '2 0 0', 'two accounts are imported');
	like($session->query(q(CALL smartcar_forget('owner-17'))), qr/^\d+\|1\|0\|0\|\d+$/m, 'one owner is forgotten');
	my $result = $session->query($import);
	like($result, qr/WARNING:.*skipped 1 user who was forgotten/, 'a warning says that one user is left out');
	like($result, qr/counts: 0 0 1/, 'the list is imported without that user');
	is(Manager::count($session, 'account', user_id => user(17)), 0, 'the user is not stored');

	Manager::delete_rows($session, 'account', user_id => user(18));
	$session->query('BEGIN');
	is(import_again(), '1 0 0', 'while a list is imported');
	$control->start(q(CALL smartcar_forget('owner-18')));
	Session::wait_until(sub { $session->query(q(SELECT count(*) FROM pg_locks WHERE NOT granted)) > 0 }, 10);
	$session->query('COMMIT');
	like($control->result, qr/^\d+\|1\|0\|0\|\d+$/m, 'its owner is forgotten afterwards');
	is(Manager::count($session, 'account', user_id => user(18)), 0, 'the forgotten owner is not stored');

	is(import_list([@late]), '1 0 0', 'newer tokens from Smartcar are imported');
	is(Manager::count($session, 'account', user_id => user(18)), 1, 'the account is stored');
}

# Servers, and sessions that cannot write
{
	write_list(entry(14));
	Manager::create_server($node, 'v3', $sandbox->url, api_version => '3');
	$session->query('SET smartcar_tesla.server = v3');
	$session->error_is($import, '0A000', qr/server "v3" has api_version "3".*smartcar_adopt\(\)/, 'v3 has no tokens');
	Sandbox::create_server($node, 'no_key', $sandbox->url);
	$session->query('SET smartcar_tesla.server = no_key');
	$session->error_is($import, '55000', qr/no key to seal tokens with/, 'a server without a key');
	$session->query('SET smartcar_tesla.server = smartcar');
	$session->query('BEGIN READ ONLY');
	$session->error_is($import, '25006', qr/smartcar_import_tokens\(\)/, 'a read-only transaction');
	$session->query('ROLLBACK');
	$session->query('BEGIN');
	is(import_again(), '1 0 0', 'an import belongs to the transaction of the caller');
	$session->query('ROLLBACK');
	is(Manager::count($session, 'account', user_id => user(14)), 0, 'the import is rolled back with the transaction');
}

# Two sessions at once
{
	my $second = Session->new($node);

	write_list(entry(15));
	$session->query('BEGIN');
	is(import_again(), '1 0 0', 'one session imports a list');
	$second->start($import);
	$session->query('COMMIT');
	like($second->result, qr/counts: 0 0 1/, 'another one waits and skips it');
	$second->finish;
}

# Long lists
{
	my $count = 20_000;
	my $took;

	$session->query('SET log_min_messages = warning; SET log_statement = none; SET log_min_duration_statement = -1');
	$session->query(qq(TRUNCATE kept_token; INSERT INTO kept_token (user_id, external_id, access_token, refresh_token, expires_at)
		SELECT 'many-' || n, 'owner-' || n, 'access-0000-' || n, 'refresh-0000-' || n, now() FROM generate_series(1, $count) AS n ORDER BY random()));
	my $before = Manager::checksum($session, 'account');
	foreach my $chance (1 .. 3)
	{
		my $size = $control->query(q(SELECT pg_relation_size('smartcar_tesla.account')));

		$session->start($import);
		Session::wait_until(sub { $control->query(q(SELECT pg_relation_size('smartcar_tesla.account'))) > $size + 100_000 }, 60);
		my $begun = time;
		$control->query('SELECT pg_cancel_backend(' . $session->backend . ')');
		like($session->result(60), qr/ERROR:  57014/, 'a long list can be canceled');
		$took = time - $begun;
		last if $took < 0.3;
	}
	cmp_ok($took, '<', 0.3, 'the cancel takes effect at once');
	is(Manager::checksum($session, 'account'), $before, 'a canceled import stores nothing');
	$session->start($import);
	like($session->result(300), qr/counts: $count 0 0$/m, 'a long list is imported');
	is(Manager::count($session, 'account', 'user_id LIKE' => 'many-%'), $count, 'a long list is stored');
	$session->start($import);
	like($session->result(300), qr/counts: 0 0 $count$/m, 'a long list is skipped when it is imported again');
}

# No token is in the log or in pg_stat_activity.
$session->query('TRUNCATE kept_token');
my $activity = $control->query('SELECT string_agg(query, chr(10)) FROM pg_stat_activity');
$session->finish;
$control->finish;
$node->stop;
my $log = slurp_file($node->logfile);
cmp_ok(length $log, '>', 100_000, 'the log is verbose');
like($log, qr/CALL smartcar_import_tokens\(user_ids, external_ids/, 'the log has the statement');
my $pattern = join '|', map { quotemeta } @hidden, 'kanarie', 'x' x 100;
my @found = grep { !/'access-' \|\| '000001'|'access-0000-'/ } ("$log\n$activity") =~ /^(.*(?:$pattern).*)$/gm;
is(scalar @found, 0, 'no token is in the log or in pg_stat_activity') or diag(map { substr($_, 0, 300) . "\n" } @found[ 0 .. ($#found > 4 ? 4 : $#found) ]);
unlike($log, qr/TRAP|terminated by signal (6|11)/, 'no backend has crashed');
done_testing();
