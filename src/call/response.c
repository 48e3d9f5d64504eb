/*-------------------------------------------------------------------------
 *
 * response.c
 *	  What Smartcar has answered: text and JSON that can be taken, or why not.
 *
 * src/call/response.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/call.h"

#include "mb/pg_wchar.h"

#include "core/utf8.h"
#include "http/header.h"
#include "pg/holdoff.h"
#include "pg/json.h"
#include "pg/text.h"

/*
 * Whether a content type is one of JSON in UTF-8.
 */
static bool
is_json_type(SmartcarSpan type)
{
	const char *semicolon;
	SmartcarSpan name = type;
	SmartcarSpan suffix = SMARTCAR_SPAN("+json");

	if (type.data == NULL)
		return false;
	semicolon = memchr(type.data, ';', type.length);
	if (semicolon != NULL)
		name.length = (size_t) (semicolon - type.data);
	while (name.length > 0 && name.data[name.length - 1] == ' ')
		name.length--;
	if (smartcar_span_equal_ignoring_case(name, SMARTCAR_SPAN("application/json")))
		return true;
	return name.length > suffix.length &&
		smartcar_span_equal_ignoring_case(smartcar_span_skip(name, name.length - suffix.length),
										  suffix);
}

/*
 * The body as text of the database.  Returns what is wrong with it, or NULL.
 */
static const char *
take_body(const SmartcarResponse *response, SmartcarSpan *body)
{
	if (memchr(response->body.data, '\0', response->body.length) != NULL)
		return "It contains a zero byte.";
	if (!smartcar_utf8_valid(response->body))
		return "It is not valid UTF-8.";
	*body = smartcar_text_from_utf8(response->body);
	return NULL;
}

static bool
is_success(int status)
{
	return status >= 200 && status <= 299;
}

/*
 * Whether an answer with this status is one that the operation takes.
 */
static bool
is_taken(const SmartcarItem *item, int status)
{
	if (item->operation->takes_anything || is_success(status))
		return true;
	return status == 404 && item->operation->takes_missing &&
		strcmp(item->request.method, "DELETE") == 0;
}

/*
 * The answer is an error: the body of one with an error status, or an object
 * within an answer that is otherwise good.
 */
void
smartcar_item_refuse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer,
					 JsonbContainer *object)
{
	SmartcarApiError error = {0};
	MemoryContext old_context;

	if (object != NULL)
	{
		smartcar_error_read_object(&error, object);
		if (error.status == 0)
			error.status = smartcar_status_for_error_type(error.type);
	}
	else
	{
		smartcar_error_read_body(&error, answer->body);
		error.status = answer->status;
	}
	error.retry_after =
		smartcar_error_retry_after(smartcar_header_value(answer->headers,
														 SMARTCAR_SPAN("Retry-After")));
	if (error.request_id.data == NULL)
	{
		SmartcarSpan request_id = smartcar_header_value(answer->headers,
														SMARTCAR_SPAN("SC-Request-Id"));

		/* unlike the body, a header may be in any encoding */
		if (smartcar_span_is_visible(request_id))
			error.request_id = request_id;
	}
	error.action = smartcar_error_decide(&error);

	old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));
	item->error = smartcar_failure_from_response(call, item, &error, answer->status);
	MemoryContextSwitchTo(old_context);
}

/*
 * Takes the JSON of a good answer.  Returns what is wrong with it, or NULL.
 */
static const char *
take_json(const SmartcarItem *item, SmartcarApiResponse *answer)
{
	Jsonb	   *json;

	if (answer->body.length == 0 && item->operation->takes_nothing)
		return NULL;
	if (!is_json_type(smartcar_header_value(answer->headers, SMARTCAR_SPAN("Content-Type"))))
		return "Its content type is not JSON.";
	json = smartcar_json_parse(answer->body);
	if (json == NULL)
		return "It is not valid JSON.";
	if (!JB_ROOT_IS_OBJECT(json))
		return "It is not a JSON object.";
	answer->json = &json->root;
	return NULL;
}

/*
 * Takes the text of an answer, and its JSON where that is wanted.  Returns what
 * is wrong with them, or NULL.
 */
static const char *
take_content(const SmartcarItem *item, const SmartcarResponse *response,
			 SmartcarApiResponse *answer)
{
	const char *fault = take_body(response, &answer->body);

	if (fault == NULL && !item->operation->takes_anything && is_success(answer->status))
		fault = take_json(item, answer);
	return fault;
}

/*
 * The same in a database whose encoding may not have a character of the answer.
 * That is the fault of this answer and must not end the others of a bulk call.
 * Nothing but memory is in use where the error is raised, so it can be caught
 * without a subtransaction.
 */
static const char *
take_foreign_content(const SmartcarItem *item, const SmartcarResponse *response,
					 SmartcarApiResponse *answer)
{
	MemoryContext context = CurrentMemoryContext;
	SmartcarHoldoff holdoff = smartcar_save_holdoff();
	const char *volatile fault = NULL;

	PG_TRY();
	{
		fault = take_content(item, response, answer);
		/* the body of an error is parsed later, and must not fail there */
		if (fault == NULL && !is_taken(item, answer->status))
			(void) smartcar_json_parse(answer->body);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_UNTRANSLATABLE_CHARACTER)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		smartcar_restore_holdoff(holdoff);
		fault = "It has a character that the encoding of the database does not have.";
	}
	PG_END_TRY();
	return fault;
}

/*
 * Reads the answer to the request of an item.  Returns whether it is one that
 * the operation takes; otherwise it is the error of the item.
 */
bool
smartcar_item_read_response(SmartcarCall *call, SmartcarItem *item,
							const SmartcarResponse *response, SmartcarApiResponse *answer)
{
	const char *fault;

	memset(answer, 0, sizeof(*answer));
	answer->status = response->status;
	answer->headers = response->headers;
	fault = GetDatabaseEncoding() == PG_UTF8 ?
		take_content(item, response, answer) :
		take_foreign_content(item, response, answer);
	if (fault != NULL)
	{
		smartcar_item_fail(call, item, fault);
		return false;
	}
	if (!is_taken(item, answer->status))
	{
		smartcar_item_refuse(call, item, answer, NULL);
		return false;
	}
	return true;
}
