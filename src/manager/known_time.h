/*-------------------------------------------------------------------------
 *
 * known_time.h
 *	  The times of reports, which say which of two reports is the later one.
 *
 * A time in the future comes from a clock that was wrong.  A new report with such a time
 * counts as one of now, and a stored one as unknown.
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

/* The time at which a request was sent. */
static inline SmartcarKnownTime
smartcar_known_time(TimestampTz requested_at)
{
	SmartcarKnownTime time = {requested_at, requested_at, GetCurrentTimestamp(), false};

	return time;
}

/*
 * A time that Smartcar has sent.  One in whole seconds can be any time in that second.
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

/* The current time, for a report without a time. */
static inline SmartcarKnownTime
smartcar_arrival_time(void)
{
	SmartcarKnownTime time = smartcar_known_time(GetCurrentTimestamp());

	time.is_arrival = true;
	return time;
}

/* Whether a report replaces a stored one; DT_NOEND: none is stored. */
static inline bool
smartcar_replaces(const SmartcarKnownTime *time, TimestampTz stored)
{
	return stored <= time->latest || stored > time->now;
}

#endif							/* SMARTCAR_KNOWN_TIME_H */
