/*-------------------------------------------------------------------------
 *
 * claim.h
 *	  Claims accounts whose tokens are due, for one run of smartcar_refresh().
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

#include "manager/due_account.h"
#include "pg/server.h"

/* An account that this session has leased. */
typedef struct SmartcarClaim
{
	char	   *user_id;
	bytea	   *refresh_token;	/* sealed */
	int			attempts;
	bool		is_taken_over;	/* from a run whose lease has expired */
	TimestampTz until;			/* the end of the lease */
} SmartcarClaim;

/* The claims of a run. */
typedef struct SmartcarClaims
{
	SmartcarDueFilter due;
	int64		max_accounts;
	int			batch;			/* accounts that are claimed together */

	Datum		lease;			/* of this run */
	int64		claimed;
	HTAB	   *held;			/* accounts without a response yet, whose
								 * lease can be given back */
	HTAB	   *skipped;		/* accounts that must not be claimed for now */
	HTAB	   *failed;			/* accounts whose last attempt has failed */
	ErrorData  *error;			/* why the last batch could not be claimed */

	/* claimed accounts that wait for their request */
	MemoryContext context;
	SmartcarClaim *queue;
	int			length;
	int			next;
} SmartcarClaims;

extern void smartcar_claims_begin(SmartcarClaims *claims, const SmartcarServer *server,
								  int batch);
extern bool smartcar_claims_any_ready(const SmartcarClaims *claims, int timeout);
extern void smartcar_claims_fill_ahead(SmartcarClaims *claims);
extern const SmartcarClaim *smartcar_claims_next(SmartcarClaims *claims, int timeout,
												 bool *is_first);
extern TimestampTz smartcar_claims_next_attempt(const SmartcarClaims *claims, int within);

extern void smartcar_claims_record_response(SmartcarClaims *claims, const char *user_id);
extern bool smartcar_claims_record_end(SmartcarClaims *claims, const char *user_id,
									   bool has_failed);

extern bool smartcar_claims_any_locked(SmartcarClaims *claims);
extern void smartcar_claims_give_up_locked(SmartcarClaims *claims);
extern int64 smartcar_claims_failed(const SmartcarClaims *claims);
extern void smartcar_claims_release(SmartcarClaims *claims);

#endif							/* SMARTCAR_CLAIM_H */
