/*-------------------------------------------------------------------------
 *
 * connection_sync.h
 *	  All connections of an application, as the v3 API lists them, stored.
 *
 * src/manager/connection_sync.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_SYNC_H
#define SMARTCAR_CONNECTION_SYNC_H

#include "postgres.h"

#include "manager/progress.h"
#include "pg/server.h"

extern int64 smartcar_sync_connections(SmartcarServer *server, SmartcarProgress *progress,
									   bool with_details, int64 *failed);

#endif							/* SMARTCAR_CONNECTION_SYNC_H */
