/*-------------------------------------------------------------------------
 *
 * error.c
 *	  The SQL function that reads an error answer.
 *
 * Four shapes are in use: the flat object of the v2.0 API and of webhooks
 * (type, code, description, resolution), the list "errors" of the v3 API, the
 * OAuth object of the token endpoints (error, error_description) and that of
 * the v1 API (error, message, code).  What is none of these still has an HTTP
 * status and a text.
 *
 * src/pg/error.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "core/error.h"
#include "pg/action.h"
#include "pg/json.h"
#include "pg/text.h"
#include "pg/tuple.h"

PG_FUNCTION_INFO_V1(smartcar_parse_error);

/* What the columns of the SQL type smartcar_error are made of. */
typedef struct ErrorAnswer
{
	int			status;			/* 0 if it is not known */
	SmartcarSpan type;
	SmartcarSpan code;
	SmartcarSpan description;
	SmartcarSpan resolution_type;
	SmartcarSpan resolution_url;
	SmartcarSpan doc_url;
	SmartcarSpan suggested_user_message;
	SmartcarSpan request_id;
	Jsonb	   *detail;			/* NULL if there is none */
} ErrorAnswer;

/* The columns themselves. */
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

#define STATUS_DIGITS		3
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
	JsonbValue	value;
	int64_t		status = 0;

	if (smartcar_json_member(object, key, &value) == NULL)
		return 0;

	if (value.type == jbvString)
	{
		SmartcarSpan digits = smartcar_span(value.val.string.val, value.val.string.len);

		if (!smartcar_span_to_number(digits, STATUS_DIGITS, &status))
			return 0;
	}
	else if (value.type == jbvNumeric)
	{
		bool		failed = false;

		status = numeric_int4_opt_error(value.val.numeric, &failed);
		if (failed)
			return 0;
	}
	return (status < LOWEST_STATUS || status > HIGHEST_STATUS) ? 0 : (int) status;
}

/* A member of any kind but null, as jsonb of its own. */
static Jsonb *
jsonb_member(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (smartcar_json_member(object, key, &value) == NULL || value.type == jbvNull)
		return NULL;
	return JsonbValueToJsonb(&value);
}

/* The resolution is an object with a type and perhaps a URL, or only a type. */
static void
read_resolution(JsonbContainer *object, ErrorAnswer *answer)
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

static void
read_error_object(JsonbContainer *object, ErrorAnswer *answer)
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
	answer->detail = jsonb_member(object, "detail");
	for (const char *const *key = status_keys; *key != NULL && answer->status == 0; key++)
		answer->status = status_member(object, *key);
	read_resolution(object, answer);
}

/*
 * One error of the v3 API.  It calls the text "detail", where v2.0 has a list
 * under that name, and keeps links and further data in objects of their own.
 */
static void
read_v3_error(JsonbContainer *object, ErrorAnswer *answer)
{
	static const char *const link_keys[] = {"about", "type", NULL};
	JsonbContainer *links = smartcar_json_object_member(object, "links");
	JsonbContainer *meta = smartcar_json_object_member(object, "meta");

	read_error_object(object, answer);
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
	if (answer->request_id.data == NULL && meta != NULL)
		answer->request_id = smartcar_json_text_member(meta, "requestId");
}

/*
 * The list of errors of a v3 answer, or NULL if the answer is no such one.
 */
static JsonbContainer *
v3_errors(JsonbContainer *object)
{
	JsonbValue	value;

	if (smartcar_json_member(object, "errors", &value) == NULL ||
		value.type != jbvBinary || !JsonContainerIsArray(value.val.binary.data) ||
		JsonContainerSize(value.val.binary.data) == 0)
		return NULL;
	return value.val.binary.data;
}

static void
read_body(SmartcarSpan body, ErrorAnswer *answer)
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
		JsonbValue *first = getIthJsonbValueFromContainer(errors, 0);

		if (first->type == jbvBinary && JsonContainerIsObject(first->val.binary.data))
			read_v3_error(first->val.binary.data, answer);
		if (answer->request_id.data == NULL)
			answer->request_id = smartcar_json_text_member(&json->root, "requestId");
		if (JsonContainerSize(errors) > 1)
			answer->detail = jsonb_member(&json->root, "errors");
	}
	else
		read_error_object(&json->root, answer);

	/* nothing that we know how to read: hand over all of it */
	if (answer->type.data == NULL && answer->detail == NULL)
		answer->detail = json;
}

Datum
smartcar_parse_error(PG_FUNCTION_ARGS)
{
	ErrorAnswer answer = {0};
	SmartcarErrorContext context;
	SmartcarTuple tuple;
	SmartcarAction action;
	int64_t		retry_after;

	read_body(smartcar_argument_span(fcinfo, 0), &answer);
	if (!PG_ARGISNULL(1))
		answer.status = PG_GETARG_INT32(1);
	if (answer.request_id.data == NULL)
		answer.request_id = smartcar_argument_span(fcinfo, 3);

	context.http_status = answer.status;
	context.resolution_type = answer.resolution_type;
	context.description = answer.description;
	action = smartcar_action_for_error(answer.type, answer.code, &context);

	smartcar_tuple_begin(&tuple, fcinfo);
	if (answer.status != 0)
		smartcar_tuple_set_int32(&tuple, STATUS, answer.status);
	smartcar_tuple_set_text(&tuple, TYPE, answer.type);
	smartcar_tuple_set_text(&tuple, CODE, answer.code);
	smartcar_tuple_set_text(&tuple, DESCRIPTION, answer.description);
	smartcar_tuple_set_text(&tuple, RESOLUTION_TYPE, answer.resolution_type);
	smartcar_tuple_set_text(&tuple, RESOLUTION_URL, answer.resolution_url);
	smartcar_tuple_set_text(&tuple, DOC_URL, answer.doc_url);
	smartcar_tuple_set_text(&tuple, SUGGESTED_USER_MESSAGE, answer.suggested_user_message);
	smartcar_tuple_set_text(&tuple, REQUEST_ID, answer.request_id);

	/* seconds; a date, or anything else that is not all digits, is no use */
	if (smartcar_span_to_number(smartcar_argument_span(fcinfo, 2), RETRY_AFTER_DIGITS,
								&retry_after))
		smartcar_tuple_set_datum(&tuple, RETRY_AFTER, Int64GetDatum(retry_after));
	if (answer.detail != NULL)
		smartcar_tuple_set_datum(&tuple, DETAIL, JsonbPGetDatum(answer.detail));
	if (action != SMARTCAR_ACTION_UNKNOWN)
	{
		Oid			type = TupleDescAttr(tuple.descriptor, ACTION)->atttypid;

		smartcar_tuple_set_datum(&tuple, ACTION, smartcar_action_datum(action, type));
	}
	PG_RETURN_DATUM(smartcar_tuple_finish(&tuple));
}
