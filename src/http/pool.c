/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  The connections that a backend keeps.
 *
 * To set up TLS costs more than most requests, so connections outlive the
 * statement that opened them.  They hold no secret of a request: tokens are in
 * its headers.
 *
 * src/http/pool.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/pool.h"

#include "storage/fd.h"

/* One a backend; NULL before the first request. */
static CURLM *pool = NULL;

/* The descriptors that the server's own bookkeeping leaves to us. */
static int	reserved_descriptors = 0;

/* The first libcurl that can leave a thread of its resolver behind. */
#define FIRST_WITH_QUICK_EXIT	0x075700

/*
 * Says what would make the session deaf to a cancel: a resolver that blocks, or
 * a thread that libcurl has to wait for.
 */
static void
warn_of_resolver(void)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);

	if ((curl->features & CURL_VERSION_ASYNCHDNS) == 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("libcurl resolves host names without a thread"),
				 errdetail("A statement cannot be canceled while a name is being resolved.")));
	else if (curl->ares == NULL &&
			 Min(curl->version_num, LIBCURL_VERSION_NUM) < FIRST_WITH_QUICK_EXIT)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("libcurl %s waits for the thread that resolves a host name",
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

	pool = curl_multi_init();
	if (pool == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	curl_multi_setopt(pool, CURLMOPT_PIPELINING, (long) CURLPIPE_MULTIPLEX);
}

/*
 * The pool, with room for a number of connections, which is lowered to what the
 * server can spare.  At least one can always be had.
 */
CURLM *
smartcar_pool(int *max_connections)
{
	if (pool == NULL)
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
	curl_multi_setopt(pool, CURLMOPT_MAXCONNECTS, (long) reserved_descriptors);
	return pool;
}
