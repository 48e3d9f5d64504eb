/*-------------------------------------------------------------------------
 *
 * notify.h
 *	  What listeners on the channel smartcar_tesla hear.
 *
 * A commit with a NOTIFY takes a lock of the whole cluster, so only what somebody
 * can act on is told.
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
