/*-------------------------------------------------------------------------
 *
 * parse_callback.h
 *	  Parses a callback, and raises SQL errors and warnings.
 *
 * src/pg/parse_callback.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PARSE_CALLBACK_H
#define SMARTCAR_PARSE_CALLBACK_H

#include "postgres.h"

#include "core/callback.h"

extern void smartcar_parse_callback_text(SmartcarSpan input, char *scratch,
										 SmartcarCallback *callback);

#endif							/* SMARTCAR_PARSE_CALLBACK_H */
