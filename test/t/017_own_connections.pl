# A request that must not be made twice has a connection of its own: no other
# request of the run joins it, because libcurl sends again what was on a shared
# connection that breaks.

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
$sandbox->ask('fleet', { owners => 20, vehicles => 20 });
my $session = Session->new($node);

# Deletes connections.
sub delete_connections
{
	my ($server, @numbers) = @_;
	my $paths = join ', ', map { sprintf "'/connections/connection-%06d'", $_ } @numbers;

	return $session->query(
		"SELECT string_agg(coalesce(sqlstate, '-'), ' ') FROM smartcar_request_many('DELETE', ARRAY[$paths], server => '$server')");
}

# Reads vehicles, with all requests in one connection of HTTP/2.
sub read_vehicles
{
	my ($server) = @_;

	return $session->query(
		"SELECT count(model) FROM smartcar_get_vehicle_many(array_fill('vehicle-000020'::text, ARRAY[8]), server => '$server')");
}

# The requests that shared a connection with a DELETE, and the DELETEs that were
# made more than once.
sub shared
{
	my (%of_port, %times, @shared);

	push @{ $of_port{ $_->{port} } }, "$_->{method} $_->{path}" foreach $sandbox->log(path => '^/v3/');
	foreach my $port (sort keys %of_port)
	{
		my @requests = @{ $of_port{$port} };

		push @shared, "@requests" if @requests > 1 && grep { /^DELETE/ } @requests;
	}
	$times{ $_->{path} }++ foreach $sandbox->log(method => 'DELETE');
	push @shared, map { "DELETE $_ $times{$_} times" } grep { $times{$_} > 1 } sort keys %times;
	return join '; ', @shared;
}

# A connection is there, and one DELETE of several loses its own.
foreach my $number (1, 4)
{
	is(read_vehicles('two'), '8', 'a connection of GETs');
	$sandbox->faults({ match => { method => 'DELETE' }, delay_ms => 300, drop => 'after' });
	is(delete_connections('two', $number .. $number + 2), 'SC001 - -', 'the response to one DELETE of three is lost');
	is(read_vehicles('two'), '8', 'and GETs follow');
	is(shared(), '', 'it had a connection of its own, and was made once');
}

$sandbox->faults({ match => { method => 'DELETE' }, delay_ms => 200, times => 0 });
is(delete_connections('eight', 7 .. 18), join(' ', ('-') x 12), 'eight DELETEs at once');
is(read_vehicles('eight'), '8', 'and GETs');
is(shared(), '', 'no two of them share a connection');

# What was asked in one HTTP/2 connection before still is.
$sandbox->faults({ delay_ms => 100, times => 0 });
read_vehicles('eight');
my %ports;
$ports{ $_->{port} }++ foreach $sandbox->log(method => 'GET', path => '^/v3/');
is_deeply([ values %ports ], [8], 'a bulk call after DELETEs still has one connection');

$node->stop;
done_testing();
