/*-------------------------------------------------------------------------
 *
 * fuzz_timestamp.c
 *	  Fuzzes the timestamps in Smartcar's responses.
 *
 * The input is taken as a text, and as the bytes that a point in time, the
 * form in which it is written, and a change of one character are made of.  The
 * C library's calendar is the second opinion on both.
 *
 * test/fuzz/fuzz_timestamp.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/timestamp.h"
#include "reference.h"

#include <time.h>

#define MICROSECONDS	INT64_C(1000000)
#define LONGEST_TEXT	64

/* The first second of the year 1, and the first of the year 10000. */
#define FIRST_SECOND	INT64_C(-62135596800)
#define END_OF_TIME		INT64_C(253402300800)

static regex_t timestamp_pattern;

/* The number that stands at a place, and nothing of what stands beside it. */
static int
number_at(const char *text, size_t place, size_t digits)
{
	return atoi(block_string(smartcar_span(text + place, digits)));
}

/* The fraction behind the seconds, filled up with zeros and cut off. */
static int
reference_fraction(const char *text)
{
	char		digits[] = "000000";

	for (size_t i = 0; text[0] == '.' && i < 6 && isdigit((unsigned char) text[i + 1]); i++)
		digits[i] = text[i + 1];
	return atoi(digits);
}

/* The seconds that a zone is ahead of UTC, or what is too many for one. */
static int
reference_zone(const char *text)
{
	const char *sign = strpbrk(text, "+-");
	const char *minutes;

	if (sign == NULL)
		return 0;
	minutes = sign[3] == ':' ? sign + 4 : sign + 3;
	if (number_at(sign, 1, 2) > 23 || atoi(minutes) > 59)
		return INT32_MAX;
	return (*sign == '+' ? 60 : -60) * (number_at(sign, 1, 2) * 60 + atoi(minutes));
}

/*
 * The rule, with a pattern for the places of the digits and the C library for
 * which of them are a date: it moves what is none to another day.
 */
static bool
reference_parse(SmartcarSpan span, int64_t *microseconds)
{
	const char *text = block_string(span);
	struct tm	fields = {0};
	struct tm	moved;
	int			zone;

	if (!pattern_matches(&timestamp_pattern, span))
		return false;
	fields.tm_year = number_at(text, 0, 4) - 1900;
	fields.tm_mon = number_at(text, 5, 2) - 1;
	fields.tm_mday = number_at(text, 8, 2);
	fields.tm_hour = number_at(text, 11, 2);
	fields.tm_min = number_at(text, 14, 2);
	fields.tm_sec = number_at(text, 17, 2);
	zone = reference_zone(text + 19);
	if (fields.tm_year < 1 - 1900 || fields.tm_hour > 23 || fields.tm_min > 59 ||
		fields.tm_sec > 60 || zone == INT32_MAX)
		return false;

	moved = fields;
	moved.tm_hour = moved.tm_min = moved.tm_sec = 0;
	timegm(&moved);
	if (moved.tm_mday != fields.tm_mday || moved.tm_mon != fields.tm_mon)
		return false;
	*microseconds = (timegm(&fields) - zone) * MICROSECONDS + reference_fraction(text + 19);
	return true;
}

static void
check_text(SmartcarSpan text)
{
	int64_t		expected = 0;
	int64_t		found = 0;
	bool		accepted = smartcar_timestamp_parse(text, &found);

	PROPERTY(accepted == reference_parse(text, &expected), text,
			 "a timestamp is parsed if and only if it is valid");
	if (!accepted)
		return;
	PROPERTY(found == expected, text, "a timestamp equals that of the C library");
	/* a zone is less than a day, and a leap second more than the last one */
	PROPERTY(found / MICROSECONDS >= FIRST_SECOND - 86400 &&
			 found / MICROSECONDS <= END_OF_TIME + 86400, text,
			 "the years have four digits");
}

