# A resolver of host names for tests: slow.test takes 20 seconds, *.invalid does not
# exist, late.test is 127.0.0.1 after one and a half seconds, moving.test is the address in
# the file of the environment variable MOVING_TEST, and all other names are resolved as
# usual.  A request for moving.test creates a file of that name with the suffix ".asked".
#
# It is a C library that is preloaded into the postmaster.

package HostNames;

use strict;
use warnings;

use Preload;

my $source = <<'SOURCE';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*Resolver) (const char *, const char *, const struct addrinfo *,
						 struct addrinfo **);

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	const char *end = name ? strrchr(name, '.') : NULL;

	if (name && strcmp(name, "slow.test") == 0)
	{
		sleep(20);
		return EAI_AGAIN;
	}
	if (end && strcmp(end, ".invalid") == 0)
		return EAI_NONAME;
	if (name && strcmp(name, "late.test") == 0)
	{
		usleep(1500000);
		name = "127.0.0.1";
	}
	if (name && strcmp(name, "moving.test") == 0)
	{
		char		address[64] = "";
		char		asked[1024];
		FILE	   *file = fopen(getenv("MOVING_TEST"), "r");

		if (file == NULL || fscanf(file, "%63s", address) != 1)
			return EAI_AGAIN;
		fclose(file);
		snprintf(asked, sizeof(asked), "%s.asked", getenv("MOVING_TEST"));
		file = fopen(asked, "w");
		if (file != NULL)
			fclose(file);
		name = address;
		return ((Resolver) dlsym(RTLD_NEXT, "getaddrinfo")) (name, service, hints, result);
	}
	return ((Resolver) dlsym(RTLD_NEXT, "getaddrinfo")) (name, service, hints, result);
}
SOURCE

# The path of the library; undefined if it cannot be built.
sub library
{
	return Preload::library($source);
}

# Whether a node uses the library; a libcurl that resolves names by itself does not ask
# the system.  The server is one whose host is slow.test.
sub in_use
{
	my ($session, $server) = @_;
	my $result = $session->query("SET statement_timeout = 200; SELECT smartcar_get_user('x', server => '$server')");

	$session->query('SET statement_timeout = 0');
	return $result =~ /57014/;
}

# Starts a node with the library, if there is one.
sub start_node
{
	my ($node, $library) = @_;

	return Preload::start_node($node, $library);
}

1;
