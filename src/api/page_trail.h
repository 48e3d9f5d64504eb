/*-------------------------------------------------------------------------
 *
 * page_trail.h
 *	  Whether the pages of a list go round in a circle.
 *
 * src/api/page_trail.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PAGE_TRAIL_H
#define SMARTCAR_PAGE_TRAIL_H

#include "postgres.h"

#include "core/span.h"

/* Starts as zeros. */
typedef struct SmartcarPageTrail
{
	SmartcarSpan mark;			/* of one page that was passed */
	int64		pages;			/* so many were passed */
	int64		renewal;		/* and the mark is replaced after so many */
} SmartcarPageTrail;

extern bool smartcar_page_trail_returns(SmartcarPageTrail *trail, MemoryContext context,
										SmartcarSpan mark);

#endif							/* SMARTCAR_PAGE_TRAIL_H */
