# A request that must not be repeated has a connection of its own: libcurl repeats
# the requests of a shared connection that breaks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;

my $sandbox = Sandbox->start('--tls');
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
$node->start;
my %options = (api_version => '3', ca_file => $sandbox->url('ca_file'));
Sandbox::create_server($node, 'two', $sandbox->url('https'), %options, max_concurrency => '2');
Sandbox::create_server($node, 'eight', $sandbox->url('https'), %options);
$sandbox->ask('fleet', { owners => 14, vehicles => 14 });

# Vehicles are read and commands are sent in one session, several at once; both leave
# connections to each other.
my $session = Session->new($node);

sub ask
{
	my ($server, @numbers) = @_;

	return $session->query(sprintf "SELECT string_agg(coalesce(sqlstate, '-'), ' ') FROM smartcar_get_vehicle_many(ARRAY[%s], server => '$server')",
		join ', ', map { sprintf "'vehicle-%06d'", $_ } @numbers);
}

sub command
{
	my ($server, @numbers) = @_;

	return $session->query(sprintf "SELECT string_agg(coalesce(sqlstate, status::text), ' ') FROM smartcar_request_many('POST', ARRAY[%s], body => '{}', server => '$server')",
		join ', ', map { sprintf "'/vehicles/vehicle-%06d/commands/x'", $_ } @numbers);
}

# The requests that shared a connection with a POST, and the POSTs that were made
# more than once.
sub shared
{
	my (%of_port, %times, @shared);

	push @{ $of_port{ $_->{port} } }, "$_->{method} $_->{path}" foreach $sandbox->log(path => '^/v3/');
	foreach my $port (sort keys %of_port)
	{
		my @requests = @{ $of_port{$port} };

		push @shared, "@requests" if @requests > 1 && grep { /^POST/ } @requests;
	}
	$times{ $_->{path} }++ foreach $sandbox->log(method => 'POST', path => '^/v3/');
	push @shared, map { "POST $_ $times{$_} times" } grep { $times{$_} > 1 } sort keys %times;
	return join '; ', @shared;
}

# The connection of the reads is open, and the connection of one command breaks while
# others are running.
is(ask('two', 1 .. 3), '- - -', 'three reads have results');
$sandbox->faults(
	{ match => { method => 'POST', path => 'vehicle-000002' }, delay_ms => 500, drop => 'after' },
	{ match => { method => 'POST' }, delay_ms => 1000, status => 200, body => {}, times => 0 });
is(command('two', 1 .. 3), '200 SC001 200', 'the response to one command of three is lost');
is(shared(), '', 'each command had a connection of its own, and was sent once');
is(ask('two', 1 .. 3), '- - -', 'reads after the commands');
is(shared(), '', 'reads after the commands do not use their connections');

# Eight at once; the server closes the connection of the reads first.
$sandbox->faults(
	{ match => { method => 'GET', path => 'vehicle-000008' }, goaway => 1 },
	{ match => { method => 'POST' }, delay_ms => 200, status => 200, body => {}, times => 0 });
is(ask('eight', 1 .. 14), join(' ', ('-') x 14), 'reads, eight at once');
is(command('eight', 1 .. 14), join(' ', (200) x 14), 'commands, eight at once');
is(shared(), '', 'no two commands share a connection');

# Reads share one HTTP/2 connection, also afterwards.
{
	my %ports;

	$sandbox->faults({ delay_ms => 100, times => 0 });
	ask('eight', (1) x 8);
	$ports{ $_->{port} }++ foreach $sandbox->log(method => 'GET', path => '^/v3/');
	is_deeply([ values %ports ], [8], 'reads after commands share one connection');
}

$session->finish;
$node->stop;

done_testing();
