/*-------------------------------------------------------------------------
 *
 * timestamp.h
 *	  Parses the timestamps of Smartcar's responses.
 *
 * src/core/timestamp.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TIMESTAMP_H
#define SMARTCAR_TIMESTAMP_H

#include "core/span.h"

extern bool smartcar_timestamp_parse(SmartcarSpan text, int64_t *microseconds);

#endif							/* SMARTCAR_TIMESTAMP_H */
