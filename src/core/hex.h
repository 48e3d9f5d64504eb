/*-------------------------------------------------------------------------
 *
 * hex.h
 *	  Hexadecimal encoding and decoding.
 *
 * src/core/hex.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_HEX_H
#define SMARTCAR_HEX_H

#include "core/span.h"

/* The value of a digit of either case, or -1 for any other byte. */
extern const signed char smartcar_hex_values[256];

static inline int
smartcar_hex_value(char c)
{
	return smartcar_hex_values[(unsigned char) c];
}

extern void smartcar_hex_encode(const unsigned char *bytes, size_t count, char *target);
extern bool smartcar_hex_decode(SmartcarSpan digits, unsigned char *bytes, size_t count);

#endif							/* SMARTCAR_HEX_H */
