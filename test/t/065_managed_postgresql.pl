# A PostgreSQL without the extension reads the status from one that has it, and asks
# it for links, as the manual says: with what the manual and the example have.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use HTTP::Tiny;
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
my $browser = HTTP::Tiny->new(max_redirect => 0, keep_alive => 0, proxy => undef, http_proxy => undef);
my $project = "$FindBin::RealBin/../..";

# The small one, whose secrets are elsewhere, and whose Smartcar is the local one

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
$small->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'smartcar', '-f', $small->basedir . '/setup.sql' ], 'setup.sql runs');
$small->safe_psql('smartcar', 'ALTER SERVER smartcar OPTIONS ('
	  . join(', ', map { "ADD ${_}_origin '${\$sandbox->url}'" } qw(connect iam vehicle management)) . ')');

# only with the password
unlink $small->data_dir . '/pg_hba.conf';
$small->append_conf('pg_hba.conf', "local all garage scram-sha-256\nlocal all all trust\n");
$small->reload;

# The managed one, as the manual says

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
is(as('garage', $foreign), '', 'the foreign table');
is(as('garage', $link), '', 'the function for links');
is(as('garage', q{CREATE TABLE customer (id text PRIMARY KEY, mail text); INSERT INTO customer VALUES ('owner''s 7', 'ada@example.com')}), '', 'a table of customers');

my $ask = q{SELECT link_for('owner''s 7')};
my $address = as('garage', $ask);
like($address, qr/^\Q${\$sandbox->url}\E.*[?&]state=/, 'a link');
my $callback = $browser->post_form($address, { owner => 'ada', tesla_permission => 'vehicle_device_data' })->{headers}{location};

is(as('garage', $query), '', 'nobody is connected yet');
like(
	$small->safe_psql('smartcar',
		"CALL smartcar_finish_connect(callback => '$callback', expected_external_id => 'owner''s 7')",
		connstr => "host=$host port=$port dbname=smartcar user=garage password='" . ($secrets{garage_password} =~ s/(['\\])/\\$1/gr) . "'"),
	qr/^finished\|owner's 7\|/, 'the application takes the callback to the small one');
like(as('garage', $query), qr/^ada\@example\.com\|update_access\|http/, 'the managed one joins the status with its customers');
is(as('garage', q{PREPARE p(text) AS SELECT missing_tesla_permissions FROM smartcar_status WHERE action = $1; EXECUTE p('update_access')}),
	'{"Vehicle Location"}', 'a condition on the action, as a parameter');

# What goes wrong arrives, and who may not is refused

like(as('garage', q{SELECT * FROM dblink('smartcar', 'SELECT smartcar.smartcar_begin_connect(''x'', scope => ''{read_dreams}'')') AS a (link text)}),
	qr/ERROR:  unrecognized Smartcar permission "read_dreams"/, 'errors arrive');
like(as('garage', q{SELECT * FROM dblink('smartcar', 'SELECT count(*) FROM smartcar_tesla.session') AS a (n bigint)}),
	qr/ERROR:  permission denied for schema smartcar_tesla/, 'the tables stay closed');
like(as('garage', q{SELECT * FROM dblink('smartcar', 'CALL smartcar.smartcar_sync()') AS a (n bigint)}),
	qr/ERROR:  permission denied for procedure smartcar_sync/, 'it does not sync');
like(as('other', $ask), qr/ERROR:  user mapping not found for (?:user )?"other"/, 'another role gets no links');

done_testing();
