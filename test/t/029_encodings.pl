# Calls in databases whose encoding is not UTF-8: requests are sent in UTF-8, responses
# are converted to the encoding of the database, and a character that it does not have
# affects only the response that contains it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Digest::SHA;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Manager;
use Sandbox;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => 'read_vin');
Sandbox::create_server($node, 'v3', $sandbox->url, api_version => '3');
$node->safe_psql('postgres', "CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
$node->safe_psql('postgres', "CREATE DATABASE sql_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
$node->command_ok([ 'sh', '-c', 'pg_dump -d ' . q("$1") . ' | psql -X -q -v ON_ERROR_STOP=1 -d ' . q("$2"), 'sh', $node->connstr('postgres'), $node->connstr('latin1') ], 'a dump with a server can be restored');

$node->safe_psql('sql_ascii', 'CREATE EXTENSION smartcar_tesla; CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (' . Sandbox::option_list(api_version => '2.0', api_origin => $sandbox->url) . ')');

$ENV{PGCLIENTENCODING} = 'UTF8';
my $fleet = { match => { path => '^/v2.0/vehicles/a' }, times => 0, body => { id => 'a', model => "Mod\x{e8}le \x{e9}" } };
my $japanese = { match => { path => '^/v2.0/vehicles/b' }, times => 0, body => { id => 'b', model => "\x{65e5}\x{672c}" } };
my $escaped = { match => { path => '^/v2.0/vehicles/c' }, times => 0, body => '{"id":"c","model":"\u00e9"}' };
my $far_escaped = { match => { path => '^/v2.0/vehicles/d' }, times => 0, body => '{"id":"d","model":"\u65e5"}' };
my $refused = { match => { path => '^/v2.0/vehicles/e' }, times => 0, error => { type => 'VALIDATION', description => "Sch\x{f6}n." } };
my $many = q(SELECT vehicle_id, model, sqlstate, (error).description FROM smartcar_get_vehicle_many('{a,b,c,d,e,a}'::text[], '{x}'::text[]));

sub rows
{
	my ($database, $sql) = @_;
	my ($code, $output, $errors) = $node->psql($database, $sql, extra_params => [ '-A', '-t' ]);

	return $code == 0 ? $output : $errors;
}

$sandbox->faults($fleet, $japanese, $escaped, $far_escaped, $refused);
is(rows('postgres', $many), "a|Modèle é||\nb|日本||\nc|é||\nd|日||\ne||SC400|Schön.\na|Modèle é||", 'models in UTF-8');
is(rows('latin1', q(SELECT vehicle_id, model FROM smartcar_get_vehicle_many('{a,c,a}'::text[], '{x}'::text[]))), "a|Modèle é\nc|é\na|Modèle é", 'models in LATIN1');
like(rows('latin1', "SELECT smartcar_get_vehicle('e', 'x')"), qr/status 400: Schön\. The request/, 'error messages in LATIN1');
my $unusable = qr/This is the response to GET \/v2.0\/vehicles\/[bd]: .*encoding.*/;
like(rows('latin1', $many) . "\n", qr/\Aa\|Modèle é\|\|\nb\|\|SC004\|$unusable\nc\|é\|\|\nd\|\|SC004\|$unusable\ne\|\|SC400\|Schön\.\na\|Modèle é\|\|\n\z/, 'a character that LATIN1 does not have is an error of its row');

# Headers can be in any encoding: a header that is no text of the database is left
# out, and a bulk call goes on.

my $bytes = sub { my ($path, $value) = @_; return { match => { path => $path }, times => 0, body => {}, headers => { 'X-Note' => $value, 'SC-Unit-System' => $value } } };
my $headers = q(SELECT path, status, unit_system, headers ->> 'x-note', sqlstate FROM smartcar_request_many('GET', '{/a,/b,/c,/d}', '{t}'));
$sandbox->faults($bytes->('/a$', "caf\xc3\xa9"), $bytes->('/b$', "\xe6\x97\xa5"), $bytes->('/c$', "caf\xe9"), $bytes->('/d$', 'coffee'));
is(rows('postgres', $headers), "/a|200|café|café|\n/b|200|日|日|\n/c|200|||\n/d|200|coffee|coffee|", 'headers in UTF-8');
is(rows('latin1', $headers), "/a|200|café|café|\n/b|200|||\n/c|200|||\n/d|200|coffee|coffee|", 'headers in LATIN1');
$sandbox->faults(map { { status => 400, body => { type => 'VALIDATION' }, headers => { 'SC-Request-Id' => $_ } } } "caf\xe9", 'a-b', "caf\xe9");
my $ids = q(SELECT sqlstate, (error).request_id FROM smartcar_get_vehicle_many('{t,u}'::text[], '{t}'::text[]));
$node->safe_psql('postgres', q(ALTER SERVER smartcar OPTIONS (ADD max_concurrency '1')));
is(rows('postgres', $ids), "SC400|\nSC400|a-b", 'a request id that is no text is left out');
like(rows('postgres', q(SELECT smartcar_get_user('t'))), qr/HTTP status 400\.$/m, 'the message has no such request id');

# smartcar_request() does not parse a body, so it accepts an escape for which the
# database has no character; the status of an error makes no difference.

my $door = '{"type":"VEHICLE_STATE","description":"T\u00fcr \u65e5"}';
foreach my $status (200, 409)
{
	foreach my $database (qw(postgres latin1 sql_ascii))
	{
		$sandbox->faults({ status => $status, body => $door });
		is(rows($database, q(SELECT status, body FROM smartcar_request('GET', '/x', 't'))), "$status|$door", "$database: status $status and a body with escapes");
	}
}
$sandbox->faults({ status => 409, body => $door });
like(rows('latin1', q(SELECT smartcar_get_user('t'))), qr/SC004|cannot be used/, 'a typed call cannot read the escape');

# Requests

$sandbox->faults({ times => 0, body => { id => 'x' } });
is(rows('latin1', q(SELECT status FROM smartcar_request('POST', '/x', 't', query => '{"é": "ü"}', body => '{"é": "ü"}'))), '200', 'a request in LATIN1');
my ($request) = $sandbox->log;
is($request->{query}, '%C3%A9=%C3%BC', 'its query is UTF-8');
is($request->{body}, "{\"\x{e9}\": \"\x{fc}\"}", 'its body is UTF-8');
$sandbox->faults({ times => 0, body => { id => "\x{e9}" } });
is(rows('latin1', q(SELECT id FROM smartcar_get_vehicle('é', 't'))), 'é', 'an id in LATIN1');
is(($sandbox->log)[-1]{path}, '/v2.0/vehicles/%C3%A9', 'an id in LATIN1 is sent in UTF-8');
is(rows('latin1', q(SELECT vehicle_id FROM smartcar_get_vehicle_many('{é}'::text[], '{t}'::text[]))), 'é', 'an id in LATIN1 comes back unchanged');
$sandbox->faults({ times => 0, body => { access_token => 'a' } });
like(rows('latin1', q(SELECT smartcar_exchange_code('c', redirect_uri => 'https://é'))), qr/invalid redirect_uri: "https:\/\/é"/, 'a redirect URI is shown unchanged');
is(rows('latin1', q(SELECT access_token FROM smartcar_refresh_token('é'))), 'a', 'a form in LATIN1');
is(($sandbox->log)[-1]{body}, 'grant_type=refresh_token&refresh_token=%C3%A9', 'a form in LATIN1 is sent in UTF-8');


# The connection manager: a token that was sealed in a database of one encoding is
# opened in one of another, an external_id is sent as UTF-8, and an unsigned event is no
# error

my $key_file = Manager::key_file($node);
my $sealed = `node '$FindBin::RealBin/../lib/seal_tokens.js' seal '$key_file' 'größe' 1 1`;
my ($user_id, $access_token) = split /\t/, $sealed;
foreach my $database (qw(postgres latin1))
{
	rows($database, "SET client_min_messages = warning; CREATE SERVER größe FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id 'x', api_version '2.0', token_key_file '$key_file')");
	Manager::add_row([ $node, $database ], 'account', server => 'größe', user_id => $user_id, access_token => "\\x$access_token", access_expires => '1 hour');
	is(rows($database, "SELECT smartcar_access_token(user_id => '$user_id', server => 'größe')"), 'access-000001', "$database: a token of a server whose name is not ASCII");
}

my $link = rows('latin1', "SELECT smartcar_begin_connect('Grüße', server => 'v3')");
like($link, qr/external_id=Gr%C3%BC%C3%9Fe/, 'external_id in a link is UTF-8');
my ($state) = $link =~ /[?&]state=([^&]*)/;
$sandbox->faults;
like(rows('latin1', "CALL smartcar_finish_connect('?user_id=u&state=$state', server => 'v3')"), qr/^failed\|Grüße\|/, 'a callback of another user');
like(($sandbox->log(path => '/v3/connections'))[0]{query}, qr/externalId(%5D|\])=Gr%C3%BC%C3%9Fe(&|$)/, 'external_id in a request is UTF-8');

# a value that the database cannot hold is refused before the callback is used
my $open = rows('latin1', "SELECT smartcar_begin_connect('Grüße', server => 'v3')");
($state) = $open =~ /[?&]state=([^&]*)/;
like(rows('latin1', "CALL smartcar_finish_connect('?error=access_denied&error_description=Owner%E2%80%99s+choice&state=$state', server => 'v3')"), qr/has no equivalent/,
	'a description that the database cannot hold');
is((split /\n/, Manager::rows([ $node, 'latin1' ], 'session', 'status'))[-1], 'open', 'the session stays open');
like(rows('latin1', "CALL smartcar_finish_connect('?error=access_denied&error_description=Gr%C3%BC%C3%9Fe&state=$state', server => 'v3')"), qr/^failed\|Grüße\|/, 'the session can be finished later');

my $event = unpack 'H*', '{"eventType":"VERIFY","meta":{"webhookName":"日本"},"data":{"challenge":"c"}}';
foreach my $database (qw(postgres latin1))
{
	like(rows($database, "SELECT smartcar_receive_webhook('\\x$event'::bytea, NULL, 'smartcar')"), qr/^\{"challenge":"[0-9a-f]{64}"\}$/, "$database: a challenge with characters that are not ASCII");
	is(rows($database, "SELECT smartcar_receive_webhook('\\x" . unpack('H*', '{"eventType":"日本"}') . "'::bytea, 'x', 'smartcar') IS NULL"), 't', "$database: an unsigned event");
}
# a string has the encoding of the database, and its signature is over UTF-8
my $string = '{"eventId":"café"}';
my $signature = Digest::SHA::hmac_sha256_hex($string, 'sandbox-management-token');
foreach my $database (qw(postgres latin1))
{
	is(rows($database, "SELECT smartcar_receive_webhook('$string'::text, '$signature', 'smartcar') = ''"), 't', "$database: a signed event as a string");
}
my $escape = unpack 'H*', '{"eventType":"VERIFY","data":{"challenge":"c"},"meta":"\u65e5"}';
$node->safe_psql('sql_ascii', q(CREATE SERVER hook FOREIGN DATA WRAPPER smartcar_tesla; CREATE USER MAPPING FOR PUBLIC SERVER hook OPTIONS (management_token 'amt')));
foreach my $case ([ 'latin1', 'smartcar' ], [ 'sql_ascii', 'hook' ])
{
	my ($database, $server) = @$case;

	is(rows($database, "SELECT smartcar_receive_webhook('\\x$escape'::bytea, NULL, '$server') IS NULL"), 't', "$database: an unsigned escape of a character that the database may not have");
}
like(rows('postgres', "SELECT smartcar_receive_webhook('\\x$escape'::bytea, NULL, 'smartcar')"), qr/challenge/, 'postgres has the character');

# An escape of a character that the database does not have affects no other request
$sandbox->faults({ match => { path => '/x' }, times => 0, status => 404, body => '{"errors": [{"type": "X", "detail": "\\u65e5"}]}', content_type => 'application/json' });
my $many_errors = "SELECT status, sqlstate, (error).status, (error).type FROM smartcar_request_many('GET', '{/x}', '{t}', server => 'smartcar')";
is(rows('latin1', $many_errors), '404||404|', 'latin1: an error that cannot be parsed');
is(rows('postgres', $many_errors), '404||404|X', 'postgres: an error that can be parsed');

done_testing();
