/*-------------------------------------------------------------------------
 *
 * hint.h
 *	  Hints for Smartcar's errors.
 *
 * src/call/hint.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_HINT_H
#define SMARTCAR_HINT_H

#include "postgres.h"

#include "pg/api_error.h"
#include "pg/server.h"

extern const char *smartcar_hint(const SmartcarServer *server, SmartcarSpan vehicle_id,
								 const SmartcarApiError *api_error);

#endif							/* SMARTCAR_HINT_H */
