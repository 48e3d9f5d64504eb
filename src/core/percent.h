/*-------------------------------------------------------------------------
 *
 * percent.h
 *	  Percent-encoding and decoding of query values.
 *
 * src/core/percent.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PERCENT_H
#define SMARTCAR_PERCENT_H

#include "core/span.h"

typedef enum SmartcarDecodeStatus
{
	SMARTCAR_DECODE_OK,
	SMARTCAR_DECODE_BROKEN_ESCAPE,	/* '%' without two hexadecimal digits */
	SMARTCAR_DECODE_NUL,		/* %00 */
	SMARTCAR_DECODE_NOT_UTF8
} SmartcarDecodeStatus;

extern size_t smartcar_percent_encoded_length(SmartcarSpan value);
extern char *smartcar_percent_encode(char *target, SmartcarSpan value);

extern bool smartcar_query_next(SmartcarSpan *query, SmartcarSpan *pair, SmartcarSpan *name);
extern SmartcarDecodeStatus smartcar_query_decode(SmartcarSpan value, char *scratch,
												  SmartcarSpan *decoded, size_t *offset);

#endif							/* SMARTCAR_PERCENT_H */
