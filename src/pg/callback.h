/*-------------------------------------------------------------------------
 *
 * callback.h
 *	  A callback of Connect, read or refused.
 *
 * src/pg/callback.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PG_CALLBACK_H
#define SMARTCAR_PG_CALLBACK_H

#include "postgres.h"

#include "core/callback.h"

extern void smartcar_callback_read(SmartcarSpan input, char *scratch,
								   SmartcarCallback *callback);

#endif							/* SMARTCAR_PG_CALLBACK_H */
