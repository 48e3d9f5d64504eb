/*-------------------------------------------------------------------------
 *
 * claim.h
 *	  Accounts whose tokens are due, claimed for one run of a refresh.
 *
 * src/manager/claim.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CLAIM_H
#define SMARTCAR_CLAIM_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/hsearch.h"

#include "pg/server.h"

/* An account that is ours for now. */
typedef struct SmartcarClaim
{
	char	   *user_id;
	bytea	   *refresh_token;	/* sealed */
	int			attempts;
	TimestampTz until;			/* when the lease expires */
} SmartcarClaim;

/* The claims of a run. */
typedef struct SmartcarClaims
{
	const SmartcarServer *server;
	const Interval *access_within;	/* NULL: an access token is never due */
	const Interval *refresh_within; /* NULL: nor is a refresh token */
	int64		max_accounts;	/* negative: no limit */
	int			batch;			/* how many are claimed at a time */

	Datum		lease;			/* of this run */
	TimestampTz began;
	int64		claimed;
	HTAB	   *held;			/* accounts whose lease is ours to give back */
	HTAB	   *skipped;		/* accounts that are not to be claimed for now */
	HTAB	   *failed;			/* accounts whose last attempt has failed */
	ErrorData  *error;			/* why none could be claimed, the last time */

	/* those that wait for their request */
	MemoryContext context;
	SmartcarClaim *queue;
	int			length;
	int			next;
} SmartcarClaims;

extern void smartcar_claims_begin(SmartcarClaims *claims, const SmartcarServer *server,
								  int batch);
extern int64 smartcar_claims_count_due(const SmartcarClaims *claims);
extern const SmartcarClaim *smartcar_claims_next(SmartcarClaims *claims, int timeout,
												 bool *is_first);
extern TimestampTz smartcar_claims_next_attempt(const SmartcarClaims *claims, int within);

/* What becomes of an account. */
extern void smartcar_claims_responded(SmartcarClaims *claims, const char *user_id);
extern bool smartcar_claims_ended(SmartcarClaims *claims, const char *user_id, bool has_failed);

extern bool smartcar_claims_any_locked(SmartcarClaims *claims);
extern void smartcar_claims_give_up_locked(SmartcarClaims *claims);
extern int64 smartcar_claims_failed(const SmartcarClaims *claims);
extern void smartcar_claims_release(SmartcarClaims *claims);

#endif							/* SMARTCAR_CLAIM_H */
