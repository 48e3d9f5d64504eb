/*-------------------------------------------------------------------------
 *
 * fuzz_endpoint.c
 *	  Fuzzes the paths of requests, and the ids in them.
 *
 * The input is taken as an id, as a path, and as the middle of a path.  What
 * is accepted or written is appended to its host and parsed by libcurl, which may
 * resolve dots as browsers do: the extension tells it not to, but a server may do
 * so as well.
 *
 * test/fuzz/fuzz_endpoint.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/endpoint.h"
#include "curl_view.h"
#include "reference.h"

/* The endpoints as the API reference shows them. */
static const char *const expected[SMARTCAR_ENDPOINT_COUNT] = {
	[SMARTCAR_ENDPOINT_TOKEN] =
	"POST https://auth.smartcar.com/oauth/token",
	[SMARTCAR_ENDPOINT_APPLICATION_TOKEN] =
	"POST https://iam.smartcar.com/oauth2/token",
	[SMARTCAR_ENDPOINT_USER] =
	"GET https://api.smartcar.com/v2.0/user",
	[SMARTCAR_ENDPOINT_VEHICLES] =
	"GET https://api.smartcar.com/v2.0/vehicles",
	[SMARTCAR_ENDPOINT_VEHICLE] =
	"GET https://api.smartcar.com/v2.0/vehicles/{id}",
	[SMARTCAR_ENDPOINT_PERMISSIONS] =
	"GET https://api.smartcar.com/v2.0/vehicles/{id}/permissions",
	[SMARTCAR_ENDPOINT_DISCONNECT] =
	"DELETE https://api.smartcar.com/v2.0/vehicles/{id}/application",
	[SMARTCAR_ENDPOINT_COMPATIBILITY] =
	"GET https://api.smartcar.com/v2.0/compatibility",
	[SMARTCAR_ENDPOINT_TESLA_ACCESS] =
	"GET https://api.smartcar.com/v2.0/vehicles/{id}/tesla/user/access",
	[SMARTCAR_ENDPOINT_TESLA_VIRTUAL_KEY] =
	"GET https://api.smartcar.com/v2.0/vehicles/{id}/tesla/virtual_key",
	[SMARTCAR_ENDPOINT_TESLA_MIGRATION] =
	"GET https://api.smartcar.com/v2.0/vehicles/{id}/tesla/migration",
	[SMARTCAR_ENDPOINT_MANAGED_CONNECTIONS] =
	"GET https://management.smartcar.com/v2.0/management/connections",
	[SMARTCAR_ENDPOINT_DELETE_MANAGED_CONNECTIONS] =
	"DELETE https://management.smartcar.com/v2.0/management/connections",
	[SMARTCAR_ENDPOINT_CONNECTIONS] =
	"GET https://vehicle.api.smartcar.com/v3/connections",
	[SMARTCAR_ENDPOINT_DELETE_CONNECTION] =
	"DELETE https://vehicle.api.smartcar.com/v3/connections/{id}",
	[SMARTCAR_ENDPOINT_V3_VEHICLE] =
	"GET https://vehicle.api.smartcar.com/v3/vehicles/{id}",
	[SMARTCAR_ENDPOINT_SIGNALS] =
	"GET https://vehicle.api.smartcar.com/v3/vehicles/{id}/signals",
	[SMARTCAR_ENDPOINT_ACCOUNT_PERMISSIONS] =
	"GET https://vehicle.api.smartcar.com/v3/vehicles/{id}/signals/vehicleuseraccount-permissions",
	[SMARTCAR_ENDPOINT_ACCOUNT_ROLE] =
	"GET https://vehicle.api.smartcar.com/v3/vehicles/{id}/signals/vehicleuseraccount-role",
	[SMARTCAR_ENDPOINT_DIGITAL_KEY] =
	"GET https://vehicle.api.smartcar.com/v3/vehicles/{id}/signals/connectivitystatus-isdigitalkeypaired",
	[SMARTCAR_ENDPOINT_COMMANDS] =
	"POST https://vehicle.api.smartcar.com/v3/vehicles/{id}/commands",
	[SMARTCAR_ENDPOINT_WEBHOOKS] =
	"GET https://management.api.smartcar.com/v3/webhooks",
	[SMARTCAR_ENDPOINT_SUBSCRIPTIONS] =
	"GET https://management.api.smartcar.com/v3/subscriptions",
	[SMARTCAR_ENDPOINT_SUBSCRIBE] =
	"POST https://management.api.smartcar.com/v3/subscriptions",
	[SMARTCAR_ENDPOINT_UNSUBSCRIBE] =
	"DELETE https://management.api.smartcar.com/v3/subscriptions/{id}"
};

