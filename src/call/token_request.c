/*-------------------------------------------------------------------------
 *
 * token_request.c
 *	  Requests for tokens.
 *
 * src/call/token_request.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/token_request.h"

#include "utils/timestamp.h"

#include "call/call.h"
#include "call/request.h"
#include "pg/json.h"
#include "pg/text.h"

/*
 * Adds a field to the form, unless its value has no data.
 */
void
smartcar_token_form_add(SmartcarTokenRequest *request, const char *name, SmartcarSpan value)
{
	if (value.data == NULL)
		return;
	if (request->form.data == NULL)
		initStringInfo(&request->form);
	else
		appendStringInfoChar(&request->form, '&');
	appendStringInfo(&request->form, "%s=", name);
	smartcar_append_encoded(&request->form, value);
}

/*
 * Begins the exchange of a code, which is single-use and so never sent twice.
 */
void
smartcar_code_request(SmartcarTokenRequest *request, SmartcarSpan code,
					  SmartcarSpan redirect_uri)
{
	memset(request, 0, sizeof(*request));
	request->endpoint = SMARTCAR_ENDPOINT_TOKEN;
	request->authorization = SMARTCAR_AUTHORIZE_CLIENT;
	request->kind = SMARTCAR_REQUEST_ONCE;
	request->secret = pnstrdup(code.data, code.length);
	smartcar_token_form_add(request, "grant_type", SMARTCAR_SPAN("authorization_code"));
	smartcar_token_form_add(request, "code", code);
	smartcar_token_form_add(request, "redirect_uri", redirect_uri);
}

/*
 * Begins a refresh.  A refresh token stays valid for a minute after its first use,
 * so the request is repeatable.
 */
void
smartcar_refresh_request(SmartcarTokenRequest *request, SmartcarSpan refresh_token)
{
	memset(request, 0, sizeof(*request));
	request->endpoint = SMARTCAR_ENDPOINT_TOKEN;
	request->authorization = SMARTCAR_AUTHORIZE_CLIENT;
	request->kind = SMARTCAR_REQUEST_REPEATABLE;
	request->secret = pnstrdup(refresh_token.data, refresh_token.length);
	smartcar_token_form_add(request, "grant_type", SMARTCAR_SPAN("refresh_token"));
	smartcar_token_form_add(request, "refresh_token", refresh_token);
}

static void
prepare_token_request(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarTokenRequest *request = (SmartcarTokenRequest *) item->arguments;

	request->requested_at = GetCurrentTimestamp();
	smartcar_request_endpoint(call, item, request->endpoint, smartcar_span(NULL, 0));
	smartcar_request_query(item, "flags", request->flags);
	smartcar_request_body(item, "application/x-www-form-urlencoded",
						  smartcar_span(request->form.data, request->form.len));
	item->request.kind = request->kind;
}

/* A copy of a member of the response. */
static SmartcarSpan
copy_member(MemoryContext context, const SmartcarApiResponse *response, const char *name)
{
	SmartcarSpan value = smartcar_json_text_member(response->json, name);

	if (value.data == NULL)
		return value;
	return smartcar_span(MemoryContextStrdup(context,
											 pnstrdup(value.data, value.length)),
						 value.length);
}

static bool
parse_token(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SmartcarTokenRequest *request = (SmartcarTokenRequest *) item->arguments;

	request->access_token = copy_member(request->context, response, "access_token");
	request->token_type = copy_member(request->context, response, "token_type");
	request->refresh_token = copy_member(request->context, response, "refresh_token");
	if (request->refresh_token.length == 0)
		request->refresh_token = smartcar_span(NULL, 0);
	if (!smartcar_json_integer_member(response->json, "expires_in", &request->expires_in) ||
		request->expires_in < 0)
		request->expires_in = SMARTCAR_NO_EXPIRY;

	if (!smartcar_span_is_visible(request->access_token))
		smartcar_item_fail(call, item, "It has no access token.");
	else if (request->token_type.data != NULL &&
			 !smartcar_span_equal_ignoring_case(request->token_type, SMARTCAR_SPAN("Bearer")))
		smartcar_item_fail(call, item, psprintf("Its token_type \"%s\" is not supported.",
												smartcar_excerpt(request->token_type)));
	return false;
}

const SmartcarOperation smartcar_token_operation = {
	.prepare = prepare_token_request,
	.parse = parse_token
};

/*
 * Sends a request for a token.  Returns the failure, or NULL.
 */
const SmartcarFailure *
smartcar_try_token_request(SmartcarServer *server, SmartcarTokenRequest *request)
{
	SmartcarCall call;

	request->context = CurrentMemoryContext;
	smartcar_call_begin(&call, server, &smartcar_token_operation, 1);
	call.items[0].arguments = request;
	call.items[0].secret = request->secret;
	if (request->authorization == SMARTCAR_AUTHORIZE_CLIENT)
		smartcar_call_use_client(&call);
	smartcar_call_run(&call);
	explicit_bzero(request->form.data, request->form.len);
	return call.items[0].error;
}

/* Sends a request for a token, and raises its failure as an error. */
void
smartcar_token_request(SmartcarServer *server, SmartcarTokenRequest *request)
{
	const SmartcarFailure *error = smartcar_try_token_request(server, request);

	if (error != NULL)
		smartcar_failure_raise(error);
}
