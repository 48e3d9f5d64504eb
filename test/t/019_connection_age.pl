# A connection is verified again after some time: it is closed five minutes after it
# was made, however busy it is, and a minute after its last use.
#
# The test moves the clock of the server: a preloaded library adds the number in a
# file to the monotonic clock.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;

my $source = <<'SOURCE';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

typedef int (*Clock) (clockid_t, struct timespec *);

static volatile const long *shift;
static Clock real_clock;

__attribute__((constructor)) static void
find_shift(void)
{
	int			fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);
	void	   *page = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);

	real_clock = (Clock) dlsym(RTLD_NEXT, "clock_gettime");
	if (page != MAP_FAILED)
		shift = page;
}

int
clock_gettime(clockid_t clock, struct timespec *time)
{
	int			result;

	if (real_clock == NULL)
		real_clock = (Clock) dlsym(RTLD_NEXT, "clock_gettime");
	result = real_clock(clock, time);
	if ((clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW) && shift != NULL)
		time->tv_sec += *shift;
	return result;
}
SOURCE

plan(skip_all => 'a library cannot be put between a program and its clock here') if $^O ne 'linux';

my $directory = PostgreSQL::Test::Utils::tempdir_short();
my $shifted = 0;

# Moves the clock forward by some seconds.
sub advance
{
	my ($seconds) = @_;

	$shifted += $seconds;
	open my $file, '+<', "$directory/shift" or die "could not open $directory/shift: $!";
	syswrite $file, pack('l!', $shifted);
	close $file;
	return;
}

append_to_file("$directory/shift", pack('l!', 0));
append_to_file("$directory/clock.c", $source);
system(($ENV{CC} // 'cc') . " -shared -fPIC -o $directory/clock.so $directory/clock.c -ldl 2>/dev/null");
plan(skip_all => 'the library cannot be built') if $? != 0;

my $sandbox = Sandbox->start('--tls');
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
{
	local $ENV{LD_PRELOAD} = join ' ', grep { defined && $_ ne '' } $ENV{LD_PRELOAD}, "$directory/clock.so";
	local $ENV{CLOCK_SHIFT} = "$directory/shift";
	$node->start;
}
Sandbox::create_server($node, 'http1', $sandbox->url);
Sandbox::create_server($node, 'http2', $sandbox->url('https'), ca_file => $sandbox->url('ca_file'));
my $session = Session->new($node);
my $ada = $session->connect_owner($sandbox, 'ada');

# The client port of each request, numbered from 1.
sub ports
{
	my (%number, @ports);

	foreach my $entry ($sandbox->log)
	{
		$number{ $entry->{port} } = 1 + keys %number if !exists $number{ $entry->{port} };
		push @ports, $number{ $entry->{port} };
	}
	return "@ports";
}

sub ask
{
	my ($server) = @_;

	return is($session->query("SELECT smartcar_get_user(access_token, server => '$server') FROM token"), $ada->{user_id}, "$server: a call");
}

foreach my $server ('http1', 'http2')
{
	$sandbox->faults;
	ask($server);
	foreach (1 .. 5)
	{
		advance(50);
		ask($server);
	}
	is(ports(), '1 1 1 1 1 1', 'a busy connection is kept');
	advance(52);
	ask($server);
	is(ports(), '1 1 1 1 1 1 2', 'a busy connection is closed after five minutes');
	advance(57);
	ask($server);
	is(ports(), '1 1 1 1 1 1 2 3', 'an idle connection is closed after a minute');
}

$session->finish;
$node->stop;

done_testing();
