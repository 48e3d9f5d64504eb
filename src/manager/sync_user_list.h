/*-------------------------------------------------------------------------
 *
 * sync_user_list.h
 *	  Lists the connections of single users (v3), and stores them.
 *
 * src/manager/sync_user_list.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_USER_LIST_H
#define SMARTCAR_SYNC_USER_LIST_H

#include "postgres.h"

#include "manager/connection_sync.h"
#include "manager/sync_run.h"

extern void smartcar_list_users(SmartcarSyncRun *run, SmartcarUser *users, int count);
extern void smartcar_relist_users(SmartcarSyncRun *run);

#endif							/* SMARTCAR_SYNC_USER_LIST_H */
