/*-------------------------------------------------------------------------
 *
 * known_time.h
 *	  When something was known, by which the older of two reports loses.
 *
 * A time that is still to come is that of a clock that was wrong.  A report with
 * such a time counts as one of now, and a stored one as unknown.
 *
 * src/manager/known_time.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_KNOWN_TIME_H
#define SMARTCAR_KNOWN_TIME_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/timestamp.h"

typedef struct SmartcarKnownTime
{
	TimestampTz at;
	TimestampTz latest;			/* the latest time that it can mean */
	TimestampTz now;
	bool		is_arrival;		/* the report has no time of its own */
} SmartcarKnownTime;

/* When Smartcar was asked. */
static inline SmartcarKnownTime
smartcar_known_time(TimestampTz asked_at)
{
	SmartcarKnownTime time = {asked_at, asked_at, GetCurrentTimestamp(), false};

	return time;
}

/*
 * A time that Smartcar wrote.  Some are in whole seconds, so one of those may be
 * any time in that second.
 */
static inline SmartcarKnownTime
smartcar_reported_time(TimestampTz reported)
{
	SmartcarKnownTime time = smartcar_known_time(reported);

	if (time.at % USECS_PER_SEC == 0)
		time.latest = time.at + USECS_PER_SEC - 1;
	time.at = Min(time.at, time.now);
	time.latest = Min(time.latest, time.now);
	return time;
}

static inline SmartcarKnownTime
smartcar_arrival_time(void)
{
	SmartcarKnownTime time = smartcar_known_time(GetCurrentTimestamp());

	time.is_arrival = true;
	return time;
}

/* Whether a report takes the place of one that is stored; DT_NOEND: none is. */
static inline bool
smartcar_replaces(const SmartcarKnownTime *time, TimestampTz stored)
{
	return stored <= time->latest || stored > time->now;
}

#endif							/* SMARTCAR_KNOWN_TIME_H */
