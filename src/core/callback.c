/*-------------------------------------------------------------------------
 *
 * callback.c
 *	  Parsing what Connect sends back to the redirect URI.
 *
 * Anyone can call a redirect URI with anything, so whatever could be read in
 * two ways is refused rather than guessed at: a parameter that is there twice,
 * a broken escape, bytes that are not text.  Parameters that we do not know
 * are ignored, whatever they hold, because they are not ours.
 *
 * src/core/callback.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/callback.h"
#include "core/block.h"
#include "core/percent.h"
#include "core/virtual_key.h"

#define YEAR_DIGITS			4
#define STATUS_CODE_DIGITS	3
#define UNKNOWN_FIELD		(-1)

#define CACHE_LINE			64
#define FETCH_AHEAD			512

static const char *const field_names[SMARTCAR_CALLBACK_FIELD_COUNT] = {
	[SMARTCAR_CALLBACK_CODE] = "code",
	[SMARTCAR_CALLBACK_STATE] = "state",
	[SMARTCAR_CALLBACK_USER_ID] = "user_id",
	[SMARTCAR_CALLBACK_EXTERNAL_ID] = "external_id",
	[SMARTCAR_CALLBACK_VEHICLE_ID] = "vehicle_id",
	[SMARTCAR_CALLBACK_VIRTUAL_KEY_URL] = "virtual_key_url",
	[SMARTCAR_CALLBACK_ERROR] = "error",
	[SMARTCAR_CALLBACK_ERROR_DESCRIPTION] = "error_description",
	[SMARTCAR_CALLBACK_STATUS_CODE] = "status_code",
	[SMARTCAR_CALLBACK_ERROR_MESSAGE] = "error_message",
	[SMARTCAR_CALLBACK_VIN] = "vin",
	[SMARTCAR_CALLBACK_MAKE] = "make",
	[SMARTCAR_CALLBACK_MODEL] = "model",
	[SMARTCAR_CALLBACK_YEAR] = "year",
	[SMARTCAR_CALLBACK_REASON] = "reason",
	[SMARTCAR_CALLBACK_SELECTED_CAPACITY] = "selected_capacity"
};

#define LONGEST_NAME	17		/* error_description, selected_capacity */

const char *
smartcar_callback_field_name(SmartcarCallbackField field)
{
	return field_names[field];
}

#define IS(literal)	(memcmp(name.data, literal, sizeof(literal) - 1) == 0)

/*
 * Finds a parameter by its name as it stands in the query.  Comparisons with
 * literals of a known length become comparisons of numbers.
 */
static inline int
find_field(SmartcarSpan name)
{
	switch (name.length)
	{
		case 3:
			return IS("vin") ? SMARTCAR_CALLBACK_VIN : UNKNOWN_FIELD;
		case 4:
			return IS("code") ? SMARTCAR_CALLBACK_CODE :
				IS("make") ? SMARTCAR_CALLBACK_MAKE :
				IS("year") ? SMARTCAR_CALLBACK_YEAR : UNKNOWN_FIELD;
		case 5:
			return IS("state") ? SMARTCAR_CALLBACK_STATE :
				IS("error") ? SMARTCAR_CALLBACK_ERROR :
				IS("model") ? SMARTCAR_CALLBACK_MODEL : UNKNOWN_FIELD;
		case 6:
			/* one page of Smartcar's documentation writes user_id this way */
			return IS("userId") ? SMARTCAR_CALLBACK_USER_ID :
				IS("reason") ? SMARTCAR_CALLBACK_REASON : UNKNOWN_FIELD;
		case 7:
			return IS("user_id") ? SMARTCAR_CALLBACK_USER_ID : UNKNOWN_FIELD;
		case 10:
			return IS("vehicle_id") ? SMARTCAR_CALLBACK_VEHICLE_ID : UNKNOWN_FIELD;
		case 11:
			return IS("external_id") ? SMARTCAR_CALLBACK_EXTERNAL_ID :
				IS("status_code") ? SMARTCAR_CALLBACK_STATUS_CODE : UNKNOWN_FIELD;
		case 13:
			return IS("error_message") ? SMARTCAR_CALLBACK_ERROR_MESSAGE : UNKNOWN_FIELD;
		case 15:
			return IS("virtual_key_url") ? SMARTCAR_CALLBACK_VIRTUAL_KEY_URL : UNKNOWN_FIELD;
		case 17:
			return IS("error_description") ? SMARTCAR_CALLBACK_ERROR_DESCRIPTION :
				IS("selected_capacity") ? SMARTCAR_CALLBACK_SELECTED_CAPACITY : UNKNOWN_FIELD;
		default:
			return UNKNOWN_FIELD;
	}
}

#undef IS

/*
 * The same for a name with escapes in it.  An unknown name may be anything.
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
 * Whether text begins as a URL does, with a scheme and "://".
 */
