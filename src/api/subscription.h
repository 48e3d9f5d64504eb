/*-------------------------------------------------------------------------
 *
 * subscription.h
 *	  Webhooks of the v3 API, and their subscriptions.
 *
 * src/api/subscription.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SUBSCRIPTION_H
#define SMARTCAR_SUBSCRIPTION_H

#include "postgres.h"

#include "call/call.h"

extern void smartcar_subscriptions_begin(SmartcarCall *call, SmartcarServer *server,
										 SmartcarSpan webhook_id, int count);

#endif							/* SMARTCAR_SUBSCRIPTION_H */
