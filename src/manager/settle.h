/*-------------------------------------------------------------------------
 *
 * settle.h
 *	  Finds out the users of provisional accounts.
 *
 * src/manager/settle.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SETTLE_H
#define SMARTCAR_SETTLE_H

#include "postgres.h"

#include "call/failure.h"
#include "manager/key_ring.h"
#include "pg/server.h"

extern const SmartcarFailure *smartcar_account_settle(SmartcarServer *server,
													  SmartcarKeyRing *ring,
													  const char *provisional_id,
													  SmartcarSpan access_token,
													  bool is_latest,
													  const char **user_id);
extern void smartcar_settle_accounts(SmartcarServer *server, SmartcarKeyRing *ring);

#endif							/* SMARTCAR_SETTLE_H */
