/*-------------------------------------------------------------------------
 *
 * flags.h
 *	  The flags of a link, from jsonb.
 *
 * src/pg/flags.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FLAGS_H
#define SMARTCAR_FLAGS_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/link.h"

extern SmartcarWords smartcar_flags_from_jsonb(Jsonb *flags);

#endif							/* SMARTCAR_FLAGS_H */
