/*-------------------------------------------------------------------------
 *
 * request.c
 *	  Builds the requests of an item.
 *
 * src/call/request.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/request.h"

#include <openssl/evp.h>

#include "core/percent.h"
#include "pg/secret.h"
#include "pg/text.h"

/* The option that holds the origin of each host. */
static const SmartcarOption host_options[SMARTCAR_HOST_COUNT] = {
	[SMARTCAR_HOST_AUTH] = SMARTCAR_OPTION_AUTH_ORIGIN,
	[SMARTCAR_HOST_IAM] = SMARTCAR_OPTION_IAM_ORIGIN,
	[SMARTCAR_HOST_API] = SMARTCAR_OPTION_API_ORIGIN,
	[SMARTCAR_HOST_VEHICLE] = SMARTCAR_OPTION_VEHICLE_ORIGIN,
	[SMARTCAR_HOST_MANAGEMENT] = SMARTCAR_OPTION_MANAGEMENT_ORIGIN,
	[SMARTCAR_HOST_V3_MANAGEMENT] = SMARTCAR_OPTION_MANAGEMENT_ORIGIN,
	[SMARTCAR_HOST_COMPATIBILITY] = SMARTCAR_OPTION_COMPATIBILITY_ORIGIN
};

SmartcarOption
smartcar_host_option(SmartcarHost host)
{
	return host_options[host];
}

/*
 * Authorizes a call with a user and a password (RFC 7617).
 */
void
smartcar_call_use_basic(SmartcarCall *call, const char *user, const char *password)
{
	char	   *pair = psprintf("%s:%s", user, password);
	size_t		length = strlen(pair);
	char	   *encoded = palloc((length + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *) encoded, (const unsigned char *) pair, (int) length);
	explicit_bzero(pair, length);
	pfree(pair);

	smartcar_call_add_secret(call, password);
	smartcar_call_add_secret(call, encoded);
	call->credentials = smartcar_span_from_string(psprintf("Basic %s", encoded));
}

/* Authorizes a call with client_id and client_secret. */
void
smartcar_call_use_client(SmartcarCall *call)
{
	SmartcarServer *server = call->server;
	SmartcarSpan client_id = smartcar_required_option(server, SMARTCAR_OPTION_CLIENT_ID, NULL);

	smartcar_call_use_basic(call, client_id.data,
							smartcar_secret(server, SMARTCAR_OPTION_CLIENT_SECRET, NULL));
}

void
smartcar_append_encoded(StringInfo target, SmartcarSpan value)
{
	size_t		length = smartcar_percent_encoded_length(value);

	enlargeStringInfo(target, (int) length);
	smartcar_percent_encode(target->data + target->len, value);
	target->len += (int) length;
	target->data[target->len] = '\0';
}

void
smartcar_request_header(SmartcarItem *item, const char *name, SmartcarSpan value)
{
	SmartcarRequest *request = &item->request;

	Assert(request->header_count < SMARTCAR_REQUEST_MAX_HEADERS);
	request->headers[request->header_count++] = psprintf("%s: %.*s", name,
														 (int) value.length, value.data);
}

/*
 * Begins a request.  The path is relative to the base of the host.
 */
void
smartcar_request_begin(SmartcarCall *call, SmartcarItem *item, const char *method,
					   SmartcarHost host, SmartcarSpan path)
{
	SmartcarSpan credentials = call->credentials;

	item->host = host;
	item->path = psprintf("%s%.*s", smartcar_host_base(host), (int) path.length, path.data);
	initStringInfo(&item->url);
	appendStringInfoString(&item->url, smartcar_server_option(call->server, host_options[host]));
	appendStringInfoString(&item->url, item->path);

	item->request.method = method;
	item->request.kind = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ?
		SMARTCAR_REQUEST_REPEATABLE : SMARTCAR_REQUEST_NOT_REPEATABLE;
	smartcar_request_header(item, "Accept", SMARTCAR_SPAN("application/json"));
	if (item->access_token.data != NULL)
		credentials = smartcar_span_from_string(psprintf("Bearer %.*s",
														 (int) item->access_token.length,
														 item->access_token.data));
	if (credentials.data != NULL)
		smartcar_request_header(item, "Authorization", credentials);
	if (item->user_id.data != NULL && call->authorization == SMARTCAR_AUTHORIZE_APPLICATION)
		smartcar_request_header(item, "sc-user-id", item->user_id);
}

/*
 * Begins a request to one of the known endpoints.
 */
void
smartcar_request_endpoint(SmartcarCall *call, SmartcarItem *item, SmartcarEndpoint endpoint,
						  SmartcarSpan id)
{
	const SmartcarEndpointInfo *info = &smartcar_endpoints[endpoint];
	size_t		length = smartcar_endpoint_path_length(endpoint, id);
	char	   *path = palloc(length);

	smartcar_endpoint_path_write(endpoint, id, path);
	smartcar_request_begin(call, item, info->method, info->host, smartcar_span(path, length));
}

/*
 * Adds a parameter to the URL of a request, unless there is no value.
 */
void
smartcar_request_query(SmartcarItem *item, const char *name, SmartcarSpan value)
{
	bool		is_first = strchr(item->url.data, '?') == NULL;

	if (value.data == NULL)
		return;
	appendStringInfoChar(&item->url, is_first ? '?' : '&');
	smartcar_append_encoded(&item->url, smartcar_span_from_string(name));
	appendStringInfoChar(&item->url, '=');
	smartcar_append_encoded(&item->url, value);
}

void
smartcar_request_query_number(SmartcarItem *item, const char *name, int64 value)
{
	smartcar_request_query(item, name,
						   smartcar_span_from_string(psprintf(INT64_FORMAT, value)));
}

void
smartcar_request_body(SmartcarItem *item, const char *content_type, SmartcarSpan body)
{
	smartcar_request_header(item, "Content-Type", smartcar_span_from_string(content_type));
	item->request.body = body;
}
