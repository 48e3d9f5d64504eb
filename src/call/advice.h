/*-------------------------------------------------------------------------
 *
 * advice.h
 *	  What to do about an error, in words.
 *
 * src/call/advice.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ADVICE_H
#define SMARTCAR_ADVICE_H

#include "postgres.h"

#include "pg/error_answer.h"
#include "pg/server.h"

extern const char *smartcar_advice(const SmartcarServer *server, SmartcarSpan vehicle_id,
								   const SmartcarErrorAnswer *answer);

#endif							/* SMARTCAR_ADVICE_H */