static const char *const origins[SMARTCAR_HOST_COUNT] = {
	[SMARTCAR_HOST_AUTH] = "https://auth.smartcar.com",
	[SMARTCAR_HOST_IAM] = "https://iam.smartcar.com",
	[SMARTCAR_HOST_API] = "https://api.smartcar.com",
	[SMARTCAR_HOST_VEHICLE] = "https://vehicle.api.smartcar.com",
	[SMARTCAR_HOST_MANAGEMENT] = "https://management.smartcar.com",
	[SMARTCAR_HOST_V3_MANAGEMENT] = "https://management.api.smartcar.com",
	[SMARTCAR_HOST_COMPATIBILITY] = "https://compatibility.api.smartcar.com"
};

static regex_t path_pattern;
static regex_t dots_pattern;
static regex_t hidden_slash_pattern;

static SmartcarSpan
url_of(SmartcarHost host, SmartcarSpan path)
{
	return block_join(smartcar_span_from_string(origins[host]),
					  smartcar_span_from_string(smartcar_host_base(host)), path);
}

/* Shows libcurl a path behind a host; it must be there as it was written. */
static void
check_request(SmartcarHost host, SmartcarSpan path)
{
	SmartcarSpan url = url_of(host, path);
	SmartcarSpan base = smartcar_span_from_string(smartcar_host_base(host));
	CurlView	view;

	PROPERTY(curl_view_open(&view, url), url, "libcurl parses the URL of a request");
	PROPERTY(same_string(view.scheme, "https") && is_host(written_host(url), view.host) &&
			 same_string(view.host, origins[host] + strlen("https://")), url,
			 "a request goes to the host of its origin");
	PROPERTY(view.port == NULL && view.user == NULL && view.password == NULL &&
			 view.query == NULL && view.fragment == NULL, url,
			 "there is nothing in a URL but the origin and the path");
	PROPERTY(smartcar_span_starts_with(smartcar_span_from_string(view.path), base), url,
			 "a path stays below the base of its host");
	PROPERTY(smartcar_span_equal(smartcar_span_from_string(view.path),
								 block_join(base, path, NOTHING)), url,
			 "libcurl changes nothing in a path");
	curl_view_close(&view);
}

static void
check_segment(SmartcarSpan segment)
{
	PROPERTY(smartcar_path_segment_valid(segment) ==
			 (segment.length > 0 && !pattern_matches(&dots_pattern, segment)), segment,
			 "a segment is not empty and no dot or two dots, in any spelling");
}

/* Whether a path follows the rule: cut at its slashes, seen or not, none of it dots. */
static bool
is_path(SmartcarSpan path)
{
	SmartcarSpan rest = path;

	if (!pattern_matches(&path_pattern, path) || pattern_matches(&hidden_slash_pattern, path))
		return false;
	cut(&rest, '/');
	while (rest.data != NULL)
	{
		if (pattern_matches(&dots_pattern, cut(&rest, '/')))
			return false;
	}
	return true;
}

static void
check_path(SmartcarSpan path)
{
	bool		accepted = smartcar_request_path_valid(path);

	PROPERTY(accepted == is_path(path), path,
			 "a path is accepted if and only if it follows the rule");
	for (int host = 0; accepted && host < SMARTCAR_HOST_COUNT; host++)
		check_request((SmartcarHost) host, path);
}

