# Types with another number of columns than the library expects: after an update script
# in a session with the old library, or with a new script and an old library.  That is
# an error before anything is sent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Sandbox;
use Session;

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', $sandbox->url, scope => 'read_odometer');

my $session = Session->new($node);
my %calls = (
	smartcar_error => [
		'SELECT error FROM smartcar_get_vehicle_many(\'{a,b}\', \'{t}\')', 'SELECT error FROM smartcar_get_permissions_many(\'{a}\', \'{t}\')',
		'SELECT error FROM smartcar_get_tesla_access_many(\'{a}\', \'{t}\')', 'SELECT error FROM smartcar_get_virtual_key_many(\'{a}\', \'{t}\')',
		'SELECT error FROM smartcar_request_many(\'GET\', \'{/a}\', \'{t}\')', 'SELECT smartcar_parse_error(\'{}\')' ],
	smartcar_connection => [ 'SELECT smartcar_get_connections()', 'SELECT smartcar_delete_connections(\'a\')' ],
	smartcar_token => [ 'SELECT smartcar_exchange_code(\'c\')', 'SELECT smartcar_refresh_token(\'t\')' ],
	smartcar_response => ['SELECT smartcar_request(\'GET\', \'/a\', \'t\')']);

foreach my $type (sort keys %calls)
{
	$session->query("ALTER TYPE $type ADD ATTRIBUTE one_more text");
	$sandbox->faults();
	is($session->error($_)->{sqlstate}, '42804', "$type with one more column: $_") foreach @{ $calls{$type} };
	is(scalar $sandbox->log, 0, 'no request was made');
	$session->query("ALTER TYPE $type DROP ATTRIBUTE one_more");
}
is($session->query('SELECT pg_backend_pid() > 0'), 't', 'the session goes on');
$node->stop;
done_testing();
