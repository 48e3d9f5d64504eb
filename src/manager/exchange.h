/*-------------------------------------------------------------------------
 *
 * exchange.h
 *	  Exchanges the code of a callback for tokens, and stores them.
 *
 * src/manager/exchange.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_EXCHANGE_H
#define SMARTCAR_EXCHANGE_H

#include "postgres.h"

#include "manager/key_ring.h"
#include "manager/session.h"

extern const char *smartcar_exchange_and_store(SmartcarServer *server, SmartcarKeyRing *ring,
											   const SmartcarSession *session, SmartcarSpan code,
											   SmartcarSessionResult *result);

#endif							/* SMARTCAR_EXCHANGE_H */
