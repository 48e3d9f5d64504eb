/*-------------------------------------------------------------------------
 *
 * call_error.c
 *	  What went wrong in a call to Smartcar, as SQL has it.
 *
 * src/call/call_error.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/call_error.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "call/advice.h"
#include "call/call.h"
#include "call/call_request.h"
#include "call/scrub.h"
#include "pg/text.h"

/* A page of HTML that some proxy sent is not for a message. */
#define MAX_DESCRIPTION	500

/* What is to be said of a request that does harm twice, once it was sent. */
#define MAY_BE_DONE	"Smartcar may have carried out the request. Find out before you repeat it."

static const char *const phase_names[] = {
	[SMARTCAR_PHASE_RESOLVE] = "resolving the host name",
	[SMARTCAR_PHASE_CONNECT] = "connecting",
	[SMARTCAR_PHASE_TLS] = "negotiating TLS",
	[SMARTCAR_PHASE_WAIT] = "waiting for the answer",
	[SMARTCAR_PHASE_RECEIVE] = "receiving the answer"
};

/* "SC" and the three digits of an HTTP status. */
static int
sqlstate_of(int status)
{
	return MAKE_SQLSTATE('S', 'C', '0' + status / 100 % 10, '0' + status / 10 % 10,
						 '0' + status % 10);
}

static const char *
origin_of(const SmartcarCall *call, const SmartcarItem *item)
{
	return smartcar_server_option(call->server, smartcar_host_option(item->host));
}

/* Everything that must not be seen in what is said about an item. */
static List *
secrets_of(const SmartcarCall *call, const SmartcarItem *item)
{
	List	   *secrets = list_copy(call->secrets);

	if (item->access_token.length > 0)
		secrets = lappend(secrets, pnstrdup(item->access_token.data, item->access_token.length));
	if (item->secret != NULL)
		secrets = lappend(secrets, unconstify(char *, item->secret));
	return secrets;
}

/* A text of an answer, kept by the call and without the secrets. */
static SmartcarSpan
keep(SmartcarSpan text, List *secrets)
{
	if (text.data == NULL)
		return text;
	text = smartcar_scrub(text, secrets);

	return smartcar_span(pnstrdup(text.data, text.length), text.length);
}

static const char *
with_setting(const SmartcarCall *call, SmartcarOption option, const char *example)
{
	const SmartcarServer *server = call->server;
	const char *verb = server->values[option] != NULL ? "SET" : "ADD";

	return psprintf("The option \"%s\" is %s; change it with ALTER SERVER %s OPTIONS (%s %s '%s').",
					smartcar_options[option].name, smartcar_server_option(server, option),
					quote_identifier(server->name), verb, smartcar_options[option].name, example);
}

/*
 * The refusal that an answer is, or holds.  answer is copied.
 */
SmartcarCallError *
smartcar_error_from_answer(SmartcarCall *call, SmartcarItem *item,
						   const SmartcarErrorAnswer *answer, int http_status)
{
	SmartcarCallError *error = palloc0(sizeof(SmartcarCallError));
	SmartcarErrorAnswer *kept = &error->answer;
	List	   *secrets = secrets_of(call, item);
	StringInfoData detail;
	int			length;

	*kept = *answer;
	kept->type = keep(answer->type, secrets);
	kept->code = keep(answer->code, secrets);
	kept->description = keep(answer->description, secrets);
	kept->resolution_type = keep(answer->resolution_type, secrets);
	kept->resolution_url = keep(answer->resolution_url, secrets);
	kept->doc_url = keep(answer->doc_url, secrets);
	kept->suggested_user_message = keep(answer->suggested_user_message, secrets);
	kept->request_id = keep(answer->request_id, secrets);
	if (answer->detail != NULL)
		kept->detail = smartcar_scrub_jsonb(answer->detail, secrets);

	error->sqlstate = sqlstate_of(answer->status);
	if (kept->type.data == NULL)
		error->message = psprintf("Smartcar answered with HTTP status %d", answer->status);
	else if (kept->code.data == NULL)
		error->message = psprintf("Smartcar refused the request: %s",
								  smartcar_excerpt(kept->type));
	else
		error->message = psprintf("Smartcar refused the request: %s:%s",
								  smartcar_excerpt(kept->type), smartcar_excerpt(kept->code));

	initStringInfo(&detail);
	appendStringInfo(&detail, "%s %s was answered with HTTP status %d",
					 item->request.method, item->path, http_status);
	if (kept->description.length > 0)
	{
		length = pg_mbcliplen(kept->description.data, (int) kept->description.length,
							  MAX_DESCRIPTION);
		appendStringInfo(&detail, ": %.*s", length, kept->description.data);
		if (strchr(".!?", detail.data[detail.len - 1]) == NULL)
			appendStringInfoChar(&detail, '.');
	}
	else
		appendStringInfoChar(&detail, '.');
	if (kept->request_id.length > 0)
		appendStringInfo(&detail, " The request id is %s.", smartcar_excerpt(kept->request_id));
	error->detail = detail.data;
	error->hint = smartcar_advice(call->server, item->id, kept);
	return error;
}

/*
 * An answer that cannot be used; reason is a sentence.
 */
