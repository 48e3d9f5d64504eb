/*-------------------------------------------------------------------------
 *
 * sync_details.h
 *	  Requests the details of vehicles (v3), and stores them.
 *
 * src/manager/sync_details.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_DETAILS_H
#define SMARTCAR_SYNC_DETAILS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "manager/sync_run.h"

extern void smartcar_sync_details(SmartcarSyncRun *run, TimestampTz due_before);
extern int64 smartcar_sync_details_of_user(SmartcarSyncRun *run, const char *user_id);

#endif							/* SMARTCAR_SYNC_DETAILS_H */
