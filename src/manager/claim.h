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
	TimestampTz until;			/* end of the lease */
} SmartcarClaim;

/* The claims of a run. */
typedef struct SmartcarClaims
{
	const SmartcarServer *server;
	const Interval *access_within;	/* NULL: an access token is never due */
	const Interval *refresh_within; /* the same of refresh tokens */
	int64		max_accounts;	/* negative: no limit */
	int			batch;			/* how many are claimed at a time */

	Datum		lease;			/* of this run */
	TimestampTz began;
	int64		claimed;
	HTAB	   *held;			/* accounts that have our lease, or had it */

	/* those that wait for their request */
	MemoryContext context;
	SmartcarClaim *queue;
	int			length;
	int			next;
} SmartcarClaims;

extern void smartcar_claims_begin(SmartcarClaims *claims, const SmartcarServer *server,
								  int batch);
extern int64 smartcar_claims_count_due(const SmartcarClaims *claims);
extern bool smartcar_claims_used_up(const SmartcarClaims *claims);
extern void smartcar_claims_fill(SmartcarClaims *claims);
extern const SmartcarClaim *smartcar_claims_next(SmartcarClaims *claims);
extern bool smartcar_claims_next_attempt(const SmartcarClaims *claims, int within,
										 TimestampTz *time);
extern void smartcar_claims_done(SmartcarClaims *claims, const SmartcarClaim *claim);
extern void smartcar_claims_release(SmartcarClaims *claims);

#endif							/* SMARTCAR_CLAIM_H */
