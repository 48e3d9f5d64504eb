/*-------------------------------------------------------------------------
 *
 * redact.h
 *	  Redacts secrets in Smartcar's responses.
 *
 * src/call/redact.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_REDACT_H
#define SMARTCAR_REDACT_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "core/span.h"

extern SmartcarSpan smartcar_redact(SmartcarSpan text, List *secrets);
extern Jsonb *smartcar_redact_jsonb(Jsonb *json, List *secrets);

#endif							/* SMARTCAR_REDACT_H */
