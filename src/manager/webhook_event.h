/*-------------------------------------------------------------------------
 *
 * webhook_event.h
 *	  Statements on the table smartcar_tesla.webhook_event.
 *
 * Smartcar delivers an event at least once, so the ids of events are kept as long
 * as it may repeat them.
 *
 * src/manager/webhook_event.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_WEBHOOK_EVENT_H
#define SMARTCAR_WEBHOOK_EVENT_H

#include "postgres.h"

#include "manager/connection.h"
#include "pg/server.h"

/*
 * The age up to which events are accepted.  Ids are kept for longer, because the clock
 * that dates the events may be behind ours.
 */
#define SMARTCAR_MAX_EVENT_AGE	USECS_PER_DAY

extern SmartcarConnectionRow *smartcar_webhook_event_insert(const SmartcarServer *server,
															SmartcarSpan event_id,
															SmartcarSpan vehicle_id,
															SmartcarSpan user_id, bool *is_new,
															int *count);

#endif							/* SMARTCAR_WEBHOOK_EVENT_H */
