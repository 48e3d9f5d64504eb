# How often a request reaches Smartcar, whatever libcurl would repeat: a code once, a
# GET three times at most.

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
Sandbox::create_server($node, 'smartcar', $sandbox->url('https'), ca_file => $sandbox->url('ca_file'));

my $ada = $sandbox->connect(owner => 'ada');
my $session = Session->new($node);
my $ask = "SELECT smartcar_get_user('$ada->{access_token}')";

sub exchange
{
	my $code = $sandbox->connect(owner => 'ada')->{code};

	return "SELECT token_type FROM smartcar_exchange_code('$code')";
}

# Streams that an HTTP/2 server refuses, and that libcurl sends again.
$sandbox->faults({ refuse => 1, times => 0 });
is($session->query(exchange()), 'Bearer', 'an exchange where streams are refused');
is(join(' ', map { $_->{protocol} } $sandbox->log), '1.1', 'an exchange where streams are refused is sent once, over HTTP/1.1');
$sandbox->faults({ refuse => 1, times => 0 });
is($session->query("SELECT status FROM smartcar_request('POST', '/x', 'token')"), '401', 'a POST where streams are refused');
is(scalar $sandbox->log, 1, 'a POST where streams are refused is sent once');

foreach my $kept (0, 1)
{
	my $fresh = Session->new($node);
	my $what = 'a GET whose stream is refused' . ($kept ? ' on a kept connection' : '');

	$sandbox->faults;
	$fresh->query($ask) if $kept;
	$sandbox->faults({ refuse => 1, times => 0 });
	my $error = $fresh->error($ask);
	is($error->{sqlstate}, 'SC001', "$what is an error");
	cmp_ok(scalar $sandbox->log, '<=', 3, 'after three requests at most');
	$sandbox->faults({ refuse => 1 });
	is($fresh->query($ask), $ada->{user_id}, "$what is repeated");
	is(scalar $sandbox->log, 2, 'it is repeated once');
	$fresh->finish;
}

# A rate limit says that a command was not carried out, but nobody knows whether a code
# was used.
$sandbox->faults({ retry_after => 0, do_work => 1 });
my $error = $session->error(exchange());
is($error->{sqlstate}, 'SC429', 'an exchange that meets the rate limit is SC429');
is(scalar $sandbox->log(path => '/oauth/token$'), 1, 'it is not repeated');

# Retry-After can be a date.
my @date = gmtime(time + 2);
my $date = sprintf '%s, %02d %s %d %02d:%02d:%02d GMT', (qw(Sun Mon Tue Wed Thu Fri Sat))[ $date[6] ], $date[3],
  (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[ $date[4] ], $date[5] + 1900, @date[ 2, 1, 0 ];
$sandbox->faults({ retry_after => $date });
is($session->query($ask), $ada->{user_id}, 'a rate limit that ends at a date is waited for');
is(scalar $sandbox->log, 2, 'the request is repeated');
$sandbox->faults({ retry_after => 'Wed, 21 Oct 2015 07:28:00 GMT' });
is($session->query($ask), $ada->{user_id}, 'a rate limit that has ended is no reason to wait');
$sandbox->faults({ retry_after => 'Fri, 01 Jan 2100 00:00:00 GMT', headers => { date => 'Thu, 31 Dec 2099 23:58:00 GMT' } });
is($session->error($ask)->{hint}, 'Try again in 120 seconds.', 'a rate limit that ends later is an error with the seconds');
$sandbox->faults({ retry_after => 'Fri, 01 Jan 2100 00:00:00 GMT', headers => { date => 'Thu, 31 Dec 2099 23:58:00 GMT' } });
is($session->query("SELECT status, retry_after FROM smartcar_request('GET', '/user', '$ada->{access_token}')"), '429|120', 'smartcar_response has the seconds, too');

$session->finish;
$node->stop;

done_testing();
