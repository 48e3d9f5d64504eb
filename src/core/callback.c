/*-------------------------------------------------------------------------
 *
 * callback.c
 *	  Parses the callback that Connect sends to the redirect URI.
 *
 * Anyone can call a redirect URI, so the parser refuses everything that could
 * be read in two ways: a repeated parameter, a broken escape, bytes that are
 * not UTF-8.  Unknown parameters are ignored, whatever their values are.
 *
 * src/core/callback.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/callback.h"
#include "core/percent.h"
#include "core/virtual_key.h"

#define YEAR_DIGITS			4
#define STATUS_CODE_DIGITS	3
#define UNKNOWN_FIELD		(-1)

/* user_id in its other spelling, "userId", which has its own bit. */
#define OTHER_USER_ID		SMARTCAR_CALLBACK_FIELD_COUNT

#define TEXT(literal)	{(literal), sizeof(literal) - 1}

static const SmartcarSpan field_names[SMARTCAR_CALLBACK_FIELD_COUNT] = {
	[SMARTCAR_CALLBACK_CODE] = TEXT("code"),
	[SMARTCAR_CALLBACK_STATE] = TEXT("state"),
	[SMARTCAR_CALLBACK_USER_ID] = TEXT("user_id"),
	[SMARTCAR_CALLBACK_EXTERNAL_ID] = TEXT("external_id"),
	[SMARTCAR_CALLBACK_VEHICLE_ID] = TEXT("vehicle_id"),
	[SMARTCAR_CALLBACK_VIRTUAL_KEY_URL] = TEXT("virtual_key_url"),
	[SMARTCAR_CALLBACK_ERROR] = TEXT("error"),
	[SMARTCAR_CALLBACK_ERROR_DESCRIPTION] = TEXT("error_description"),
	[SMARTCAR_CALLBACK_STATUS_CODE] = TEXT("status_code"),
	[SMARTCAR_CALLBACK_ERROR_MESSAGE] = TEXT("error_message"),
	[SMARTCAR_CALLBACK_VIN] = TEXT("vin"),
	[SMARTCAR_CALLBACK_MAKE] = TEXT("make"),
	[SMARTCAR_CALLBACK_MODEL] = TEXT("model"),
	[SMARTCAR_CALLBACK_YEAR] = TEXT("year"),
	[SMARTCAR_CALLBACK_REASON] = TEXT("reason"),
	[SMARTCAR_CALLBACK_SELECTED_CAPACITY] = TEXT("selected_capacity")
};

#define LONGEST_NAME	17		/* error_description, selected_capacity */

const char *
smartcar_callback_field_name(SmartcarCallbackField field)
{
	return field_names[field].data;
}

static int
find_field(SmartcarSpan name)
{
	for (int field = 0; field < SMARTCAR_CALLBACK_FIELD_COUNT; field++)
	{
		if (smartcar_span_equal(name, field_names[field]))
			return field;
	}

	/* Smartcar's guide for the migration from version 2.0 spells it this way */
	if (smartcar_span_equal(name, SMARTCAR_SPAN("userId")))
		return OTHER_USER_ID;
	return UNKNOWN_FIELD;
}

/*
 * Finds a parameter by a name with escapes.  A name that cannot be decoded is
 * unknown, and so is one that is too long.
 */
static int
find_encoded_field(SmartcarSpan name)
{
	char		scratch[3 * LONGEST_NAME];
	SmartcarSpan decoded;
	size_t		offset;

	if (name.length > sizeof(scratch) ||
		smartcar_query_decode(name, scratch, &decoded, &offset) != SMARTCAR_DECODE_OK)
		return UNKNOWN_FIELD;
	return find_field(decoded);
}

/*
 * Whether text begins with a scheme and "://".
 */
static bool
has_scheme(SmartcarSpan text)
{
	size_t		length = 0;

	if (smartcar_span_starts_with(text, SMARTCAR_SPAN("https://")))
		return true;			/* the most frequent case */

	while (length < text.length)
	{
		char		c = text.data[length];

		if (smartcar_is_lower(smartcar_ascii_lower(c)) ||
			(length > 0 && (smartcar_is_digit(c) || c == '+' || c == '-' || c == '.')))
			length++;
		else
			break;
	}
	return length > 0 &&
		smartcar_span_starts_with(smartcar_span_skip(text, length), SMARTCAR_SPAN("://"));
}

/*
 * Finds the query in a URL ("https://host/path?query") or in a path
 * ("/path?query").  Other text is the query itself, with or without its "?".
 * A fragment is not part of it.
 */
static SmartcarSpan
find_query(SmartcarSpan text)
{
	const char *fragment = memchr(text.data, '#', text.length);
	const char *mark;
	size_t		before;

	if (fragment != NULL)
		text.length = (size_t) (fragment - text.data);
	if (text.length == 0)
		return text;
	mark = memchr(text.data, '?', text.length);

	if (text.data[0] == '/' || has_scheme(text))
	{
		if (mark == NULL)
			return smartcar_span(text.data, 0);
		return smartcar_span_skip(text, (size_t) (mark - text.data) + 1);
	}
	if (mark == NULL)
		return text;

	/* a "?" before the first "=" and "&" begins the query */
	before = (size_t) (mark - text.data);
	if (before > 0 &&
		(memchr(text.data, '=', before) != NULL || memchr(text.data, '&', before) != NULL))
		return text;
	return smartcar_span_skip(text, before + 1);
}

