/*-------------------------------------------------------------------------
 *
 * flags.h
 *	  Converts flags from jsonb to Smartcar's format.
 *
 * src/pg/flags.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FLAGS_H
#define SMARTCAR_FLAGS_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

#include "core/link.h"

extern SmartcarWords smartcar_flags_from_jsonb(Jsonb *flags);
extern SmartcarSpan smartcar_flags_argument(FunctionCallInfo fcinfo, int argument);

#endif							/* SMARTCAR_FLAGS_H */
