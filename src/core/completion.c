/*-------------------------------------------------------------------------
 *
 * completion.c
 *	  Completes the incomplete link of an API error.
 *
 * src/core/completion.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/completion.h"
#include "core/writer.h"

#define LONGEST_ADDED_NAME	12	/* redirect_uri */

/*
 * Whether a URL has an origin.  A slash must follow the origin, or the host may
 * be another one ("https://connect.smartcar.com.evil.example",
 * "https://connect.smartcar.com@evil.example").  Characters that are not allowed
 * in a URL are refused, because browsers drop or rewrite them.
 */
bool
smartcar_url_has_origin(SmartcarSpan url, SmartcarSpan origin)
{
	if (!smartcar_span_starts_with(url, origin) ||
		url.length == origin.length || url.data[origin.length] != '/')
		return false;

	for (size_t i = 0; i < url.length; i++)
	{
		char		c = url.data[i];

		if (c < 0x21 || c > 0x7E || c == '\\' || c == '"' || c == '<' || c == '>' || c == '#')
			return false;
	}
	return true;
}

/*
 * Whether a parameter has a name.  Smartcar decodes names, so "st%61te" is
 * "state".
 */
static bool
is_named(SmartcarSpan name, SmartcarSpan wanted)
{
	char		scratch[3 * LONGEST_ADDED_NAME];
	SmartcarSpan decoded;
	size_t		offset;

	if (smartcar_span_equal(name, wanted))
		return true;
	return name.length <= sizeof(scratch) &&
		smartcar_query_decode(name, scratch, &decoded, &offset) == SMARTCAR_DECODE_OK &&
		smartcar_span_equal(decoded, wanted);
}

/* Splits a URL at its "?"; query.data is NULL if there is none. */
static void
split_query(SmartcarSpan url, SmartcarSpan *base, SmartcarSpan *query)
{
	const char *mark = memchr(url.data, '?', url.length);

	*base = mark ? smartcar_span(url.data, (size_t) (mark - url.data)) : url;
	*query = mark ? smartcar_span_skip(url, base->length + 1) : smartcar_span(NULL, 0);
}

/* Whether the query of a URL has a parameter, even if its value is empty. */
bool
smartcar_url_has_parameter(SmartcarSpan url, SmartcarSpan name)
{
	SmartcarSpan base;
	SmartcarSpan query;
	SmartcarSpan pair;
	SmartcarSpan found;

	split_query(url, &base, &query);
	while (smartcar_query_next(&query, &pair, &found))
	{
		if (is_named(found, name))
			return true;
	}
	return false;
}

/*
 * Writes the completed link into target, unless that is NULL, and returns its
 * length.  The parameters of completion replace those of the link; all others
 * are copied unchanged.
 */
size_t
smartcar_completion_write(const SmartcarCompletion *completion, char *target)
{
	const struct
	{
		SmartcarSpan name;
		SmartcarSpan value;
	}			added[] =
	{
		{SMARTCAR_SPAN("redirect_uri"), completion->redirect_uri},
		{SMARTCAR_SPAN("state"), completion->state},
		{SMARTCAR_SPAN("external_id"), completion->external_id}
	};
	const size_t added_count = sizeof(added) / sizeof(added[0]);
	SmartcarSpan base;
	SmartcarSpan query;
	SmartcarSpan pair;
	SmartcarSpan name;
	SmartcarWriter writer = {target, 0};
	SmartcarSpan separator = SMARTCAR_SPAN("?");

	split_query(completion->url, &base, &query);
	smartcar_write(&writer, base);

	while (smartcar_query_next(&query, &pair, &name))
	{
		bool		replaced = pair.length == 0;

		for (size_t i = 0; i < added_count; i++)
			replaced |= added[i].value.data != NULL && is_named(name, added[i].name);
		if (replaced)
			continue;
		smartcar_write(&writer, separator);
		smartcar_write(&writer, pair);
		separator = SMARTCAR_SPAN("&");
	}

	for (size_t i = 0; i < added_count; i++)
	{
		if (added[i].value.data == NULL)
			continue;
		smartcar_write(&writer, separator);
		smartcar_write(&writer, added[i].name);
		smartcar_write(&writer, SMARTCAR_SPAN("="));
		smartcar_write_encoded(&writer, added[i].value);
		separator = SMARTCAR_SPAN("&");
	}
	return writer.length;
}
