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
 * Tokens are stored before it is known whose they are; the account then has an
 * id that begins so.
 */
#define SMARTCAR_PROVISIONAL_PREFIX		"session-"

/*
 * How long tokens last where Smartcar does not say so; its documentation does.
 * Of refresh tokens it never says.
 */
#define SMARTCAR_ACCESS_LIFETIME	(INT64CONST(2) * USECS_PER_HOUR)
#define SMARTCAR_REFRESH_LIFETIME	(INT64CONST(60) * USECS_PER_DAY)

/* In milliseconds: two leases fit into the minute in which an old token is good. */
#define SMARTCAR_LEASE	20000

/*
 * Whether nobody refreshes an account.  A lease that ends further away than one
 * lasts comes from a clock that was ahead; if it stood, the old token could
 * expire with it.  A second more, because @now is when a statement began.
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

/* What an account has, sealed; NULL where it has none. */
typedef struct SmartcarSealedTokens
{
	char	   *user_id;
	bytea	   *access_token;
	bytea	   *refresh_token;
} SmartcarSealedTokens;

extern void smartcar_account_begin_storing(const SmartcarServer *server, SmartcarKeyRing *ring);
extern bytea *smartcar_account_seal(const SmartcarServer *server, const SmartcarKeyRing *ring,
									const char *user_id, const char *kind, SmartcarSpan token);
extern void smartcar_account_store(const SmartcarServer *server, SmartcarKeyRing *ring,
								   const char *provisional_id, const char *external_id,
								   const SmartcarTokenRequest *response);
extern bool smartcar_account_renew(const SmartcarServer *server, SmartcarKeyRing *ring,
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
extern void smartcar_account_no_tokens_notice(const SmartcarServer *server);
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
