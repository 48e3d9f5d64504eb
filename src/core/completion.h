/*-------------------------------------------------------------------------
 *
 * completion.h
 *	  The completion of the half-built link that an API error carries.
 *
 * src/core/completion.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_COMPLETION_H
#define SMARTCAR_COMPLETION_H

#include "core/span.h"

typedef struct SmartcarCompletion
{
	SmartcarSpan url;
	SmartcarSpan redirect_uri;	/* no data: keep what the link has */
	SmartcarSpan state;
	SmartcarSpan external_id;
} SmartcarCompletion;

extern bool smartcar_url_has_origin(SmartcarSpan url, SmartcarSpan origin);
extern bool smartcar_url_has_parameter(SmartcarSpan url, SmartcarSpan name);
extern size_t smartcar_completion_write(const SmartcarCompletion *completion, char *target);

#endif							/* SMARTCAR_COMPLETION_H */
