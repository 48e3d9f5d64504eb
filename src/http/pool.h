/*-------------------------------------------------------------------------
 *
 * pool.h
 *	  The connections that a backend keeps.
 *
 * src/http/pool.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_POOL_H
#define SMARTCAR_POOL_H

#include "postgres.h"

#include <curl/curl.h>

typedef struct SmartcarPool
{
	CURLM	   *shared;			/* for repeatable requests */
	CURLM	   *single;			/* for all others; keeps no connections */
} SmartcarPool;

extern const SmartcarPool *smartcar_pool(int *max_connections);
extern void smartcar_pool_add_socket(curl_socket_t socket, int port);
extern int	smartcar_pool_close_socket(void *argument, curl_socket_t socket);
extern bool smartcar_pool_has_input(int port);

#endif							/* SMARTCAR_POOL_H */
