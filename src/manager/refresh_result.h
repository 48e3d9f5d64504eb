/*-------------------------------------------------------------------------
 *
 * refresh_result.h
 *	  The results of refreshes, until they are stored.
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

/* The refresh of an account: its request, then its result. */
typedef struct SmartcarRefreshResult
{
	dlist_node	node;
	MemoryContext context;		/* of all its memory */
	SmartcarClaim claim;
	SmartcarTokenRequest request;	/* has the new tokens */
	bool		has_failed;
	SmartcarRefreshFailure failure;
	SmartcarApiError error;		/* if it was refused */

	/* the progress of storing it */
	bool		is_account_stored;
	bool		has_permanent_error;	/* an error other than a lock */
	SmartcarFailure *warning;	/* to be reported after the commit, or NULL */
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
	MemoryContext work;			/* reset when results are stored */
	dlist_head	list;
	int64		refreshed;
	int64		refused;
} SmartcarRefreshResults;

extern void smartcar_results_begin(SmartcarRefreshResults *results, SmartcarServer *server,
								   SmartcarKeyRing *ring, SmartcarClaims *claims,
								   SmartcarProgress *progress);

/* A result is created for a claim, and later added or discarded. */
extern SmartcarRefreshResult *smartcar_result_create(SmartcarRefreshResults *results,
													 const SmartcarClaim *claim);
extern void smartcar_result_discard(SmartcarRefreshResult *result);
extern void smartcar_result_add(SmartcarRefreshResults *results, SmartcarRefreshResult *result);
extern void smartcar_result_add_failure(SmartcarRefreshResults *results,
										SmartcarRefreshResult *result,
										const SmartcarFailure *failure);
extern void smartcar_result_add_unseal_failure(SmartcarRefreshResults *results,
											   SmartcarRefreshResult *result, int sqlstate);

/* Stores the results whose rows are not locked, and commits. */
extern void smartcar_results_store(SmartcarRefreshResults *results);

/* Stores what it can before the run ends.  Returns the error of a cancel, or NULL. */
extern ErrorData *smartcar_results_store_last(SmartcarRefreshResults *results);

/* Whether results wait for a lock. */
extern bool smartcar_results_any_locked(const SmartcarRefreshResults *results);

extern void smartcar_results_give_up(SmartcarRefreshResults *results);

#endif							/* SMARTCAR_REFRESH_RESULT_H */
