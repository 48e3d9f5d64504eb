/*-------------------------------------------------------------------------
 *
 * redact.c
 *	  Redacts secrets in Smartcar's responses.
 *
 * Smartcar's token endpoint repeats a code or token that it refuses, and error
 * messages are logged.
 *
 * src/call/redact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/redact.h"

#include <openssl/evp.h>

#include "lib/stringinfo.h"

#include "core/hex.h"
#include "pg/compat.h"
#include "pg/json.h"

#define REPLACEMENT	"(hidden)"

/*
 * A truncated secret is redacted, too: at least this many bytes of its beginning,
 * and at least half of it.
 */
#define MIN_PREFIX	8

/* In base64, a shorter secret would match text by chance. */
#define MIN_ENCODED	12

/* Decodes an HTML entity after its "&".  Returns its length, or 0. */
static size_t
decode_entity(SmartcarSpan text, unsigned char *byte)
{
	static const struct
	{
		SmartcarSpan name;
		unsigned char byte;
	}			entities[] = {
		{SMARTCAR_SPAN("amp;"), '&'},
		{SMARTCAR_SPAN("lt;"), '<'},
		{SMARTCAR_SPAN("gt;"), '>'},
		{SMARTCAR_SPAN("quot;"), '"'},
		{SMARTCAR_SPAN("apos;"), '\''}
	};
	size_t		i = 1;
	bool		is_hex;
	int			value = 0;

	for (int j = 0; j < lengthof(entities); j++)
	{
		if (smartcar_span_starts_with(text, entities[j].name))
		{
			*byte = entities[j].byte;
			return entities[j].name.length;
		}
	}
	if (text.length < 3 || text.data[0] != '#')
		return 0;
	is_hex = text.data[1] == 'x' || text.data[1] == 'X';

	i += is_hex;
	for (; i < text.length && text.data[i] != ';'; i++)
	{
		int			digit = smartcar_hex_value(text.data[i]);

		if (digit < 0 || (!is_hex && digit > 9))
			return 0;
		value = value * (is_hex ? 16 : 10) + digit;
		if (value > UCHAR_MAX)
			return 0;
	}
	*byte = (unsigned char) value;
	return i < text.length ? i + 1 : 0;
}

/* Decodes two hexadecimal digits. */
static bool
decode_hex(SmartcarSpan text, unsigned char *byte)
{
	return text.length >= 2 && smartcar_hex_decode(smartcar_span(text.data, 2), byte, 1);
}

/*
 * Decodes an escape of a URL, of JSON or of HTML.  Returns its length, or 0 if
 * there is none.
 */
static size_t
decode_escape(SmartcarSpan text, unsigned char *byte)
{
	SmartcarSpan rest = smartcar_span_skip(text, 1);
	size_t		length;

	switch (text.data[0])
	{
		case '%':
			return decode_hex(rest, byte) ? 3 : 0;
		case '&':
			length = decode_entity(rest, byte);
			return length > 0 ? length + 1 : 0;
		case '\\':
			if (rest.length >= 5 && smartcar_span_starts_with(rest, SMARTCAR_SPAN("u00")))
				return decode_hex(smartcar_span_skip(rest, 3), byte) ? 6 : 0;
			if (rest.length == 0)
				return 0;
			*byte = (unsigned char) rest.data[0];
			return 2;
		default:
			return 0;
	}
}

/*
 * The length of a secret, or of the beginning of one, at the start of a text.
 * Each of its bytes may be escaped.  0 if there is none.
 */
static size_t
match_secret(SmartcarSpan text, SmartcarSpan secret)
{
	size_t		length = 0;
	size_t		matched = 0;

	while (matched < secret.length && length < text.length)
	{
		unsigned char byte;
		size_t		escape = decode_escape(smartcar_span_skip(text, length), &byte);

		if (escape > 0 && byte == (unsigned char) secret.data[matched])
			length += escape;
		else if (text.data[length] == secret.data[matched])
			length++;
		else
			break;
		matched++;
	}
	if (matched == secret.length || (matched >= MIN_PREFIX && matched * 2 >= secret.length))
		return length;
	return 0;
}

static SmartcarSpan
replace_all(SmartcarSpan text, SmartcarSpan secret)
{
	StringInfoData result;
	size_t		copied = 0;
	size_t		i = 0;

	if (secret.length == 0)
		return text;

	smartcar_check_for_interrupts(text);
	while (i < text.length)
	{
		char		c = text.data[i];
		size_t		length = 0;

		if (c == secret.data[0] || c == '%' || c == '&' || c == '\\')
			length = match_secret(smartcar_span_skip(text, i), secret);
		if (length == 0)
		{
			i++;
			continue;
		}
		if (copied == 0)
			initStringInfo(&result);
		appendBinaryStringInfo(&result, text.data + copied, (int) (i - copied));
		appendStringInfoString(&result, REPLACEMENT);
		i += length;
		copied = i;
	}
	if (copied == 0)
		return text;

	appendBinaryStringInfo(&result, text.data + copied, (int) (text.length - copied));
	return smartcar_span(result.data, result.len);
}

/*
 * Replaces a secret within text in base64, which encodes three bytes in four
 * characters.  The secret may begin at any of the three.
 */
static SmartcarSpan
replace_encoded(SmartcarSpan text, SmartcarSpan secret)
{
	char	   *encoded = palloc((secret.length + 2) / 3 * 4 + 1);

	for (size_t skipped = 0; skipped < 3; skipped++)
	{
		size_t		length = (secret.length - skipped) / 3 * 3;
		int			size = EVP_EncodeBlock((unsigned char *) encoded,
										   (const unsigned char *) secret.data + skipped,
										   (int) length);

		text = replace_all(text, smartcar_span(encoded, size));

		for (int i = 0; i < size; i++)
			encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
		text = replace_all(text, smartcar_span(encoded, size));
	}
	explicit_bzero(encoded, strlen(encoded));
	pfree(encoded);
	return text;
}

/*
 * Replaces all secrets in a text, plain or encoded for a form, a URL, JSON, HTML
 * or base64.
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

		text = replace_all(text, secret);

		if (secret.length >= MIN_ENCODED)
			text = replace_encoded(text, secret);
	}
	return text;
}

/*
 * A copy of the JSON with every string redacted.
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

		smartcar_check_for_interrupts(smartcar_span((const char *) json, VARSIZE(json)));
		if (has_value && value.type == jbvString)
		{
			SmartcarSpan redacted = smartcar_redact(smartcar_span(value.val.string.val,
																  value.val.string.len),
													secrets);

			value.val.string.val = unconstify(char *, redacted.data);
			value.val.string.len = (int) redacted.length;
		}
		smartcar_jsonb_push(&builder, token, has_value ? &value : NULL);
	}
	if (builder.result == NULL)
		return json;
	if (builder.result->type == jbvArray)
		builder.result->val.array.rawScalar = is_scalar;
	return JsonbValueToJsonb(builder.result);
}
