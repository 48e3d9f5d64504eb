/*-------------------------------------------------------------------------
 *
 * due_account.h
 *	  Statements that find the accounts whose tokens are due for a refresh.
 *
 * src/manager/due_account.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_DUE_ACCOUNT_H
#define SMARTCAR_DUE_ACCOUNT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#include "manager/account.h"
#include "pg/server.h"

typedef struct SmartcarDueFilter
{
	const SmartcarServer *server;
	const Interval *access_within;	/* NULL: an access token is never due */
	const Interval *refresh_within; /* NULL: a refresh token is never due */
	TimestampTz began;			/* of the run; what it refreshed is not due */
} SmartcarDueFilter;

/* An account that was due when it was read. */
typedef struct SmartcarDueAccount
{
	char	   *user_id;
	pg_uuid_t	lease;			/* an expired one */
	bool		has_lease;
	TimestampTz refreshed_at;
} SmartcarDueAccount;

/*
 * Whether an account has no lease and no pause before its next attempt.  No pause is
 * longer than an hour: one that ends later comes from a clock that was ahead.
 */
#define SMARTCAR_CAN_BE_CLAIMED \
	"(next_attempt_at IS NULL OR next_attempt_at <= @now " \
	"OR next_attempt_at > @now + interval '1 hour') " \
	"AND " SMARTCAR_NOT_LEASED

extern int64 smartcar_due_accounts_count(const SmartcarDueFilter *filter);
extern SmartcarDueAccount *smartcar_due_accounts_read(const SmartcarDueFilter *filter,
													  Datum *skipped_ids, int skipped_count,
													  int limit, int *count);
extern TimestampTz smartcar_due_accounts_next_attempt(const SmartcarDueFilter *filter,
													  int within);

#endif							/* SMARTCAR_DUE_ACCOUNT_H */
