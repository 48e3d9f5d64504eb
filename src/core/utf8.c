/*-------------------------------------------------------------------------
 *
 * utf8.c
 *	  Validation of UTF-8.
 *
 * PostgreSQL validates UTF-8, too, but src/core must build without PostgreSQL,
 * and a decoded callback is validated while the parameter at fault is known.
 *
 * src/core/utf8.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/utf8.h"

/*
 * The length of the sequence at the start of bytes, or 0 if it is not
 * well-formed.  The ranges of the second byte, which are those of RFC 3629,
 * exclude overlong forms, surrogates and code points above U+10FFFF.
 */
static size_t
sequence_length(const unsigned char *bytes, size_t available)
{
	unsigned char lead = bytes[0];
	unsigned char lowest = 0x80;
	unsigned char highest = 0xBF;
	size_t		length;

	if (lead < 0x80)
		return 1;
	if (lead >= 0xC2 && lead <= 0xDF)
		length = 2;
	else if (lead >= 0xE0 && lead <= 0xEF)
	{
		length = 3;
		if (lead == 0xE0)
			lowest = 0xA0;
		else if (lead == 0xED)
			highest = 0x9F;
	}
	else if (lead >= 0xF0 && lead <= 0xF4)
	{
		length = 4;
		if (lead == 0xF0)
			lowest = 0x90;
		else if (lead == 0xF4)
			highest = 0x8F;
	}
	else
		return 0;

	if (length > available || bytes[1] < lowest || bytes[1] > highest)
		return 0;
	for (size_t i = 2; i < length; i++)
	{
		if ((bytes[i] & 0xC0) != 0x80)
			return 0;
	}
	return length;
}

/*
 * The length of the longest prefix that is well-formed UTF-8, which is also
 * the offset of the first sequence that is not.
 */
size_t
smartcar_utf8_valid_prefix(SmartcarSpan bytes)
{
	const unsigned char *data = (const unsigned char *) bytes.data;
	size_t		position = 0;

	while (position < bytes.length)
	{
		size_t		length = sequence_length(data + position, bytes.length - position);

		if (length == 0)
			break;
		position += length;
	}
	return position;
}
