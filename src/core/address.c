/*-------------------------------------------------------------------------
 *
 * address.c
 *	  Validation of origins, redirect URIs and application ids.
 *
 * src/core/address.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/address.h"

#define HTTPS	SMARTCAR_SPAN("https://")
#define HTTP	SMARTCAR_SPAN("http://")

/* the only IPv6 address that is accepted */
#define IPV6_LOOPBACK	SMARTCAR_SPAN("[::1]")

#define PORT_MAX	65535
#define PORT_DIGITS	5

/* Removes a prefix if it is there. */
static bool
skip_prefix(SmartcarSpan *text, SmartcarSpan prefix)
{
	if (!smartcar_span_starts_with(*text, prefix))
		return false;
	*text = smartcar_span_skip(*text, prefix.length);
	return true;
}

static bool
port_valid(SmartcarSpan port)
{
	int64_t		value = 0;

	return smartcar_span_to_number(port, PORT_DIGITS, &value) && value > 0 && value <= PORT_MAX;
}

/* Labels of letters, digits and hyphens, without an empty one or a final dot. */
static bool
host_valid(SmartcarSpan host)
{
	size_t		label = 0;

	for (size_t i = 0; i < host.length; i++)
	{
		char		c = smartcar_ascii_lower(host.data[i]);

		if (c == '.')
		{
			if (label == 0 || host.data[i - 1] == '-')
				return false;
			label = 0;
		}
		else if (smartcar_is_lower(c) || smartcar_is_digit(c) || (c == '-' && label > 0))
			label++;
		else
			return false;
	}
	return label > 0 && host.data[host.length - 1] != '-';
}

/*
 * Four numbers up to 255, without leading zeros, which some parsers read as
 * octal.
 */
static bool
is_ipv4_address(SmartcarSpan text)
{
	int			parts = 1;
	int			value = 0;
	int			digits = 0;

	for (size_t i = 0; i < text.length; i++)
	{
		char		c = text.data[i];

		if (c == '.' && digits > 0)
		{
			parts++;
			value = digits = 0;
		}
		else if (smartcar_is_digit(c) && (digits == 0 || value > 0))
		{
			value = value * 10 + (c - '0');
			digits++;
			if (value > 255)
				return false;
		}
		else
			return false;
	}
	return parts == 4 && digits > 0;
}

/*
 * Extracts the host of "host" or "host:port", and validates both parts.
 */
static bool
split_authority(SmartcarSpan authority, SmartcarSpan *host)
{
	size_t		host_length = 0;

	if (authority.length > 0 && authority.data[0] == '[')
	{
		const char *close = memchr(authority.data, ']', authority.length);

		if (close == NULL)
			return false;
		host_length = (size_t) (close - authority.data) + 1;
		*host = smartcar_span(authority.data, host_length);
		if (!smartcar_span_equal(*host, IPV6_LOOPBACK))
			return false;
	}
	else
	{
		while (host_length < authority.length && authority.data[host_length] != ':')
			host_length++;
		*host = smartcar_span(authority.data, host_length);
		if (!host_valid(*host))
			return false;
	}

	if (host_length == authority.length)
		return true;
	return authority.data[host_length] == ':' &&
		port_valid(smartcar_span_skip(authority, host_length + 1));
}

/*
 * "localhost", ::1, or an IPv4 address in 127.0.0.0/8.  "127.evil.example" is a
 * name, and a resolver may look up "127.0.0.08" as a name.
 */
static bool
is_loopback(SmartcarSpan host)
{
	return smartcar_span_equal_ignoring_case(host, SMARTCAR_SPAN("localhost")) ||
		smartcar_span_equal(host, IPV6_LOOPBACK) ||
		(smartcar_span_starts_with(host, SMARTCAR_SPAN("127.")) && is_ipv4_address(host));
}

/*
 * An origin is https://host[:port].  Requests to it carry secrets, so plain
 * http is accepted only if the host is this machine.
 */
bool
smartcar_origin_valid(SmartcarSpan origin)
{
	SmartcarSpan host = {NULL, 0};

	if (skip_prefix(&origin, HTTPS))
		return split_authority(origin, &host);
	if (skip_prefix(&origin, HTTP))
		return split_authority(origin, &host) && is_loopback(host);
	return false;
}

/*
 * A redirect URI in one of the forms that Smartcar's dashboard accepts: https,
 * http on localhost, or the custom scheme of a mobile application, which
 * begins with "sc".  RFC 6749 forbids a fragment, and Smartcar's parameters
 * would become part of it.
 */
bool
smartcar_redirect_uri_valid(SmartcarSpan uri)
{
	SmartcarSpan authority;
	SmartcarSpan host = {NULL, 0};
	bool		secure;
	size_t		scheme = 0;

	if (!smartcar_span_is_visible(uri) || memchr(uri.data, '#', uri.length) != NULL)
		return false;

	secure = skip_prefix(&uri, HTTPS);
	if (secure || skip_prefix(&uri, HTTP))
	{
		size_t		length = 0;

		while (length < uri.length && strchr("/?", uri.data[length]) == NULL)
			length++;
		authority = smartcar_span(uri.data, length);
		return split_authority(authority, &host) &&
			(secure || smartcar_span_equal_ignoring_case(host, SMARTCAR_SPAN("localhost")));
	}

	if (!smartcar_span_starts_with(uri, SMARTCAR_SPAN("sc")))
		return false;
	while (scheme < uri.length && uri.data[scheme] != ':')
	{
		char		c = smartcar_ascii_lower(uri.data[scheme]);

		if (!smartcar_is_lower(c) && !smartcar_is_digit(c) && c != '-' && c != '.' && c != '+')
			return false;
		scheme++;
	}
	uri = smartcar_span_skip(uri, scheme);
	return uri.length > 3 && smartcar_span_starts_with(uri, SMARTCAR_SPAN("://"));
}

/*
 * The ids of the newer API credentials begin with "client_" and are often
 * mistaken for the application's id.  Connect rejects them with "400: Invalid
 * parameter client_id".
 */
bool
smartcar_is_api_credential_id(SmartcarSpan id)
{
	return smartcar_span_starts_with(id, SMARTCAR_SPAN("client_"));
}

/* The id of an application: visible ASCII characters. */
bool
smartcar_client_id_valid(SmartcarSpan id)
{
	return !smartcar_is_api_credential_id(id) && smartcar_span_is_visible(id);
}
