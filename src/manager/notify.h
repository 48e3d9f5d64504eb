/*-------------------------------------------------------------------------
 *
 * notify.h
 *	  Notifications on the channel smartcar_tesla.
 *
 * A commit with a NOTIFY takes a lock on the whole cluster, so only changes that an
 * application can act on are sent.
 *
 * src/manager/notify.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_NOTIFY_H
#define SMARTCAR_NOTIFY_H

#include "postgres.h"

#include "core/span.h"
#include "manager/connection.h"

extern void smartcar_notify(const SmartcarServer *server, SmartcarSpan event,
							const SmartcarConnectionRow *connection);
extern void smartcar_notify_owner_changed(const SmartcarServer *server,
										  const SmartcarConnectionRow *connection);

#endif							/* SMARTCAR_NOTIFY_H */
