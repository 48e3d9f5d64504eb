/*-------------------------------------------------------------------------
 *
 * webhook_event.h
 *	  Statements on the table smartcar_tesla.webhook_event.
 *
 * src/manager/webhook_event.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_WEBHOOK_EVENT_H
#define SMARTCAR_WEBHOOK_EVENT_H

#include "postgres.h"

#include "pg/server.h"

extern bool smartcar_webhook_event_insert(const SmartcarServer *server, SmartcarSpan event_id);
extern void smartcar_webhook_events_delete_expired(const SmartcarServer *server);

#endif							/* SMARTCAR_WEBHOOK_EVENT_H */
