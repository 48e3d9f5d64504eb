/*-------------------------------------------------------------------------
 *
 * redact.c
 *	  Secrets taken out of what somebody else wrote.
 *
 * Smartcar's token endpoint repeats a code or token that it refuses, and error
 * texts end in logs.
 *
 * src/call/redact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/redact.h"

#include "lib/stringinfo.h"

#include "core/percent.h"
#include "pg/compat.h"
#include "pg/text.h"

#define REPLACEMENT	"(hidden)"

static SmartcarSpan
replace_all(SmartcarSpan text, SmartcarSpan secret)
{
	StringInfoData result;
	const char *position = text.data;
	const char *end = text.data + text.length;
	const char *copied = position;

	if (secret.length == 0 || secret.length > text.length)
		return text;

	initStringInfo(&result);
	while ((size_t) (end - position) >= secret.length)
	{
		position = memchr(position, secret.data[0], end - position - (secret.length - 1));
		if (position == NULL)
			break;
		if (memcmp(position, secret.data, secret.length) != 0)
		{
			position++;
			continue;
		}
		appendBinaryStringInfo(&result, copied, position - copied);
		appendStringInfoString(&result, REPLACEMENT);
		position += secret.length;
		copied = position;
	}
	if (copied == text.data)
		return text;

	appendBinaryStringInfo(&result, copied, end - copied);
	return smartcar_span(result.data, result.len);
}

/*
 * The text without any of the secrets, as they are and as they stand in a form
 * or a URL.
 */
SmartcarSpan
smartcar_redact(SmartcarSpan text, List *secrets)
{
	ListCell   *cell;

	if (text.data == NULL)
		return text;

	foreach(cell, secrets)
	{
		SmartcarSpan secret = smartcar_span_from_string((const char *) lfirst(cell));
		size_t		length = smartcar_percent_encoded_length(secret);

		text = replace_all(text, secret);

		if (length != secret.length)
		{
			char	   *encoded = palloc(length);

			smartcar_percent_encode(encoded, secret);
			text = replace_all(text, smartcar_span(encoded, length));
		}
	}
	return text;
}

/*
 * A copy of the JSON in which the same was done to every string.
 */
Jsonb *
smartcar_redact_jsonb(Jsonb *json, List *secrets)
{
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	bool		is_scalar = iterator->isScalar;
	SmartcarJsonbBuilder builder = {0};
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		bool		has_value = token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM;

		if (has_value && value.type == jbvString)
		{
			SmartcarSpan scrubbed = smartcar_redact(smartcar_span(value.val.string.val,
																 value.val.string.len),
												   secrets);

			value.val.string.val = unconstify(char *, scrubbed.data);
			value.val.string.len = (int) scrubbed.length;
		}
		smartcar_jsonb_push(&builder, token, has_value ? &value : NULL);
	}
	if (builder.result == NULL)
		return json;
	if (builder.result->type == jbvArray)
		builder.result->val.array.rawScalar = is_scalar;
	return JsonbValueToJsonb(builder.result);
}