/* A number below a limit, out of the next bytes. */
static int64_t
input_number(SmartcarSpan *input, int64_t limit)
{
	uint64_t	number = 0;

	for (int64_t reach = 1; reach < limit && reach < INT64_MAX / 256; reach *= 256)
		number = number * 256 + input_byte(input);
	return (int64_t) (number % (uint64_t) limit);
}

static void
append(char *text, const char *more)
{
	size_t		length = strlen(text);

	snprintf(text + length, LONGEST_TEXT - length, "%s", more);
}

/* Writes a second as a clock shows it that is so far ahead of UTC. */
static bool
write_date_and_time(int64_t second, int64_t ahead, char separator, char *text)
{
	time_t		local = (time_t) (second + ahead);
	struct tm	fields;

	if (local < FIRST_SECOND || local >= END_OF_TIME || gmtime_r(&local, &fields) == NULL)
		return false;
	snprintf(text, LONGEST_TEXT, "%04d-%02d-%02d%c%02d:%02d:%02d",
			 fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday, separator,
			 fields.tm_hour, fields.tm_min, fields.tm_sec);
	return true;
}

/*
 * Writes what must be read back: every form that the rule has can come out of
 * the bytes.
 */
static void
check_written(SmartcarSpan input)
{
	static const char *const zones[] = {"%c%02d:%02d", "%c%02d%02d"};
	int64_t		second = FIRST_SECOND + input_number(&input, END_OF_TIME - FIRST_SECOND);
	int			digits = (int) input_number(&input, 10);
	int			fraction = (int) input_number(&input, 1000000000);
	int			form = (int) input_number(&input, 8);
	int			minutes = form < 4 ? (int) input_number(&input, 2 * 1440 - 1) - 1439 : 0;
	char		text[LONGEST_TEXT] = "";
	char		part[16];
	int64_t		expected = second * MICROSECONDS;
	int64_t		found = 0;
	size_t		place;
	char	   *changed;

	if (!write_date_and_time(second, minutes * 60, form % 2 == 0 ? 'T' : 't', text))
		return;
	snprintf(part, sizeof(part), ".%09d", fraction);
	if (digits > 0)
	{
		part[digits + 1] = '\0';
		append(text, part);
		expected += reference_fraction(part);
	}
	if (form < 4)
	{
		/* no zone has two signs; that of a zero offset may be either */
		snprintf(part, sizeof(part), zones[form / 2],
				 minutes < 0 || (minutes == 0 && form % 2 == 0) ? '-' : '+',
				 abs(minutes) / 60, abs(minutes) % 60);
		append(text, part);
	}
	else
		append(text, form < 6 ? "Z" : "z");

	PROPERTY(smartcar_timestamp_parse(block_copy(smartcar_span_from_string(text)), &found) &&
			 found == expected, smartcar_span_from_string(text),
			 "what is written is read back");

	/* the same but for a character, and with one less or one more */
	place = (size_t) input_number(&input, (int64_t) strlen(text));
	changed = block_string(smartcar_span_from_string(text));
	changed[place] = (char) input_byte(&input);
	check_text(block_copy(smartcar_span(changed, strlen(text))));
	check_text(block_copy(smartcar_span(text, place)));
	check_text(block_join(smartcar_span(text, place), smartcar_span(changed + place, 1),
						  smartcar_span_from_string(text + place)));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	pattern_compile(&timestamp_pattern,
					"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
					"(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan input = smartcar_span((const char *) data, size);
	int64_t		found;

	check_text(block_copy(input));
	check_text(block_join(input, SMARTCAR_SPAN("T00:00:00Z"), NOTHING));
	check_text(block_join(SMARTCAR_SPAN("2024-02-29T"), input, NOTHING));
	check_text(block_join(SMARTCAR_SPAN("1970-01-01T00:00:00"), input, NOTHING));
	check_written(input);

	PROPERTY(!smartcar_timestamp_parse(NOTHING, &found), NOTHING, "an empty text is no timestamp");
	blocks_free();
	return 0;
}
