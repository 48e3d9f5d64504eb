/*-------------------------------------------------------------------------
 *
 * user_outcome.h
 *	  Ends the synchronization of a user, in both versions of the API.
 *
 * src/manager/user_outcome.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_USER_OUTCOME_H
#define SMARTCAR_USER_OUTCOME_H

#include "postgres.h"

#include "manager/connection_sync.h"
#include "manager/sync_run.h"

extern bool smartcar_user_had_vehicle(const SmartcarUser *user, SmartcarSpan vehicle_id);
extern const SmartcarConnectionRow *smartcar_find_row(const SmartcarConnectionRow *rows, int count,
													  SmartcarSpan vehicle_id);
extern void smartcar_user_mark_disconnected(const SmartcarSyncRun *run, SmartcarUser *user,
											const SmartcarConnectionRow *rows, int row_count,
											TimestampTz requested_at);
extern void smartcar_user_finish(SmartcarSyncRun *run, SmartcarUser *user, bool is_stored,
								 const ErrorData *error, TimestampTz requested_at);
extern int	smartcar_warn_of_users(const SmartcarUser *users, int count);

#endif							/* SMARTCAR_USER_OUTCOME_H */
