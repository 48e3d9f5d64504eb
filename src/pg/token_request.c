/*-------------------------------------------------------------------------
 *
 * token_request.c
 *	  Requests to the endpoints that give out tokens.
 *
 * src/pg/token_request.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/token_request.h"

#include "utils/timestamp.h"

#include "pg/call.h"
#include "pg/call_request.h"
#include "pg/json.h"

/*
 * Adds a field to the form, unless there is no value.
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

static void
prepare_token_request(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarTokenRequest *request = (SmartcarTokenRequest *) call->arguments;

	request->asked_at = GetCurrentTimestamp();
	smartcar_request_endpoint(call, item, request->endpoint, smartcar_span(NULL, 0));
	smartcar_request_query(item, "flags", request->flags);
	smartcar_request_body(item, "application/x-www-form-urlencoded",
						  smartcar_span(request->form.data, request->form.len));
	item->request.idempotent = request->idempotent;
}

/* A text of the answer, kept by the call. */
static SmartcarSpan
keep_member(SmartcarCall *call, const SmartcarAnswer *answer, const char *name)
{
	SmartcarSpan value = smartcar_json_text_member(answer->json, name);

	if (value.data == NULL)
		return value;
	return smartcar_span(MemoryContextStrdup(call->context,
											 pnstrdup(value.data, value.length)),
						 value.length);
}

static bool
take_token(SmartcarCall *call, SmartcarItem *item, const SmartcarAnswer *answer)
{
	SmartcarTokenRequest *request = (SmartcarTokenRequest *) call->arguments;

	request->access_token = keep_member(call, answer, "access_token");
	request->token_type = keep_member(call, answer, "token_type");
	request->refresh_token = keep_member(call, answer, "refresh_token");
	if (!smartcar_json_integer_member(answer->json, "expires_in", &request->expires_in) ||
		request->expires_in < 0)
		request->expires_in = SMARTCAR_NO_EXPIRY;

	if (!smartcar_span_is_visible(request->access_token))
		smartcar_item_fail(call, item, "It has no access token.");
	else if (request->token_type.data != NULL &&
			 !smartcar_span_equal_ignoring_case(request->token_type, SMARTCAR_SPAN("Bearer")))
		smartcar_item_fail(call, item, "Its token is not one to be shown by its bearer.");
	return false;
}

/*
 * Asks for a token.  Whatever goes wrong is raised as an error.
 */
void
smartcar_token_request(SmartcarServer *server, SmartcarTokenRequest *request)
{
	static const SmartcarOperation operation = {
		.prepare = prepare_token_request,
		.take = take_token
	};
	SmartcarCall call;

	smartcar_call_begin(&call, server, &operation, 1);
	call.arguments = request;
	smartcar_call_hide(&call, request->secret);
	smartcar_call_authorize(&call, request->authorization);
	smartcar_call_run(&call);
	explicit_bzero(request->form.data, request->form.len);
	if (call.items[0].error != NULL)
		smartcar_call_error_raise(call.items[0].error);
}
