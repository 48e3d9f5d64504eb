# Sealed tokens: a token that was changed, moved or sealed with another key is refused
# and kept; keys are rotated while tokens are used; and no token or key is in a file of
# the server, in a dump or in the log.

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

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "log_statement = 'all'\nlog_parameter_max_length_on_error = -1\nwal_level = logical\n");
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url);
Manager::create_server($node, 'other', $sandbox->url);

my $session = Session->new($node);
my $key_file = Manager::key_file($node);
my @key = map { $_ x 8 } qw(00112233 44556677 8899aabb);

sub tokens
{
	my ($user) = @_;

	return $session->query("SELECT smartcar_access_token(user_id => '$user')");
}

sub is_error
{
	my ($sql, $sqlstate, $pattern, $name) = @_;
	my $error = $session->error($sql);

	is($error->{sqlstate}, $sqlstate, $name);
	like("$error->{message}; $error->{detail}; $error->{hint}", $pattern, "message of: $name");
	unlike("$error->{message}; $error->{detail}; $error->{hint}", qr/(access|refresh)-0000|\Q$key[0]\E/, "message without a secret of: $name");
	return;
}

sub keys_in_file
{
	Manager::write_key_file($key_file, join '', map { "$_\n" } @_);
	return;
}

Manager::add_fleet($node, $sandbox, 'smartcar', 3, '1 hour');
is(tokens('user-000001'), 'access-000001', 'a token is opened');

# Every bit, and every length

$session->query("CREATE TABLE sealed AS SELECT access_token FROM $Manager::table{account} WHERE user_id = 'user-000001'");
Manager::create_set_access_token($session);
$session->query(<<'SQL');
	CREATE FUNCTION try(changed bytea) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM set_access_token('user-000001', changed);
		RETURN smartcar_access_token(user_id => 'user-000001');
	EXCEPTION WHEN OTHERS THEN
		RETURN CASE WHEN textsend(SQLERRM)::text ~ '^.x(2[0-9a-f]|[3-7][0-9a-f])*$' THEN SQLSTATE ELSE SQLSTATE || ' is no text' END;
	END $$;
SQL
is($session->query('SELECT try(access_token) FROM sealed'), 'access-000001', 'the unchanged token');
is($session->query('SELECT DISTINCT left(try(set_bit(access_token, bit, 1 - get_bit(access_token, bit))), 5) FROM sealed, generate_series(0, octet_length(access_token) * 8 - 1) AS bit ORDER BY 1'),
	"55000\nXX001", 'each changed bit: an unknown key, or a token that cannot be opened');
is($session->query("SELECT count(*) FROM sealed, generate_series(0, octet_length(access_token) * 8 - 1) AS bit WHERE try(set_bit(access_token, bit, 1 - get_bit(access_token, bit))) LIKE '% is no text'"),
	'0', 'the messages are valid text');
is($session->query('SELECT DISTINCT try(substring(access_token FOR length)) FROM sealed, generate_series(0, octet_length(access_token) - 1) AS length'), 'XX001', 'each shorter value');
is($session->query("SELECT DISTINCT try(access_token || byte) FROM sealed, unnest(ARRAY['\\x00', '\\xff', access_token]) AS byte"), 'XX001', 'each longer value');
is($session->query(q{SELECT DISTINCT try(bytes) FROM unnest(ARRAY['\x', '\x01', '\x0100', '\x01ff', '\x0104', decode(repeat('00', 100), 'hex'), decode(repeat('ff', 100), 'hex'), decode('01ff' || repeat('41', 300), 'hex')]::bytea[]) AS bytes WHERE try(bytes) <> '55000'}), 'XX001', 'values that were never tokens');
is($session->query('SELECT try(access_token) FROM sealed'), 'access-000001', 'the unchanged token can be opened again');

# Moved tokens

sub move
{
	my ($from_user, $from_kind, $user, $name) = @_;

	$session->query('BEGIN');
	Manager::copy_token($session, $from_user, $from_kind, $user, 'access');
	is_error("SELECT smartcar_access_token(user_id => '$user')", 'XX001', qr/^the stored access token of user "\Q$user\E" cannot be opened; It was changed, or moved/, $name);
	$session->query('ROLLBACK');
	return;
}
move('user-000001', 'access', 'user-000002', 'the token of another user');
move('user-000002', 'refresh', 'user-000002', 'a refresh token');
$session->query('BEGIN');
Manager::set_accounts($session, { user_id => 'someone' }, user_id => 'user-000002');
is_error("SELECT smartcar_access_token(user_id => 'someone')", 'XX001', qr/cannot be opened/, 'a user of another name');
$session->query('ROLLBACK; BEGIN');
Manager::set_accounts($session, { server => 'other' }, user_id => 'user-000002');
is_error("SELECT smartcar_access_token(user_id => 'user-000002', server => 'other')", 'XX001', qr/cannot be opened/, 'a row of another server with the same key');
$session->query('ROLLBACK');
is(tokens('user-000002'), 'access-000002', 'at its own place the token can be opened');

