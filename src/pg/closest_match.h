/*-------------------------------------------------------------------------
 *
 * closest_match.h
 *	  Finds the name that is closest to a mistyped one, ignoring its case.
 *
 * src/pg/closest_match.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CLOSEST_MATCH_H
#define SMARTCAR_CLOSEST_MATCH_H

#include "core/span.h"

typedef struct SmartcarClosestMatch
{
	SmartcarSpan source;
	SmartcarSpan match;			/* no data if nothing is close enough */
	int			distance;
} SmartcarClosestMatch;

extern void smartcar_closest_match_begin(SmartcarClosestMatch *state, SmartcarSpan source);
extern void smartcar_closest_match_try(SmartcarClosestMatch *state, SmartcarSpan candidate);

#endif							/* SMARTCAR_CLOSEST_MATCH_H */
