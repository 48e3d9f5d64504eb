# A request that must not be made twice has a connection of its own: no other
# request joins it, because libcurl sends again what was on a shared connection
# that breaks.

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

# What both do in one session: vehicles are asked for at once, and commands sent to
# them at once, which leave connections to each other.
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

# The connection of the questions is there, and the one of a command breaks while
# others are under way.
is(ask('two', 1 .. 3), '- - -', 'several questions');
$sandbox->faults(
	{ match => { method => 'POST', path => 'vehicle-000002' }, delay_ms => 500, drop => 'after' },
	{ match => { method => 'POST' }, delay_ms => 1000, status => 200, body => {}, times => 0 });
is(command('two', 1 .. 3), '200 SC001 200', 'the answer to one command of three is lost');
is(shared(), '', 'each had a connection of its own, and was made once');
is(ask('two', 1 .. 3), '- - -', 'questions after it');
is(shared(), '', 'have none of those connections');

# Eight at once, and the connection of the questions goes away before.
$sandbox->faults(
	{ match => { method => 'GET', path => 'vehicle-000008' }, goaway => 1 },
	{ match => { method => 'POST' }, delay_ms => 200, status => 200, body => {}, times => 0 });
is(ask('eight', 1 .. 14), join(' ', ('-') x 14), 'questions, eight at once');
is(command('eight', 1 .. 14), join(' ', (200) x 14), 'commands, eight at once');
is(shared(), '', 'no two commands share a connection');

# What is asked over one HTTP/2 connection still is after that.
{
	my %ports;

	$sandbox->faults({ delay_ms => 100, times => 0 });
	ask('eight', (1) x 8);
	$ports{ $_->{port} }++ foreach $sandbox->log(method => 'GET', path => '^/v3/');
	is_deeply([ values %ports ], [8], 'questions after commands have one connection');
}

$session->finish;
$node->stop;

done_testing();
