/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  The connections that a backend keeps.
 *
 * To set up TLS costs more than most requests, so connections outlive the
 * statement that opened them.  They hold no secret of a request: tokens are in
 * its headers.
 *
 * Requests that are not repeatable have a multi handle of their own.  If a
 * connection breaks that several requests share, libcurl sends all of them
 * again, and it lets requests join any connection of their multi handle.
 *
 * src/http/pool.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "http/pool.h"

#include "storage/fd.h"

/* Without handles before the first request. */
static SmartcarPool pool;

/*
 * The idle connections of HTTP/1.1, by their local ports.  A server that sends
 * more than a response must not answer the next request with it; libcurl has looked
 * at that by itself only since 8.1.  Where there is no more room, there is no check.
 */
static struct
{
	curl_socket_t socket;
	int			port;			/* 0: unused */
}			idle[256];

/* The descriptors that the server's own bookkeeping leaves to us. */
static int	reserved_descriptors = 0;

/* The first libcurl that can leave a thread of its resolver behind. */
#define FIRST_WITH_QUICK_EXIT	0x075700

/*
 * Warns of what would keep a statement from being canceled: a resolver that
 * blocks, or a thread that libcurl has to wait for.
 */
static void
warn_of_resolver(void)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);

	if ((curl->features & CURL_VERSION_ASYNCHDNS) == 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("libcurl lacks asynchronous DNS resolution"),
				 errdetail("A statement cannot be canceled while a name is being resolved.")));
	else if (curl->ares == NULL &&
			 Min(curl->version_num, LIBCURL_VERSION_NUM) < FIRST_WITH_QUICK_EXIT)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("libcurl %s cannot interrupt DNS resolution",
						curl->version),
				 errdetail("A statement cannot be canceled while a name is being resolved.")));
}

/*
 * Done in the backend and not when the library is loaded, which may be in the
 * postmaster.
 */
static void
create_pool(void)
{
	CURLcode	code = curl_global_init(CURL_GLOBAL_DEFAULT);

	if (code != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not initialize libcurl: %s", curl_easy_strerror(code))));

	warn_of_resolver();

	if (pool.single == NULL)
		pool.single = curl_multi_init();
	pool.shared = curl_multi_init();
	if (pool.single == NULL || pool.shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	curl_multi_setopt(pool.shared, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
	curl_multi_setopt(pool.single, CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING);
}

/*
 * The pool, with room for a number of connections, which is lowered to what the
 * server can spare.  At least one can always be had.
 */
const SmartcarPool *
smartcar_pool(int *max_connections)
{
	if (pool.shared == NULL)
		create_pool();

	while (reserved_descriptors < *max_connections)
	{
		if (reserved_descriptors == 0)
			ReserveExternalFD();
		else if (!AcquireExternalFD())
			break;
		reserved_descriptors++;
	}
	*max_connections = Min(*max_connections, reserved_descriptors);
	curl_multi_setopt(pool.shared, CURLMOPT_MAXCONNECTS, (long) reserved_descriptors);
	return &pool;
}

/*
 * Records that a connection has become idle.
 */
void
smartcar_pool_add_socket(curl_socket_t socket, int port)
{
	for (int i = 0; i < lengthof(idle); i++)
	{
		if (idle[i].port == 0)
		{
			idle[i].socket = socket;
			idle[i].port = port;
			return;
		}
	}
}

/*
 * Called by libcurl to close a connection.
 */
int
smartcar_pool_close_socket(void *argument, curl_socket_t socket)
{
	for (int i = 0; i < lengthof(idle); i++)
	{
		if (idle[i].port != 0 && idle[i].socket == socket)
			idle[i].port = 0;
	}
	return close(socket);
}

/*
 * Whether a connection that is to be used again has input, to which no request
 * can have led.  It is idle no longer.
 */
bool
smartcar_pool_has_input(int port)
{
	bool		has_input = false;

	for (int i = 0; i < lengthof(idle); i++)
	{
		char		byte;

		if (idle[i].port != port)
			continue;
		idle[i].port = 0;
		if (recv(idle[i].socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			has_input = true;
	}
	return has_input;
}
