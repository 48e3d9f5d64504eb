/*-------------------------------------------------------------------------
 *
 * sync_list.h
 *	  All connections of an application, as the v3 API lists them, stored.
 *
 * src/manager/sync_list.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_LIST_H
#define SMARTCAR_SYNC_LIST_H

#include "postgres.h"

#include "manager/progress.h"
#include "pg/server.h"

extern int64 smartcar_sync_connections(SmartcarServer *server, SmartcarProgress *progress,
									   bool with_details, int64 *failed, int64 *disconnected);

#endif							/* SMARTCAR_SYNC_LIST_H */
