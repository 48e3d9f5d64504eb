/*-------------------------------------------------------------------------
 *
 * completion.h
 *	  Completes the incomplete link of an API error.
 *
 * src/core/completion.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_COMPLETION_H
#define SMARTCAR_COMPLETION_H

#include "core/span.h"

/* Parameters without data are not changed. */
typedef struct SmartcarCompletion
{
	SmartcarSpan url;
	SmartcarSpan redirect_uri;
	SmartcarSpan state;
	SmartcarSpan external_id;
} SmartcarCompletion;

extern bool smartcar_url_has_origin(SmartcarSpan url, SmartcarSpan origin);
extern bool smartcar_url_has_parameter(SmartcarSpan url, SmartcarSpan name);
extern size_t smartcar_completion_write(const SmartcarCompletion *completion, char *target);

#endif							/* SMARTCAR_COMPLETION_H */
