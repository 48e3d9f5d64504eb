# Dump and restore: sessions, accounts and connections are part of a dump, and a restored
# database works with the same key file; DROP EXTENSION drops the tables.

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
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
Manager::create_server($node, 'smartcar', $sandbox->url);
Manager::add_fleet($node, $sandbox, 'smartcar', 200, '1 hour');

my $directory = $node->basedir;
my @tables = sort values %Manager::table;
my $account = $Manager::table{account};

# All rows, for comparison.
sub content
{
	my ($database) = @_;

	return join "\n", map { $node->safe_psql($database, "SELECT '$_', count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM $_ AS t") } @tables;
}

# Rows of all kinds: an owner who has connected, links that were not used, an event
my $session = Session->new($node);
my $given = $sandbox->connect(owner => 'ben');
my ($state) = $session->query("SELECT smartcar_begin_connect('id of ben')") =~ /[?&]state=([^&]*)/;
like($session->query("CALL smartcar_finish_connect('https://example.com/callback?code=$given->{code}&state=$state&user_id=$given->{user_id}')"), qr/^finished\|/m, 'an owner connects');
my ($waiting) = $session->query("SELECT smartcar_begin_connect('id of ada')") =~ /[?&]state=([^&]*)/;
$session->query(q{SELECT smartcar_receive_webhook(body, smartcar_hash_challenge(convert_from(body, 'UTF8'))) FROM convert_to('{"eventId":"event-1","eventType":"VEHICLE_STATE","data":{}}', 'UTF8') AS body});
Manager::add_row($node, 'sync_round', server => 'gone', next_page => 7);
Manager::add_row($node, 'forgotten_user', server => 'gone', user_hash => '\x' . '07' x 32, forgotten => '0 s');
Manager::add_row($node, 'job_run', server => 'gone', procedure => 'smartcar_sync', began => '-1 day');
Manager::add_row($node, 'connection', server => 'gone', user_id => "\xc3\xbc \t\\", vehicle_id => 'v', external_id => "line\nbreak \xf0\x9f\x9a\x97",
	error_type => 'BILLING', error_action => 'fix_setup', error_description => '\.', tesla_scopes => '{"a b",NULL,""}');
my $before = content('postgres');
is($before =~ s/\|[0-9a-f]{32}$/|/rmg, join("\n", map { "$Manager::table{$_->[0]}|$_->[1]|" } [ account => 201 ], [ connection => 3 ], [ forgotten_user => 1 ], [ job_run => 1 ], [ session => 2 ], [ sync_round => 1 ], [ webhook_event => 1 ]), 'rows of all kinds');
my $status = $node->safe_psql('postgres', "SELECT string_agg(s::text, ' ' ORDER BY s::text) FROM smartcar_status AS s");

# As a superuser, in each format, at once or in parts

foreach my $case ([ 'plain', 'p' ], [ 'custom', 'c' ], [ 'directory', 'd' ])
{
	my ($name, $format) = @$case;
	my $file = "$directory/dump_$name";
	my $database = "restored_$name";

	$node->command_ok([ 'pg_dump', '-F', $format, '-f', $file, '-d', $node->connstr('postgres') ], "a dump, $name");
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$node->command_ok($format eq 'p' ? [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr($database), '-f', $file ] :
		  [ 'pg_restore', '--exit-on-error', $format eq 'd' ? ('-j', '2') : (), '-d', $node->connstr($database), $file ], "a dump, $name, is restored");
	is(content($database), $before, 'the restored database has the same rows');
	is($node->safe_psql($database, "SELECT string_agg(s::text, ' ' ORDER BY s::text) FROM smartcar_status AS s"), $status, 'smartcar_status is the same');
	is(Manager::aggregate([ $node, $database ], 'account', "count(*) FILTER (WHERE smartcar_access_token(user_id => user_id) = replace(user_id, 'user', 'access'))", 'user_id LIKE' => 'user-%'), '200', 'the tokens can be opened');
	is($node->safe_psql($database, "SELECT smartcar_access_token('id of ben')"), $node->safe_psql('postgres', "SELECT smartcar_access_token('id of ben')"), 'those of an owner, too');
	is($node->safe_psql($database, "SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND objid = ANY ('{" . join(',', @tables) . "}'::regclass[])"),
		scalar @tables, 'the tables belong to the extension');
}

# The restored database works: a link that was not used, and a refresh
my $restored = Session->new($node, 'restored_custom');
$given = $sandbox->connect(owner => 'ada');
like($restored->query("CALL smartcar_finish_connect('https://example.com/callback?code=$given->{code}&state=$waiting&user_id=$given->{user_id}')"), qr/^finished\|id of ada\|/m, 'a link that was not used before');
like($restored->query("CALL smartcar_finish_connect('https://example.com/callback?code=$given->{code}&state=$state&user_id=$given->{user_id}')"), qr/SCUSD/, 'a link that was used before is refused');
Manager::make_due($restored, user_id => 'user-000001');
like($restored->query('CALL smartcar_refresh()'), qr/^1\|0\|0\|\d+$/m, 'a restored account is refreshed');
is($restored->query(q{SELECT smartcar_receive_webhook(body, smartcar_hash_challenge(convert_from(body, 'UTF8'))) FROM convert_to('{"eventId":"event-1","eventType":"VEHICLE_STATE","data":{}}', 'UTF8') AS body}), '', 'a repeated event');
is(Manager::count($restored, 'webhook_event'), '1', 'a repeated event is recognized');

