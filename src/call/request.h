/*-------------------------------------------------------------------------
 *
 * request.h
 *	  Builds the requests of an item.
 *
 * src/call/request.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_REQUEST_H
#define SMARTCAR_REQUEST_H

#include "postgres.h"

#include "call/item.h"

extern SmartcarOption smartcar_host_option(SmartcarHost host);
extern void smartcar_call_use_basic(SmartcarCall *call, const char *user, const char *password);
extern void smartcar_call_use_client(SmartcarCall *call);

extern void smartcar_request_begin(SmartcarCall *call, SmartcarItem *item,
								   const char *method, SmartcarHost host, SmartcarSpan path);
extern void smartcar_request_endpoint(SmartcarCall *call, SmartcarItem *item,
									  SmartcarEndpoint endpoint, SmartcarSpan id);
extern void smartcar_request_header(SmartcarItem *item, const char *name, SmartcarSpan value);
extern void smartcar_request_query(SmartcarItem *item, const char *name, SmartcarSpan value);
extern void smartcar_request_query_number(SmartcarItem *item, const char *name, int64 value);
extern void smartcar_request_body(SmartcarItem *item, const char *content_type,
								  SmartcarSpan body);

extern void smartcar_append_encoded(StringInfo target, SmartcarSpan value);

#endif							/* SMARTCAR_REQUEST_H */
