/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Parses and reads untrusted JSON.
 *
 * jsonb_in() raises an error for text that is not JSON, and quotes the text,
 * which may hold a token.  So that error is caught and not shown.
 *
 * src/pg/json.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/json.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "pg/compat.h"
#include "pg/datum.h"
#include "pg/holdoff.h"

/* The nesting of Smartcar's responses is less than ten levels deep. */
#define MAX_NESTING		64

/*
 * Limits that no response of the APIs reaches.  A value takes far more memory as
 * jsonb than in the text.
 */
#define MAX_VALUES			100000
#define MAX_NUMBER_LENGTH	1000
#define MAX_EXPONENT_DIGITS	4

/* As many digits always fit into an int32. */
#define MAX_INTEGER_DIGITS	9

/*
 * A larger number is in milliseconds: as seconds it would be after the year
 * 5000.
 */
#define MAX_SECONDS		INT64CONST(100000000000)
#define TIME_DIGITS		18

/* 2015-01-01: an older time cannot be right, because Smartcar is younger. */
#define OLDEST_TIME		(5479 * USECS_PER_DAY)

/* What is checked before a JSON text is parsed. */
typedef struct JsonShape
{
	int			depth;			/* of nested brackets */
	int			commas;			/* roughly the number of values */
	bool		wide_escape;	/* there is an escape beyond ASCII */
	bool		large_number;	/* there is a number with too many digits */
} JsonShape;

/*
 * The length of a number, and whether it has too many digits, of which an
 * exponent adds more than the text shows.
 */
static size_t
scan_number(SmartcarSpan text, bool *is_large)
{
	size_t		length = 0;
	size_t		exponent_digits = 0;
	bool		in_exponent = false;

	for (; length < text.length; length++)
	{
		char		c = text.data[length];

		if (c == '\0' || strchr("0123456789+-.eE", c) == NULL)
			break;
		if (c == 'e' || c == 'E')
			in_exponent = true;
		else if (in_exponent && c != '+' && c != '-' && (c != '0' || exponent_digits > 0))
			exponent_digits++;
	}
	*is_large = length > MAX_NUMBER_LENGTH || exponent_digits > MAX_EXPONENT_DIGITS;
	return length;
}

static JsonShape
json_shape(SmartcarSpan text)
{
	JsonShape	shape = {0, 0, false, false};
	bool		in_string = false;
	int			depth = 0;

	for (size_t i = 0; i < text.length; i++)
	{
		char		c = text.data[i];

		if (in_string)
		{
			if (c == '\\')
			{
				i++;
				if (text.length - i > 5 && text.data[i] == 'u' &&
					strncmp(text.data + i + 1, "007f", 4) > 0)
					shape.wide_escape = true;
			}
			else if (c == '"')
				in_string = false;
		}
		else if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
		{
			depth++;
			shape.depth = Max(shape.depth, depth);
		}
		else if (c == '}' || c == ']')
			depth--;
		else if (c == ',')
			shape.commas++;
		else if (c == '-' || (c >= '0' && c <= '9'))
		{
			bool		is_large;

			i += scan_number(smartcar_span_skip(text, i), &is_large) - 1;
			shape.large_number |= is_large;
		}
	}
	return shape;
}

static void
untranslatable_escape(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
			 errmsg("an escape in the JSON text has no equivalent in encoding \"%s\"",
					GetDatabaseEncodingName())));
}

/*
 * Checks for interrupts between the steps of processing a long text.  With a
 * short text, a cancel has to wait: it may hold new tokens, which must be stored
 * first.
 */
void
smartcar_check_for_interrupts(SmartcarSpan text)
{
	if (text.length >= SMARTCAR_SHORT_TEXT)
		CHECK_FOR_INTERRUPTS();
}

/*
 * Calls jsonb_in(), and returns NULL if that raises an error about the text.
 * jsonb_in() uses no resources but memory, so its errors can be caught without a
 * subtransaction.
 */
static Jsonb *
try_jsonb_in(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	SmartcarHoldoff holdoff = smartcar_save_holdoff();
	Jsonb	   *volatile jsonb = NULL;
	volatile bool is_untranslatable = false;

	PG_TRY();
	{
		jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		const char *sqlstate = unpack_sql_state(geterrcode());

		/* classes 22, data exceptions, and 54, limits */
		if (strncmp(sqlstate, "22", 2) != 0 && strncmp(sqlstate, "54", 2) != 0)
			PG_RE_THROW();
		is_untranslatable = geterrcode() == ERRCODE_UNTRANSLATABLE_CHARACTER &&
			GetDatabaseEncoding() != PG_UTF8;
		MemoryContextSwitchTo(context);
		FlushErrorState();
		smartcar_restore_holdoff(holdoff);
	}
	PG_END_TRY();
	if (is_untranslatable)
		untranslatable_escape();
	return jsonb;
}

/*
 * The text as jsonb, or NULL if it is not JSON that jsonb can hold.
 */
