/*-------------------------------------------------------------------------
 *
 * timestamp.c
 *	  Parses the timestamps of Smartcar's responses: ISO 8601 with a zone, such
 *	  as "2018-05-04T07:20:50.844Z".
 *
 * src/core/timestamp.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/timestamp.h"

#define SECONDS_PER_DAY		INT64_C(86400)
#define MICROSECONDS		INT64_C(1000000)

/*
 * The parse functions remove what they parse from the text.  They return false
 * if it does not begin with that.
 */
static bool
parse_number(SmartcarSpan *text, size_t digits, int *number)
{
	int64_t		value;

	if (text->length < digits ||
		!smartcar_span_to_number(smartcar_span(text->data, digits), digits, &value))
		return false;
	*text = smartcar_span_skip(*text, digits);
	*number = (int) value;
	return true;
}

static bool
parse_character(SmartcarSpan *text, char lower)
{
	if (text->length == 0 || smartcar_ascii_lower(text->data[0]) != lower)
		return false;
	*text = smartcar_span_skip(*text, 1);
	return true;
}

static bool
is_leap_year(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The days from 1970-01-01 to a date, negative for an earlier one. */
static int64_t
days_to(int year, int month, int day)
{
	static const int days_before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334
	};
	int64_t		before = year - 1;
	int64_t		days = before * 365 + before / 4 - before / 100 + before / 400;

	days += days_before[month - 1] + day - 1;
	if (month > 2 && is_leap_year(year))
		days++;
	return days - 719162;		/* from 0001-01-01 to 1970-01-01 */
}

static int
days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap_year(year) ? 1 : 0);
}

static bool
parse_date(SmartcarSpan *text, int64_t *days)
{
	int			year;
	int			month;
	int			day;

	if (!parse_number(text, 4, &year) || !parse_character(text, '-') ||
		!parse_number(text, 2, &month) || !parse_character(text, '-') ||
		!parse_number(text, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	*days = days_to(year, month, day);
	return true;
}

/* An optional fraction of a second; digits beyond microseconds are ignored. */
static bool
parse_fraction(SmartcarSpan *text, int64_t *microseconds)
{
	int64_t		unit = MICROSECONDS;
	size_t		digits = 0;

	*microseconds = 0;
	if (!parse_character(text, '.'))
		return true;
	while (text->length > 0 && smartcar_is_digit(text->data[0]))
	{
		unit /= 10;
		*microseconds += unit * (text->data[0] - '0');
		*text = smartcar_span_skip(*text, 1);
		digits++;
	}
	return digits > 0;
}

static bool
parse_time(SmartcarSpan *text, int64_t *microseconds)
{
	int			hour;
	int			minute;
	int			second;
	int64_t		fraction;

	if (!parse_number(text, 2, &hour) || !parse_character(text, ':') ||
		!parse_number(text, 2, &minute) || !parse_character(text, ':') ||
		!parse_number(text, 2, &second) || !parse_fraction(text, &fraction))
		return false;
	/* 60 is a leap second */
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*microseconds = ((hour * 60 + minute) * 60 + second) * MICROSECONDS + fraction;
	return true;
}

/* The zone, in seconds ahead of UTC. */
static bool
parse_zone(SmartcarSpan *text, int64_t *seconds)
{
	int			sign;
	int			hour;
	int			minute;

	*seconds = 0;
	if (parse_character(text, 'z'))
		return true;
	if (parse_character(text, '+'))
		sign = 1;
	else if (parse_character(text, '-'))
		sign = -1;
	else
		return false;

	if (!parse_number(text, 2, &hour))
		return false;
	parse_character(text, ':');
	if (!parse_number(text, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*seconds = sign * (hour * 60 + minute) * 60;
	return true;
}

/*
 * Parses a timestamp into microseconds since 1970.  Returns false if it is not
 * valid.
 */
bool
smartcar_timestamp_parse(SmartcarSpan text, int64_t *microseconds)
{
	int64_t		days;
	int64_t		time;
	int64_t		zone;

	if (!parse_date(&text, &days) || !parse_character(&text, 't') ||
		!parse_time(&text, &time) || !parse_zone(&text, &zone) || text.length > 0)
		return false;
	*microseconds = (days * SECONDS_PER_DAY - zone) * MICROSECONDS + time;
	return true;
}
