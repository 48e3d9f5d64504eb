/*-------------------------------------------------------------------------
 *
 * timestamp.h
 *	  Points in time as Smartcar writes them.
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
