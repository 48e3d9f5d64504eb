/*-------------------------------------------------------------------------
 *
 * scrub.h
 *	  Secrets taken out of what somebody else wrote.
 *
 * src/call/scrub.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SCRUB_H
#define SMARTCAR_SCRUB_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "core/span.h"

extern SmartcarSpan smartcar_scrub(SmartcarSpan text, List *secrets);
extern Jsonb *smartcar_scrub_jsonb(Jsonb *json, List *secrets);

#endif							/* SMARTCAR_SCRUB_H */
