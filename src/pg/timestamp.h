/*-------------------------------------------------------------------------
 *
 * timestamp.h
 *	  Points in time as Smartcar writes them, as timestamps.
 *
 * src/pg/timestamp.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PG_TIMESTAMP_H
#define SMARTCAR_PG_TIMESTAMP_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "core/span.h"
#include "core/timestamp.h"

/* Returns false for what is not a point in time that PostgreSQL can hold. */
static inline bool
smartcar_timestamptz(SmartcarSpan text, TimestampTz *timestamp)
{
	int64_t		microseconds;

	if (text.data == NULL || !smartcar_timestamp_parse(text, &microseconds))
		return false;
	*timestamp = microseconds -
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	return IS_VALID_TIMESTAMP(*timestamp);
}

#endif							/* SMARTCAR_PG_TIMESTAMP_H */