Jsonb *
smartcar_json_parse(SmartcarSpan text)
{
	JsonShape	shape;
	char	   *copy;
	Jsonb	   *jsonb;

	if (text.length == 0 || text.length > SMARTCAR_JSON_MAX_LENGTH)
		return NULL;

	/* the parser is recursive, so the depth must be limited */
	shape = json_shape(text);
	if (shape.depth > MAX_NESTING || shape.commas >= MAX_VALUES || shape.large_number)
		return NULL;
	if (shape.wide_escape && GetDatabaseEncoding() == PG_SQL_ASCII)
		untranslatable_escape();

	smartcar_check_for_interrupts(text);
	copy = pnstrdup(text.data, text.length);
	jsonb = try_jsonb_in(copy);
	explicit_bzero(copy, strlen(copy));
	pfree(copy);
	return jsonb;
}

/*
 * Parses text that may be a JSON object.  Returns NULL if it is not, or if it has
 * an escape that the encoding of the database may not have.
 */
JsonbContainer *
smartcar_json_try_parse(SmartcarSpan text)
{
	Jsonb	   *json;

	if (GetDatabaseEncoding() != PG_UTF8 && json_shape(text).wide_escape)
		return NULL;
	json = smartcar_json_parse(text);
	return json != NULL && JB_ROOT_IS_OBJECT(json) ? &json->root : NULL;
}

/* A member of an object, or NULL if there is none. */
JsonbValue *
smartcar_json_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, (int) strlen(key), value);
}

/* A member that is an object; NULL for any other. */
JsonbContainer *
smartcar_json_object_member(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (smartcar_json_member(object, key, &value) == NULL ||
		value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

/* A member that is a string; no data for any other. */
SmartcarSpan
smartcar_json_text_member(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (smartcar_json_member(object, key, &value) == NULL || value.type != jbvString)
		return smartcar_span(NULL, 0);
	return smartcar_span(value.val.string.val, value.val.string.len);
}

/* A copy of a member that is not null; otherwise NULL. */
Jsonb *
smartcar_json_copy_member(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (smartcar_json_member(object, key, &value) == NULL || value.type == jbvNull)
		return NULL;
	return JsonbValueToJsonb(&value);
}

/* A member that is an array; NULL for any other. */
JsonbContainer *
smartcar_json_array_member(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (smartcar_json_member(object, key, &value) == NULL ||
		value.type != jbvBinary || !JsonContainerIsArray(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

/* An element that is an object; NULL for any other. */
JsonbContainer *
smartcar_json_object_element(JsonbContainer *array, uint32 index)
{
	JsonbValue *value = getIthJsonbValueFromContainer(array, index);

	if (value == NULL || value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

/* An element that is a string; no data for any other. */
SmartcarSpan
smartcar_json_text_element(JsonbContainer *array, uint32 index)
{
	JsonbValue *value = getIthJsonbValueFromContainer(array, index);

	if (value == NULL || value->type != jbvString)
		return smartcar_span(NULL, 0);
	return smartcar_span(value->val.string.val, value->val.string.len);
}

/*
 * A member that is an integer, or a string of digits.  Returns false for any
 * other.
 */
bool
smartcar_json_integer_member(JsonbContainer *object, const char *key, int32 *integer)
{
	JsonbValue	value;
	int64_t		number;

	if (smartcar_json_member(object, key, &value) == NULL)
		return false;
	if (value.type == jbvNumeric)
		return smartcar_numeric_int4(value.val.numeric, integer);
	if (value.type != jbvString ||
		!smartcar_span_to_number(smartcar_span(value.val.string.val, value.val.string.len),
								 MAX_INTEGER_DIGITS, &number))
		return false;
	*integer = (int32) number;
	return true;
}

/* A member that is true or false.  Returns false for any other. */
bool
smartcar_json_boolean_member(JsonbContainer *object, const char *key, bool *boolean)
{
	JsonbValue	value;

	if (smartcar_json_member(object, key, &value) == NULL || value.type != jbvBool)
		return false;
	*boolean = value.val.boolean;
	return true;
}

/*
 * A member that is a time: ISO 8601, or seconds or milliseconds since 1970 as a
 * number or a string.  Returns false for any other.
 */
bool
smartcar_json_time_member(JsonbContainer *object, const char *key, TimestampTz *time)
{
	JsonbValue	value;
	SmartcarSpan text;
	int64_t		number;

	if (smartcar_json_member(object, key, &value) == NULL)
		return false;
	if (value.type == jbvNumeric)
	{
		Datum		number_text = DirectFunctionCall1(numeric_out,
													  NumericGetDatum(value.val.numeric));

		text = smartcar_span_from_string(DatumGetCString(number_text));
	}
	else if (value.type == jbvString)
		text = smartcar_span(value.val.string.val, value.val.string.len);

	else
		return false;
	if (smartcar_timestamptz(text, time))
		return *time >= OLDEST_TIME;
	if (!smartcar_span_to_number(text, TIME_DIGITS, &number))
		return false;
	if (number < MAX_SECONDS)
		number *= 1000;
	if (number >= 1000 * MAX_SECONDS)
		return false;
	*time = number * 1000 - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	return *time >= OLDEST_TIME;
}
