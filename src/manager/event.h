/*-------------------------------------------------------------------------
 *
 * event.h
 *	  Applies an event of a webhook to the connections that it is about.
 *
 * src/manager/event.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_EVENT_H
#define SMARTCAR_EVENT_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "pg/server.h"

extern bool smartcar_event_apply(const SmartcarServer *server, JsonbContainer *body);

#endif							/* SMARTCAR_EVENT_H */