static bool
has_scheme(SmartcarSpan text)
{
	size_t		length = 0;

	if (smartcar_span_starts_with(text, SMARTCAR_SPAN("https://")))
		return true;			/* nearly always */

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
 * Finds the query in a whole URL ("https://host/path?query"), in a path
 * ("/path?query"), or in what is a query already, with or without its "?".
 * Whatever it is, it may still end in a fragment.
 */
static SmartcarSpan
find_query(SmartcarSpan text)
{
	const char *mark;
	size_t		before;

	mark = memchr(text.data, '?', text.length);
	if (mark != NULL && memchr(text.data, '#', (size_t) (mark - text.data)) != NULL)
		mark = NULL;			/* it belongs to the fragment */

	if (text.data[0] == '/' || has_scheme(text))
	{
		if (mark == NULL)
			return smartcar_span(text.data, 0);
		return smartcar_span_skip(text, (size_t) (mark - text.data) + 1);
	}
	if (mark == NULL)
		return text;

	/* a "?" within the first name can only be the one before the query */
	before = (size_t) (mark - text.data);
	if (before > 0 &&
		(memchr(text.data, '=', before) != NULL || memchr(text.data, '&', before) != NULL))
		return text;
	return smartcar_span_skip(text, before + 1);
}

/*
 * The end of a name: "=", "&", "#" or the end of the text.  *plain tells that
 * the name has no escape.
 */
static inline const char *
find_name_end(const char *position, const char *end, bool *plain)
{
	*plain = true;
	while (end - position >= SMARTCAR_BLOCK_SIZE)
	{
		uint64_t	block = smartcar_block_load(position);
		uint64_t	mask = smartcar_block_equal(block, '=') |
			smartcar_block_below(block, SMARTCAR_FIRST_ORDINARY);

		if (mask != 0)
		{
			position += smartcar_block_first(mask);
			break;
		}
		position += SMARTCAR_BLOCK_SIZE;
	}
	for (; position < end; position++)
	{
		char		c = *position;

		if (c == '=' || c == '&' || c == '#')
			break;
		if (c == '%' || c == '+')
			*plain = false;
	}
	return position;
}

/*
 * The end of a value: "&", "#" or the end of the text.  *plain tells that the
 * value is what it stands for.
 */
static inline const char *
find_value_end(const char *position, const char *end, bool *plain)
{
	*plain = true;
	for (;;)
	{
		position = smartcar_skip_ordinary(position, end);
		if (position == end || *position == '&' || *position == '#')
			return position;
		if (*position == '%' || *position == '+')
			*plain = false;
		position++;
	}
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
 * Takes a value that is there and decoded, unless it is not what the field
 * demands.
 */
static SmartcarCallbackStatus
take_value(SmartcarCallback *callback, int field, SmartcarSpan value)
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

	/* as two members, because as a whole the processor waits for both */
	callback->fields[field].data = value.data;
	callback->fields[field].length = value.length;
	callback->present |= SMARTCAR_CALLBACK_BIT(field);
	return SMARTCAR_CALLBACK_OK;
}

/*
 * Has the processor fetch what is about to be read.  A query over many rows
 * comes to each callback for the first time, and reading a query is a chain of
 * steps that each wait for memory, where fetching is not.
 */
static inline void
fetch_ahead(SmartcarSpan text)
{
	for (size_t i = CACHE_LINE; i < text.length && i < FETCH_AHEAD; i += CACHE_LINE)
		__builtin_prefetch(text.data + i);
}

/*
 * Parses a callback.  text is valid UTF-8 without zero bytes, as SQL text is.
 * scratch has room for text.length bytes and must live as long as *callback,
 * whose fields point into it or into text.
 */
SmartcarCallbackStatus
smartcar_callback_parse(SmartcarSpan text, char *scratch, SmartcarCallback *callback,
						SmartcarCallbackFault *fault)
{
	SmartcarSpan query;
	const char *position;
	const char *end;
	unsigned int seen = 0;

	callback->present = 0;
	callback->status_code = 0;
	callback->year = 0;
	callback->virtual_key_url_refused = false;
	if (text.length == 0)
		return SMARTCAR_CALLBACK_OK;

	fetch_ahead(text);
	query = find_query(text);
	position = query.data;
	end = query.data + query.length;

	while (position < end)
	{
		SmartcarSpan name;
		SmartcarSpan value;
		SmartcarCallbackStatus status;
		bool		plain;
		int			field;

		name.data = position;
		position = find_name_end(position, end, &plain);
		name.length = (size_t) (position - name.data);
		field = plain ? find_field(name) : find_encoded_field(name);

		if (position < end && *position == '=')
			position++;
		value.data = position;
		position = find_value_end(position, end, &plain);
		value.length = (size_t) (position - value.data);

		/* a fragment ends the query as its end does */
		if (position < end && *position == '#')
			end = position;
		else if (position < end)
			position++;

		if (field == UNKNOWN_FIELD)
			continue;

		fault->field = (SmartcarCallbackField) field;
		fault->offset = (size_t) (name.data - text.data);
		if (seen & SMARTCAR_CALLBACK_BIT(field))
			return SMARTCAR_CALLBACK_REPEATED;
		seen |= SMARTCAR_CALLBACK_BIT(field);

		if (value.length == 0)
			continue;

		fault->offset = (size_t) (value.data - text.data);
		if (!plain)
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

		status = take_value(callback, field, value);
		if (status != SMARTCAR_CALLBACK_OK)
			return status;
	}

	/* an owner who was turned away has granted nothing */
	if (callback->present & SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_ERROR))
		callback->present &= ~SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_CODE);
	return SMARTCAR_CALLBACK_OK;
}
