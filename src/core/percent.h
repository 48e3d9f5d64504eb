/*-------------------------------------------------------------------------
 *
 * percent.h
 *	  Percent-encoding of query values, and its reverse.
 *
 * src/core/percent.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PERCENT_H
#define SMARTCAR_PERCENT_H

#include "core/block.h"
#include "core/span.h"

/*
 * Every byte with a meaning of its own in the values of a query, which are "#",
 * "%", "&" and "+", is below this one, and hardly any other is.
 */
#define SMARTCAR_FIRST_ORDINARY		','

/* The first byte that is not ordinary, or the end. */
static inline const char *
smartcar_skip_ordinary(const char *position, const char *end)
{
	while (end - position >= SMARTCAR_BLOCK_SIZE)
	{
		uint64_t	mask = smartcar_block_below(smartcar_block_load(position),
												SMARTCAR_FIRST_ORDINARY);

		if (mask != 0)
			return position + smartcar_block_first(mask);
		position += SMARTCAR_BLOCK_SIZE;
	}
	while (position < end && (unsigned char) *position >= SMARTCAR_FIRST_ORDINARY)
		position++;
	return position;
}

typedef enum SmartcarDecodeStatus
{
	SMARTCAR_DECODE_OK,
	SMARTCAR_DECODE_BROKEN_ESCAPE,	/* '%' without two hexadecimal digits */
	SMARTCAR_DECODE_NUL,		/* %00 */
	SMARTCAR_DECODE_NOT_UTF8
} SmartcarDecodeStatus;

extern size_t smartcar_percent_encoded_length(SmartcarSpan value);
extern char *smartcar_percent_encode(char *target, SmartcarSpan value);

extern SmartcarDecodeStatus smartcar_query_decode(SmartcarSpan value, char *scratch,
												  SmartcarSpan *decoded, size_t *offset);

#endif							/* SMARTCAR_PERCENT_H */
