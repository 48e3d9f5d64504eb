/*-------------------------------------------------------------------------
 *
 * fuzz_link.c
 *	  Fuzzes the building of links into Smartcar Connect.
 *
 * The first byte chooses kind, API version and origin, the next two which
 * parameters vary.  A slice for each parameter follows, in the order of
 * SmartcarLinkParameter: "=text" is a value of one word, "+text" one of as many
 * words as it has spaces and one more, anything else leaves the parameter out.
 *
 * The parameters that a link must have are written down here once more, from
 * Smartcar's pages, and the link is taken apart by libcurl.
 *
 * test/fuzz/fuzz_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/link.h"
#include "callback_view.h"
#include "curl_view.h"
#include "reference.h"

#define KIND_COUNT		4
#define VERSION_COUNT	2
#define ALL_PARAMETERS	(SMARTCAR_LINK_PARAMETER_BIT(SMARTCAR_LINK_PARAMETER_COUNT) - 1)

typedef struct ExpectedParameter
{
	SmartcarLinkParameter parameter;
	const char *names[VERSION_COUNT];	/* NULL: not in that version */
} ExpectedParameter;

typedef struct ExpectedLink
{
	const char *path;
	int			count;
	ExpectedParameter parameters[SMARTCAR_LINK_PARAMETER_COUNT];
} ExpectedLink;

static const ExpectedLink expected_links[KIND_COUNT] = {
	[SMARTCAR_LINK_CONNECT] = {
		"/oauth/authorize", 12,
		{
			{SMARTCAR_LINK_RESPONSE_TYPE, {"response_type", "response_type"}},
			{SMARTCAR_LINK_APPLICATION, {"client_id", "application_id"}},
			{SMARTCAR_LINK_APPROVAL_PROMPT, {"approval_prompt", "approval_prompt"}},
			{SMARTCAR_LINK_REDIRECT_URI, {"redirect_uri", "redirect_uri"}},
			{SMARTCAR_LINK_SCOPE, {"scope", "scope"}},
			{SMARTCAR_LINK_STATE, {"state", "state"}},
			{SMARTCAR_LINK_SINGLE_SELECT, {"single_select", "single_select"}},
			{SMARTCAR_LINK_SINGLE_SELECT_VIN, {"single_select_vin", "single_select_vin"}},
			{SMARTCAR_LINK_MAKE, {"make", "make"}},
			{SMARTCAR_LINK_FLAGS, {"flags", "flags"}},
			{SMARTCAR_LINK_OWNER, {"user", "external_id"}},
			{SMARTCAR_LINK_MODE, {"mode", "mode"}}
		}
	},
	[SMARTCAR_LINK_UPDATE_ACCESS] = {
		"/oauth/authorize", 7,
		{
			{SMARTCAR_LINK_RESPONSE_TYPE, {"response_type", "response_type"}},
			{SMARTCAR_LINK_MAKE, {"make", "make"}},
			{SMARTCAR_LINK_APPLICATION, {"client_id", "application_id"}},
			{SMARTCAR_LINK_SCOPE, {"scope", "scope"}},
			{SMARTCAR_LINK_REDIRECT_URI, {"redirect_uri", "redirect_uri"}},
			{SMARTCAR_LINK_STATE, {"state", "state"}},
			{SMARTCAR_LINK_OWNER, {NULL, "external_id"}}
		}
	},
	[SMARTCAR_LINK_UPDATE_ACCESS_ONLY] = {
		"/oauth/reauthenticate", 5,
		{
			{SMARTCAR_LINK_RESPONSE_TYPE, {"response_type", "response_type"}},
			{SMARTCAR_LINK_MAKE, {"make", "make"}},
			{SMARTCAR_LINK_APPLICATION, {"client_id", "client_id"}},
			{SMARTCAR_LINK_SCOPE, {"scope", "scope"}},
			{SMARTCAR_LINK_OWNER, {NULL, "external_id"}}
		}
	},
	[SMARTCAR_LINK_REAUTHENTICATE] = {
		"/oauth/reauthenticate", 6,
		{
			{SMARTCAR_LINK_RESPONSE_TYPE, {"response_type", "response_type"}},
			{SMARTCAR_LINK_APPLICATION, {"client_id", "application_id"}},
			{SMARTCAR_LINK_VEHICLE_ID, {"vehicle_id", "vehicle_id"}},
			{SMARTCAR_LINK_REDIRECT_URI, {"redirect_uri", "redirect_uri"}},
			{SMARTCAR_LINK_STATE, {"state", "state"}},
			{SMARTCAR_LINK_OWNER, {"user", "external_id"}}
		}
	}
};

typedef struct Origin
{
	const char *text;
	const char *scheme;
	const char *host;
	const char *port;
} Origin;

static const Origin origins[] = {
	{SMARTCAR_CONNECT_ORIGIN, "https", "connect.smartcar.com", NULL},
	{"http://localhost:8080", "http", "localhost", "8080"},
	{"https://[::1]:8443", "https", "[::1]", "8443"}
};

