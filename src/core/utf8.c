/*-------------------------------------------------------------------------
 *
 * utf8.c
 *	  Whether bytes are well-formed UTF-8.
 *
 * The server has a validator of its own, but the core must stand without the
 * server, and what comes out of a percent-decoded callback has to be checked
 * here, where the offending parameter is still known.
 *
 * src/core/utf8.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/utf8.h"

/*
 * The length of the sequence at the start of bytes, or 0 if there is no
 * well-formed one.  The ranges of the second byte are those of RFC 3629, which
 * leave no room for overlong forms, surrogates and what lies above U+10FFFF.
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
 * How many bytes from the start are well-formed UTF-8.  The result equals
 * bytes.length if all are; otherwise it is the offset of the first sequence
 * that is not.
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
