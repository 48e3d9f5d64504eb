/*-------------------------------------------------------------------------
 *
 * signal.h
 *	  Parses the signals of a vehicle (v3).
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

/* A signal.  Its pointers are valid as long as the response. */
typedef struct SmartcarSignal
{
	JsonbContainer *attributes;
	SmartcarSpan code;
	SmartcarSpan status;		/* no data if it has none */
	JsonbContainer *body;		/* NULL if it has no value */
	JsonbContainer *error;		/* NULL if Smartcar could read it */
	JsonbContainer *meta;		/* NULL if it has no times */
} SmartcarSignal;

/* The progress of an item in the pages of a list.  Starts as zeros. */
typedef struct SmartcarSignalPages
{
	int			page;			/* the last one that was parsed */
	int64		listed;			/* number of signals on all parsed pages */
	SmartcarPageCycle cycle;
} SmartcarSignalPages;

typedef void (*SmartcarSignalVisitor) (SmartcarCall *call, SmartcarItem *item,
									   const SmartcarApiResponse *response,
									   const SmartcarSignal *signal);

extern bool smartcar_has_no_value(const SmartcarApiResponse *response);
extern bool smartcar_signal_parse(JsonbContainer *object, SmartcarSignal *signal);
extern const SmartcarFailure *smartcar_signal_failure(SmartcarCall *call, SmartcarItem *item,
													  const SmartcarApiResponse *response,
													  const SmartcarSignal *signal);
extern void smartcar_signals_prepare(SmartcarCall *call, SmartcarItem *item,
									 SmartcarSignalPages *pages);
extern bool smartcar_signals_parse(SmartcarCall *call, SmartcarItem *item,
								   SmartcarSignalPages *pages,
								   const SmartcarApiResponse *response,
								   SmartcarSignalVisitor visit);

#endif							/* SMARTCAR_SIGNAL_H */
