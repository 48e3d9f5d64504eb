# OpenSSL 3.0.0 to 3.0.2: EVP_MAC_init() without a key and parameters reports success
# but does not start again.  Every row must have its own HMAC.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Digest::SHA qw(hmac_sha256_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Preload;
use Test::More;

my $library = Preload::library(<<'SOURCE');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

typedef int (*Init) (void *, const unsigned char *, size_t, const void *);

int
EVP_MAC_init(void *context, const unsigned char *key, size_t length, const void *parameters)
{
	if (key == NULL && parameters == NULL)
		return 1;
	return ((Init) dlsym(RTLD_NEXT, "EVP_MAC_init")) (context, key, length, parameters);
}
SOURCE
plan skip_all => 'a library to preload cannot be built here' if !defined $library;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
Preload::start_node($node, $library);
$node->safe_psql('postgres', 'CREATE EXTENSION smartcar_tesla');

my @texts = map { "challenge $_" } 1 .. 4;
my $values = join ', ', map { "('$_')" } @texts;

is( $node->safe_psql('postgres', "SELECT smartcar_hash_challenge(text, 'key') FROM (VALUES $values) AS v (text)"),
	join("\n", map { hmac_sha256_hex($_, 'key') } @texts),
	'each row of a query has its own HMAC');
is( $node->safe_psql('postgres',
		"SELECT bool_and(smartcar_verify_webhook(text, encode(hmac, 'hex'), 'key')) FROM (VALUES "
		  . join(', ', map { sprintf "('%s', '\\x%s'::bytea)", $_, hmac_sha256_hex($_, 'key') } @texts)
		  . ') AS v (text, hmac)'),
	't',
	'each signature is verified');

$node->stop;
done_testing();
