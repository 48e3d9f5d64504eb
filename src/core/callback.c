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
#include "core/percent.h"
#include "core/virtual_key.h"

#define YEAR_DIGITS			4
#define STATUS_CODE_DIGITS	3
#define UNKNOWN_FIELD		(-1)

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

/*
 * Where the next "%" and the next "+" are, so that a value without either is
 * known to be what it stands for by two comparisons.
 */
typedef struct Escapes
{
	const char *percent;
	const char *plus;
	const char *end;
} Escapes;

static inline const char *
find_or_end(const char *from, char c, const char *end)
{
	const char *found = memchr(from, c, (size_t) (end - from));

	return found ? found : end;
}

static inline bool
has_escape(Escapes *escapes, SmartcarSpan value)
{
	const char *end = value.data + value.length;

	if (escapes->percent < value.data)
		escapes->percent = find_or_end(value.data, '%', escapes->end);
	if (escapes->plus < value.data)
		escapes->plus = find_or_end(value.data, '+', escapes->end);
	return escapes->percent < end || escapes->plus < end;
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
 * Finds the query in a whole URL ("https://host/path?query"), in a path
 * ("/path?query"), or in what is a query already, with or without its "?".
 * A fragment is never part of it.
 */
static SmartcarSpan
find_query(SmartcarSpan text)
{
	const char *mark;
	size_t		position = 0;

	if (text.length == 0)
		return text;

	mark = memchr(text.data, '#', text.length);
	if (mark != NULL)
		text.length = (size_t) (mark - text.data);

	/* Is there a scheme, or a path? */
	while (position < text.length &&
		   (smartcar_is_lower(smartcar_ascii_lower(text.data[position])) ||
			(position > 0 && (smartcar_is_digit(text.data[position]) ||
							  text.data[position] == '+' || text.data[position] == '-' ||
							  text.data[position] == '.'))))
		position++;
	mark = text.length > 0 ? memchr(text.data, '?', text.length) : NULL;
	if ((position > 0 &&
		 smartcar_span_starts_with(smartcar_span_skip(text, position), SMARTCAR_SPAN("://"))) ||
		(text.length > 0 && text.data[0] == '/'))
	{
		if (mark == NULL)
			return smartcar_span(text.data, 0);
		return smartcar_span_skip(text, (size_t) (mark - text.data) + 1);
	}

	/* A "?" within the first name can only be the one before the query. */
	if (mark != NULL)
	{
		size_t		before = (size_t) (mark - text.data);

		if (before == 0 ||
			(memchr(text.data, '=', before) == NULL && memchr(text.data, '&', before) == NULL))
			return smartcar_span_skip(text, before + 1);
	}
	return text;
}

static bool
parse_number(SmartcarSpan value, size_t max_digits, int *number)
{
	int			result = 0;

	if (value.length > max_digits)
		return false;
	for (size_t i = 0; i < value.length; i++)
	{
		if (!smartcar_is_digit(value.data[i]))
			return false;
		result = result * 10 + (value.data[i] - '0');
	}
	*number = result;
	return true;
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
 * Parses a callback.  text is valid UTF-8 without zero bytes, as SQL text is.
 * scratch has room for text.length bytes and must live as long as *callback,
 * whose fields point into it or into text.
 */
SmartcarCallbackStatus
smartcar_callback_parse(SmartcarSpan text, char *scratch, SmartcarCallback *callback,
						SmartcarCallbackFault *fault)
{
	SmartcarSpan query = find_query(text);
	Escapes		escapes = {NULL, NULL, query.data + query.length};
	unsigned int seen = 0;

	callback->present = 0;
	callback->virtual_key_url_refused = false;

	while (query.length > 0)
	{
		const char *end = memchr(query.data, '&', query.length);
		SmartcarSpan pair = smartcar_span(query.data,
										  end ? (size_t) (end - query.data) : query.length);
		const char *equals = pair.length > 0 ? memchr(pair.data, '=', pair.length) : NULL;
		SmartcarSpan name = smartcar_span(pair.data,
										  equals ? (size_t) (equals - pair.data) : pair.length);
		SmartcarSpan value = equals ? smartcar_span_skip(pair, name.length + 1) :
			smartcar_span(pair.data + pair.length, 0);
		SmartcarSpan decoded;
		SmartcarDecodeStatus status;
		size_t		offset;
		int			field;

		query = end ? smartcar_span_skip(query, pair.length + 1) : smartcar_span(NULL, 0);

		field = find_field(name);
		if (field == UNKNOWN_FIELD && name.length > 0 &&
			memchr(name.data, '%', name.length) != NULL)
			field = find_encoded_field(name);
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
		decoded = value;
		if (has_escape(&escapes, value))
		{
			status = smartcar_query_decode(value, scratch, &decoded, &offset);
			if (status != SMARTCAR_DECODE_OK)
			{
				fault->offset += offset;
				return callback_status(status);
			}
			scratch += decoded.length;
		}

		if (field == SMARTCAR_CALLBACK_YEAR &&
			!parse_number(decoded, YEAR_DIGITS, &callback->year))
			return SMARTCAR_CALLBACK_NOT_A_NUMBER;
		if (field == SMARTCAR_CALLBACK_STATUS_CODE &&
			!parse_number(decoded, STATUS_CODE_DIGITS, &callback->status_code))
			return SMARTCAR_CALLBACK_NOT_A_NUMBER;
		if (field == SMARTCAR_CALLBACK_VIRTUAL_KEY_URL &&
			!smartcar_virtual_key_url_valid(decoded))
		{
			callback->virtual_key_url_refused = true;
			continue;
		}
		callback->fields[field] = decoded;
		callback->present |= SMARTCAR_CALLBACK_BIT(field);
	}

	/* an owner who was turned away has granted nothing */
	if (callback->present & SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_ERROR))
		callback->present &= ~SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_CODE);
	return SMARTCAR_CALLBACK_OK;
}
