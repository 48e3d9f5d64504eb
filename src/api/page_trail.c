/*-------------------------------------------------------------------------
 *
 * page_trail.c
 *	  Whether the pages of a list go round in a circle.
 *
 * A server that gives the same pages again and again would be asked for ever.
 * Of all pages that were passed one is remembered, and another one after twice
 * as many, so that a circle of any length is noticed (Brent's algorithm).
 *
 * src/api/page_trail.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/page_trail.h"

/*
 * Notes a page by its mark, which no other page has; context must last as long
 * as the trail.  Returns true if the page has come before.
 */
bool
smartcar_page_trail_returns(SmartcarPageTrail *trail, MemoryContext context, SmartcarSpan mark)
{
	char	   *copy;

	if (mark.length == 0)
		return false;
	if (trail->mark.data != NULL && smartcar_span_equal(mark, trail->mark))
		return true;
	if (trail->pages++ < trail->renewal)
		return false;

	copy = MemoryContextAlloc(context, mark.length);
	memcpy(copy, mark.data, mark.length);
	trail->mark = smartcar_span(copy, mark.length);
	trail->renewal = trail->pages * 2;
	return false;
}
