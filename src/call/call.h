/*-------------------------------------------------------------------------
 *
 * call.h
 *	  Calls to Smartcar, about one vehicle or about many.
 *
 * This is the main header of src/call.  What lives in this folder: how requests
 * to Smartcar are made and authorized, and what becomes of responses and
 * errors.  What must not live here: libcurl (src/http has it), SQL functions
 * (src/api), SQL statements and tables (src/manager).
 *
 * The data is in item.h.  A call is filled in, authorized (authorization.h) and
 * run.  Its functions finished() and refill() may run SQL and commit while
 * smartcar_call_run() is at work.
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
