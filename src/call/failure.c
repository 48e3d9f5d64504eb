/*-------------------------------------------------------------------------
 *
 * failure.c
 *	  Failures of items, as SQL errors.
 *
 * src/call/failure.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/failure.h"

#include "utils/builtins.h"

#include "call/hint.h"
#include "call/item.h"
#include "call/redact.h"
#include "call/request.h"
#include "pg/text.h"

/* The limit for text of a response, which may be the HTML page of a proxy. */
#define MAX_DESCRIPTION	500

/* Enough for every path of the APIs. */
#define MAX_PATH		200

/* The hint if a request was sent that must not be repeated blindly. */
#define MAY_BE_DONE	"Smartcar may have carried out the request. Find out before you repeat it."

static const char *const phase_names[] = {
	[SMARTCAR_PHASE_RESOLVE] = "resolving the host name",
	[SMARTCAR_PHASE_CONNECT] = "connecting",
	[SMARTCAR_PHASE_TLS] = "negotiating TLS",
	[SMARTCAR_PHASE_WAIT] = "waiting for the response",
	[SMARTCAR_PHASE_RECEIVE] = "receiving the response"
};

/* "SC" and the three digits of an HTTP status. */
static int
status_sqlstate(int status)
{
	return MAKE_SQLSTATE('S', 'C', '0' + status / 100 % 10, '0' + status / 10 % 10,
						 '0' + status % 10);
}

static const char *
item_origin(const SmartcarCall *call, const SmartcarItem *item)
{
	return smartcar_server_option(call->server, smartcar_host_option(item->host));
}

/* The path of a request, for a message.  It may contain untrusted ids. */
static const char *
item_path(const SmartcarItem *item)
{
	return smartcar_printable(smartcar_span_from_string(item->path), MAX_PATH);
}

/* The secrets of an item, and those of its call. */
static List *
item_secrets(const SmartcarCall *call, const SmartcarItem *item)
{
	List	   *secrets = list_copy(call->secrets);

	if (item->access_token.length > 0)
		secrets = lappend(secrets, pnstrdup(item->access_token.data, item->access_token.length));
	if (item->secret != NULL)
		secrets = lappend(secrets, unconstify(char *, item->secret));
	return secrets;
}

/* A redacted copy of a text. */
static SmartcarSpan
copy_redacted(SmartcarSpan text, List *secrets)
{
	if (text.data == NULL)
		return text;
	text = smartcar_redact(text, secrets);

	return smartcar_span(pnstrdup(text.data, text.length), text.length);
}

static const char *
option_hint(const SmartcarCall *call, SmartcarOption option, const char *example)
{
	const SmartcarServer *server = call->server;
	const char *verb = server->values[option].is_set ? "SET" : "ADD";

	return psprintf("The option \"%s\" is %s; change it with ALTER SERVER %s OPTIONS (%s %s '%s').",
					smartcar_options[option].name, smartcar_server_option(server, option),
					quote_identifier(server->name), verb, smartcar_options[option].name, example);
}

static const char *
refusal_message(const SmartcarApiError *api_error)
{
	if (api_error->type.data == NULL)
		return psprintf("Smartcar responded with HTTP status %d", api_error->status);
	if (api_error->code.data == NULL)
		return psprintf("Smartcar refused the request: %s", smartcar_excerpt(api_error->type));
	return psprintf("Smartcar refused the request: %s:%s",
					smartcar_excerpt(api_error->type), smartcar_excerpt(api_error->code));
}

static const char *
refusal_detail(const SmartcarItem *item, const SmartcarApiError *api_error, int http_status)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail, "%s %s returned HTTP status %d",
					 item->request.method, item_path(item), http_status);
	if (api_error->description.length > 0)
		appendStringInfo(&detail, ": %s",
						 smartcar_printable(api_error->description, MAX_DESCRIPTION));
	if (api_error->description.length == 0 || strchr(".!?", detail.data[detail.len - 1]) == NULL)
		appendStringInfoChar(&detail, '.');
	if (api_error->request_id.length > 0)
		appendStringInfo(&detail, " The request id is %s.",
						 smartcar_excerpt(api_error->request_id));
	return detail.data;
}

/*
 * The failure for an error that Smartcar returned.  api_error is copied.
 */
