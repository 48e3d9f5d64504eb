# An older libcurl, or one that was built with fewer features: a warning says what
# is affected, and everything else works.
#
# A preloaded library changes the server's libcurl: it has no HTTP/2, does not cache
# certificate authorities, has no OpenSSL context, and reports version 7.86.

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
#include <dlfcn.h>
#include <stdarg.h>

/* the beginning of what libcurl says of itself */
typedef struct
{
	int			age;
	const char *version;
	unsigned int version_number;
} Version;

typedef int (*SetOption) (void *easy, int option, ...);
typedef Version *(*GetVersion) (int age);

static void *
original(const char *name)
{
	return dlsym(dlopen("libcurl.so.4", RTLD_LAZY), name);
}

int
curl_easy_setopt(void *easy, int option, ...)
{
	va_list		arguments;
	void	   *value;

	va_start(arguments, option);
	value = va_arg(arguments, void *);
	va_end(arguments);

	/* CURLOPT_HTTP_VERSION from HTTP/2 on, _CA_CACHE_TIMEOUT, _SSL_CTX_FUNCTION */
	if (option == 84 && (long) value >= 3)
	{
		((SetOption) original("curl_easy_setopt")) (easy, option, 2L);
		return 1;				/* CURLE_UNSUPPORTED_PROTOCOL */
	}
	if (option == 321)
		return 4;				/* CURLE_NOT_BUILT_IN */
	if (option == 20108)
		return 48;				/* CURLE_UNKNOWN_OPTION */
	return ((SetOption) original("curl_easy_setopt")) (easy, option, value);
}

Version *
curl_version_info(int age)
{
	Version    *version = ((GetVersion) original("curl_version_info")) (age);

	version->version = "7.86.0";
	version->version_number = 0x075600;
	return version;
}
SOURCE

# an argument of any type is passed on as a pointer
plan(skip_all => 'a library cannot be put before libcurl here') if $^O ne 'linux' || length pack('p', '') != 8;

my $directory = PostgreSQL::Test::Utils::tempdir_short();
append_to_file("$directory/libcurl.c", $source);
system(($ENV{CC} // 'cc') . " -shared -fPIC -o $directory/before_libcurl.so $directory/libcurl.c -ldl 2>/dev/null");
plan(skip_all => 'the library cannot be built') if $? != 0;

my $sandbox = Sandbox->start('--tls');
my $node = PostgreSQL::Test::Cluster->new('main');

$node->init;
{
	local $ENV{LD_PRELOAD} = join ' ', grep { defined && $_ ne '' } $ENV{LD_PRELOAD}, "$directory/before_libcurl.so";
	$node->start;
}
Sandbox::create_server($node, 'smartcar', $sandbox->url('https'), ca_file => $sandbox->url('ca_file'));
my $ada = $sandbox->connect(owner => 'ada');
my $session = Session->new($node);
my $ask = "SELECT smartcar_get_user('$ada->{access_token}')";

is($session->query("SELECT setting FROM smartcar_info() WHERE name = 'libcurl'"), '7.86.0', 'the older libcurl is used');
my $resolver = $session->query("SELECT setting FROM smartcar_info() WHERE name = 'libcurl_resolver'");

my $result = $session->query($ask);
like($result, qr/^\Q$ada->{user_id}\E$/m, 'a call works');
is(join(' ', map { $_->{protocol} } $sandbox->log(path => '/user$')), '1.1', 'the call uses HTTP/1.1');
SKIP:
{
	skip "names are not resolved by a thread ($resolver)", 2 if $resolver ne 'threaded';
	like($result, qr/^WARNING:  01000: libcurl 7\.86\.0 cannot interrupt DNS resolution$/m,
		'the first call warns that resolving a host name may block it');
	like($result, qr/^DETAIL:  A statement cannot be canceled while a name is being resolved\.$/m, 'the warning says that a cancel does not work meanwhile');
}
is($session->query($ask), $ada->{user_id}, 'the next call does not warn');

$session->finish;
$node->stop;

done_testing();
