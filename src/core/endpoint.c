/*-------------------------------------------------------------------------
 *
 * endpoint.c
 *	  The endpoints of Smartcar's APIs that typed calls use.
 *
 * Sources: Smartcar's API reference, pages authorization, permissions, user,
 * tesla, management, list-connections, signals/vehicleuseraccount, list-webhooks
 * and the pages on subscriptions.
 *
 * src/core/endpoint.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/endpoint.h"

#include "core/percent.h"

#define ID	'*'

const SmartcarEndpointInfo smartcar_endpoints[SMARTCAR_ENDPOINT_COUNT] = {
	[SMARTCAR_ENDPOINT_TOKEN] = {"POST", SMARTCAR_HOST_AUTH,
	"/oauth/token"},
	[SMARTCAR_ENDPOINT_APPLICATION_TOKEN] = {"POST", SMARTCAR_HOST_IAM,
	"/oauth2/token"},

	[SMARTCAR_ENDPOINT_USER] = {"GET", SMARTCAR_HOST_API,
	"/user"},
	[SMARTCAR_ENDPOINT_VEHICLES] = {"GET", SMARTCAR_HOST_API,
	"/vehicles"},
	[SMARTCAR_ENDPOINT_VEHICLE] = {"GET", SMARTCAR_HOST_API,
	"/vehicles/*"},
	[SMARTCAR_ENDPOINT_PERMISSIONS] = {"GET", SMARTCAR_HOST_API,
	"/vehicles/*/permissions"},
	[SMARTCAR_ENDPOINT_DISCONNECT] = {"DELETE", SMARTCAR_HOST_API,
	"/vehicles/*/application"},
	[SMARTCAR_ENDPOINT_COMPATIBILITY] = {"GET", SMARTCAR_HOST_API,
	"/compatibility"},
	[SMARTCAR_ENDPOINT_TESLA_ACCESS] = {"GET", SMARTCAR_HOST_API,
	"/vehicles/*/tesla/user/access"},
	[SMARTCAR_ENDPOINT_TESLA_VIRTUAL_KEY] = {"GET", SMARTCAR_HOST_API,
	"/vehicles/*/tesla/virtual_key"},
	[SMARTCAR_ENDPOINT_TESLA_MIGRATION] = {"GET", SMARTCAR_HOST_API,
	"/vehicles/*/tesla/migration"},
	[SMARTCAR_ENDPOINT_MANAGED_CONNECTIONS] = {"GET", SMARTCAR_HOST_MANAGEMENT, "/management/connections"},
	[SMARTCAR_ENDPOINT_DELETE_MANAGED_CONNECTIONS] = {"DELETE", SMARTCAR_HOST_MANAGEMENT, "/management/connections"},

	[SMARTCAR_ENDPOINT_CONNECTIONS] = {"GET", SMARTCAR_HOST_VEHICLE, "/connections"},
	[SMARTCAR_ENDPOINT_DELETE_CONNECTION] = {"DELETE", SMARTCAR_HOST_VEHICLE, "/connections/*"},
	[SMARTCAR_ENDPOINT_V3_VEHICLE] = {"GET", SMARTCAR_HOST_VEHICLE, "/vehicles/*"},
	[SMARTCAR_ENDPOINT_SIGNALS] = {"GET", SMARTCAR_HOST_VEHICLE, "/vehicles/*/signals"},
	[SMARTCAR_ENDPOINT_ACCOUNT_PERMISSIONS] = {"GET", SMARTCAR_HOST_VEHICLE, "/vehicles/*/signals/vehicleuseraccount-permissions"},
	[SMARTCAR_ENDPOINT_ACCOUNT_ROLE] = {"GET", SMARTCAR_HOST_VEHICLE, "/vehicles/*/signals/vehicleuseraccount-role"},
	[SMARTCAR_ENDPOINT_DIGITAL_KEY] = {"GET", SMARTCAR_HOST_VEHICLE, "/vehicles/*/signals/connectivitystatus-isdigitalkeypaired"},
	[SMARTCAR_ENDPOINT_COMMANDS] = {"POST", SMARTCAR_HOST_VEHICLE, "/vehicles/*/commands"},
	[SMARTCAR_ENDPOINT_WEBHOOKS] = {"GET", SMARTCAR_HOST_V3_MANAGEMENT, "/webhooks"},
	[SMARTCAR_ENDPOINT_SUBSCRIPTIONS] = {"GET", SMARTCAR_HOST_V3_MANAGEMENT, "/subscriptions"},
	[SMARTCAR_ENDPOINT_SUBSCRIBE] = {"POST", SMARTCAR_HOST_V3_MANAGEMENT, "/subscriptions"},
	[SMARTCAR_ENDPOINT_UNSUBSCRIBE] = {"DELETE", SMARTCAR_HOST_V3_MANAGEMENT, "/subscriptions/*"}
};