SmartcarFailure *
smartcar_failure_from_response(SmartcarCall *call, SmartcarItem *item,
							   const SmartcarApiError *api_error, int http_status)
{
	SmartcarFailure *failure = palloc0(sizeof(SmartcarFailure));
	SmartcarApiError *copy = &failure->api_error;
	List	   *secrets = item_secrets(call, item);

	*copy = *api_error;
	copy->type = copy_redacted(api_error->type, secrets);
	copy->code = copy_redacted(api_error->code, secrets);
	copy->description = copy_redacted(api_error->description, secrets);
	copy->resolution_type = copy_redacted(api_error->resolution_type, secrets);
	copy->resolution_url = copy_redacted(api_error->resolution_url, secrets);
	copy->doc_url = copy_redacted(api_error->doc_url, secrets);
	copy->suggested_user_message = copy_redacted(api_error->suggested_user_message, secrets);
	copy->request_id = copy_redacted(api_error->request_id, secrets);
	if (api_error->detail != NULL)
		copy->detail = smartcar_redact_jsonb(api_error->detail, secrets);

	failure->sqlstate = status_sqlstate(api_error->status);
	failure->message = refusal_message(copy);
	failure->detail = refusal_detail(item, copy, http_status);
	failure->hint = smartcar_hint(call->server, item->id, copy);
	return failure;
}

/*
 * The failure for a response that cannot be used.  reason is a sentence.
 */
SmartcarFailure *
smartcar_failure_unusable(SmartcarCall *call, SmartcarItem *item, const char *reason)
{
	SmartcarFailure *failure = palloc0(sizeof(SmartcarFailure));

	failure->sqlstate = SMARTCAR_SQLSTATE_UNUSABLE;
	failure->message = "Smartcar's response cannot be used";
	failure->detail = psprintf("This is the response to %s %s: %s", item->request.method,
							   item_path(item), reason);
	failure->api_error.description = smartcar_span_from_string(failure->detail);
	failure->api_error.retry_after = SMARTCAR_NO_RETRY_AFTER;
	failure->api_error.action = SMARTCAR_ACTION_RETRY;
	return failure;
}

/*
 * The hint for a timeout.  The option does not matter if the SQL function has a
 * timeout argument.
 */
static const char *
timeout_hint(const SmartcarCall *call, bool in_connect)
{
	if (in_connect)
		return option_hint(call, SMARTCAR_OPTION_CONNECT_TIMEOUT, "15s");
	if (call->settings.timeout != smartcar_server_number(call->server, SMARTCAR_OPTION_TIMEOUT))
		return psprintf("The timeout of this call was %d ms.", call->settings.timeout);
	return option_hint(call, SMARTCAR_OPTION_TIMEOUT, "60s");
}

static void
describe_timeout(SmartcarCall *call, SmartcarItem *item, const SmartcarResponse *response,
				 SmartcarFailure *failure)
{
	bool		before_request = response->phase <= SMARTCAR_PHASE_TLS;
	bool		in_connect = before_request &&
		call->settings.connect_timeout < call->settings.timeout;

	failure->sqlstate = SMARTCAR_SQLSTATE_TIMEOUT;
	failure->message = psprintf("request to \"%s\" timed out", item_origin(call, item));
	failure->detail = psprintf("%s %s was given up after %d ms, while %s.",
							   item->request.method, item_path(item), response->elapsed,
							   phase_names[response->phase]);
	failure->hint = timeout_hint(call, in_connect);
	if (!before_request && item->request.kind != SMARTCAR_REQUEST_REPEATABLE)
		failure->hint = psprintf("%s %s", MAY_BE_DONE, failure->hint);
}

static void
describe_tls_failure(SmartcarCall *call, SmartcarItem *item, SmartcarFailure *failure)
{
	failure->sqlstate = SMARTCAR_SQLSTATE_TLS;
	failure->message = psprintf("could not establish a trusted connection to \"%s\"",
								item_origin(call, item));
	failure->hint = psprintf("If your own certificate authority issued the certificate, have a superuser run ALTER SERVER %s OPTIONS (%s ca_file '/etc/smartcar/ca.crt').",
							 quote_identifier(call->server->name),
							 call->server->values[SMARTCAR_OPTION_CA_FILE].is_set ? "SET" : "ADD");
	failure->api_error.action = SMARTCAR_ACTION_FIX_SETUP;
}

