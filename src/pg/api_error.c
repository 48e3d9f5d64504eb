/*-------------------------------------------------------------------------
 *
 * api_error.c
 *	  What an error answer of Smartcar says.
 *
 * Four shapes are in use: the flat object of the v2.0 API and of webhooks
 * (type, code, description, resolution), the list "errors" of the v3 API, the
 * OAuth object of the token endpoints (error, error_description) and that of
 * the v1 API (error, message, code).  What is none of these still has an HTTP
 * status and a text.
 *
 * src/pg/api_error.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/api_error.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"

#include "pg/datum.h"
#include "pg/json.h"

/* The columns of the SQL type smartcar_error. */
enum
{
	STATUS,
	TYPE,
	CODE,
	DESCRIPTION,
	RESOLUTION_TYPE,
	RESOLUTION_URL,
	DOC_URL,
	SUGGESTED_USER_MESSAGE,
	REQUEST_ID,
	RETRY_AFTER,
	DETAIL,
	ACTION
};

#define LOWEST_STATUS		100
#define HIGHEST_STATUS		999
#define RETRY_AFTER_DIGITS	18

/* The first of several members that is a string. */
static SmartcarSpan
first_text_member(JsonbContainer *object, const char *const *keys)
{
	SmartcarSpan found = {NULL, 0};

	for (; *keys != NULL && found.data == NULL; keys++)
		found = smartcar_json_text_member(object, *keys);
	return found;
}

/*
 * An HTTP status, which the v3 API may write as text; 0 if it is none.
 */
static int
status_member(JsonbContainer *object, const char *key)
{
	int32		status;

	if (!smartcar_json_integer_member(object, key, &status) ||
		status < LOWEST_STATUS || status > HIGHEST_STATUS)
		return 0;
	return status;
}

/* The resolution is an object with a type and perhaps a URL, or only a type. */
static void
read_resolution(JsonbContainer *object, SmartcarApiError *answer)
{
	JsonbContainer *resolution = smartcar_json_object_member(object, "resolution");

	if (resolution == NULL)
	{
		answer->resolution_type = smartcar_json_text_member(object, "resolution");
		return;
	}
	answer->resolution_type = smartcar_json_text_member(resolution, "type");
	answer->resolution_url = smartcar_json_text_member(resolution, "url");
}

/*
 * Reads an error object that is not one of the v3 API.
 */
void
smartcar_error_read_object(SmartcarApiError *answer, JsonbContainer *object)
{
	static const char *const type_keys[] = {"type", "error", NULL};
	static const char *const description_keys[] = {
		"description", "error_description", "message", NULL
	};
	static const char *const status_keys[] = {"statusCode", "status", NULL};

	answer->type = first_text_member(object, type_keys);
	answer->code = smartcar_json_text_member(object, "code");
	answer->description = first_text_member(object, description_keys);
	answer->doc_url = smartcar_json_text_member(object, "docURL");
	answer->suggested_user_message = smartcar_json_text_member(object, "suggestedUserMessage");
	answer->request_id = smartcar_json_text_member(object, "requestId");
	answer->detail = smartcar_json_copy_member(object, "detail");
	for (const char *const *key = status_keys; *key != NULL && answer->status == 0; key++)
		answer->status = status_member(object, *key);
	read_resolution(object, answer);
}

/*
 * The request id of an error of the v3 API, which stands in its "meta" or in
 * "debug" there.
 */
static SmartcarSpan
v3_request_id(JsonbContainer *object)
{
	JsonbContainer *meta = smartcar_json_object_member(object, "meta");
	JsonbContainer *debug = meta ? smartcar_json_object_member(meta, "debug") : NULL;
	SmartcarSpan request_id = {NULL, 0};

	if (meta != NULL)
		request_id = smartcar_json_text_member(meta, "requestId");
	if (request_id.data == NULL && debug != NULL)
		request_id = smartcar_json_text_member(debug, "requestId");
	return request_id;
}

/*
 * One error of the v3 API.  It calls the text "detail", where v2.0 has a list
 * under that name, and keeps links and further data in objects of their own.
 */
static void
read_v3_error(JsonbContainer *object, SmartcarApiError *answer)
{
	static const char *const link_keys[] = {"about", "type", NULL};
	JsonbContainer *links = smartcar_json_object_member(object, "links");

	smartcar_error_read_object(answer, object);
	if (answer->description.data == NULL)
	{
		answer->description = smartcar_json_text_member(object, "detail");
		if (answer->description.data != NULL)
			answer->detail = NULL;
	}
	if (answer->description.data == NULL)
		answer->description = smartcar_json_text_member(object, "title");
	if (answer->doc_url.data == NULL && links != NULL)
		answer->doc_url = first_text_member(links, link_keys);
	if (answer->request_id.data == NULL)
		answer->request_id = v3_request_id(object);
}

