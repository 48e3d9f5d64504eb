/*-------------------------------------------------------------------------
 *
 * sync_run.h
 *	  A run of a synchronization: its limits and counts.
 *
 * src/manager/sync_run.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_RUN_H
#define SMARTCAR_SYNC_RUN_H

#include "postgres.h"

#include "call/call.h"
#include "manager/progress.h"

/* How often to try to store a row that stays locked: for 10 seconds in total. */
#define SMARTCAR_SYNC_ATTEMPTS	50

/* How many users a batch has for each concurrent request. */
#define SMARTCAR_USERS_PER_REQUEST	4

/* max_disconnects: the limit depends on the number of connections. */
#define SMARTCAR_DISCONNECTS_BY_SHARE	(-1)

typedef struct SmartcarSyncRun
{
	SmartcarServer *server;
	int64		max_requests;	/* PG_INT64_MAX: no limit */
	int64		max_disconnects;	/* PG_INT64_MAX: no limit */
	bool		is_rate_limited;	/* the application's rate limit is reached */
	int			limit_sqlstate; /* of the error that showed it */
	bool		is_stopped;		/* the next run has to continue */
	int64		synced;
	int64		failed;
	int64		disconnected;
	SmartcarProgress progress;

	/* users to list again, because a vehicle was not found */
	List	   *relist_user_ids;	/* of char * */
	MemoryContext context;		/* of the list */
} SmartcarSyncRun;

extern void smartcar_sync_run_begin(SmartcarSyncRun *run, SmartcarServer *server);
extern int64 smartcar_sync_requests_left(const SmartcarSyncRun *run);
extern bool smartcar_sync_may_request(SmartcarSyncRun *run, const SmartcarCall *call);
extern bool smartcar_sync_check_rate_limit(SmartcarSyncRun *run, const SmartcarFailure *error);
extern bool smartcar_sync_is_failure(const SmartcarFailure *error);
extern bool smartcar_sync_may_disconnect(const SmartcarSyncRun *run, int64 count);
extern pg_noreturn void smartcar_sync_refuse_disconnects(const SmartcarSyncRun *run, int64 count);
extern bool smartcar_sync_store(void (*store) (void *argument), void *argument, int attempts,
								ErrorData **error);

#endif							/* SMARTCAR_SYNC_RUN_H */
