/*-------------------------------------------------------------------------
 *
 * settle.h
 *	  Accounts whose user is not known yet.
 *
 * src/manager/settle.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SETTLE_H
#define SMARTCAR_SETTLE_H

#include "postgres.h"

#include "manager/key_ring.h"
#include "pg/server.h"

extern void smartcar_settle_accounts(SmartcarServer *server, SmartcarKeyRing *ring);

#endif							/* SMARTCAR_SETTLE_H */