/*
 * The list of errors of a v3 answer, or NULL if the answer is no such one.
 */
static JsonbContainer *
v3_errors(JsonbContainer *object)
{
	JsonbContainer *errors = smartcar_json_array_member(object, "errors");

	if (errors == NULL || JsonContainerSize(errors) == 0)
		return NULL;
	return errors;
}

/*
 * Reads the body of an error answer, in the encoding of the database.  What
 * the answer already has is kept.
 */
void
smartcar_error_read_body(SmartcarApiError *answer, SmartcarSpan body)
{
	Jsonb	   *json = smartcar_json_parse(body);
	JsonbContainer *errors;

	if (json == NULL || !JB_ROOT_IS_OBJECT(json))
	{
		if (body.length > 0)
			answer->description = body;
		return;
	}

	errors = v3_errors(&json->root);
	if (errors != NULL)
	{
		JsonbContainer *first = smartcar_json_object_element(errors, 0);

		if (first != NULL)
			read_v3_error(first, answer);
		if (answer->request_id.data == NULL)
			answer->request_id = smartcar_json_text_member(&json->root, "requestId");
		if (JsonContainerSize(errors) > 1)
			answer->detail = smartcar_json_copy_member(&json->root, "errors");
	}
	else
		smartcar_error_read_object(answer, &json->root);

	/* nothing that we know how to read: hand over all of it */
	if (answer->type.data == NULL && answer->detail == NULL)
		answer->detail = json;
}

/*
 * The seconds of a Retry-After header.  A date, or anything else that is not
 * all digits, is no use.
 */
int64
smartcar_error_retry_after(SmartcarSpan text)
{
	int64_t		seconds;

	if (!smartcar_span_to_number(text, RETRY_AFTER_DIGITS, &seconds))
		return SMARTCAR_NO_RETRY_AFTER;
	return seconds;
}

/*
 * What to do about an error, by everything that the answer says.
 */
SmartcarAction
smartcar_error_decide(const SmartcarApiError *answer)
{
	SmartcarErrorContext context;

	context.http_status = answer->status;
	context.resolution_type = answer->resolution_type;
	context.description = answer->description;
	return smartcar_action_for_error(answer->type, answer->code, &context);
}

/*
 * The value of the enum for an action that is known.  type is the enum, which
 * the callers find in their result type, so that no name is looked up.
 */
Datum
smartcar_action_datum(SmartcarAction action, Oid type)
{
	return OidFunctionCall2(F_ENUM_IN,
							CStringGetDatum(smartcar_action_label(action)),
							ObjectIdGetDatum(type));
}

/*
 * A value of the SQL type smartcar_error, whose descriptor the caller knows.
 */
Datum
smartcar_error_form(const SmartcarApiError *answer, TupleDesc descriptor)
{
	const SmartcarSpan texts[SMARTCAR_ERROR_COLUMNS] = {
		[TYPE] = answer->type,
		[CODE] = answer->code,
		[DESCRIPTION] = answer->description,
		[RESOLUTION_TYPE] = answer->resolution_type,
		[RESOLUTION_URL] = answer->resolution_url,
		[DOC_URL] = answer->doc_url,
		[SUGGESTED_USER_MESSAGE] = answer->suggested_user_message,
		[REQUEST_ID] = answer->request_id
	};
	Datum		values[SMARTCAR_ERROR_COLUMNS] = {0};
	bool		nulls[SMARTCAR_ERROR_COLUMNS];

	if (descriptor->natts != SMARTCAR_ERROR_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type smartcar_error has %d columns, expected %d",
						descriptor->natts, SMARTCAR_ERROR_COLUMNS)));
	for (int i = 0; i < SMARTCAR_ERROR_COLUMNS; i++)
	{
		values[i] = smartcar_span_text_datum_or_null(texts[i], &nulls[i]);
	}

	nulls[STATUS] = answer->status == 0;
	values[STATUS] = Int32GetDatum(answer->status);
	nulls[RETRY_AFTER] = answer->retry_after == SMARTCAR_NO_RETRY_AFTER;
	values[RETRY_AFTER] = Int64GetDatum(answer->retry_after);
	nulls[DETAIL] = answer->detail == NULL;
	if (!nulls[DETAIL])
		values[DETAIL] = JsonbPGetDatum(answer->detail);
	nulls[ACTION] = answer->action == SMARTCAR_ACTION_UNKNOWN;
	if (!nulls[ACTION])
		values[ACTION] = smartcar_action_datum(answer->action,
											   TupleDescAttr(descriptor, ACTION)->atttypid);
	return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}