/* Whether a name or value need not be decoded. */
static bool
is_plain(SmartcarSpan text)
{
	return text.length == 0 || (memchr(text.data, '%', text.length) == NULL &&
								memchr(text.data, '+', text.length) == NULL);
}

static SmartcarCallbackStatus
callback_status(SmartcarDecodeStatus status)
{
	switch (status)
	{
		case SMARTCAR_DECODE_BROKEN_ESCAPE:
			return SMARTCAR_CALLBACK_BROKEN_ESCAPE;
		case SMARTCAR_DECODE_NUL:
			return SMARTCAR_CALLBACK_NUL;
		case SMARTCAR_DECODE_NOT_UTF8:
			return SMARTCAR_CALLBACK_NOT_UTF8;
		case SMARTCAR_DECODE_OK:
			break;
	}
	return SMARTCAR_CALLBACK_OK;
}

/*
 * Validates a decoded value and stores it in its field.
 */
static SmartcarCallbackStatus
set_field(SmartcarCallback *callback, int field, SmartcarSpan value)
{
	int64_t		number;

	switch (field)
	{
		case SMARTCAR_CALLBACK_YEAR:
			if (!smartcar_span_to_number(value, YEAR_DIGITS, &number))
				return SMARTCAR_CALLBACK_NOT_A_NUMBER;
			callback->year = (int) number;
			break;
		case SMARTCAR_CALLBACK_STATUS_CODE:
			if (!smartcar_span_to_number(value, STATUS_CODE_DIGITS, &number))
				return SMARTCAR_CALLBACK_NOT_A_NUMBER;
			callback->status_code = (int) number;
			break;
		case SMARTCAR_CALLBACK_VIRTUAL_KEY_URL:
			if (!smartcar_virtual_key_url_valid(value))
			{
				callback->virtual_key_url_refused = true;
				return SMARTCAR_CALLBACK_OK;
			}
			break;
		default:
			break;
	}

	callback->fields[field] = value;
	callback->present |= SMARTCAR_CALLBACK_BIT(field);
	return SMARTCAR_CALLBACK_OK;
}

/*
 * Whether the callback has both spellings of user_id with different values.
 */
static bool
is_ambiguous(const SmartcarCallback *callback, unsigned int seen, int field, SmartcarSpan value)
{
	const unsigned int both = SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_USER_ID) |
		SMARTCAR_CALLBACK_BIT(OTHER_USER_ID);
	bool		is_present;

	if (field != SMARTCAR_CALLBACK_USER_ID || (seen & both) != both)
		return false;
	is_present = (callback->present & SMARTCAR_CALLBACK_BIT(field)) != 0;
	return is_present ? !smartcar_span_equal(callback->fields[field], value) : value.length > 0;
}

/*
 * Parses a callback.  text must be valid UTF-8 without zero bytes, as SQL text
 * is.  scratch must have room for text.length bytes and live as long as
 * *callback, whose fields point into it or into text.
 */
SmartcarCallbackStatus
smartcar_callback_parse(SmartcarSpan text, char *scratch, SmartcarCallback *callback,
						SmartcarCallbackFault *fault)
{
	SmartcarSpan query;
	SmartcarSpan pair;
	SmartcarSpan name;
	unsigned int seen = 0;

	callback->present = 0;
	callback->status_code = 0;
	callback->year = 0;
	callback->virtual_key_url_refused = false;
	if (text.length == 0)
		return SMARTCAR_CALLBACK_OK;

	query = find_query(text);
	while (smartcar_query_next(&query, &pair, &name))
	{
		SmartcarSpan value = smartcar_span_skip(pair, name.length);
		SmartcarCallbackStatus status;
		int			spelling = is_plain(name) ? find_field(name) : find_encoded_field(name);
		int			field = spelling == OTHER_USER_ID ? SMARTCAR_CALLBACK_USER_ID : spelling;

		if (value.length > 0)
			value = smartcar_span_skip(value, 1);	/* the "=" */

		if (field == UNKNOWN_FIELD)
			continue;

		fault->field = (SmartcarCallbackField) field;
		fault->offset = (size_t) (name.data - text.data);
		if (seen & SMARTCAR_CALLBACK_BIT(spelling))
			return SMARTCAR_CALLBACK_REPEATED;
		seen |= SMARTCAR_CALLBACK_BIT(spelling);

		fault->offset = (size_t) (value.data - text.data);
		if (!is_plain(value))
		{
			SmartcarSpan decoded;
			SmartcarDecodeStatus decode_status;
			size_t		offset;

			decode_status = smartcar_query_decode(value, scratch, &decoded, &offset);
			if (decode_status != SMARTCAR_DECODE_OK)
			{
				fault->offset += offset;
				return callback_status(decode_status);
			}
			scratch += decoded.length;
			value = decoded;
		}

		if (is_ambiguous(callback, seen, field, value))
		{
			fault->offset = (size_t) (name.data - text.data);
			return SMARTCAR_CALLBACK_AMBIGUOUS;
		}
		if (value.length == 0)
			continue;
		status = set_field(callback, field, value);
		if (status != SMARTCAR_CALLBACK_OK)
			return status;
	}

	/*
	 * an error means that nothing was granted, whatever else the callback
	 * says
	 */
	if (callback->present & SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_ERROR))
		callback->present &= ~SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_CODE);
	return SMARTCAR_CALLBACK_OK;
}
