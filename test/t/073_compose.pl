# Everything that the compose files name exists: build stages, files, secrets, environment
# variables; and the scripts of compose.yaml create the database of the application.

use strict;
use warnings;

use CPAN::Meta::YAML;
use FindBin;
use HTTP::Tiny;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Sandbox;

my $project = "$FindBin::RealBin/../..";
my $dockerfile = slurp_file("$project/Dockerfile");
my %ignored_not = map { $_ => 1 } slurp_file("$project/.dockerignore") =~ /^!(.+)$/mg;
my %text;

# The content of a YAML file, and every file that it mounts

sub read_compose
{
	my ($folder) = @_;
	my $yaml = slurp_file("$folder/compose.yaml");
	my $compose = CPAN::Meta::YAML->read_string($yaml)->[0];

	$text{$folder} = $yaml;
	ok($compose->{services}, "$folder/compose.yaml is YAML");
	return $compose;
}

sub check_service
{
	my ($folder, $compose, $name) = @_;
	my $service = $compose->{services}{$name};
	my $build = $service->{build};
	my %granted = map { $_ => 1 } @{ $service->{secrets} };
	my $all = join("\n", %{ $service->{environment} }, ref $service->{command} ? @{ $service->{command} } : $service->{command} // '');

	ok(-e "$folder/$build->{context}/Dockerfile", "$name: there is a Dockerfile");
	like($dockerfile, qr/^FROM \S+ AS \Q$build->{target}\E$/m, "$name: the Dockerfile has the stage") if $build->{target};
	like($dockerfile, qr/^ARG $_\b/m, "$name: the Dockerfile has the argument $_") foreach keys %{ $build->{args} // {} };
	ok($compose->{services}{$_}{healthcheck}, "$name: $_ has a health check to wait for") foreach keys %{ $service->{depends_on} // {} };
	foreach my $volume (@{ $service->{volumes} // [] })
	{
		my ($source) = split(/:/, $volume);

		if ($source =~ /^\./)
		{
			ok(-f "$folder/$source", "$name: $source exists");
			$all .= slurp_file("$folder/$source");
		}
		else
		{
			ok(exists $compose->{volumes}{$source}, "$name: the volume $source is declared");
		}
	}
	ok($compose->{secrets}{$_}{file}, "$name: the secret $_ is declared") foreach keys %granted;
	is_deeply([ sort { $a cmp $b } keys %{ { map { $_ => 1 } $all =~ m{/run/secrets/(\w+)}g } } ], [ sort keys %granted ], "$name: it has exactly the secrets that it reads");
	return $all;
}

my $compose = read_compose($project);
my %all = map { $_ => check_service($project, $compose, $_) } sort keys %{ $compose->{services} };
my $small = read_compose("$project/example/small-postgresql");

check_service("$project/example/small-postgresql", $small, 'smartcar');

# The image of the application has its files

foreach my $source (map { split(' ') } $dockerfile =~ /^COPY (.+) \S+$/mg)
{
	ok(-e (glob("$project/$source"))[0], "$source exists");
	ok($ignored_not{$source} || $ignored_not{ $source =~ s/package(-lock)?\.json/package*.json/r }, "$source is part of the build context");
}

# make install needs the pages that the Makefile names without a wildcard

my ($pages) = slurp_file("$project/Makefile") =~ /^MANUAL = ([^\$]+)/m;

ok($ignored_not{$_}, "the image is built from $_") foreach split ' ', $pages;

# Variables that are set are read, and those that are read are set

my ($read) = slurp_file("$project/example/server.js") =~ /^const \{(.+?)\} = process\.env/m;
my $garage = $compose->{services}{garage};

foreach my $variable (grep { !/^PG(HOST|PORT|DATABASE|USER)$/ } sort keys %{ $garage->{environment} })
{
	like($read, qr/\b$variable\b/, "the application reads $variable");
}
is(join(' ', sort keys %{ $compose->{services}{database}{environment} }),
	join(' ', sort(slurp_file("$project/example/compose.sql") =~ /^\\getenv \w+ (\w+)/mg), 'POSTGRES_DB', 'POSTGRES_PASSWORD_FILE'),
	'compose.sql reads the environment of the database');
like($garage->{ports}[0], qr/:$garage->{environment}{PORT}$/, 'the port is the published one');
ok(-f "$project/example/$_", "$_ exists") foreach "$garage->{command}\n$garage->{healthcheck}{test}" =~ /\bnode (\w+\.js)/g;
is($compose->{services}{$_}{environment}{PGHOST}, 'database', "$_ connects to the database") foreach qw(garage operator);

# The scripts that run in a new database

my $sandbox = Sandbox->start;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my %secrets = (
	garage_web_password => q{it's a \ password},
	garage_operator_password => 'another',
	api_client_secret => $Sandbox::mapping{api_client_secret},
	management_token => $Sandbox::mapping{management_token});
umask 077;
append_to_file($node->basedir . "/$_", "$secrets{$_}\n") foreach keys %secrets;
$node->safe_psql('postgres', 'CREATE DATABASE garage');
local $ENV{CLIENT_ID} = '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07';
local $ENV{API_CLIENT_ID} = $Sandbox::mapping{api_client_id};
local $ENV{ORIGIN} = 'http://localhost:8080';
foreach my $volume (grep { m{/docker-entrypoint-initdb\.d/} } @{ $compose->{services}{database}{volumes} })
{
	my ($source) = split(/:/, $volume);
	my $copy = $node->basedir . '/' . $source =~ s{.*/}{}r;

	append_to_file($copy, slurp_file("$project/$source") =~ s{/run/secrets/}{$node->basedir . '/'}ger);
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'garage', '-f', $copy ], "$source runs");
}
$node->safe_psql('garage', 'ALTER SERVER smartcar OPTIONS (' . join(', ', map { "ADD ${_}_origin '${\$sandbox->url}'" } qw(connect iam vehicle management)) . ')');
unlink $node->data_dir . '/pg_hba.conf';
$node->append_conf('pg_hba.conf', "local all garage_web,garage_operator scram-sha-256\nlocal all all trust\n");
$node->reload;

sub as
{
	my ($role, $sql) = @_;
	my $password = $secrets{"${role}_password"} =~ s/(['\\])/\\$1/gr;

	return $node->safe_psql('garage', $sql, connstr => "host=${\$node->host} port=${\$node->port} dbname=garage user=$role password='$password'");
}

my $link = as('garage_web', "SELECT garage.begin_link('owner-7')");
like($link, qr{^\Q${\$sandbox->url}\E.*redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcallback&}, 'the web server makes links');
my $callback = HTTP::Tiny->new(max_redirect => 0)->post_form($link, { owner => 'ada', tesla_permission => 'all' })->{headers}{location};
like(as('garage_web', "CALL smartcar_finish_connect('$callback', 'owner-7')"), qr/^finished\|owner-7\|/, 'the web server connects owners');
as('garage_web', "SELECT garage.request_check('owner-7')");
my ($statement) = $all{operator} =~ /-c "(.+?)"/;
as('garage_operator', $statement);
is(as('garage_web', "SELECT jsonb_array_length(readings) FROM garage.vehicle WHERE external_id = 'owner-7'"), '3', 'the operator reads what vehicles report');
is(as('garage_web', "SELECT garage.is_checking('owner-7')"), 'f', 'the check is done');

done_testing();