SmartcarCallError *
smartcar_error_unusable(SmartcarCall *call, SmartcarItem *item, const char *reason)
{
	SmartcarCallError *error = palloc0(sizeof(SmartcarCallError));

	error->sqlstate = SMARTCAR_SQLSTATE_UNUSABLE;
	error->message = "Smartcar's answer cannot be used";
	error->detail = psprintf("This is the answer to %s %s: %s", item->request.method,
							 item->path, reason);
	error->answer.description = smartcar_span_from_string(error->detail);
	error->answer.retry_after = SMARTCAR_NO_RETRY_AFTER;
	error->answer.action = SMARTCAR_ACTION_RETRY;
	return error;
}

static void
describe_timeout(SmartcarCall *call, SmartcarItem *item, const SmartcarResponse *response,
				 SmartcarCallError *error)
{
	bool		before_request = response->phase <= SMARTCAR_PHASE_TLS;
	bool		in_connect = before_request &&
		call->settings.connect_timeout < call->settings.timeout;

	error->sqlstate = SMARTCAR_SQLSTATE_TIMEOUT;
	error->message = psprintf("request to \"%s\" timed out", origin_of(call, item));
	error->detail = psprintf("%s %s was given up after %d ms, while %s.",
							 item->request.method, item->path, response->elapsed,
							 phase_names[response->phase]);
	error->hint = with_setting(call,
							   in_connect ? SMARTCAR_OPTION_CONNECT_TIMEOUT :
							   SMARTCAR_OPTION_TIMEOUT,
							   in_connect ? "15s" : "60s");
	if (!before_request && item->request.kind != SMARTCAR_REQUEST_REPEATABLE)
		error->hint = psprintf("%s %s", MAY_BE_DONE, error->hint);
}

static void
describe_tls_failure(SmartcarCall *call, SmartcarItem *item, SmartcarCallError *error)
{
	error->sqlstate = SMARTCAR_SQLSTATE_TLS;
	error->message = psprintf("could not establish a trusted connection to \"%s\"",
							  origin_of(call, item));
	error->hint = "If an authority of your own issued the server's certificate, a superuser can name its file in the option \"ca_file\".";
	error->answer.action = SMARTCAR_ACTION_FIX_SETUP;
}

static void
describe_broken_connection(SmartcarCall *call, SmartcarItem *item,
						   const SmartcarResponse *response, SmartcarCallError *error)
{
	const char *option = smartcar_options[smartcar_host_option(item->host)].name;

	error->sqlstate = SMARTCAR_SQLSTATE_CONNECTION;
	if (response->phase <= SMARTCAR_PHASE_TLS)
	{
		error->message = psprintf("could not connect to \"%s\"", origin_of(call, item));
		error->hint = psprintf("Check that this server can reach that host; where requests go is set by the option \"%s\".",
							   option);
	}
	else
	{
		error->message = psprintf("connection to \"%s\" was lost", origin_of(call, item));
		error->hint = item->request.kind == SMARTCAR_REQUEST_REPEATABLE ? NULL : MAY_BE_DONE;
	}
}

/*
 * The reason why there was no answer.
 */
SmartcarCallError *
smartcar_error_from_outcome(SmartcarCall *call, SmartcarItem *item,
							const SmartcarResponse *response)
{
	SmartcarCallError *error;

	if (response->outcome == SMARTCAR_OUTCOME_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("libcurl could not allocate memory.")));

	if (response->outcome == SMARTCAR_OUTCOME_TOO_LARGE)
	{
		error = smartcar_error_unusable(call, item, "It is too large.");
		error->hint = with_setting(call, SMARTCAR_OPTION_MAX_RESPONSE_SIZE, "16MB");
		error->answer.action = SMARTCAR_ACTION_FIX_SETUP;
		return error;
	}
	if (response->outcome == SMARTCAR_OUTCOME_UNUSABLE)
		return smartcar_error_unusable(call, item, psprintf("%s.", response->reason));

	error = palloc0(sizeof(SmartcarCallError));
	error->answer.retry_after = SMARTCAR_NO_RETRY_AFTER;
	error->answer.action = SMARTCAR_ACTION_RETRY;
	error->detail = psprintf("%s %s failed after %d ms, while %s: %s.",
							 item->request.method, item->path, response->elapsed,
							 phase_names[response->phase], response->reason);
	if (response->outcome == SMARTCAR_OUTCOME_TIMED_OUT)
		describe_timeout(call, item, response, error);
	else if (response->outcome == SMARTCAR_OUTCOME_TLS_FAILED)
		describe_tls_failure(call, item, error);
	else
		describe_broken_connection(call, item, response, error);
	error->answer.description =
		smartcar_span_from_string(psprintf("%s: %s", error->message, error->detail));
	return error;
}

/*
 * A copy of what is raised, in the current context; the answer is not copied.
 */
SmartcarCallError *
smartcar_call_error_copy(const SmartcarCallError *error)
{
	SmartcarCallError *copy = palloc0(sizeof(SmartcarCallError));

	copy->sqlstate = error->sqlstate;
	copy->message = pstrdup(error->message);
	copy->detail = error->detail ? pstrdup(error->detail) : NULL;
	copy->hint = error->hint ? pstrdup(error->hint) : NULL;
	return copy;
}

void
smartcar_call_error_raise(const SmartcarCallError *error)
{
	ereport(ERROR,
			(errcode(error->sqlstate),
			 errmsg_internal("%s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
}
