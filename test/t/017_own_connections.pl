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
$sandbox->ask('fleet', { owners => 14, vehicles => 14 });

# Disconnects vehicles in a new session; nobody has the number 0.
sub disconnect
{
	my ($server, @numbers) = @_;
	my $session = Session->new($node);
	my $vehicles = join ', ', map { sprintf "'vehicle-%06d'", $_ } @numbers;
	my $result = $session->query(
		"SELECT string_agg(coalesce(sqlstate, '-'), ' ') FROM smartcar_disconnect(ARRAY[$vehicles], server => '$server')");

	$session->finish;
	return $result;
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

# The connection of the first GET goes away, and a DELETE makes one, which breaks
# while another GET is under way: one that follows another DELETE, and one that
# does not.
foreach my $vehicles ([ 1, 2, 3 ], [ 4, 0, 5 ])
{
	my ($first, undef, $last) = map { sprintf 'vehicle-%06d', $_ } @$vehicles;

	$sandbox->faults(
		{ match => { method => 'GET', query => $first }, goaway => 1 },
		{ match => { method => 'DELETE' }, delay_ms => 1500, drop => 'after' },
		{ match => { method => 'GET', query => $last }, delay_ms => 3000 });
	is(disconnect('two', @$vehicles), 'SC001 - -', 'the answer to one DELETE of three is lost');
	is(shared(), '', 'it had a connection of its own, and was made once');
}

# GETs begin while a DELETE waits for long, and while several connect.
$sandbox->faults(
	{ match => { method => 'GET', query => 'vehicle-000006' }, goaway => 1 },
	{ match => { method => 'DELETE' }, delay_ms => 1000 });
is(disconnect('two', 6, 0, 0, 0, 0, 7), '- - - - - -', 'a DELETE that takes longer than several GETs');
is(shared(), '', 'shares its connection with none of them');
$sandbox->faults(
	{ match => { method => 'DELETE' }, delay_ms => 200, times => 0 },
	(map { { match => { method => 'GET', query => sprintf('vehicle-%06d', $_) }, delay_ms => 30 * $_ } } 8 .. 14));
is(disconnect('eight', 8 .. 14, (0) x 8), join(' ', ('-') x 15), 'GETs and DELETEs, eight at once');
is(shared(), '', 'no GET shares a connection with a DELETE');

# What was asked in one HTTP/2 connection before still is.
{
	my $session = Session->new($node);
	my %ports;

	$sandbox->ask('fleet', { owners => 3, vehicles => 3 });
	$session->query('SET smartcar_tesla.server = eight');
	$session->query(q(SELECT smartcar_disconnect('vehicle-000015')));
	$sandbox->faults({ delay_ms => 100, times => 0 });
	$session->query('SELECT count(*) FROM smartcar_get_connections(array_fill(\'vehicle-000016\'::text, ARRAY[8]))');
	$ports{ $_->{port} }++ foreach $sandbox->log(method => 'GET', path => '^/v3/');
	is_deeply([ values %ports ], [8], 'a bulk call after a DELETE still has one connection');
	$session->finish;
}

$node->stop;

done_testing();
