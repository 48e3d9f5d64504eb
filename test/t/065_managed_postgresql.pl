# A PostgreSQL without the extension reads the status from one that has it, and gets links
# from it, as the manual and the example say.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Sandbox;

chomp(my $directory = `pg_config --sharedir`);
foreach my $extension (qw(postgres_fdw dblink))
{
	plan(skip_all => "$extension is not installed") if !-e "$directory/extension/$extension.control";
}

my $sandbox = Sandbox->start;
my $project = "$FindBin::RealBin/../..";

# The small server, whose secrets are elsewhere, with the local Smartcar

my $small = PostgreSQL::Test::Cluster->new('small');
$small->init;
$small->start;
my %secrets = (
	garage_password => q{it's a \ password},
	api_client_secret => $Sandbox::mapping{api_client_secret},
	management_token => $Sandbox::mapping{management_token});
umask 077;
foreach my $name (keys %secrets)
{
	append_to_file($small->basedir . "/$name", "$secrets{$name}\n");
}

my $setup = slurp_file("$project/example/small-postgresql/setup.sql");
$setup =~ s{/run/secrets/}{$small->basedir . '/'}ge;
$setup =~ s/client_8d1f3a6e/$Sandbox::mapping{api_client_id}/;
$small->safe_psql('postgres', 'CREATE DATABASE smartcar');
append_to_file($small->basedir . '/setup.sql', $setup);
$small->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'smartcar', '-f', $small->basedir . '/setup.sql' ], 'setup.sql runs without errors');
$small->safe_psql('smartcar', 'ALTER SERVER smartcar OPTIONS ('
	  . join(', ', map { "ADD ${_}_origin '${\$sandbox->url}'" } qw(connect iam vehicle management)) . ')');

# only with a password
unlink $small->data_dir . '/pg_hba.conf';
$small->append_conf('pg_hba.conf', "local all garage scram-sha-256\nlocal all all trust\n");
$small->reload;

# The managed server, as in the manual

my $managed = PostgreSQL::Test::Cluster->new('managed');
$managed->init;
$managed->start;
$managed->safe_psql('postgres', q{
	CREATE ROLE garage LOGIN;
	CREATE ROLE other LOGIN;
	CREATE DATABASE garage OWNER garage;
});

my ($administrator, $foreign, $query, $link) = slurp_file("$project/doc/how-to/managed-postgresql.md") =~ /^```sql\n(.*?)^```$/msg;
my ($host, $port, $password) = ($small->host, $small->port, $secrets{garage_password} =~ s/'/''/gr);
$foreign =~ s/host 'smartcar\.internal', port '5432'/host '$host', port '$port'/ or die 'the page has another host';
$foreign =~ s/sslmode 'require'/sslmode 'disable'/;
$foreign =~ s/the content of garage_password/$password/ or die 'the page has another password';

sub as
{
	my ($role, $sql) = @_;
	my ($result, $output, $error) = $managed->psql('garage', $sql, extra_params => [ '-U', $role ]);

	return $result == 0 ? $output : $error;
}

$managed->safe_psql('garage', $administrator);
is(as('garage', $foreign), '', 'the foreign table is created');
is(as('garage', $link), '', 'the function for links is created');
is(as('garage', q{CREATE TABLE customer (id text PRIMARY KEY, mail text); INSERT INTO customer VALUES ('owner''s 7', 'ada@example.com')}), '', 'a table of customers is created');

my $ask = q{SELECT link_for('owner''s 7')};
my $address = as('garage', $ask);
like($address, qr/^\Q${\$sandbox->url}\E.*[?&]state=/, 'the application gets a link');
my $callback = $sandbox->callback($address, owner => 'ada', tesla_permission => 'vehicle_device_data');

is(as('garage', $query), '', 'nobody is connected yet');
like(
	$small->safe_psql('smartcar',
		"CALL smartcar_finish_connect(callback => '$callback', expected_external_id => 'owner''s 7')",
		connstr => "host=$host port=$port dbname=smartcar user=garage password='" . ($secrets{garage_password} =~ s/(['\\])/\\$1/gr) . "'"),
	qr/^finished\|owner's 7\|/, 'the application finishes the callback on the small server');
like(as('garage', $query), qr/^ada\@example\.com\|update_access\|http/, 'the managed server joins the status with its customers');
is(as('garage', q{PREPARE p(text) AS SELECT missing_tesla_permissions FROM smartcar_status WHERE action = $1; EXECUTE p('update_access')}),
	'{"Vehicle Location"}', 'a condition on the action, with a parameter');

# Errors are passed on, and other roles are refused

like(as('garage', q{SELECT * FROM dblink('smartcar', 'SELECT smartcar.smartcar_begin_connect(''x'', scope => ''{read_dreams}'')') AS a (link text)}),
	qr/ERROR:  unrecognized Smartcar permission "read_dreams"/, 'errors are passed on');
like(as('garage', q{SELECT * FROM dblink('smartcar', 'SELECT count(*) FROM smartcar_tesla.session') AS a (n bigint)}),
	qr/ERROR:  permission denied for schema smartcar_tesla/, 'the tables cannot be read');
like(as('garage', q{SELECT * FROM dblink('smartcar', 'CALL smartcar.smartcar_sync()') AS a (n bigint)}),
	qr/ERROR:  permission denied for procedure smartcar_sync/, 'smartcar_sync() cannot be called');
like(as('other', $ask), qr/ERROR:  user mapping not found for (?:user )?"other"/, 'another role gets no links');

done_testing();
