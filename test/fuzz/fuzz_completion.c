/*-------------------------------------------------------------------------
 *
 * fuzz_completion.c
 *	  Fuzzes the completion of an incomplete link, and the check of its origin.
 *
 * The first byte says which values are given and where the link points; the
 * slices are redirect_uri, state, external_id and the link.  The link is tried as it is,
 * and behind the origin and a slash, so that a run need not guess these.
 *
 * test/fuzz/fuzz_completion.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/completion.h"
#include "core/link.h"
#include "curl_view.h"
#include "reference.h"

static const char *const origins[] = {
	SMARTCAR_CONNECT_ORIGIN,
	"http://localhost:8080",
	"https://[::1]:8443",
	"https://127.0.0.1"
};

#define ORIGIN_COUNT	(sizeof(origins) / sizeof(origins[0]))

static const SmartcarSpan given_names[] = {
	{"redirect_uri", 12},
	{"state", 5},
	{"external_id", 11}
};

#define GIVEN_COUNT		(sizeof(given_names) / sizeof(given_names[0]))

/*
 * Cuts the next pair off a query and decodes its name; what reads the link
 * decodes it too.
 */
static bool
next_pair(SmartcarSpan *query, SmartcarSpan *pair, SmartcarSpan *name)
{
	SmartcarSpan rest;

	if (query->data == NULL)
		return false;
	rest = *pair = cut(query, '&');
	*name = reference_decode(cut(&rest, '=')).bytes;
	return true;
}

/* Skips the pairs that are empty, or that are to be replaced. */
static bool
next_kept_pair(SmartcarSpan *query, const SmartcarSpan *given, SmartcarSpan *pair)
{
	SmartcarSpan name;

	while (next_pair(query, pair, &name))
	{
		bool		kept = pair->length > 0;

		for (size_t i = 0; i < GIVEN_COUNT; i++)
			kept &= given[i].data == NULL || !smartcar_span_equal(name, given_names[i]);
		if (kept)
			return true;
	}
	return false;
}

static SmartcarSpan
complete(SmartcarSpan url, const SmartcarSpan *given)
{
	SmartcarCompletion completion = {url, given[0], given[1], given[2]};
	size_t		length = smartcar_completion_write(&completion, NULL);
	char	   *target = block_new(length);

	PROPERTY(smartcar_completion_write(&completion, target) == length, url,
			 "the written length is the announced one");
	return smartcar_span(target, length);
}

static bool
has_parameter(SmartcarSpan query, SmartcarSpan wanted)
{
	SmartcarSpan pair;
	SmartcarSpan name;

	while (next_pair(&query, &pair, &name))
	{
		if (pair.length > 0 && smartcar_span_equal(name, wanted))
			return true;
	}
	return false;
}

/* The query of a URL as libcurl splits it; its fragment has been refused. */
static SmartcarSpan
query_of(const CurlView *view)
{
	return smartcar_span_from_string(view->query);
}

