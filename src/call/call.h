/*-------------------------------------------------------------------------
 *
 * call.h
 *	  Runs calls to Smartcar, for one item or for many.
 *
 * This is the main header of src/call, which builds and authorizes requests to
 * Smartcar, and turns responses into results or failures.  libcurl belongs in
 * src/http, SQL functions in src/api, SQL statements and tables in src/manager.
 *
 * The types are in item.h.  A call is begun, its items are filled in, it is
 * authorized (authorization.h) and run.
 *
 * src/call/call.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CALL_H
#define SMARTCAR_CALL_H

#include "postgres.h"

#include "call/failure.h"
#include "call/item.h"
#include "call/response.h"

extern void smartcar_call_begin(SmartcarCall *call, SmartcarServer *server,
								const SmartcarOperation *operation, int item_count);
extern void smartcar_call_begin_refilled(SmartcarCall *call, SmartcarServer *server,
										 const SmartcarOperation *operation,
										 bool (*refill) (SmartcarCall *call, SmartcarItem *item),
										 void (*finished) (SmartcarCall *call,
														   SmartcarItem *item));
extern void smartcar_call_run(SmartcarCall *call);

#endif							/* SMARTCAR_CALL_H */
