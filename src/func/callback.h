/*-------------------------------------------------------------------------
 *
 * callback.h
 *	  A callback of Connect, read or refused.
 *
 * src/func/callback.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FUNC_CALLBACK_H
#define SMARTCAR_FUNC_CALLBACK_H

#include "postgres.h"

#include "core/callback.h"

extern void smartcar_callback_read(SmartcarSpan input, char *scratch,
								   SmartcarCallback *callback);

#endif							/* SMARTCAR_FUNC_CALLBACK_H */
