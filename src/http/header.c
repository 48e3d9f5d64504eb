/*-------------------------------------------------------------------------
 *
 * header.c
 *	  The header lines of a response.
 *
 * src/http/header.c
 *
 *-------------------------------------------------------------------------
 */
#include "http/header.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Removes blanks at either end. */
static SmartcarSpan
trim(SmartcarSpan span)
{
	while (span.length > 0 && is_blank(span.data[0]))
		span = smartcar_span_skip(span, 1);
	while (span.length > 0 && is_blank(span.data[span.length - 1]))
		span.length--;
	return span;
}

/*
 * Parses the next header and removes it from the lines.  Lines that are not
 * headers are skipped.
 */
bool
smartcar_header_next(SmartcarSpan *lines, SmartcarSpan *name, SmartcarSpan *value)
{
	while (lines->length > 0)
	{
		const char *end = memchr(lines->data, '\n', lines->length);
		size_t		length = end ? (size_t) (end - lines->data) : lines->length;
		SmartcarSpan line = smartcar_span(lines->data, length);
		const char *colon = length > 0 ? memchr(line.data, ':', length) : NULL;

		*lines = smartcar_span_skip(*lines, end ? length + 1 : length);
		if (colon == NULL || colon == line.data)
			continue;
		*name = smartcar_span(line.data, (size_t) (colon - line.data));
		*value = trim(smartcar_span_skip(line, name->length + 1));
		return true;
	}
	return false;
}

/*
 * The value of the first header with a name, in upper or lower case; no data if
 * there is none.
 */
SmartcarSpan
smartcar_header_value(SmartcarSpan lines, SmartcarSpan name)
{
	SmartcarSpan found;
	SmartcarSpan value;

	while (smartcar_header_next(&lines, &found, &value))
	{
		if (smartcar_span_equal_ignoring_case(found, name))
			return value;
	}
	return smartcar_span(NULL, 0);
}
