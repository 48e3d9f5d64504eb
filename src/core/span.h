/*-------------------------------------------------------------------------
 *
 * span.h
 *	  A string with a length, which does not own its bytes.
 *
 * This is the main header of src/core, which holds what Smartcar and Tesla
 * define: permissions, links, callbacks, virtual keys, endpoints and the error
 * catalogue.  It is plain C11, so that it can be built, tested and fuzzed
 * without a server.  It must not include postgres.h, allocate memory, change
 * global state or use the network.  A function that writes text first tells
 * its caller the length, and then writes into the caller's memory.
 *
 * Text in this folder is UTF-8; the callers convert.
 *
 * src/core/span.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SPAN_H
#define SMARTCAR_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * data is NULL if there is no value, which is not the same as an empty value.
 */
typedef struct SmartcarSpan
{
	const char *data;
	size_t		length;
} SmartcarSpan;

#define SMARTCAR_SPAN(literal) \
	((SmartcarSpan) {(literal), sizeof(literal) - 1})

static inline SmartcarSpan
smartcar_span(const char *data, size_t length)
{
	SmartcarSpan span = {data, length};

	return span;
}

static inline SmartcarSpan
smartcar_span_from_string(const char *string)
{
	return smartcar_span(string, string ? strlen(string) : 0);
}

static inline bool
smartcar_span_equal(SmartcarSpan a, SmartcarSpan b)
{
	return a.length == b.length &&
		(a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool
smartcar_span_starts_with(SmartcarSpan span, SmartcarSpan prefix)
{
	return span.length >= prefix.length &&
		memcmp(span.data, prefix.data, prefix.length) == 0;
}

/* The span without its first count bytes.  It must have that many. */
static inline SmartcarSpan
smartcar_span_skip(SmartcarSpan span, size_t count)
{
	return smartcar_span(span.data + count, span.length - count);
}

/* Copies the bytes and returns where they end. */
static inline char *
smartcar_span_copy(char *target, SmartcarSpan span)
{
	memcpy(target, span.data, span.length);
	return target + span.length;
}

/* ASCII only: the functions of <ctype.h> depend on the locale. */
static inline char
smartcar_ascii_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char) (c | 0x20) : c;
}

static inline bool
smartcar_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
smartcar_is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

/*
 * Parses a number that consists of 1 to max_digits digits.  Returns false for
 * anything else.
 */
static inline bool
smartcar_span_to_number(SmartcarSpan span, size_t max_digits, int64_t *number)
{
	int64_t		result = 0;

	if (span.length == 0 || span.length > max_digits)
		return false;
	for (size_t i = 0; i < span.length; i++)
	{
		if (!smartcar_is_digit(span.data[i]))
			return false;
		result = result * 10 + (span.data[i] - '0');
	}
	*number = result;
	return true;
}

/* Whether the span is not empty and all of it is visible ASCII, without spaces. */
static inline bool
smartcar_span_is_visible(SmartcarSpan span)
{
	for (size_t i = 0; i < span.length; i++)
	{
		if (span.data[i] < 0x21 || span.data[i] > 0x7E)
			return false;
	}
	return span.length > 0;
}

/* Ignores the case of ASCII letters only. */
static inline bool
smartcar_span_equal_ignoring_case(SmartcarSpan a, SmartcarSpan b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++)
	{
		if (smartcar_ascii_lower(a.data[i]) != smartcar_ascii_lower(b.data[i]))
			return false;
	}
	return true;
}

#endif							/* SMARTCAR_SPAN_H */
