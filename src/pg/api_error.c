/*-------------------------------------------------------------------------
 *
 * api_error.c
 *	  Parses Smartcar's error responses.
 *
 * There are four formats: the object of the v2.0 API and of webhooks (type, code,
 * description, resolution), the list "errors" of the v3 API, the OAuth object of
 * the token endpoints (error, error_description) and the object of the v1 API
 * (error, message, code).  Any other response has only its HTTP status and its
 * body.
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
	COLUMN_STATUS,
	COLUMN_TYPE,
	COLUMN_CODE,
	COLUMN_DESCRIPTION,
	COLUMN_RESOLUTION_TYPE,
	COLUMN_RESOLUTION_URL,
	COLUMN_DOC_URL,
	COLUMN_SUGGESTED_USER_MESSAGE,
	COLUMN_REQUEST_ID,
	COLUMN_RETRY_AFTER,
	COLUMN_DETAIL,
	COLUMN_ACTION
};

#define LOWEST_STATUS		100
#define HIGHEST_STATUS		999
#define RETRY_AFTER_DIGITS	18

/* The first of several members that is a string; no data if there is none. */
static SmartcarSpan
first_text_member(JsonbContainer *object, const char *const *keys)
{
	SmartcarSpan found = {NULL, 0};

	for (; *keys != NULL && found.data == NULL; keys++)
		found = smartcar_json_text_member(object, *keys);
	return found;
}

/*
 * A member that is an HTTP status, which the v3 API may write as a string; 0 for
 * any other.
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

/* A resolution is an object with a type and perhaps a URL, or only a type. */
static void
parse_resolution(JsonbContainer *object, SmartcarApiError *error)
{
	JsonbContainer *resolution = smartcar_json_object_member(object, "resolution");

	if (resolution == NULL)
	{
		error->resolution_type = smartcar_json_text_member(object, "resolution");
		return;
	}
	error->resolution_type = smartcar_json_text_member(resolution, "type");
	error->resolution_url = smartcar_json_text_member(resolution, "url");
}

/*
 * Parses an error object, except one of the v3 API.
 */
void
smartcar_error_parse_object(SmartcarApiError *error, JsonbContainer *object)
{
	static const char *const type_keys[] = {"type", "error", NULL};
	static const char *const description_keys[] = {
		"description", "error_description", "message", NULL
	};
	static const char *const status_keys[] = {"statusCode", "status", NULL};

	error->type = first_text_member(object, type_keys);
	error->code = smartcar_json_text_member(object, "code");
	error->description = first_text_member(object, description_keys);
	error->doc_url = smartcar_json_text_member(object, "docURL");
	error->suggested_user_message = smartcar_json_text_member(object, "suggestedUserMessage");
	error->request_id = smartcar_json_text_member(object, "requestId");
	error->detail = smartcar_json_copy_member(object, "detail");
	for (const char *const *key = status_keys; *key != NULL && error->status == 0; key++)
		error->status = status_member(object, *key);
	parse_resolution(object, error);
}

/*
 * The request id of an error of the v3 API: a member of "meta", or of "debug" in
 * "meta".
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
 * Parses one error of the v3 API.  Its "detail" is the description, while that of
 * v2.0 is a list.  Links and metadata are in objects of their own.
 */
static void
parse_v3_error(JsonbContainer *object, SmartcarApiError *error)
{
	static const char *const link_keys[] = {"about", "type", NULL};
	JsonbContainer *links = smartcar_json_object_member(object, "links");

	smartcar_error_parse_object(error, object);
	if (error->description.data == NULL)
	{
		error->description = smartcar_json_text_member(object, "detail");
		if (error->description.data != NULL)
			error->detail = NULL;
	}
	if (error->description.data == NULL)
		error->description = smartcar_json_text_member(object, "title");
	if (error->doc_url.data == NULL && links != NULL)
		error->doc_url = first_text_member(links, link_keys);
	if (error->request_id.data == NULL)
		error->request_id = v3_request_id(object);
}

/*
 * The errors of a response of the v3 API, or NULL if it is another response.
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
 * Parses the body of an error response, in the encoding of the database.  A
 * status that is already set is kept.
 */
