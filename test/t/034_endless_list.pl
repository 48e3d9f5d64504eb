# A list with an endless number of different pages ends with an error.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Sandbox;
use Session;

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "cannot listen: $@";
my $pid = fork() // die "cannot fork: $!";
if ($pid == 0)
{
	my $count = 0;

	# PostgreSQL 19 dies at this signal to clean up, which is the parent's task
	$SIG{TERM} = 'DEFAULT';
	while (my $client = $listener->accept)
	{
		local $/ = "\r\n\r\n";
		while (<$client>)
		{
			my $body = sprintf '{"connections":[{"vehicleId":"v%1$d","userId":"u"}],"paging":{"cursor":"%1$d"}}', ++$count;

			print $client "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
		}
	}
	exit 0;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
Sandbox::create_server($node, 'smartcar', 'http://127.0.0.1:' . $listener->sockport);
my $session = Session->new($node);

$session->query("SET statement_timeout = '170s'");
my $error = $session->error('SELECT count(*) FROM smartcar_get_connections()');
is($error->{sqlstate}, 'SC004', 'a list without an end is given up');
is($error->{detail}, 'This is the response to GET /v2.0/management/connections: It exceeds the limit of 20000 pages.', 'the detail has the reason');

$node->stop;
kill 'TERM', $pid;
waitpid $pid, 0;
done_testing();