static void
check_completed(SmartcarSpan url, SmartcarSpan origin, const SmartcarSpan *given)
{
	SmartcarSpan completed = complete(url, given);
	CurlView	before;
	CurlView	after;
	SmartcarSpan old_query;
	SmartcarSpan query;
	SmartcarSpan pair;
	SmartcarSpan old_pair;
	SmartcarSpan name;

	PROPERTY(smartcar_url_has_origin(completed, origin), completed,
			 "a completed link points where the link did");
	PROPERTY(curl_view_open(&before, url) && curl_view_open(&after, completed), completed,
			 "libcurl parses both links");
	PROPERTY(same_string(before.scheme, after.scheme) && same_string(before.host, after.host) &&
			 same_string(before.port, after.port) && same_string(before.path, after.path),
			 completed, "a completed link has the scheme, host, port and path of the link");
	PROPERTY(after.user == NULL && after.fragment == NULL, completed,
			 "a completed link has no user and no fragment");

	old_query = query_of(&before);
	query = query_of(&after);
	for (size_t i = 0; i < GIVEN_COUNT; i++)
		PROPERTY(smartcar_url_has_parameter(url, given_names[i]) ==
				 has_parameter(old_query, given_names[i]), url,
				 "a parameter is found if and only if it is present");

	while (next_kept_pair(&old_query, given, &old_pair))
		PROPERTY(next_pair(&query, &pair, &name) && smartcar_span_equal(pair, old_pair),
				 completed, "the other pairs of the link are kept, in their order");
	for (size_t i = 0; i < GIVEN_COUNT; i++)
	{
		if (given[i].data == NULL)
			continue;
		PROPERTY(next_pair(&query, &pair, &name) && smartcar_span_equal(name, given_names[i]) &&
				 pair.length > name.length, completed, "the given values come last");
		pair = smartcar_span_skip(pair, given_names[i].length + 1);
		PROPERTY(smartcar_span_equal(curl_unescaped(pair), given[i]), completed,
				 "the given values are those that went in");
	}
	PROPERTY(!next_pair(&query, &pair, &name), completed,
			 "a given parameter is in the link once, at the end");

	PROPERTY(smartcar_span_equal(complete(completed, given), completed), completed,
			 "completing a link twice changes nothing");
	curl_view_close(&before);
	curl_view_close(&after);
}

static void
check_url(SmartcarSpan url, SmartcarSpan origin, const SmartcarSpan *given)
{
	CurlView	view;
	CurlView	wanted;

	complete(url, given);
	if (!smartcar_url_has_origin(url, origin))
		return;

	for (size_t i = 0; i < url.length; i++)
		PROPERTY(isgraph((unsigned char) url.data[i]) && !is_one_of(url.data[i], "\\\"<>#"), url,
				 "an accepted link has no character that a browser drops or rewrites");
	PROPERTY(curl_view_open(&view, url) && curl_view_open(&wanted, origin), url,
			 "libcurl parses an accepted link");
	PROPERTY(same_string(view.scheme, wanted.scheme) && same_string(view.host, wanted.host) &&
			 same_string(view.port, wanted.port) && view.user == NULL &&
			 view.password == NULL && view.fragment == NULL, url,
			 "an accepted link leads to the origin and has no user and no fragment");
	curl_view_close(&view);
	curl_view_close(&wanted);
	check_completed(url, origin, given);
}

/* A link that is nothing but letters behind the origin must not be refused. */
static void
check_plain(SmartcarSpan origin, SmartcarSpan text)
{
	SmartcarSpan url = block_join(origin, SMARTCAR_SPAN("/"), text);

	for (size_t i = 0; i < text.length; i++)
	{
		if (!isalnum((unsigned char) text.data[i]) && !is_one_of(text.data[i], "-._~/?&=%+@:"))
			return;
	}
	PROPERTY(smartcar_url_has_origin(url, origin), url,
			 "a link to the origin without odd characters is accepted");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan input = smartcar_span((const char *) data, size);
	unsigned char choice = input_byte(&input);
	const char *chosen = origins[(choice >> GIVEN_COUNT) % ORIGIN_COUNT];
	SmartcarSpan origin = block_copy(smartcar_span_from_string(chosen));
	SmartcarSpan given[GIVEN_COUNT];

	for (size_t i = 0; i < GIVEN_COUNT; i++)
	{
		given[i] = input_slice(&input);
		if ((choice & (1 << i)) == 0)
			given[i] = NOTHING;
	}

	check_url(block_copy(input), origin, given);
	check_url(block_join(origin, input, NOTHING), origin, given);
	check_url(block_join(origin, SMARTCAR_SPAN("/"), input), origin, given);
	check_plain(origin, input);
	PROPERTY(!smartcar_url_has_origin(origin, origin), origin,
			 "an origin alone is no link");
	PROPERTY(!smartcar_url_has_origin(NOTHING, origin), NOTHING, "an empty text is no link");
	blocks_free();
	return 0;
}