#define ORIGIN_COUNT	(sizeof(origins) / sizeof(origins[0]))

static SmartcarWords
one_word(SmartcarSpan text)
{
	SmartcarSpan *words = block_new(sizeof(*words));

	words[0] = text;
	return (SmartcarWords) {.words = words, .count = 1};
}

static SmartcarWords
words_at_spaces(SmartcarSpan text)
{
	SmartcarWords words = {.count = 1};
	SmartcarSpan *list;

	for (size_t i = 0; i < text.length; i++)
		words.count += text.data[i] == ' ';
	list = block_new(words.count * sizeof(*list));
	for (size_t word = 0; word < words.count; word++)
	{
		size_t		length = 0;

		while (length < text.length && text.data[length] != ' ')
			length++;
		list[word] = block_copy(smartcar_span(text.data, length));
		if (length < text.length)
			text = smartcar_span_skip(text, length + 1);
	}
	words.words = list;
	return words;
}

static SmartcarWords
encoded_words(SmartcarWords words)
{
	SmartcarWords encoded = {.count = words.count, .is_encoded = true};
	SmartcarSpan *list = block_new(words.count * sizeof(*list));

	for (size_t i = 0; i < words.count; i++)
	{
		char	   *target = block_new(smartcar_percent_encoded_length(words.words[i]));
		char	   *end = smartcar_percent_encode(target, words.words[i]);

		list[i] = smartcar_span(target, (size_t) (end - target));
	}
	encoded.words = list;
	return encoded;
}

/* Compiles and writes a link whose varying values are not known at first. */
static SmartcarSpan
build(const SmartcarLink *link, uint32_t varying, const SmartcarWords *before)
{
	SmartcarLink early = *link;
	SmartcarCompiledLink compiled;
	size_t		size;
	size_t		length;
	size_t		pieces = 0;
	size_t		ready = 0;
	char	   *bytes;
	char	   *target;

	for (int i = 0; i < SMARTCAR_LINK_PARAMETER_COUNT; i++)
	{
		if (varying & SMARTCAR_LINK_PARAMETER_BIT(i))
			early.values[i] = *before;
	}
	size = smartcar_link_compile(&early, varying, NULL, &compiled);
	bytes = block_new(size);
	PROPERTY(smartcar_link_compile(&early, varying, bytes, &compiled) == size,
			 smartcar_span(bytes, size), "the number of bytes is the announced one");

	PROPERTY(compiled.piece_count > 0 && compiled.piece_count <= SMARTCAR_LINK_MAX_PIECES,
			 smartcar_span(bytes, size), "the pieces have room in their array");
	for (int i = 0; i < compiled.piece_count; i++)
	{
		pieces += compiled.pieces[i].length;
		if (compiled.pieces[i].parameter == SMARTCAR_LINK_READY_BYTES)
			ready += compiled.pieces[i].length;
		else
			PROPERTY(varying & SMARTCAR_LINK_PARAMETER_BIT(compiled.pieces[i].parameter),
					 smartcar_span(bytes, size), "only parameters that vary are left open");
	}
	PROPERTY(pieces == size, smartcar_span(bytes, size),
			 "the pieces are as long as was announced");
	PROPERTY(ready == compiled.ready_length, smartcar_span(bytes, size),
			 "the ready bytes are counted");

	length = smartcar_link_write(&compiled, link, NULL);
	PROPERTY(smartcar_link_bound(&compiled, link) >= length, smartcar_span(bytes, size),
			 "a link is not longer than its bound");
	target = block_new(length);
	PROPERTY(smartcar_link_write(&compiled, link, target) == length, smartcar_span(target, length),
			 "a link has the announced length");
	return smartcar_span(target, length);
}

/* texts has the value of each parameter as one text; no data: left out. */
static void
check_as_url(SmartcarSpan url, const SmartcarLink *link, const Origin *origin,
			 const SmartcarSpan *texts)
{
	const ExpectedLink *expected = &expected_links[link->kind];
	CurlView	view;
	SmartcarSpan query;

	PROPERTY(curl_view_open(&view, url), url, "libcurl parses a link");
	PROPERTY(same_string(view.scheme, origin->scheme) && same_string(view.host, origin->host) &&
			 same_string(view.port, origin->port), url, "a link leads to its origin");
	PROPERTY(same_string(view.path, expected->path), url, "a link has the path of its kind");
	PROPERTY(view.user == NULL && view.password == NULL && view.fragment == NULL, url,
			 "a link has no user and no fragment");

	query = smartcar_span_from_string(view.query);
	for (int i = 0; i < expected->count; i++)
	{
		const ExpectedParameter *parameter = &expected->parameters[i];
		const char *expected_name = parameter->names[link->api_version];
		SmartcarSpan text = texts[parameter->parameter];
		SmartcarSpan pair;
		SmartcarSpan name;

		if (text.data == NULL || expected_name == NULL)
			continue;
		pair = cut(&query, '&');
		name = cut(&pair, '=');
		PROPERTY(smartcar_span_equal(name, smartcar_span_from_string(expected_name)), url,
				 "the parameters have their names and their order");
		PROPERTY(pair.data != NULL && smartcar_span_equal(curl_unescaped(pair), text), url,
				 "every parameter has the given value");
	}
	PROPERTY(query.data == NULL, url, "a link has only the given parameters");
	curl_view_close(&view);
}

