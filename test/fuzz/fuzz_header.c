/*-------------------------------------------------------------------------
 *
 * fuzz_header.c
 *	  Fuzzes the parsing of the header lines of a response.
 *
 * The input is taken as the lines of a server that sends anything, and, cut
 * into slices, as the names and values of one that writes them as it should.
 *
 * test/fuzz/fuzz_header.c
 *
 *-------------------------------------------------------------------------
 */
#include "http/header.h"
#include "harness.h"

#include <ctype.h>

#define MAX_HEADERS	4

static bool
lies_within(SmartcarSpan part, SmartcarSpan whole)
{
	return part.data >= whole.data && part.length <= whole.length &&
		part.data - whole.data <= (ptrdiff_t) (whole.length - part.length);
}

static bool
has_character(SmartcarSpan text, char character)
{
	return text.length > 0 && memchr(text.data, character, text.length) != NULL;
}

/* Without what may stand around a value, one byte after the other. */
static SmartcarSpan
reference_trim(SmartcarSpan text)
{
	size_t		first = 0;
	size_t		end = text.length;

	while (first < end && is_one_of(text.data[first], " \t\r"))
		first++;
	while (end > first && is_one_of(text.data[end - 1], " \t\r"))
		end--;
	return smartcar_span(text.data + first, end - first);
}

/* The next header by the rule: a line with a colon that is not its first. */
static bool
reference_next(SmartcarSpan *lines, SmartcarSpan *name, SmartcarSpan *value)
{
	while (lines->length > 0)
	{
		SmartcarSpan line = cut(lines, '\n');

		*value = line;
		*name = cut(value, ':');
		if (value->data == NULL || name->length == 0)
			continue;
		*value = reference_trim(*value);
		return true;
	}
	return false;
}

/* Equal but for the case of letters, as the C library sees it. */
static bool
is_name(SmartcarSpan name, SmartcarSpan wanted)
{
	for (size_t i = 0; i < name.length && i < wanted.length; i++)
	{
		if (tolower((unsigned char) name.data[i]) != tolower((unsigned char) wanted.data[i]))
			return false;
	}
	return name.length == wanted.length;
}

/* The first of the headers that have a name. */
static void
check_value(SmartcarSpan lines, SmartcarSpan wanted)
{
	SmartcarSpan found = smartcar_header_value(lines, wanted);
	SmartcarSpan name;
	SmartcarSpan value;

	while (reference_next(&lines, &name, &value))
	{
		if (!is_name(name, wanted))
			continue;
		PROPERTY(found.data != NULL && smartcar_span_equal(found, value), wanted,
				 "a repeated header has its first value");
		return;
	}
	PROPERTY(found.data == NULL && found.length == 0, wanted,
			 "a missing header has no value");
}

static SmartcarSpan
other_case(SmartcarSpan name)
{
	char	   *copy = block_string(name);

	for (size_t i = 0; i < name.length; i++)
	{
		unsigned char c = (unsigned char) copy[i];

		copy[i] = (char) (islower(c) ? toupper(c) : tolower(c));
	}
	return smartcar_span(copy, name.length);
}

static void
check_lines(SmartcarSpan lines)
{
	SmartcarSpan rest = lines;
	SmartcarSpan reference_rest = lines;
	SmartcarSpan name;
	SmartcarSpan value;
	SmartcarSpan reference_name;
	SmartcarSpan reference_value;

	while (smartcar_header_next(&rest, &name, &value))
	{
		PROPERTY(lies_within(name, lines) && lies_within(value, lines) &&
				 name.data + name.length < value.data + (value.length == 0), lines,
				 "a name lies within the lines, and its value after it");
		PROPERTY(rest.data + rest.length == lines.data + lines.length &&
				 rest.data >= value.data + value.length, lines,
				 "what is left begins behind the header and ends with the lines");
		PROPERTY(name.length > 0 && !has_character(name, ':') && !has_character(name, '\n') &&
				 !has_character(value, '\n'), lines,
				 "a name is not empty, and a header is on one line");
		PROPERTY(value.length == 0 || (!is_one_of(value.data[0], " \t\r") &&
									   !is_one_of(value.data[value.length - 1], " \t\r")),
				 value, "a value has no space or tab around it");

		PROPERTY(reference_next(&reference_rest, &reference_name, &reference_value), lines,
				 "there is no header but those of the reference");
		PROPERTY(name.data == reference_name.data && name.length == reference_name.length &&
				 smartcar_span_equal(value, reference_value), lines,
				 "a header equals that of the reference");
		PROPERTY(rest.length == reference_rest.length, lines,
				 "a header ends with its line");
		check_value(lines, block_copy(name));
		check_value(lines, other_case(name));
	}
	PROPERTY(!reference_next(&reference_rest, &reference_name, &reference_value), lines,
			 "no header is left out");
	PROPERTY(rest.length == 0, lines, "the lines are read to their end");
	check_value(lines, SMARTCAR_SPAN("Retry-After"));
	check_value(lines, SMARTCAR_SPAN(""));
	check_value(lines, NOTHING);
}

/* What is written by the rules is read back, one header after the other. */
static void
check_written(SmartcarSpan input)
{
	SmartcarSpan names[MAX_HEADERS];
	SmartcarSpan values[MAX_HEADERS];
	SmartcarSpan lines = SMARTCAR_SPAN("");
	SmartcarSpan rest;
	SmartcarSpan name;
	SmartcarSpan value;
	int			count = 0;

	while (count < MAX_HEADERS && input.length > 0)
	{
		names[count] = input_slice(&input);
		values[count] = input_slice(&input);
		if (names[count].length == 0 || has_character(names[count], ':') ||
			has_character(names[count], '\n') || has_character(values[count], '\n'))
			return;
		lines = block_join(lines, block_join(names[count], SMARTCAR_SPAN(": "), values[count]),
						   SMARTCAR_SPAN("\r\n"));
		count++;
	}

	rest = lines;
	for (int i = 0; i < count; i++)
	{
		PROPERTY(smartcar_header_next(&rest, &name, &value) &&
				 smartcar_span_equal(name, names[i]) &&
				 smartcar_span_equal(value, reference_trim(values[i])), lines,
				 "a header that is written can be parsed");
	}
	PROPERTY(!smartcar_header_next(&rest, &name, &value), lines,
			 "there are no headers but those that were written");
	if (count > 0)
		PROPERTY(smartcar_span_equal(smartcar_header_value(lines, other_case(names[0])),
									 reference_trim(values[0])), lines,
				 "the header that comes first is found, whatever the case of its name");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan input = smartcar_span((const char *) data, size);

	check_lines(block_copy(input));
	check_lines(block_join(SMARTCAR_SPAN("Retry-After:"), input, NOTHING));
	check_lines(block_join(input, SMARTCAR_SPAN("\nretry-after: 1\r\n\r\n"), NOTHING));
	check_written(input);
	check_lines(NOTHING);
	blocks_free();
	return 0;
}
