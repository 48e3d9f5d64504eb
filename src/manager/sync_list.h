/*-------------------------------------------------------------------------
 *
 * sync_list.h
 *	  Lists all connections of an application (v3), and stores them.
 *
 * src/manager/sync_list.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_LIST_H
#define SMARTCAR_SYNC_LIST_H

#include "postgres.h"

#include "manager/sync_run.h"

extern void smartcar_sync_connections(SmartcarSyncRun *run, bool with_details);

#endif							/* SMARTCAR_SYNC_LIST_H */
