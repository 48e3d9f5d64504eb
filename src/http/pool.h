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

extern CURLM *smartcar_pool(int *max_connections);

#endif							/* SMARTCAR_POOL_H */
