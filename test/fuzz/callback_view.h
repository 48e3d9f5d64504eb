/*-------------------------------------------------------------------------
 *
 * callback_view.h
 *	  A parsed callback, with nothing in it that is not defined.
 *
 * test/fuzz/callback_view.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FUZZ_CALLBACK_VIEW_H
#define SMARTCAR_FUZZ_CALLBACK_VIEW_H

#include "core/callback.h"
#include "harness.h"

/*
 * Parses into memory that is full of garbage, so that a field that is left
 * undefined is noticed.
 */
static inline SmartcarCallbackStatus
parse_callback(SmartcarSpan text, char *scratch, SmartcarCallback *callback,
			   SmartcarCallbackFault *fault)
{
	memset(callback, 0xFF, sizeof(*callback));
	memset(fault, 0xFF, sizeof(*fault));
	return smartcar_callback_parse(text, scratch, callback, fault);
}

/* The value of a field; no data: it is absent. */
static inline SmartcarSpan
callback_value(const SmartcarCallback *callback, int field)
{
	return callback->present & SMARTCAR_CALLBACK_BIT(field) ? callback->fields[field] : NOTHING;
}

#endif							/* SMARTCAR_FUZZ_CALLBACK_VIEW_H */
