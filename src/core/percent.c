/*-------------------------------------------------------------------------
 *
 * percent.c
 *	  Percent-encoding and decoding of query values.
 *
 * Encoding keeps letters, digits and "-._~", which are the unreserved
 * characters of RFC 3986.  Every other byte becomes %XX.  A space becomes %20,
 * which all decoders understand, whether or not they read '+' as a space.
 *
 * Decoding accepts '+' and %20 as a space, because Smartcar's documentation
 * shows both in callbacks.
 *
 * src/core/percent.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/percent.h"
#include "core/hex.h"
#include "core/utf8.h"

/* Values are processed in blocks; count_in_block() has a term for each byte. */
#define BLOCK_SIZE	8

/* 1 for the bytes that are not encoded */
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

/* The number of unreserved bytes in a block. */
static inline unsigned int
count_in_block(const unsigned char *data)
{
	return (unsigned int) (unreserved[data[0]] + unreserved[data[1]] +
						   unreserved[data[2]] + unreserved[data[3]] +
						   unreserved[data[4]] + unreserved[data[5]] +
						   unreserved[data[6]] + unreserved[data[7]]);
}

size_t
smartcar_percent_encoded_length(SmartcarSpan value)
{
	const unsigned char *data = (const unsigned char *) value.data;
	size_t		count = 0;
	size_t		i = 0;

	for (; value.length - i >= BLOCK_SIZE; i += BLOCK_SIZE)
		count += count_in_block(data + i);
	for (; i < value.length; i++)
		count += unreserved[data[i]];
	return 3 * value.length - 2 * count;
}

/*
 * Writes the encoded value and returns its end.  target must have room for
 * smartcar_percent_encoded_length() bytes.
 */
char *
smartcar_percent_encode(char *target, SmartcarSpan value)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *data = (const unsigned char *) value.data;
	size_t		i = 0;

	while (i < value.length)
	{
		unsigned char byte;

		if (value.length - i >= BLOCK_SIZE &&
			count_in_block(data + i) == BLOCK_SIZE)
		{
			memcpy(target, data + i, BLOCK_SIZE);
			target += BLOCK_SIZE;
			i += BLOCK_SIZE;
			continue;
		}

		byte = data[i++];
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
 * Removes the next "name=value" from a query.  Returns false if there is none.
 * After the last one, query->data is NULL.
 */
bool
smartcar_query_next(SmartcarSpan *query, SmartcarSpan *pair, SmartcarSpan *name)
{
	const char *end;

	if (query->data == NULL)
		return false;

	end = query->length > 0 ? memchr(query->data, '&', query->length) : NULL;
	*pair = smartcar_span(query->data,
						  end ? (size_t) (end - query->data) : query->length);
	*query = end ? smartcar_span_skip(*query, pair->length + 1) : smartcar_span(NULL, 0);

	end = pair->length > 0 ? memchr(pair->data, '=', pair->length) : NULL;
	*name = smartcar_span(pair->data, end ? (size_t) (end - pair->data) : pair->length);
	return true;
}

/*
 * Converts an offset in the decoded value to the one in the encoded value.
 */
static size_t
encoded_offset(SmartcarSpan value, size_t decoded_offset)
{
	size_t		offset = 0;

	for (; decoded_offset > 0; decoded_offset--)
		offset += (value.data[offset] == '%') ? 3 : 1;
	return offset;
}

/*
 * Decodes a query value into scratch, which must have room for value.length
 * bytes.  value itself is valid UTF-8, like all text in this folder, but its
 * escapes may not be.  If decoding fails, *offset is the offending byte of
 * value.
 */
SmartcarDecodeStatus
smartcar_query_decode(SmartcarSpan value, char *scratch, SmartcarSpan *decoded,
					  size_t *offset)
{
	const char *position = value.data;
	const char *end = value.data + value.length;
	char	   *target = scratch;
	size_t		valid;
	int			all_bits = 0;	/* of all decoded escapes */

	while (position < end)
	{
		int			high;
		int			low;

		if (*position != '%')
		{
			*target++ = (*position == '+') ? ' ' : *position;
			position++;
			continue;
		}

		high = end - position > 2 ? smartcar_hex_value(position[1]) : -1;
		low = end - position > 2 ? smartcar_hex_value(position[2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0))
		{
			*offset = (size_t) (position - value.data);
			return (high < 0 || low < 0) ? SMARTCAR_DECODE_BROKEN_ESCAPE : SMARTCAR_DECODE_NUL;
		}
		all_bits |= high << 4;
		*target++ = (char) (high << 4 | low);
		position += 3;
	}

	*decoded = smartcar_span(scratch, (size_t) (target - scratch));
	if (all_bits < 0x80)
		return SMARTCAR_DECODE_OK;

	valid = smartcar_utf8_valid_prefix(*decoded);
	if (valid != decoded->length)
	{
		*offset = encoded_offset(value, valid);
		return SMARTCAR_DECODE_NOT_UTF8;
	}
	return SMARTCAR_DECODE_OK;
}
