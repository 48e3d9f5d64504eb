/*-------------------------------------------------------------------------
 *
 * account.h
 *	  The tokens of an owner in the table smartcar_tesla.account.
 *
 * src/manager/account.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ACCOUNT_H
#define SMARTCAR_ACCOUNT_H

#include "postgres.h"

#include "call/token_request.h"
#include "manager/key_ring.h"
#include "pg/server.h"

/*
 * The user_id of a provisional account begins so: its tokens were stored before Smartcar
 * said whose they are.
 */
#define SMARTCAR_PROVISIONAL_PREFIX		"session-"

/*
 * How long tokens last, by Smartcar's documentation.  A response may say it of the
 * access token, but never of the refresh token.
 */
#define SMARTCAR_ACCESS_LIFETIME	(INT64CONST(2) * USECS_PER_HOUR)
#define SMARTCAR_REFRESH_LIFETIME	(INT64CONST(60) * USECS_PER_DAY)

/*
 * In milliseconds.  Two leases fit into the minute for which Smartcar still accepts an
 * old refresh token.
 */
#define SMARTCAR_LEASE	20000

/*
 * Whether no session has a lease on an account.  None lasts longer than SMARTCAR_LEASE:
 * one that ends later comes from a clock that was ahead, and the old token could expire
 * before it.  One second is added because @now is the time at which the statement began.
 */
#define SMARTCAR_NOT_LEASED \
	"(leased_until IS NULL OR leased_until <= @now " \
	"OR leased_until > @now + interval '" CppAsString2(SMARTCAR_LEASE) " ms' + interval '1 s')"

/* Why an account could not be refreshed. */
typedef struct SmartcarRefreshFailure
{
	const char *sqlstate;
	const char *description;
	bool		is_refusal;		/* the owner has to connect again */
	int			delay;			/* before the next attempt, in milliseconds */
} SmartcarRefreshFailure;

/* The sealed tokens of an account; NULL for one that it does not have. */
typedef struct SmartcarSealedTokens
{
	char	   *user_id;
	bytea	   *access_token;
	bytea	   *refresh_token;
} SmartcarSealedTokens;

extern void smartcar_account_begin_storing(const SmartcarServer *server, SmartcarKeyRing *ring);
extern bytea *smartcar_account_seal(const SmartcarServer *server, const SmartcarKeyRing *ring,
									const char *user_id, const char *kind, SmartcarSpan token);
extern void smartcar_account_insert(const SmartcarServer *server, SmartcarKeyRing *ring,
									const char *provisional_id, const char *external_id,
									const SmartcarTokenRequest *response);
extern bool smartcar_account_store_refreshed(const SmartcarServer *server, SmartcarKeyRing *ring,
											 const char *user_id, Datum lease,
											 bytea *old_refresh_token,
											 const SmartcarTokenRequest *response);
extern bool smartcar_account_record_failure(const SmartcarServer *server, const char *user_id,
											Datum lease, const SmartcarRefreshFailure *failure);
extern void smartcar_accounts_lock_available(const SmartcarServer *server,
											 const char *const *user_ids, int count,
											 bool *is_locked);
extern bool smartcar_account_lock_if_refused(const SmartcarServer *server, const char *user_id);

extern bool smartcar_account_is_provisional(const char *user_id);
extern void smartcar_account_report_no_tokens(const SmartcarServer *server);
extern void smartcar_account_record_user(const SmartcarServer *server, const char *user_id,
										 const char *external_id);

extern int	smartcar_account_read_tokens(const SmartcarServer *server, const char *after,
										 SmartcarSealedTokens *tokens, int limit);
extern bool smartcar_account_replace_tokens(const SmartcarServer *server,
											const SmartcarSealedTokens *old,
											bytea *new_access_token,
											bytea *new_refresh_token);
extern Oid	smartcar_account_table(void);

#endif							/* SMARTCAR_ACCOUNT_H */
