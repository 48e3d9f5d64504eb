/*-------------------------------------------------------------------------
 *
 * response.c
 *	  Validates and parses Smartcar's responses.
 *
 * src/call/response.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/response.h"

#include "mb/pg_wchar.h"

#include "call/failure.h"
#include "core/utf8.h"
#include "http/header.h"
#include "http/retry.h"
#include "pg/holdoff.h"
#include "pg/json.h"
#include "pg/text.h"

/*
 * Whether a content type is JSON.
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
 * Converts the body to the encoding of the database.  Returns what is wrong with
 * it, or NULL.
 */
static const char *
read_body(const SmartcarResponse *response, SmartcarSpan *body)
{
	if (memchr(response->body.data, '\0', response->body.length) != NULL)
		return "It contains a zero byte.";
	if (!smartcar_utf8_valid(response->body))
		return "It is not valid UTF-8.";
	smartcar_check_for_interrupts(response->body);
	*body = smartcar_text_from_utf8(response->body);
	return NULL;
}

static bool
is_success(int status)
{
	return status >= 200 && status <= 299;
}

/*
 * Whether a response 404 is Smartcar's: the resource does not exist.  It may also
 * come from a gateway.
 */
static bool
is_missing(SmartcarSpan body)
{
	SmartcarApiError error = {0};

	smartcar_error_parse_body(&error, body);
	return smartcar_span_equal(error.type, SMARTCAR_SPAN("RESOURCE_NOT_FOUND"));
}

/*
 * Whether the operation accepts a response.
 */
static bool
is_accepted(const SmartcarItem *item, const SmartcarApiResponse *response)
{
	int			status = response->status;

	if (item->operation->accepts_anything || is_success(status))
		return true;
	if (status == 409)
		return item->operation->accepts_existing && strcmp(item->request.method, "POST") == 0;
	if (status != 404)
		return false;
	return item->operation->accepts_no_value ||
		(item->operation->accepts_missing && strcmp(item->request.method, "DELETE") == 0 &&
		 is_missing(response->body));
}

/*
 * Fails an item because its response cannot be used.  reason is a sentence.
 */
void
smartcar_item_fail(SmartcarCall *call, SmartcarItem *item, const char *reason)
{
	MemoryContext old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));

	item->error = smartcar_failure_unusable(call, item, reason);
	MemoryContextSwitchTo(old_context);
}

/*
 * Fails an item because its response is an error: in an object of the body, or, if
 * that is NULL, in the body.  The HTTP status is part of the error unless it is a
 * success.
 */
void
smartcar_item_refuse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response,
					 JsonbContainer *object)
{
	SmartcarApiError error = {0};
	MemoryContext old_context;

	if (object != NULL)
		smartcar_error_parse_object(&error, object);
	else
		smartcar_error_parse_body(&error, response->body);
	if (!is_success(response->status))
		error.status = response->status;
	else if (error.status == 0)
		error.status = smartcar_status_for_error_type(error.type);
	if (!smartcar_retry_after(response->headers, &error.retry_after))
		error.retry_after = SMARTCAR_NO_RETRY_AFTER;
	if (error.request_id.data == NULL)
	{
		SmartcarSpan request_id = smartcar_header_value(response->headers,
														SMARTCAR_SPAN("SC-Request-Id"));

		/* unlike the body, a header may be in any encoding */
		if (smartcar_span_is_visible(request_id))
			error.request_id = request_id;
	}
	error.action = smartcar_error_choose_action(&error);

	old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));
	item->error = smartcar_failure_from_response(call, item, &error, response->status);
	MemoryContextSwitchTo(old_context);
}

/*
 * Parses the JSON of a successful response.  Returns what is wrong with it, or
 * NULL.
 */
static const char *
parse_json(const SmartcarItem *item, SmartcarApiResponse *result)
{
	Jsonb	   *json;

	if (result->body.length == 0 && item->operation->accepts_empty)
		return NULL;
	if (!is_json_type(smartcar_header_value(result->headers, SMARTCAR_SPAN("Content-Type"))))
		return "Its content type is not JSON.";
	if (result->body.length > SMARTCAR_JSON_MAX_LENGTH)
		return "It is too large.";
	smartcar_check_for_interrupts(result->body);
	json = smartcar_json_parse(result->body);
	smartcar_check_for_interrupts(result->body);
	if (json == NULL)
		return "It is not valid JSON.";
	if (!JB_ROOT_IS_OBJECT(json))
		return "It is not a JSON object.";
	result->json = &json->root;
	return NULL;
}

/*
 * Whether a compressed body is incomplete.  libcurl does not notice that gzip data
 * ends early, but incomplete JSON is not valid.
 */
static bool
is_cut_short(const SmartcarApiResponse *response)
{
	return response->body.length > 0 &&
		smartcar_header_value(response->headers, SMARTCAR_SPAN("Content-Encoding")).data != NULL &&
		is_json_type(smartcar_header_value(response->headers, SMARTCAR_SPAN("Content-Type"))) &&
		smartcar_json_parse(response->body) == NULL;
}

/*
 * Reads the body of a response, and its JSON if the operation needs it.  Returns
 * what is wrong with it, or NULL.
 */
static const char *
read_content(const SmartcarItem *item, const SmartcarResponse *response,
			 SmartcarApiResponse *result)
{
	const char *fault = read_body(response, &result->body);

	if (fault == NULL && !item->operation->accepts_anything && is_success(result->status))
		fault = parse_json(item, result);
	else if (fault == NULL && is_cut_short(result))
		fault = "It is not valid JSON.";
	return fault;
}

/*
 * Like read_content(), for a database whose encoding may lack a character of the
 * response.  That must fail only this item, and not the whole call.  The code that
 * raises the error uses no resources but memory, so it can be caught without a
 * subtransaction.
 */
static const char *
convert_content(const SmartcarItem *item, const SmartcarResponse *response,
				SmartcarApiResponse *result)
{
	MemoryContext context = CurrentMemoryContext;
	SmartcarHoldoff holdoff = smartcar_save_holdoff();
	const char *volatile fault = NULL;

	PG_TRY();
	{
		fault = read_content(item, response, result);
		/* the body of an error is parsed later, where it must not fail */
		if (fault == NULL && !is_accepted(item, result))
			(void) smartcar_json_parse(result->body);
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
 * Reads the response to a request of an item.  Returns whether the operation
 * accepts it; otherwise the item has an error.
 */
bool
smartcar_item_read_response(SmartcarCall *call, SmartcarItem *item,
							const SmartcarResponse *response, SmartcarApiResponse *result)
{
	const char *fault;

	memset(result, 0, sizeof(*result));
	result->status = response->status;
	result->headers = response->headers;
	fault = GetDatabaseEncoding() == PG_UTF8 ?
		read_content(item, response, result) :
		convert_content(item, response, result);
	if (fault != NULL)
	{
		smartcar_item_fail(call, item, fault);
		return false;
	}
	if (!is_accepted(item, result))
	{
		smartcar_item_refuse(call, item, result, NULL);
		return false;
	}
	return true;
}
