/*-------------------------------------------------------------------------
 *
 * connection_subscription.h
 *	  Statements on the table smartcar_tesla.connection about subscriptions to
 *	  webhooks.
 *
 * src/manager/connection_subscription.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_SUBSCRIPTION_H
#define SMARTCAR_CONNECTION_SUBSCRIPTION_H

#include "postgres.h"

#include "manager/sync_users.h"

typedef struct SmartcarSubscriber
{
	const char *user_id;
	const char *vehicle_id;
	bool		is_subscribed;
} SmartcarSubscriber;

extern SmartcarSubscriber *smartcar_subscribers_read(const SmartcarUserFilter *filter,
													 const char *webhook_id, bool all,
													 const SmartcarSubscriber *last,
													 int limit, int *count);
extern void smartcar_subscribers_record(const SmartcarServer *server, const char *webhook_id,
										const SmartcarSubscriber *subscribers, int count);

#endif							/* SMARTCAR_CONNECTION_SUBSCRIPTION_H */