# a token that cannot be opened does not stop the others, and is kept
Manager::damage_token($node, 'refresh', 'user-000001');
my $before = Manager::rows($node, 'account', 'refresh_token, status', user_id => 'user-000001');
Manager::make_due($node);
$session->query('CALL smartcar_refresh()');
is(Manager::rows($node, 'account', 'refresh_token, status', user_id => 'user-000001'), $before, 'a refresh token that cannot be opened is kept');
is(Manager::count_refreshed($node), '2', 'the other accounts are refreshed');
Manager::damage_token($node, 'refresh', 'user-000001');
Manager::retry_now($node, user_id => 'user-000001');
like($session->query('CALL smartcar_refresh()'), qr/^1\|0\|0\|\d+$/m, 'when it is repaired, it is refreshed');
Manager::damage_token($node, 'access', 'user-000001');
like($session->query('CALL smartcar_sync()'), qr/^2\|1\|\d+\|\d+$/m, 'an access token that cannot be opened does not stop the sync of the others');
Manager::damage_token($node, 'access', 'user-000001');

# Keys

my $token = tokens('user-000001');
keys_in_file("key2 $key[1]");
is_error("SELECT smartcar_access_token(user_id => 'user-000001')", '55000', qr/^key "key1" not found in key file ".*"; The stored access token of user "user-000001" was sealed with it.*Put the line of that key back/, 'a key that is missing');
keys_in_file("key1 $key[1]");
is_error("SELECT smartcar_access_token(user_id => 'user-000001')", 'XX001', qr/sealed with another key of the same id/, 'another key of the same id');
keys_in_file("key1 $key[0]");
is(tokens('user-000001'), $token, 'the right key again');
chmod 0640, $key_file;
is_error("SELECT smartcar_access_token(user_id => 'user-000001')", '42501', qr/has group or world access/, 'a key that others can read');
chmod 0600, $key_file;
unlink $key_file;
is_error("SELECT smartcar_access_token(user_id => 'user-000001')", '58P01', qr/could not open secret file/, 'no key file');
mkdir $key_file;
is_error("SELECT smartcar_access_token(user_id => 'user-000001')", '42809', qr/is not a regular file/, 'a directory as key file');
rmdir $key_file;

my $long_id = 'i' x 32;
foreach my $case (
	[ 'nothing at all', '', 1 ], [ 'an empty line', "\n\n", 1 ], [ 'no id', " $key[0]\n", 1 ], [ 'no key', "key1\n", 1 ], [ 'no key but a space', "key1 \n", 1 ],
	[ 'two spaces', "key1  $key[0]\n", 1 ], [ 'a tabulator', "key1\t$key[0]\n", 1 ], [ 'a digit too few', 'key1 ' . substr($key[0], 1) . "\n", 1 ], [ 'a digit too many', "key1 ${\$key[0]}0\n", 1 ],
	[ 'no digit', 'key1 g' . substr($key[0], 1) . "\n", 1 ], [ 'something behind', "key1 $key[0] \n", 1 ], [ 'a letter with an accent', "kéy $key[0]\n", 1 ], [ 'a sign in the id', "key/1 $key[0]\n", 1 ],
	[ 'a comment', "# keys\nkey1 $key[0]\n", 1 ], [ 'the second line', "key1 $key[0]\nkey2\n", 2 ], [ 'an empty line between', "key1 $key[0]\n\nkey2 $key[1]\n", 2 ], [ 'the same id twice', "key1 $key[0]\nkey1 $key[1]\n", 2 ],
	[ 'an id that is too long', 'i' x 300 . " $key[0]\n", 1 ])
{
	my ($name, $content, $line) = @$case;

	Manager::write_key_file($key_file, $content);
	is_error("SELECT smartcar_access_token(user_id => 'user-000001')", '22023', qr/^key file ".*" has an invalid line $line; A line is an id/, "a file with $name");
}
foreach my $case ([ 'no line break at the end', "key1 $key[0]" ], [ 'line breaks of Windows', "key2 $key[1]\r\nkey1 $key[0]\r\n" ], [ 'large digits', "key1 \U$key[0]\E\n" ], [ 'several keys', "a.b-c_D9 $key[2]\nkey2 $key[1]\nkey1 $key[0]\n" ])
{
	Manager::write_key_file($key_file, $case->[1]);
	is(tokens('user-000001'), $token, "a file with $case->[0]");
}

# Rotation

Manager::write_key_file($key_file, "key1 $key[0]\n");
Manager::add_fleet($node, $sandbox, 'smartcar', 247, '1 hour');

