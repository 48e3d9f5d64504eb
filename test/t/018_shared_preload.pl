# With shared_preload_libraries, libcurl is initialized by each backend that makes a
# call, and not by the postmaster.

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

# The sockets of the postmaster; libcurl's pool has two of its own.
sub sockets
{
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');

	return scalar grep { (readlink($_) // '') =~ /^socket/ } glob "/proc/$postmaster/fd/*";
}

$node->init;
$node->start;
my $before = sockets();
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'smartcar_tesla'\n");
$node->restart;
is(sockets(), $before, 'the postmaster has no pool of connections');

Sandbox::create_server($node, 'smartcar', $sandbox->url('https'), ca_file => $sandbox->url('ca_file'));
$sandbox->ask('fleet', { owners => 20 });
my $ask = q(SELECT count(model), count(DISTINCT id) FROM smartcar_get_vehicle_many(
	ARRAY(SELECT format('vehicle-%s', lpad(i::text, 6, '0')) FROM generate_series(1, 20) AS i),
	ARRAY(SELECT format('access-%s', lpad(i::text, 6, '0')) FROM generate_series(1, 20) AS i)));

# Several backends at the same time have connections of their own.
my @sessions = map { Session->new($node) } 1 .. 3;
$sandbox->faults({ delay_ms => 50, times => 0 });
$_->start($ask) foreach @sessions;
is($_->result, '20|20', 'a session makes its calls with a preloaded library') foreach @sessions;
my %ports = map { $_->{port} => 1 } $sandbox->log;
is(scalar keys %ports, 3, 'each session uses connections of its own');

$_->finish foreach @sessions;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'no process has crashed');

done_testing();
