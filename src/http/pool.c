/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  The connections that a backend keeps.
 *
 * A TLS handshake costs more than most requests, so connections outlive the
 * statement that opened them.  They hold no secrets: tokens are in the headers
 * of each request.
 *
 * Requests that are not repeatable have a separate multi handle.  libcurl lets a
 * request share any connection of its multi handle, and if that breaks, it sends
 * all requests again that shared it.
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

/* Its handles are created with the first request. */
static SmartcarPool pool;

/*
 * The idle connections of HTTP/1.1, by local port.  If a server sends more than
 * its response, the rest must not become the response to the next request.
 * libcurl checks that itself only since version 8.1.  Connections for which there
 * is no room here are not checked.
 */
static struct
{
	curl_socket_t socket;
	int			port;			/* 0: unused */
}			idle[256];

/* The file descriptors that we have reserved with PostgreSQL. */
static int	reserved_descriptors = 0;

/* The first libcurl that need not wait for the thread of its resolver. */
#define FIRST_WITH_QUICK_EXIT	0x075700

/*
 * Warns if a statement cannot be canceled during DNS resolution, because the
 * resolver blocks or libcurl waits for its thread.
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
 * Not called when the library is loaded, because that may be in the postmaster.
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
 * Returns the pool.  *max_connections is the number of connections that the
 * caller wants; it is lowered to what PostgreSQL can spare, but at least one is
 * always allowed.
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
 * Registers a connection that has become idle.
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
 * libcurl calls this to close a connection.
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
 * Whether there is input on an idle connection, although no request was sent.
 * The connection is about to be used, so it is removed from the idle ones.
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
