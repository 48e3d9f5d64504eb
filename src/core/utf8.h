/*-------------------------------------------------------------------------
 *
 * utf8.h
 *	  Validation of UTF-8.
 *
 * src/core/utf8.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_UTF8_H
#define SMARTCAR_UTF8_H

#include "core/span.h"

extern size_t smartcar_utf8_valid_prefix(SmartcarSpan bytes);

static inline bool
smartcar_utf8_valid(SmartcarSpan bytes)
{
	return smartcar_utf8_valid_prefix(bytes) == bytes.length;
}

#endif							/* SMARTCAR_UTF8_H */