void
smartcar_error_parse_body(SmartcarApiError *error, SmartcarSpan body)
{
	Jsonb	   *json = smartcar_json_parse(body);
	JsonbContainer *errors;

	if (json == NULL || !JB_ROOT_IS_OBJECT(json))
	{
		if (body.length > 0)
			error->description = body;
		return;
	}

	errors = v3_errors(&json->root);
	if (errors != NULL)
	{
		JsonbContainer *first = smartcar_json_object_element(errors, 0);

		if (first != NULL)
			parse_v3_error(first, error);
		if (error->request_id.data == NULL)
			error->request_id = smartcar_json_text_member(&json->root, "requestId");
		if (JsonContainerSize(errors) > 1)
			error->detail = smartcar_json_copy_member(&json->root, "errors");
	}
	else
		smartcar_error_parse_object(error, &json->root);

	/* an unknown format: keep all of it */
	if (error->type.data == NULL && error->detail == NULL)
		error->detail = json;
}

/*
 * The seconds of a Retry-After header, or SMARTCAR_NO_RETRY_AFTER if it is not a
 * number.
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
 * Chooses the action for an error.
 */
SmartcarAction
smartcar_error_choose_action(const SmartcarApiError *error)
{
	SmartcarErrorContext context;

	context.http_status = error->status;
	context.resolution_type = error->resolution_type;
	context.description = error->description;
	return smartcar_action_for_error(error->type, error->code, &context);
}

/*
 * An action, which must be known, as a value of the enum type.  Callers find the
 * type in their result type, so that it need not be looked up by name.
 */
Datum
smartcar_action_datum(SmartcarAction action, Oid type)
{
	return OidFunctionCall2(F_ENUM_IN,
							CStringGetDatum(smartcar_action_label(action)),
							ObjectIdGetDatum(type));
}

/*
 * The error as a value of the SQL type smartcar_error.
 */
Datum
smartcar_error_datum(const SmartcarApiError *error, TupleDesc descriptor)
{
	const SmartcarSpan texts[SMARTCAR_ERROR_COLUMNS] = {
		[COLUMN_TYPE] = error->type,
		[COLUMN_CODE] = error->code,
		[COLUMN_DESCRIPTION] = error->description,
		[COLUMN_RESOLUTION_TYPE] = error->resolution_type,
		[COLUMN_RESOLUTION_URL] = error->resolution_url,
		[COLUMN_DOC_URL] = error->doc_url,
		[COLUMN_SUGGESTED_USER_MESSAGE] = error->suggested_user_message,
		[COLUMN_REQUEST_ID] = error->request_id
	};
	Datum		values[SMARTCAR_ERROR_COLUMNS] = {0};
	bool		nulls[SMARTCAR_ERROR_COLUMNS];

	if (descriptor->natts != SMARTCAR_ERROR_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type smartcar_error has %d columns, expected %d",
						descriptor->natts, SMARTCAR_ERROR_COLUMNS)));
	for (int i = 0; i < SMARTCAR_ERROR_COLUMNS; i++)
		smartcar_set_text_column(values, nulls, i, texts[i]);

	nulls[COLUMN_STATUS] = error->status == 0;
	values[COLUMN_STATUS] = Int32GetDatum(error->status);
	nulls[COLUMN_RETRY_AFTER] = error->retry_after == SMARTCAR_NO_RETRY_AFTER;
	values[COLUMN_RETRY_AFTER] = Int64GetDatum(error->retry_after);
	nulls[COLUMN_DETAIL] = error->detail == NULL;
	if (!nulls[COLUMN_DETAIL])
		values[COLUMN_DETAIL] = JsonbPGetDatum(error->detail);
	nulls[COLUMN_ACTION] = error->action == SMARTCAR_ACTION_UNKNOWN;
	if (!nulls[COLUMN_ACTION])
	{
		Oid			type = TupleDescAttr(descriptor, COLUMN_ACTION)->atttypid;

		values[COLUMN_ACTION] = smartcar_action_datum(error->action, type);
	}
	return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}
