/*-------------------------------------------------------------------------
 *
 * flags.c
 *	  Converts flags from jsonb to Smartcar's format.
 *
 * Smartcar's format is "name:value name:value".  A value is a string, a number or
 * a boolean.
 *
 * src/pg/flags.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/flags.h"

#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "pg/text.h"

/*
 * Whether a name or value can be part of a flag.  A space would end the flag, and
 * a colon in its name would end the name.
 */
static bool
word_valid(SmartcarSpan word, bool is_name)
{
	if (word.length == 0)
		return false;
	for (size_t i = 0; i < word.length; i++)
	{
		unsigned char byte = (unsigned char) word.data[i];

		if (byte <= ' ' || byte == 0x7F || (is_name && byte == ':'))
			return false;
	}
	return true;
}

static SmartcarSpan
flag_value(SmartcarSpan name, const JsonbValue *value)
{
	Datum		number;

	switch (value->type)
	{
		case jbvString:
			return smartcar_span(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			number = DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric));
			return smartcar_span_from_string(DatumGetCString(number));
		case jbvBool:
			return value->val.boolean ? SMARTCAR_SPAN("true") : SMARTCAR_SPAN("false");
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for flag \"%s\"", smartcar_excerpt(name)),
					 errdetail("The value of a flag is text, a number or a boolean.")));
	}
	return smartcar_span(NULL, 0);	/* keep compiler quiet */
}

/*
 * The flags as words "name:value", in the order in which jsonb sorts its keys.
 */
SmartcarWords
smartcar_flags_from_jsonb(Jsonb *flags)
{
	JsonbIterator *iterator = JsonbIteratorInit(&flags->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	SmartcarSpan name = {NULL, 0};
	SmartcarSpan *words;
	SmartcarWords result = {NULL, 0};

	if (!JB_ROOT_IS_OBJECT(flags))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("flags must be a JSON object"),
				 errhint("An example is '{\"country\": \"DE\"}'.")));

	words = (SmartcarSpan *) palloc((JB_ROOT_COUNT(flags) + 1) * sizeof(SmartcarSpan));
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		SmartcarSpan text_value;
		StringInfoData word;

		if (token == WJB_KEY)
			name = smartcar_span(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE)
			continue;

		text_value = flag_value(name, &value);
		if (!word_valid(name, true) || !word_valid(text_value, false))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid flag \"%s\"", smartcar_excerpt(name)),
					 errdetail("The name and value of a flag must not be empty or contain spaces or control characters. The name must not contain a colon.")));

		initStringInfo(&word);
		appendBinaryStringInfo(&word, name.data, (int) name.length);
		appendStringInfoChar(&word, ':');
		appendBinaryStringInfo(&word, text_value.data, (int) text_value.length);
		words[result.count++] = smartcar_utf8_from_bytes(word.data, word.len);
	}
	result.words = words;
	return result;
}

/*
 * A flags argument as the value of a query parameter; no data if it is NULL or
 * has no flags.
 */
SmartcarSpan
smartcar_flags_argument(FunctionCallInfo fcinfo, int argument)
{
	SmartcarWords words;
	StringInfoData joined;

	if (PG_ARGISNULL(argument))
		return smartcar_span(NULL, 0);
	words = smartcar_flags_from_jsonb(PG_GETARG_JSONB_P(argument));
	initStringInfo(&joined);
	for (size_t i = 0; i < words.count; i++)
	{
		if (i > 0)
			appendStringInfoChar(&joined, ' ');
		appendBinaryStringInfo(&joined, words.words[i].data, (int) words.words[i].length);
	}
	return smartcar_span(joined.len > 0 ? joined.data : NULL, joined.len);
}