static SmartcarSpan
write_path(SmartcarEndpoint endpoint, SmartcarSpan id)
{
	size_t		length = smartcar_endpoint_path_length(endpoint, id);
	char	   *target = block_new(length);

	PROPERTY(smartcar_endpoint_path_write(endpoint, id, target) == target + length, id,
			 "the written length is the announced one");
	return smartcar_span(target, length);
}

static bool
has_slash(SmartcarSpan id)
{
	return memchr(id.data, '/', id.length) != NULL || memchr(id.data, '\\', id.length) != NULL;
}

/* An id may be any bytes; in a path it is one segment. */
static void
check_id(SmartcarEndpoint endpoint, SmartcarSpan id)
{
	SmartcarSpan before = NOTHING;
	SmartcarSpan after = smartcar_span_from_string(smartcar_endpoints[endpoint].path);
	SmartcarSpan path = write_path(endpoint, id);
	SmartcarSpan segment;

	before = cut(&after, '*');
	if (after.data == NULL)
	{
		PROPERTY(smartcar_span_equal(path, before), id, "an id is only where the endpoint has one");
		return;
	}
	PROPERTY(path.length >= before.length + after.length &&
			 smartcar_span_starts_with(path, before), path, "the path of an endpoint stays");
	segment = smartcar_span(path.data + before.length,
							path.length - before.length - after.length);
	PROPERTY(smartcar_span_equal(smartcar_span_skip(path, before.length + segment.length),
								 after), path, "an id ends where the path continues");
	PROPERTY(segment.length == 0 || memchr(segment.data, '/', segment.length) == NULL, path,
			 "an id is one segment");
	PROPERTY(smartcar_span_equal(curl_unescaped(segment), id), path,
			 "libcurl decodes an id to the original");

	if (smartcar_path_segment_valid(id))
	{
		PROPERTY(smartcar_request_path_valid(path) == !has_slash(id), path,
				 "an accepted id is accepted in a path, unless it has a slash");
		check_request(smartcar_endpoints[endpoint].host, path);
	}
}

static void
check_endpoint(SmartcarEndpoint endpoint)
{
	const SmartcarEndpointInfo *info = &smartcar_endpoints[endpoint];
	SmartcarSpan rest = smartcar_span_from_string(expected[endpoint]);
	SmartcarSpan method = cut(&rest, ' ');
	SmartcarSpan url = cut(&rest, '{');

	if (rest.data != NULL)
	{
		cut(&rest, '}');
		url = block_join(url, SMARTCAR_SPAN("0"), rest);
	}
	PROPERTY(smartcar_span_equal(smartcar_span_from_string(info->method), method), method,
			 "an endpoint has the method of the API reference");
	PROPERTY(smartcar_span_equal(url_of(info->host, write_path(endpoint, SMARTCAR_SPAN("0"))),
								 url), url, "an endpoint has the URL of the API reference");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	/* visible ASCII without "#", "?" and the backslash, between slashes */
	pattern_compile(&path_pattern, "^(/[]!\"$-.0->@-[^-~]+)+$");
	pattern_compile(&dots_pattern, "^(\\.|%2[Ee])(\\.|%2[Ee])?$");
	pattern_compile(&hidden_slash_pattern, "%(2[Ff]|5[Cc])");
	for (int i = 0; i < SMARTCAR_ENDPOINT_COUNT; i++)
		check_endpoint((SmartcarEndpoint) i);
	blocks_free();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const around[][2] = {
		{"", ""}, {"/", ""}, {"/vehicles/", "/permissions"}, {"/%2", "./user"}
	};
	SmartcarSpan input = block_copy(smartcar_span((const char *) data, size));

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		check_path(block_join(smartcar_span_from_string(around[i][0]), input,
							  smartcar_span_from_string(around[i][1])));
	check_segment(input);
	check_segment(block_join(SMARTCAR_SPAN("%2e"), input, NOTHING));
	for (int i = 0; i < SMARTCAR_ENDPOINT_COUNT; i++)
		check_id((SmartcarEndpoint) i, input);

	PROPERTY(!smartcar_path_segment_valid(NOTHING) && !smartcar_request_path_valid(NOTHING),
			 NOTHING, "an empty text is no path");
	blocks_free();
	return 0;
}