# The keys of tokens, and the number of accounts for each.
sub by_key
{
	return Manager::sql($node, "SELECT convert_from(substring(access_token FROM 3 FOR 4), 'UTF8'), convert_from(substring(refresh_token FROM 3 FOR 4), 'UTF8'), count(*) FROM $Manager::table{account} GROUP BY 1, 2 ORDER BY 1, 2");
}
is(by_key(), 'key1|key1|250', 'tokens are sealed with the first key');
my $stored = Manager::checksum($node, 'account');
is($session->query('CALL smartcar_reseal_tokens()'), '', 'nothing to reseal, without a notice');
is(Manager::checksum($node, 'account'), $stored, 'nothing is changed');
keys_in_file("key2 $key[1]", "key1 $key[0]");
is(tokens('user-000250'), 'access-000250', 'with a new first key, old tokens can be opened');
Manager::make_due($node, user_id => 'user-000250');
like($session->query('CALL smartcar_refresh()'), qr/^1\|0\|0\|\d+$/m, 'a refreshed token');
is(by_key(), "key1|key1|249\nkey2|key2|1", 'a refreshed token is sealed with the new key');

# a token that was changed does not stop the others
Manager::damage_token($node, 'refresh', 'user-000150');
{
	my $result = $session->query('CALL smartcar_reseal_tokens()');

	like($result, qr/^WARNING:  XX001: the stored refresh token of user "user-000150" cannot be opened$/m, 'a token that was changed is a warning');
	like($result, qr/^ERROR:  55000: tokens of 1 account are not sealed with key "key2"$/m, 'the procedure ends with an error');
}
is(by_key(), "key1|key1|1\nkey2|key2|249", 'all others are sealed with the new key');
Manager::damage_token($node, 'refresh', 'user-000150');
like($session->query('CALL smartcar_reseal_tokens()'), qr/smartcar_reseal_tokens\(\): 1 accounts in/, 'the remaining account');
is(by_key(), 'key2|key2|250', 'all tokens are sealed with the new key');
keys_in_file("key2 $key[1]");
is(Manager::aggregate($session, 'account', "count(*) FILTER (WHERE smartcar_access_token(user_id => user_id) = replace(user_id, 'user', 'access')), count(smartcar_access_token(user_id => user_id))"), '246|250', 'the old key is no longer needed, and the tokens are the same');
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'every refresh token works');

# An account is refreshed meanwhile by a session that has read the keys before
keys_in_file("key3 $key[2]", "key2 $key[1]");
Manager::make_due($node);
Manager::set_accounts($node, { access_expires => '1 hour' }, user_id => Manager::fleet(4, 250));
$sandbox->faults({ match => { path => '/oauth/token' }, times => 0, delay_ms => 2000 });
{
	my $refresh = Session->new($node);

	keys_in_file("key2 $key[1]");
	$refresh->start('CALL smartcar_refresh()');
	Session::wait_until(sub { scalar($sandbox->log(path => '/oauth/token')) == 3 });
	keys_in_file("key3 $key[2]", "key2 $key[1]");
	# those three may be stored with the new key at once, because a refresh reads the keys again
	like($session->query('CALL smartcar_reseal_tokens()'), qr/smartcar_reseal_tokens\(\): (24[7-9]|250) accounts in/, 'a new key while tokens are refreshed');
	like($refresh->result, qr/^3\|0\|0\|\d+$/m, 'the new tokens are stored');
}
$sandbox->faults;
is(by_key(), 'key3|key3|250', 'all tokens are sealed with the new key in the end');
$sandbox->ask('advance', { seconds => 61 });
is_deeply(Manager::losses($node, $sandbox), $Manager::no_losses, 'every refresh token works');

# Nothing is stored in plain text

my $access = tokens('user-000001');
my %stored = %{ Manager::stored_tokens($node) };
my @secrets = ($access, $stored{'user-000001'}, $stored{'user-000250'}, 'access-000200', 'refresh-000200', $key[0], pack('H*', $key[0]), $key[1], pack('H*', $key[1]));
is(scalar(grep { length($_ // '') > 10 } @secrets), scalar(@secrets), 'the test knows all secrets');
$node->safe_psql('postgres', 'CHECKPOINT');
my $heap = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$Manager::table{account}')");
my $toast = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = '$Manager::table{account}'::regclass");
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'the database is dumped');
my $log = $node->logfile;
my @cases = ([ 'the table', $heap, $toast ], [ 'the write-ahead log', glob($node->data_dir . '/pg_wal/0*') ], [ 'the dump', $dump ]);

foreach my $case (@cases)
{
	my ($name, @files) = @$case;
	my $content = join '', map { slurp_file($_) } grep { -e } @files;

	like($content, qr/user-000200/, "$name has the account");
	is(scalar(grep { index($content, $_) >= 0 } @secrets), 0, "no token and no key is in $name");
}
my $logged = slurp_file($log);
like($logged, qr/smartcar_access_token/, 'the log has the statements');
is(scalar(grep { index($logged, $_) >= 0 } @secrets[0 .. 2], @secrets[5 .. 8]), 0, 'no token and no key is in the log');

$session->finish;
$node->stop;
done_testing();
