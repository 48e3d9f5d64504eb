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

/* Smartcar does not say how long a refresh token lasts; its documentation does. */
#define SMARTCAR_REFRESH_LIFETIME	(INT64CONST(60) * USECS_PER_DAY)

/*
 * Whether nobody refreshes an account.  A lease that ends further away than one
 * lasts comes from a clock that was wrong.
 */
#define SMARTCAR_NOT_LEASED \
	"(leased_until IS NULL OR leased_until <= @now OR leased_until > @now + interval '1 minute')"

extern void smartcar_account_lock_table_nowait(void);
extern void smartcar_account_store(const SmartcarServer *server, SmartcarKeyRing *ring,
								   const char *provisional_id, const char *external_id,
								   const SmartcarTokenRequest *answer);
extern bool smartcar_account_renew(const SmartcarServer *server, const SmartcarKeyRing *ring,
								   const char *user_id, Datum lease,
								   bytea *old_refresh_token,
								   const SmartcarTokenRequest *answer);
extern const SmartcarFailure *smartcar_account_settle(SmartcarServer *server,
													  SmartcarKeyRing *ring,
													  const char *provisional_id,
													  SmartcarSpan access_token,
													  const char **user_id);
extern void smartcar_account_note(const SmartcarServer *server, const char *user_id,
								  const char *external_id);

#endif							/* SMARTCAR_ACCOUNT_H */
