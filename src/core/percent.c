/*-------------------------------------------------------------------------
 *
 * percent.c
 *	  Percent-encoding of query values, and its reverse.
 *
 * What we write: letters, digits and "-._~" stay, every other byte becomes
 * %XX, a space %20.  That is the unreserved set of RFC 3986 and can be read by
 * every decoder, those that take '+' for a space included.
 *
 * What we read: '+' and %20 are both a space, because Smartcar's own pages
 * show both in callbacks.
 *
 * src/core/percent.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/percent.h"
#include "core/hex.h"
#include "core/utf8.h"

/* 1 for the bytes that stay as they are */
static const unsigned char unreserved[256] = {
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1,
	['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
	['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1,
	['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1,
	['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1,
	['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
	['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1,
	['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1,
	['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1,
	['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
	['-'] = 1, ['.'] = 1, ['_'] = 1, ['~'] = 1
};

static size_t
count_unreserved(SmartcarSpan value)
{
	const unsigned char *data = (const unsigned char *) value.data;
	size_t		count = 0;

	for (size_t i = 0; i < value.length; i++)
		count += unreserved[data[i]];
	return count;
}

size_t
smartcar_percent_encoded_length(SmartcarSpan value)
{
	return 3 * value.length - 2 * count_unreserved(value);
}

/*
 * Writes the encoded value and returns where it ends.  target has room for
 * smartcar_percent_encoded_length() bytes.
 */
char *
smartcar_percent_encode(char *target, SmartcarSpan value)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *data = (const unsigned char *) value.data;

	for (size_t i = 0; i < value.length; i++)
	{
		unsigned char byte = data[i];

		if (unreserved[byte])
			*target++ = (char) byte;
		else
		{
			*target++ = '%';
			*target++ = digits[byte >> 4];
			*target++ = digits[byte & 0x0F];
		}
	}
	return target;
}

/*
 * Decodes a value of a query.  A value that has nothing to decode is not
 * copied: *decoded then points into value itself.  Otherwise it points into
 * scratch, which has room for value.length bytes.
 *
 * On failure *offset says at which byte of value it happened.
 */
SmartcarDecodeStatus
smartcar_query_decode(SmartcarSpan value, char *scratch, SmartcarSpan *decoded,
					  size_t *offset)
{
	char	   *target = scratch;
	size_t		i = 0;

	*offset = 0;
	if (value.length > 0)
	{
		const char *zero = memchr(value.data, '\0', value.length);

		if (zero != NULL)
		{
			*offset = (size_t) (zero - value.data);
			return SMARTCAR_DECODE_NUL;
		}
	}

	if (value.length == 0 ||
		(memchr(value.data, '%', value.length) == NULL &&
		 memchr(value.data, '+', value.length) == NULL))
	{
		*decoded = value;
	}
	else
	{
		while (i < value.length)
		{
			char		c = value.data[i];

			if (c == '%')
			{
				int			high = i + 2 < value.length ? smartcar_hex_value(value.data[i + 1]) : -1;
				int			low = i + 2 < value.length ? smartcar_hex_value(value.data[i + 2]) : -1;

				if (high < 0 || low < 0)
				{
					*offset = i;
					return SMARTCAR_DECODE_BROKEN_ESCAPE;
				}
				if (high == 0 && low == 0)
				{
					*offset = i;
					return SMARTCAR_DECODE_NUL;
				}
				*target++ = (char) (high << 4 | low);
				i += 3;
			}
			else
			{
				*target++ = (c == '+') ? ' ' : c;
				i++;
			}
		}
		*decoded = smartcar_span(scratch, (size_t) (target - scratch));
	}

	{
		size_t		valid = smartcar_utf8_valid_prefix(*decoded);

		if (valid != decoded->length)
		{
			/* back from the decoded position to that of the encoded value */
			for (i = 0; valid > 0; valid--)
				i += (value.data[i] == '%') ? 3 : 1;
			*offset = i;
			return SMARTCAR_DECODE_NOT_UTF8;
		}
	}
	return SMARTCAR_DECODE_OK;
}
