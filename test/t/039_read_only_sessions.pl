# A session that cannot write is refused by every procedure before anything is sent.

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
my $node = Manager::start_node($sandbox);
my $session = Session->new($node);

# ada's vehicle, which smartcar_disconnect_vehicle() would disconnect at Smartcar
$session->query(Manager::callback_of($node, $sandbox, 'ada', 'owner-1'));
my $vehicle = $node->safe_psql('postgres', 'SELECT vehicle_id FROM smartcar_status');

# every procedure of the extension, with a vehicle, or the time, for each required argument
my @calls = split /\n/, $node->safe_psql('postgres', <<SQL);
	SELECT format('CALL %s(%s)', p.oid::regproc, (SELECT string_agg(CASE WHEN type = 'timestamptz[]'::regtype THEN 'ARRAY[now()]' WHEN format_type(type, NULL) LIKE '%[]' THEN 'ARRAY[\$\$$vehicle\$\$]' ELSE '\$\$$vehicle\$\$' END, ', ')
			FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, number) WHERE number <= p.pronargs - p.pronargdefaults))
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'smartcar_tesla'
	WHERE p.prokind = 'p' ORDER BY 1
SQL
cmp_ok(scalar @calls, '>=', 5, 'the procedures are found');

$session->query('SET default_transaction_read_only = on');
foreach my $call (@calls)
{
	$sandbox->faults;
	is($session->error($call)->{sqlstate}, '25006', "$call in a read-only session");
	is(scalar $sandbox->log, 0, "$call sends nothing");
}

$session->finish;
done_testing();
