# Default privileges, and tools that manage the schema public: what a database grants on
# every new object is not granted on the extension's objects, and a tool that reads
# public finds no table of the extension there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE readonly LOGIN; CREATE ROLE stranger LOGIN');
$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(plain to_role to_public in_schema);

# Privileges of others than the owner on objects of the extension, by name or as PUBLIC.
my $rights = <<'SQL';
	SELECT pg_describe_object(d.classid, d.objid, 0), COALESCE(r.rolname, 'PUBLIC'), a.privilege_type
	FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e',
		LATERAL (SELECT COALESCE(proacl, acldefault('f', proowner)) FROM pg_proc WHERE d.classid = 'pg_proc'::regclass AND oid = d.objid
			UNION ALL SELECT COALESCE(relacl, acldefault('r', relowner)) FROM pg_class WHERE d.classid = 'pg_class'::regclass AND oid = d.objid
			UNION ALL SELECT COALESCE(typacl, acldefault('T', typowner)) FROM pg_type WHERE d.classid = 'pg_type'::regclass AND oid = d.objid AND typrelid = 0
			UNION ALL SELECT COALESCE(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE d.classid = 'pg_namespace'::regclass AND oid = d.objid
		) AS o (acl), aclexplode(o.acl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
	WHERE e.extname = 'smartcar_tesla' AND COALESCE(r.rolname, '') <> 'postgres'
	ORDER BY 1, 2, 3
SQL

sub defaults
{
	my ($grantee, $schema) = @_;

	return join '', map { 'ALTER DEFAULT PRIVILEGES ' . ($schema ? "IN SCHEMA $schema " : '') . "GRANT $_ TO $grantee;\n" }
	  ('ALL ON TABLES', 'EXECUTE ON ROUTINES', 'USAGE ON TYPES', $schema ? () : 'ALL ON SCHEMAS');
}

$node->safe_psql('to_role', defaults('readonly'));
$node->safe_psql('to_public', defaults('PUBLIC'));
$node->safe_psql('in_schema', defaults('readonly, PUBLIC', 'public'));
my %rights;
foreach my $database (qw(plain to_role to_public in_schema))
{
	$node->safe_psql($database, 'CREATE EXTENSION smartcar_tesla');
	$rights{$database} = $node->safe_psql($database, $rights);
}
unlike($rights{to_role}, qr/readonly/, 'a role that is granted all on every new object has nothing');
is($rights{$_}, $rights{plain}, "privileges are as without default privileges: $_") foreach qw(to_role to_public in_schema);
like($rights{plain}, qr/^function smartcar_parse_callback\(text\)\|PUBLIC\|EXECUTE$/m, 'PUBLIC may call functions that need no server');
is(join(' ', $rights{plain} =~ /^(?:table|view|schema) (.*)$/mg), 'smartcar_permission_mapping|PUBLIC|SELECT', 'PUBLIC may read one view');

# All objects of public are granted; rows stay protected.
$node->safe_psql('plain', q(GRANT ALL ON ALL TABLES IN SCHEMA public TO readonly;
	INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id) VALUES ('s', 'u', 'v')));
my (undef, undef, $error) = $node->psql('plain', 'SELECT * FROM smartcar_tesla.account', extra_params => [ '-U', 'readonly' ]);
like($error, qr/permission denied for schema smartcar_tesla/, 'GRANT ALL ON ALL TABLES IN SCHEMA public opens no table');
is($node->safe_psql('plain', 'SELECT count(*) FROM smartcar_status', extra_params => [ '-U', 'readonly' ]), 0, 'no row of smartcar_status is visible');

SKIP:
{
	skip('there is no SQLAlchemy with psycopg2', 2) if system(q(python3 -c 'import sqlalchemy, psycopg2' 2>/dev/null)) != 0;

	my $reflect = <<'PYTHON';
import sys
from sqlalchemy import MetaData, create_engine, inspect
from sqlalchemy.engine import URL

engine = create_engine(URL.create('postgresql+psycopg2', username='postgres', database=sys.argv[1], query={'host': sys.argv[2], 'port': sys.argv[3]}))
metadata = MetaData()
metadata.reflect(engine)
print(*sorted(metadata.tables), *sorted(inspect(engine).get_view_names()))
PYTHON
	my $reflected = sub { my ($out, $err) = run_command([ 'python3', '-c', $reflect, $_[0], $node->host, $node->port ]); return $out . $err; };

	$node->safe_psql('postgres', 'CREATE DATABASE own_schema');
	$node->safe_psql('own_schema', 'CREATE SCHEMA smartcar; CREATE EXTENSION smartcar_tesla SCHEMA smartcar; CREATE TABLE owner (id int)');
	is($reflected->('plain'), 'smartcar_job_run smartcar_permission_mapping smartcar_status smartcar_todo smartcar_trouble', 'SQLAlchemy finds no table in public');
	is($reflected->('own_schema'), 'owner', 'with SCHEMA smartcar it finds nothing of the extension');
}

$node->stop;

done_testing();