/*
 * The part of a URL between the origin of the host and the path of the endpoint.
 */
const char *
smartcar_host_base(SmartcarHost host)
{
	static const char *const bases[SMARTCAR_HOST_COUNT] = {
		[SMARTCAR_HOST_AUTH] = "",
		[SMARTCAR_HOST_IAM] = "",
		[SMARTCAR_HOST_API] = "/v2.0",
		[SMARTCAR_HOST_VEHICLE] = "/v3",
		[SMARTCAR_HOST_MANAGEMENT] = "/v2.0",
		[SMARTCAR_HOST_V3_MANAGEMENT] = "/v3",
		[SMARTCAR_HOST_COMPATIBILITY] = "/v3"
	};

	return bases[host];
}

/* Whether there is a dot, perhaps percent-encoded, and where it ends. */
static bool
is_dot(const char *position, const char *end, const char **next)
{
	if (position < end && *position == '.')
	{
		*next = position + 1;
		return true;
	}
	if (end - position >= 3 && position[0] == '%' && position[1] == '2' &&
		smartcar_ascii_lower(position[2]) == 'e')
	{
		*next = position + 3;
		return true;
	}
	return false;
}

/*
 * Whether a path segment is safe: it is not empty, and neither "." nor "..",
 * which a server would resolve to another path.
 */
bool
smartcar_path_segment_valid(SmartcarSpan segment)
{
	const char *position = segment.data;
	const char *end;

	if (segment.length == 0)
		return false;
	end = position + segment.length;
	for (int dots = 0; dots < 2; dots++)
	{
		if (!is_dot(position, end, &position))
			return true;
		if (position == end)
			return false;
	}
	return true;
}

size_t
smartcar_endpoint_path_length(SmartcarEndpoint endpoint, SmartcarSpan id)
{
	SmartcarSpan path = smartcar_span_from_string(smartcar_endpoints[endpoint].path);

	if (memchr(path.data, ID, path.length) == NULL)
		return path.length;
	return path.length - 1 + smartcar_percent_encoded_length(id);
}

/*
 * Writes the path with the id in it, and returns its end.
 */
char *
smartcar_endpoint_path_write(SmartcarEndpoint endpoint, SmartcarSpan id, char *target)
{
	SmartcarSpan path = smartcar_span_from_string(smartcar_endpoints[endpoint].path);
	const char *place = memchr(path.data, ID, path.length);
	size_t		before;

	if (place == NULL)
		return smartcar_span_copy(target, path);
	before = (size_t) (place - path.data);
	target = smartcar_span_copy(target, smartcar_span(path.data, before));
	target = smartcar_percent_encode(target, id);
	return smartcar_span_copy(target, smartcar_span_skip(path, before + 1));
}

/*
 * Whether a segment contains an encoded slash or backslash.  A server that
 * decodes before it splits the path would see another path.
 */
static bool
has_hidden_slash(SmartcarSpan segment)
{
	for (size_t i = 0; i + 2 < segment.length; i++)
	{
		char		first = segment.data[i + 1];
		char		second = smartcar_ascii_lower(segment.data[i + 2]);

		if (segment.data[i] == '%' &&
			((first == '2' && second == 'f') || (first == '5' && second == 'c')))
			return true;
	}
	return false;
}

/*
 * Whether a path stays below the base of its host.  It must be visible ASCII,
 * without query and fragment.
 */
bool
smartcar_request_path_valid(SmartcarSpan path)
{
	if (path.length < 2 || path.data[0] != '/' || !smartcar_span_is_visible(path) ||
		memchr(path.data, '?', path.length) != NULL ||
		memchr(path.data, '#', path.length) != NULL ||
		memchr(path.data, '\\', path.length) != NULL)
		return false;

	while (path.length > 0)
	{
		const char *slash;
		SmartcarSpan segment;

		path = smartcar_span_skip(path, 1);
		slash = path.length > 0 ? memchr(path.data, '/', path.length) : NULL;
		segment = smartcar_span(path.data, slash ? (size_t) (slash - path.data) : path.length);
		if (!smartcar_path_segment_valid(segment) || has_hidden_slash(segment))
			return false;
		path = smartcar_span_skip(path, segment.length);
	}
	return true;
}
