/*-------------------------------------------------------------------------
 *
 * signal.h
 *	  Signals of a vehicle, as the v3 API and webhooks write them.
 *
 * src/api/signal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SIGNAL_H
#define SMARTCAR_SIGNAL_H

#include "postgres.h"

#include "api/connection_pages.h"
#include "call/call.h"

/* A signal; what it points to is part of the response. */
typedef struct SmartcarSignal
{
	JsonbContainer *attributes;
	SmartcarSpan code;
	SmartcarSpan status;		/* no data: it has none */
	JsonbContainer *body;		/* NULL: it has no value */
	JsonbContainer *error;		/* NULL: it could be read */
	JsonbContainer *meta;		/* NULL: it has no times */
} SmartcarSignal;

/* How far an item has come in the pages of a list; starts as zeros. */
typedef struct SmartcarSignalWalk
{
	int			page;			/* the last one that has come */
	int64		listed;			/* signals on the pages that have come */
	SmartcarPageTrail trail;
} SmartcarSignalWalk;

typedef void (*SmartcarSignalVisitor) (SmartcarCall *call, SmartcarItem *item,
									   const SmartcarApiResponse *response,
									   const SmartcarSignal *signal);

extern bool smartcar_has_no_value(const SmartcarApiResponse *response);
extern bool smartcar_signal_read(JsonbContainer *object, SmartcarSignal *signal);
extern const SmartcarFailure *smartcar_signal_failure(SmartcarCall *call, SmartcarItem *item,
													  const SmartcarApiResponse *response,
													  const SmartcarSignal *signal);
extern void smartcar_signals_ask(SmartcarCall *call, SmartcarItem *item,
								 SmartcarSignalWalk *walk);
extern bool smartcar_signals_parse(SmartcarCall *call, SmartcarItem *item,
								   SmartcarSignalWalk *walk,
								   const SmartcarApiResponse *response,
								   SmartcarSignalVisitor visit);

#endif							/* SMARTCAR_SIGNAL_H */