# Definitions and rows separately
$node->command_ok([ 'pg_dump', '--schema-only', '-f', "$directory/schema", '-d', $node->connstr('postgres') ], 'a dump of the definitions');
unlike(slurp_file("$directory/schema"), qr/user-000001/, 'a dump of the definitions has no rows');
$node->command_ok([ 'pg_dump', '--data-only', '-f', "$directory/data", '-d', $node->connstr('postgres') ], 'a dump of the rows');
$node->safe_psql('postgres', 'CREATE DATABASE parts TEMPLATE template0');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('parts'), '-f', "$directory/schema", '-f', "$directory/data" ], 'both are restored one after the other');
is(content('parts'), $before, 'definitions and rows make the same database');

# As a role that is no superuser: it can read neither the tables nor the secrets of user
# mappings, and cannot create the extension
$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN');
$node->command_fails_like([ 'pg_dump', '-U', 'plain', '-d', $node->connstr('postgres'), '-f', "$directory/plain" ], qr/permission denied for schema smartcar_tesla/, 'a role without privileges may not dump the rows');
$node->command_ok([ 'pg_dump', '-U', 'plain', '--schema-only', '-d', $node->connstr('postgres'), '-f', "$directory/plain" ], 'a role without privileges may dump the definitions');
unlike(slurp_file("$directory/plain"), qr/sandbox-(client|api|management)|user-000001/, 'such a dump has no secrets');
like(slurp_file("$directory/schema"), qr/sandbox-client-secret/, 'those of a superuser have them, if secrets are options');
$node->safe_psql('postgres', 'CREATE DATABASE of_plain TEMPLATE template0 OWNER plain');
my ($result, $output, $error) = $node->psql('of_plain', '', extra_params => [ '-U', 'plain', '-f', "$directory/dump_plain" ], on_error_stop => 0);
like($error, qr/permission denied to create extension "smartcar_tesla"/, 'it cannot restore the extension into an empty database');

# if a superuser has created the extension there, the role restores its own tables, and
# the rows of the manager are refused
$node->safe_psql('of_plain', 'CREATE EXTENSION smartcar_tesla');
($result, $output, $error) = $node->psql('of_plain', '', extra_params => [ '-U', 'plain', '-f', "$directory/data" ], on_error_stop => 0);
like($error, qr/permission denied for schema smartcar_tesla/, 'it cannot restore rows of the extension\'s tables');
is(Manager::count([ $node, 'of_plain' ], 'account'), '0', 'the tables stay empty');

# A server with only_in does not work in a copy: nothing is sent from it
$node->safe_psql('postgres', "DO \$\$BEGIN EXECUTE format('ALTER SERVER smartcar OPTIONS (ADD only_in %L)', (SELECT setting FROM smartcar_info() WHERE name = 'here')); END\$\$");
$node->command_ok([ 'pg_dump', '-F', 'c', '-f', "$directory/dump_only", '-d', $node->connstr('postgres') ], 'a dump of a server with only_in');
$node->safe_psql('postgres', 'CREATE DATABASE staging TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('staging'), "$directory/dump_only" ], 'a dump of a server with only_in is restored');
my $requests = () = $sandbox->log;
my $staging = Session->new($node, 'staging');
foreach my $statement ("SELECT smartcar_begin_connect('x')", 'CALL smartcar_refresh()', 'CALL smartcar_sync()', "CALL smartcar_disconnect_vehicle('vehicle-000001')",
	"CALL smartcar_finish_connect('https://example.com/callback?code=c&state=s')", "SELECT * FROM smartcar_exchange_code('c')", "SELECT * FROM smartcar_request('GET', '/vehicles', access_token => 't')")
{
	like($staging->query($statement), qr{55000.*server "smartcar" is not allowed in this database.*\n.*/postgres", and this database is "\d+/staging"\. Nothing was sent\.}s, "$statement in a copy");
}
is(scalar(() = $sandbox->log), $requests, 'nothing was sent');
$staging->query("DO \$\$BEGIN EXECUTE format('ALTER SERVER smartcar OPTIONS (SET only_in %L)', (SELECT setting FROM smartcar_info() WHERE name = 'here')); END\$\$");
like($staging->query("SELECT smartcar_begin_connect('x')"), qr/^http/m, 'a server whose only_in names the copy works there');
$staging->finish;
$node->safe_psql('postgres', 'ALTER SERVER smartcar OPTIONS (DROP only_in)');

# DROP EXTENSION
$restored->finish;
is($node->safe_psql('restored_custom', "SET client_min_messages = warning; DROP EXTENSION smartcar_tesla CASCADE; SELECT count(*) FROM pg_class WHERE relname LIKE 'smartcar%' OR relnamespace = to_regnamespace('smartcar_tesla')"), '0', 'DROP EXTENSION drops the tables');
is($node->safe_psql('restored_custom', "SELECT count(*) FROM pg_proc WHERE proname LIKE 'smartcar%'"), '0', 'DROP EXTENSION drops all functions');
($result, $output, $error) = $node->psql('postgres', "DROP TABLE $account");
like($error, qr/cannot drop table $account because extension smartcar_tesla requires it/, 'a table cannot be dropped by itself');
$node->safe_psql('restored_custom', 'CREATE EXTENSION smartcar_tesla');
is(Manager::count([ $node, 'restored_custom' ], 'account'), '0', 'created again, it is empty');
is(content('postgres'), $before, 'the first database has all rows');

$session->finish;
$node->stop;
done_testing();