static void
describe_broken_connection(SmartcarCall *call, SmartcarItem *item,
						   const SmartcarResponse *response, SmartcarFailure *failure)
{
	const char *option = smartcar_options[smartcar_host_option(item->host)].name;

	failure->sqlstate = SMARTCAR_SQLSTATE_CONNECTION;
	if (response->phase <= SMARTCAR_PHASE_TLS)
	{
		failure->message = psprintf("could not connect to \"%s\"", item_origin(call, item));
		failure->hint = psprintf("Check that this server can reach that host. The option \"%s\" sets where requests go.",
								 option);
	}
	else
	{
		failure->message = psprintf("connection to \"%s\" was lost", item_origin(call, item));
		failure->hint = item->request.kind == SMARTCAR_REQUEST_REPEATABLE ? NULL : MAY_BE_DONE;
	}
}

/*
 * This is the failure of one item and not an error of the statement, which would
 * lose the results of other items.
 */
static void
describe_lack_of_memory(SmartcarFailure *failure)
{
	failure->sqlstate = ERRCODE_OUT_OF_MEMORY;
	failure->message = "out of memory";
	failure->detail = "libcurl could not allocate memory.";
}

/*
 * The failure for a request without a usable response.
 */
SmartcarFailure *
smartcar_failure_from_outcome(SmartcarCall *call, SmartcarItem *item,
							  const SmartcarResponse *response)
{
	SmartcarFailure *failure;
	const char *reason = smartcar_printable(smartcar_span_from_string(response->reason),
											MAX_DESCRIPTION);

	if (response->outcome == SMARTCAR_OUTCOME_TOO_LARGE)
	{
		failure = smartcar_failure_unusable(call, item, "It is too large.");
		failure->hint = option_hint(call, SMARTCAR_OPTION_MAX_RESPONSE_SIZE, "16MB");
		failure->api_error.action = SMARTCAR_ACTION_FIX_SETUP;
		return failure;
	}
	if (response->outcome == SMARTCAR_OUTCOME_UNUSABLE)
		return smartcar_failure_unusable(call, item, psprintf("%s.", reason));

	failure = palloc0(sizeof(SmartcarFailure));
	failure->api_error.retry_after = SMARTCAR_NO_RETRY_AFTER;
	failure->api_error.action = SMARTCAR_ACTION_RETRY;
	failure->detail = psprintf("%s %s failed after %d ms, while %s: %s.",
							   item->request.method, item_path(item), response->elapsed,
							   phase_names[response->phase], reason);
	if (response->outcome == SMARTCAR_OUTCOME_OUT_OF_MEMORY)
		describe_lack_of_memory(failure);
	else if (response->outcome == SMARTCAR_OUTCOME_TIMED_OUT)
		describe_timeout(call, item, response, failure);
	else if (response->outcome == SMARTCAR_OUTCOME_TLS_FAILED)
		describe_tls_failure(call, item, failure);
	else
		describe_broken_connection(call, item, response, failure);
	failure->api_error.description =
		smartcar_span_from_string(psprintf("%s: %s", failure->message, failure->detail));
	return failure;
}

/*
 * Adds a sentence to the detail of a failure.
 */
void
smartcar_failure_add_detail(SmartcarFailure *failure, const char *sentence)
{
	failure->detail = failure->detail == NULL ? sentence :
		psprintf("%s %s", failure->detail, sentence);
}

/*
 * A copy in the current memory context, without api_error.
 */
SmartcarFailure *
smartcar_failure_copy(const SmartcarFailure *failure)
{
	SmartcarFailure *copy = palloc0(sizeof(SmartcarFailure));

	copy->sqlstate = failure->sqlstate;
	copy->message = pstrdup(failure->message);
	copy->detail = failure->detail ? pstrdup(failure->detail) : NULL;
	copy->hint = failure->hint ? pstrdup(failure->hint) : NULL;
	return copy;
}

/*
 * A copy of an error in the current memory context.
 */
SmartcarFailure *
smartcar_failure_from_error(const ErrorData *error)
{
	SmartcarFailure failure = {
		.sqlstate = error->sqlerrcode,
		.message = error->message,
		.detail = error->detail
	};

	return smartcar_failure_copy(&failure);
}

void
smartcar_failure_raise(const SmartcarFailure *failure)
{
	ereport(ERROR,
			(errcode(failure->sqlstate),
			 errmsg_internal("%s", failure->message),
			 failure->detail ? errdetail_internal("%s", failure->detail) : 0,
			 failure->hint ? errhint("%s", failure->hint) : 0));
}
