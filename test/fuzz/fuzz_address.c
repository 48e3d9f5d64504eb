/*-------------------------------------------------------------------------
 *
 * fuzz_address.c
 *	  Fuzzes which origins, redirect URIs and application ids are acceptable.
 *
 * The input is the text, alone and after each scheme, so that a run need not
 * guess the schemes.  libcurl must find only a host in an accepted address, and
 * a valid address must be accepted.
 *
 * test/fuzz/fuzz_address.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/address.h"
#include "curl_view.h"
#include "reference.h"

static regex_t named_host_pattern;
static regex_t custom_scheme_pattern;
static regex_t leading_zero_pattern;

/* An authority split without a thought for what it is. */
typedef struct Authority
{
	SmartcarSpan host;
	bool		valid;
} Authority;

static bool
is_port(SmartcarSpan text)
{
	for (size_t i = 0; i < text.length; i++)
	{
		if (!isdigit((unsigned char) text.data[i]))
			return false;
	}
	return text.length >= 1 && text.length <= 5 &&
		atol(block_string(text)) >= 1 && atol(block_string(text)) <= 65535;
}

/* url is known to begin with a scheme and two slashes. */
static Authority
judge_authority(SmartcarSpan url)
{
	Authority	authority = {written_host(url), false};
	SmartcarSpan host = authority.host;
	const char *behind = host.data + host.length;
	SmartcarSpan rest = smartcar_span(behind, (size_t) (url.data + url.length - behind));
	size_t		port = 0;

	if (host.length > 0 && host.data[0] == '[')
		authority.valid = smartcar_span_equal(host, SMARTCAR_SPAN("[::1]"));
	else
		authority.valid = pattern_matches(&named_host_pattern, host);

	if (rest.length > 0 && rest.data[0] == ':')
	{
		rest = smartcar_span_skip(rest, 1);
		while (port < rest.length && !is_one_of(rest.data[port], "/?"))
			port++;
		authority.valid &= is_port(smartcar_span(rest.data, port));
	}
	else if (rest.length > 0 && !is_one_of(rest.data[0], "/?"))
		authority.valid = false;
	return authority;
}

/* Four numbers, none above 255, without the zeros that may make one octal. */
static bool
is_plain_loopback(SmartcarSpan host)
{
	return memchr(host.data, '\0', host.length) == NULL &&
		is_loopback_host(block_string(host)) && !pattern_matches(&leading_zero_pattern, host);
}

static void
check_origin(SmartcarSpan origin)
{
	bool		accepted = smartcar_origin_valid(origin);
	bool		secure = smartcar_span_starts_with(origin, SMARTCAR_SPAN("https://"));
	CurlView	view;

	if (secure || smartcar_span_starts_with(origin, SMARTCAR_SPAN("http://")))
	{
		Authority	authority = judge_authority(origin);
		SmartcarSpan after_scheme = smartcar_span_skip(origin, secure ? 8 : 7);
		bool		bare = after_scheme.length > 0 &&
			memchr(after_scheme.data, '/', after_scheme.length) == NULL &&
			memchr(after_scheme.data, '?', after_scheme.length) == NULL;

		if (authority.valid && bare && (secure || is_plain_loopback(authority.host)))
			PROPERTY(accepted, origin, "an origin that follows the rule is accepted");
		else if (!authority.valid || !bare)
			PROPERTY(!accepted, origin, "an origin that does not follow the rule is refused");
	}
	if (!accepted)
		return;

	PROPERTY(curl_view_open(&view, origin), origin, "libcurl parses an origin");
	PROPERTY(same_string(view.scheme, secure ? "https" : "http"), origin,
			 "an origin is https or http");
	PROPERTY(secure || is_loopback_host(view.host), origin,
			 "an http origin is on the loopback interface");
	PROPERTY(is_host(written_host(origin), view.host), origin,
			 "libcurl reads the host of an origin as it is written");
	PROPERTY(view.user == NULL && view.password == NULL && view.query == NULL &&
			 view.fragment == NULL && same_string(view.path, "/"), origin,
			 "an origin has no user, path, query or fragment");
	curl_view_close(&view);
}

