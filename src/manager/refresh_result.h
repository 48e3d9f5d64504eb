/*-------------------------------------------------------------------------
 *
 * refresh_result.h
 *	  What came of refreshes, until it is stored.
 *
 * src/manager/refresh_result.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_REFRESH_RESULT_H
#define SMARTCAR_REFRESH_RESULT_H

#include "postgres.h"

#include "lib/ilist.h"

#include "call/token_request.h"
#include "manager/account.h"
#include "manager/claim.h"
#include "manager/key_ring.h"
#include "manager/progress.h"
#include "pg/api_error.h"

/* The refresh of an account: first a request, then what came of it. */
typedef struct SmartcarRefreshResult
{
	dlist_node	node;
	MemoryContext context;		/* of everything in it */
	SmartcarClaim claim;
	SmartcarTokenRequest request;	/* has the new tokens */
	bool		has_failed;
	SmartcarRefreshFailure failure;
	SmartcarApiError error;		/* of a refusal */

	/* how far it is stored */
	bool		is_account_stored;
	bool		is_hopeless;	/* it has failed for more than a lock */
	TimestampTz next_try;
	int			pause;			/* before the next try, in milliseconds */
} SmartcarRefreshResult;

/* The results of a run that are not stored yet. */
typedef struct SmartcarRefreshResults
{
	SmartcarServer *server;
	SmartcarKeyRing *ring;
	SmartcarClaims *claims;
	SmartcarProgress *progress;
	MemoryContext context;
	MemoryContext work;			/* reset after each round of storing */
	dlist_head	list;
	int64		refreshed;
	int64		refused;
} SmartcarRefreshResults;

extern void smartcar_results_begin(SmartcarRefreshResults *results, SmartcarServer *server,
								   SmartcarKeyRing *ring, SmartcarClaims *claims,
								   SmartcarProgress *progress);

/* A result begins with its claim, and is then added or discarded. */
extern SmartcarRefreshResult *smartcar_result_create(SmartcarRefreshResults *results,
													 const SmartcarClaim *claim);
extern void smartcar_result_discard(SmartcarRefreshResult *result);
extern void smartcar_result_add(SmartcarRefreshResults *results, SmartcarRefreshResult *result);
extern void smartcar_result_add_failure(SmartcarRefreshResults *results,
										SmartcarRefreshResult *result,
										const SmartcarFailure *failure);
extern void smartcar_result_add_unopened(SmartcarRefreshResults *results,
										 SmartcarRefreshResult *result, int sqlstate);

/* Stores what can be stored by now, and commits. */
extern void smartcar_results_store(SmartcarRefreshResults *results);

/* Does so once more before an error ends the run, without another error. */
extern void smartcar_results_store_last(SmartcarRefreshResults *results);

/* Whether some are only locked, and should be waited for. */
extern bool smartcar_results_any_locked(const SmartcarRefreshResults *results);

extern void smartcar_results_give_up(SmartcarRefreshResults *results);

#endif							/* SMARTCAR_REFRESH_RESULT_H */