/* The field of a callback that has the name of a parameter, or -1. */
static int
find_field(const char *name)
{
	for (int field = 0; field < SMARTCAR_CALLBACK_FIELD_COUNT; field++)
	{
		if (strcmp(smartcar_callback_field_name((SmartcarCallbackField) field), name) == 0)
			return field;
	}
	return -1;
}

/* Some parameters of a link are those of a callback, so one parser reads both. */
static void
check_as_callback(SmartcarSpan url, const SmartcarLink *link, const SmartcarSpan *texts)
{
	const ExpectedLink *expected = &expected_links[link->kind];
	SmartcarCallback callback;
	SmartcarCallbackFault fault;
	SmartcarCallbackStatus status;
	SmartcarSpan values[SMARTCAR_CALLBACK_FIELD_COUNT] = {{NULL, 0}};
	bool		acceptable = true;

	for (int i = 0; i < expected->count; i++)
	{
		const ExpectedParameter *parameter = &expected->parameters[i];
		const char *name = parameter->names[link->api_version];
		int			field = name ? find_field(name) : -1;
		SmartcarSpan text = texts[parameter->parameter];

		if (field < 0 || text.length == 0)
			continue;
		values[field] = text;
		acceptable &= is_text(text);
	}

	status = parse_callback(url, block_new(url.length), &callback, &fault);
	PROPERTY((status == SMARTCAR_CALLBACK_OK) == acceptable, url,
			 "a link can be parsed as a callback if its values are texts");
	for (int field = 0; acceptable && field < SMARTCAR_CALLBACK_FIELD_COUNT; field++)
		PROPERTY(smartcar_span_equal(callback_value(&callback, field), values[field]), url,
				 "a callback returns the values of a link");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan input = smartcar_span((const char *) data, size);
	unsigned char choice = input_byte(&input);
	uint32_t	varying = (uint32_t) input_byte(&input);
	const Origin *origin = &origins[(choice >> 3) % ORIGIN_COUNT];
	SmartcarLink link = {
		.kind = (SmartcarLinkKind) (choice % KIND_COUNT),
		.api_version = (SmartcarApiVersion) ((choice >> 2) % VERSION_COUNT)
	};
	SmartcarLink joined;
	SmartcarLink encoded;
	SmartcarSpan texts[SMARTCAR_LINK_PARAMETER_COUNT];
	SmartcarWords nothing = {.count = 0};
	SmartcarWords something = one_word(SMARTCAR_SPAN("not yet & known"));
	SmartcarSpan url;

	varying |= (uint32_t) input_byte(&input) << 8;
	link.origin = block_copy(smartcar_span_from_string(origin->text));
	encoded = joined = link;
	for (int i = 0; i < SMARTCAR_LINK_PARAMETER_COUNT; i++)
	{
		SmartcarSpan slice = input_slice(&input);
		char		form = (char) input_byte(&slice);

		texts[i] = NOTHING;
		if (form == '=' || form == '+')
			texts[i] = block_copy(slice);
		else if (i == SMARTCAR_LINK_RESPONSE_TYPE)	/* is never left out */
			texts[i] = block_copy(SMARTCAR_SPAN("code"));
		if (texts[i].data == NULL)
			continue;
		joined.values[i] = one_word(texts[i]);
		link.values[i] = form == '+' ? words_at_spaces(texts[i]) : joined.values[i];
		encoded.values[i] = encoded_words(link.values[i]);
	}

	url = build(&link, 0, &nothing);
	check_as_url(url, &link, origin, texts);
	check_as_callback(url, &link, texts);

	PROPERTY(smartcar_span_equal(build(&joined, 0, &nothing), url), url,
			 "words and the text that they make up are written alike");
	PROPERTY(smartcar_span_equal(build(&encoded, varying, &nothing), url), url,
			 "words that are encoded already are written alike");
	PROPERTY(smartcar_span_equal(build(&link, varying, &nothing), url), url,
			 "a link does not depend on which parameters vary");
	PROPERTY(smartcar_span_equal(build(&link, varying, &something), url), url,
			 "what a parameter was before it varied leaves no trace");
	PROPERTY(smartcar_span_equal(build(&link, ~varying, &something), url), url,
			 "a link does not depend on which parameters are constant");
	PROPERTY(smartcar_span_equal(build(&link, ALL_PARAMETERS, &nothing), url), url,
			 "a link does not change if all parameters vary");
	blocks_free();
	return 0;
}
