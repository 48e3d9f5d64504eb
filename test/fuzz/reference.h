/*-------------------------------------------------------------------------
 *
 * reference.h
 *	  A second, plain implementation of what src/core does cleverly.
 *
 * It is written from the rules and not from the code: UTF-8 is decoded to
 * code points and the code points are judged; a query is decoded byte by byte
 * into a copy that remembers where each byte came from.  Slow is fine here.
 *
 * test/fuzz/reference.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FUZZ_REFERENCE_H
#define SMARTCAR_FUZZ_REFERENCE_H

#include "core/percent.h"
#include "harness.h"

#include <ctype.h>
#include <regex.h>

/*
 * Decodes the code point at the start and returns how many bytes it took, or
 * 0 if there is no code point that these bytes are the right spelling of.
 */
static inline size_t
reference_code_point(const unsigned char *bytes, size_t available)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t	code_point;
	size_t		length = 0;

	while (length < 8 && (bytes[0] & (0x80 >> length)) != 0)
		length++;
	if (length == 0)
		return 1;
	if (length < 2 || length > 4 || length > available)
		return 0;

	code_point = bytes[0] & (0x7FU >> length);
	for (size_t i = 1; i < length; i++)
	{
		if (bytes[i] >> 6 != 2)
			return 0;
		code_point = code_point * 64 + bytes[i] % 64;
	}
	if (code_point < smallest[length] || code_point > 0x10FFFF ||
		(code_point >= 0xD800 && code_point <= 0xDFFF))
		return 0;
	return length;
}

/* The offset of the first byte that begins no code point. */
static inline size_t
reference_utf8_prefix(SmartcarSpan text)
{
	size_t		position = 0;

	while (position < text.length)
	{
		size_t		length = reference_code_point((const unsigned char *) text.data + position,
												  text.length - position);

		if (length == 0)
			break;
		position += length;
	}
	return position;
}

/* The byte that the escape at this place stands for, or -1 if there is none. */
static inline int
reference_escape(SmartcarSpan query, size_t place)
{
	char		digits[3] = "";

	if (query.data[place] != '%' || query.length - place < 3)
		return -1;
	memcpy(digits, query.data + place + 1, 2);
	if (!isxdigit((unsigned char) digits[0]) || !isxdigit((unsigned char) digits[1]))
		return -1;
	return (int) strtol(digits, NULL, 16);
}

/* A text out of a query: decoded in any case, with what is wrong with it. */
typedef struct ReferenceText
{
	SmartcarSpan bytes;
	const size_t *places;		/* where in the query each byte came from */
	size_t		utf8_prefix;
	bool		has_broken_escape;
	bool		has_zero;
} ReferenceText;

static inline ReferenceText
reference_decode(SmartcarSpan query)
{
	ReferenceText text = {{NULL, 0}, NULL, 0, false, false};
	char	   *bytes = block_new(query.length);
	size_t	   *places = block_new(query.length * sizeof(size_t));
	size_t		length = 0;

	for (size_t place = 0; place < query.length; place++)
	{
		int			escaped = reference_escape(query, place);

		places[length] = place;
		bytes[length] = query.data[place] == '+' ? ' ' : query.data[place];
		if (escaped >= 0)
		{
			bytes[length] = (char) escaped;
			place += 2;
		}
		else if (query.data[place] == '%')
			text.has_broken_escape = true;
		if (bytes[length] == '\0')
			text.has_zero = true;
		length++;
	}
	text.bytes = smartcar_span(bytes, length);
	text.places = places;
	text.utf8_prefix = reference_utf8_prefix(text.bytes);
	return text;
}

static inline bool
reference_text_acceptable(const ReferenceText *text)
{
	return !text->has_broken_escape && !text->has_zero &&
		text->utf8_prefix == text->bytes.length;
}

/*
 * What src/core promises, it promises for text as a server has it: UTF-8
 * without zero bytes.  Other bytes must do no harm and are tried for that.
 */
static inline bool
is_text(SmartcarSpan bytes)
{
	return reference_utf8_prefix(bytes) == bytes.length &&
		(bytes.length == 0 || memchr(bytes.data, '\0', bytes.length) == NULL);
}

/*
 * Holds the outcome of decoding a query value against the reference.  Of
 * several faults any may be reported, but where it is said to be, it must be.
 */
static inline void
reference_check_decode(SmartcarSpan query, SmartcarDecodeStatus status,
					   SmartcarSpan decoded, size_t offset)
{
	ReferenceText text;

	if (!is_text(query))
		return;
	text = reference_decode(query);
	PROPERTY((status == SMARTCAR_DECODE_OK) == reference_text_acceptable(&text), query,
			 "a value is decoded if and only if it is valid");
	if (status != SMARTCAR_DECODE_OK)
		PROPERTY(offset < query.length, query, "a fault lies within the value");
	switch (status)
	{
		case SMARTCAR_DECODE_OK:
			PROPERTY(smartcar_span_equal(decoded, text.bytes), query,
					 "a value is decoded as in the reference");
			break;
		case SMARTCAR_DECODE_BROKEN_ESCAPE:
			PROPERTY(query.data[offset] == '%' && reference_escape(query, offset) < 0, query,
					 "the fault has the place of the broken escape");
			break;
		case SMARTCAR_DECODE_NUL:
			PROPERTY(reference_escape(query, offset) == 0, query,
					 "the fault has the place of the zero byte");
			break;
		case SMARTCAR_DECODE_NOT_UTF8:
			PROPERTY(!text.has_broken_escape && text.utf8_prefix < text.bytes.length &&
					 offset == text.places[text.utf8_prefix], query,
					 "the first sequence that is not UTF-8 is where the fault says");
			break;
	}
}

/*
 * Extended regular expressions over bytes, to state a grammar in one line.
 */
static inline void
pattern_compile(regex_t *pattern, const char *expression)
{
	if (regcomp(pattern, expression, REG_EXTENDED | REG_NOSUB) != 0)
	{
		fprintf(stderr, "cannot compile the pattern %s\n", expression);
		abort();
	}
}

static inline bool
pattern_matches(const regex_t *pattern, SmartcarSpan text)
{
	regmatch_t	range = {0, (regoff_t) text.length};

	/* the range counts, not the zero byte behind it, which ASAN looks for */
	return regexec(pattern, block_string(text), 1, &range, REG_STARTEND) == 0;
}

/* One label of a host name, and a host name of any number of labels. */
#define LOWER_LABEL_PATTERN	"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
#define LABEL_PATTERN		"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
#define HOST_NAME_PATTERN	LABEL_PATTERN "(\\." LABEL_PATTERN ")*"

#endif							/* SMARTCAR_FUZZ_REFERENCE_H */
