/*-------------------------------------------------------------------------
 *
 * response.h
 *	  Validates and parses Smartcar's responses.
 *
 * src/call/response.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_RESPONSE_H
#define SMARTCAR_RESPONSE_H

#include "postgres.h"

#include "call/item.h"

extern bool smartcar_item_read_response(SmartcarCall *call, SmartcarItem *item,
										const SmartcarResponse *response,
										SmartcarApiResponse *result);
extern void smartcar_item_refuse(SmartcarCall *call, SmartcarItem *item,
								 const SmartcarApiResponse *response,
								 JsonbContainer *object);
extern void smartcar_item_fail(SmartcarCall *call, SmartcarItem *item, const char *reason);

#endif							/* SMARTCAR_RESPONSE_H */
