# Host names and sockets: a name is resolved again after a failure, by one thread for
# all requests of a call, and child processes inherit no connection.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use HostNames;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sandbox;
use Session;
use Test::More;

my $sandbox = Sandbox->start('--tls');
my $names = HostNames::library();
my $node = PostgreSQL::Test::Cluster->new('main');
my @ca = (ca_file => $sandbox->url('ca_file'));
my $address = PostgreSQL::Test::Utils::tempdir() . '/address';

sub move_to
{
	my ($where) = @_;

	unlink "$address.asked";
	append_to_file("$address.new", "$where\n");
	rename "$address.new", $address or die "could not rename: $!";
	return;
}

$node->init;
{
	local $ENV{MOVING_TEST} = $address;
	HostNames::start_node($node, $names);
}
move_to('127.0.0.1');
Sandbox::create_server($node, 'smartcar', $sandbox->url('https'), @ca);
Sandbox::create_server($node, 'slow_name', 'https://slow.test');
Sandbox::create_server($node, $_, $sandbox->url('https') =~ s/localhost/$_.test/r, @ca, max_concurrency => '64') foreach qw(late moving);

my $session = Session->new($node);
my $ada = $session->connect_owner($sandbox, 'ada');
my $ask = 'SELECT smartcar_get_user(access_token) FROM token';

$names = undef if $names && !HostNames::in_use($session, 'slow_name');

# The largest number of threads of a session while a statement runs.
sub most_threads
{
	my ($of, $sql) = @_;
	my $backend = $of->backend;
	my $most = 0;
	my $result;

	$of->start($sql);
	while (!defined($result = $of->result(0.02)))
	{
		my @threads = glob "/proc/$backend/task/*";

		$most = @threads if @threads > $most;
	}
	return ($most, $result);
}

SKIP:
{
	skip 'names cannot be resolved slowly here, or there is no /proc', 8 if !$names || !-d '/proc/self/task';

	foreach my $method ('GET', 'POST')
	{
		my $fresh = Session->new($node);

		$fresh->query('SET smartcar_tesla.server = late');
		$sandbox->faults({ times => 0, body => {} });
		my ($threads, $result) = most_threads($fresh,
			"SELECT count(*) FROM token, smartcar_request_many('$method', array_fill('/user'::text, ARRAY[64]), ARRAY[access_token]) WHERE sqlstate IS NULL");
		is($result, 64, "64 requests ($method) to a name that is not resolved yet");
		cmp_ok($threads, '<=', 2, 'one thread resolves the name');
		is(scalar $sandbox->log, 64, 'each request is made once');
		$fresh->finish;
	}

	# The name leads to an address where nobody listens, and then to Smartcar.
	$sandbox->faults;
	move_to('127.0.0.3');
	$session->query('SET smartcar_tesla.server = moving');
	$session->start($ask);
	Session::wait_until(sub { -e "$address.asked" }) or die 'nobody has asked for the name';
	move_to('127.0.0.1');
	is($session->result, $ada->{user_id}, 'a repeat resolves the name again');

	# Many requests that fail at once have it resolved by one thread, too.
	move_to('127.0.0.3');
	my $fresh = Session->new($node);
	$fresh->query('SET smartcar_tesla.server = moving');
	my ($threads) = most_threads($fresh,
		q(SELECT count(*) FROM token, smartcar_request_many('GET', array_fill('/user'::text, ARRAY[64]), ARRAY[access_token])));
	cmp_ok($threads, '<=', 2, 'one thread resolves the name for many repeats');
	$fresh->finish;
}

# What a child process of the backend inherits.
SKIP:
{
	skip 'there is no /proc', 3 if !-r '/proc/self/net/tcp';
	my $listing = PostgreSQL::Test::Utils::tempdir_short() . '/listing';

	$session->query('SET smartcar_tesla.server = smartcar');
	$sandbox->faults;
	is($session->query($ask), $ada->{user_id}, 'a connection is kept');
	my ($port) = map { $_->{port} } $sandbox->log;
	my $backend = $session->backend;
	# a line for each socket of the machine: its number, address:port in hexadecimal, ..., inode
	my %of_port = map { ((split)[9] => 1) } grep { (split)[1] =~ /:([0-9A-F]+)$/ && hex($1) == $port } split /\n/, slurp_file("/proc/$backend/net/tcp");
	my ($inode) = grep { $of_port{$_} } map { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ } glob "/proc/$backend/fd/*";
	ok(defined $inode, 'it is a socket of the backend');
	$session->query("COPY (SELECT 1) TO PROGRAM 'ls -l /proc/self/fd > $listing'");
	unlike(slurp_file($listing), qr/socket:\[$inode\]/, 'child processes do not inherit it');
}

$session->finish;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|was terminated by signal/, 'no backend has crashed');

done_testing();