static bool
is_graphic_text(SmartcarSpan text)
{
	for (size_t i = 0; i < text.length; i++)
	{
		if (!isgraph((unsigned char) text.data[i]))
			return false;
	}
	return text.length > 0;
}

static bool
expect_redirect_uri(SmartcarSpan uri)
{
	Authority	authority;

	if (!is_graphic_text(uri) || memchr(uri.data, '#', uri.length) != NULL)
		return false;
	if (!smartcar_span_starts_with(uri, SMARTCAR_SPAN("https://")) &&
		!smartcar_span_starts_with(uri, SMARTCAR_SPAN("http://")))
		return pattern_matches(&custom_scheme_pattern, uri);
	authority = judge_authority(uri);
	return authority.valid &&
		(uri.data[4] == 's' ||
		 smartcar_span_equal_ignoring_case(authority.host, SMARTCAR_SPAN("localhost")));
}

static void
check_redirect_uri(SmartcarSpan uri)
{
	bool		accepted = smartcar_redirect_uri_valid(uri);
	CurlView	view;

	PROPERTY(accepted == expect_redirect_uri(uri), uri,
			 "a redirect URI is accepted if and only if it follows the rule");
	if (!accepted)
		return;

	PROPERTY(is_graphic_text(uri) && memchr(uri.data, '#', uri.length) == NULL, uri,
			 "a redirect URI has no space, control character or fragment");
	if (uri.data[0] != 'h')
		return;

	PROPERTY(curl_view_open(&view, uri), uri, "libcurl parses a redirect URI");
	PROPERTY(same_string(view.scheme, uri.data[4] == 's' ? "https" : "http"), uri,
			 "libcurl reads the scheme of a redirect URI as it is written");
	PROPERTY(is_host(written_host(uri), view.host), uri,
			 "libcurl reads the host of a redirect URI as it is written");
	PROPERTY(uri.data[4] == 's' || is_loopback_host(view.host), uri,
			 "an http redirect URI is on the loopback interface");
	PROPERTY(view.user == NULL && view.password == NULL && view.fragment == NULL, uri,
			 "a redirect URI has no user and no fragment");
	curl_view_close(&view);
}

static void
check_application_id(SmartcarSpan id)
{
	PROPERTY(smartcar_span_is_visible(id) == is_graphic_text(id), id,
			 "an application id is visible ASCII");
	PROPERTY(smartcar_is_api_credential_id(id) ==
			 (id.length >= 7 && memcmp(id.data, "client_", 7) == 0), id,
			 "an API credential is known by its first letters");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	pattern_compile(&named_host_pattern, "^" HOST_NAME_PATTERN "$");
	pattern_compile(&custom_scheme_pattern, "^sc[A-Za-z0-9+.-]*://.");
	pattern_compile(&leading_zero_pattern, "(^|\\.)0[0-9]");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const prefixes[] = {
		"", "https://", "http://", "http://127.", "http://localhost", "https://[", "sc"
	};
	SmartcarSpan input = smartcar_span((const char *) data, size);

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
	{
		SmartcarSpan text = block_join(smartcar_span_from_string(prefixes[i]), input, NOTHING);

		check_origin(text);
		check_redirect_uri(text);
	}
	check_application_id(block_copy(input));
	check_application_id(block_join(SMARTCAR_SPAN("client_"), input, NOTHING));

	PROPERTY(!smartcar_origin_valid(NOTHING) && !smartcar_redirect_uri_valid(NOTHING) &&
			 !smartcar_span_is_visible(NOTHING) && !smartcar_is_api_credential_id(NOTHING),
			 NOTHING, "an empty text is no address");
	blocks_free();
	return 0;
}
