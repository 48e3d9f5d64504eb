/*-------------------------------------------------------------------------
 *
 * hex.h
 *	  Bytes as hexadecimal digits.
 *
 * src/core/hex.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_HEX_H
#define SMARTCAR_HEX_H

#include "core/span.h"

extern int	smartcar_hex_value(char c);
extern void smartcar_hex_encode(const unsigned char *bytes, size_t count, char *target);
extern bool smartcar_hex_decode(SmartcarSpan digits, unsigned char *bytes, size_t count);

#endif							/* SMARTCAR_HEX_H */
