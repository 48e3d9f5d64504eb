/*-------------------------------------------------------------------------
 *
 * any_endpoint.c
 *	  The SQL functions that call any endpoint of Smartcar's APIs.
 *
 * They raise an error only if there is no response; the caller checks the status.
 * The function for many also returns the error in a response.
 *
 * src/api/any_endpoint.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

#include "call/request.h"
#include "api/sql_function.h"
#include "core/utf8.h"
#include "http/header.h"
#include "http/retry.h"
#include "pg/compat.h"
#include "pg/datum.h"
#include "pg/json.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_request);
PG_FUNCTION_INFO_V1(smartcar_request_many);

/* The columns of the SQL type smartcar_response. */
enum
{
	COLUMN_STATUS,
	COLUMN_BODY,
	COLUMN_CONTENT_TYPE,
	COLUMN_REQUEST_ID,
	COLUMN_DATA_AGE,
	COLUMN_FETCHED_AT,
	COLUMN_UNIT_SYSTEM,
	COLUMN_RETRY_AFTER,
	COLUMN_HEADERS,
	COLUMN_COUNT
};

/* The arguments of the SQL functions. */
enum
{
	ARGUMENT_METHOD,
	ARGUMENT_PATH,
	ARGUMENT_ACCESS_TOKEN,
	ARGUMENT_USER_ID,
	ARGUMENT_QUERY,
	ARGUMENT_BODY,
	ARGUMENT_UNIT_SYSTEM,
	ARGUMENT_ORIGIN,
	ARGUMENT_TIMEOUT,
	ARGUMENT_SERVER
};

/*
 * More than servers accept in the first line of a request.  libcurl has a buffer
 * of 1 MB for that line and all headers.
 */
#define MAX_QUERY_LENGTH	65536

typedef struct QueryParameter
{
	const char *name;
	SmartcarSpan value;
} QueryParameter;

typedef struct RequestArguments
{
	const char *method;
	SmartcarHost host;
	QueryParameter *query;
	int			query_count;
	SmartcarSpan body;
	SmartcarSpan unit_system;
} RequestArguments;

static void
prepare(SmartcarCall *call, SmartcarItem *item)
{
	const RequestArguments *arguments = (const RequestArguments *) call->arguments;

	smartcar_request_begin(call, item, arguments->method, arguments->host, item->id);
	for (int i = 0; i < arguments->query_count; i++)
		smartcar_request_query(item, arguments->query[i].name, arguments->query[i].value);
	if (arguments->unit_system.data != NULL)
		smartcar_request_header(item, "SC-Unit-System", arguments->unit_system);
	if (arguments->body.data != NULL)
		smartcar_request_body(item, "application/json", arguments->body);
}

/*
 * Converts the value of a header to the encoding of the database.  Returns false
 * if that is not possible.
 */
static bool
header_text(SmartcarSpan value, SmartcarSpan *converted)
{
	return smartcar_utf8_valid(value) && memchr(value.data, '\0', value.length) == NULL &&
		smartcar_try_text_from_utf8(value, converted);
}

/*
 * The values of all headers with a name, joined by commas.  name points to one of
 * them in lines; no data if it is not the first of them.
 */
static SmartcarSpan
joined_values(SmartcarSpan lines, SmartcarSpan name)
{
	StringInfoData values;
	SmartcarSpan other;
	SmartcarSpan value;

	initStringInfo(&values);
	while (smartcar_header_next(&lines, &other, &value))
	{
		if (!smartcar_span_equal_ignoring_case(name, other))
			continue;
		if (other.data < name.data)
		{
			pfree(values.data);
			return smartcar_span(NULL, 0);
		}
		if (other.data > name.data)
			appendStringInfoString(&values, ", ");
		appendBinaryStringInfo(&values, value.data, (int) value.length);
	}
	return smartcar_span(values.data, values.len);
}

/*
 * The headers as an object, with names in lower case.  The values of a repeated
 * header are joined, as HTTP allows.  A header that cannot be converted to the
 * encoding of the database is left out.
 */
static Jsonb *
headers_as_jsonb(SmartcarSpan lines)
{
	SmartcarJsonbBuilder builder = {0};
	SmartcarSpan rest = lines;
	SmartcarSpan name;
	SmartcarSpan value;

	smartcar_jsonb_push(&builder, WJB_BEGIN_OBJECT, NULL);
	while (smartcar_header_next(&rest, &name, &value))
	{
		SmartcarSpan values;
		JsonbValue	json;
		char	   *lower;

		CHECK_FOR_INTERRUPTS();
		values = joined_values(lines, name);
		if (values.data == NULL || !smartcar_span_is_visible(name) ||
			!header_text(values, &value))
			continue;

		lower = pnstrdup(name.data, name.length);
		for (char *c = lower; *c != '\0'; c++)
			*c = smartcar_ascii_lower(*c);
		json.type = jbvString;
		json.val.string.val = lower;
		json.val.string.len = (int) name.length;
		smartcar_jsonb_push(&builder, WJB_KEY, &json);

		json.val.string.val = unconstify(char *, value.data);
		json.val.string.len = (int) value.length;
		smartcar_jsonb_push(&builder, WJB_VALUE, &json);
	}
	smartcar_jsonb_push(&builder, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(builder.result);
}

static void
set_header(SmartcarCall *call, SmartcarItem *item, int column, SmartcarSpan lines,
		   const char *name)
{
	SmartcarSpan value = smartcar_header_value(lines, smartcar_span_from_string(name));

	if (value.data != NULL && header_text(value, &value))
		smartcar_item_set_text(call, item, column, value);
}

/* On 32-bit platforms, the Datum is allocated. */
static void
set_time_header(SmartcarCall *call, SmartcarItem *item, int column, SmartcarSpan lines,
				const char *name)
{
	MemoryContext old_context = MemoryContextSwitchTo(call->context);
	TimestampTz timestamp;

	if (smartcar_timestamptz(smartcar_header_value(lines, smartcar_span_from_string(name)),
							 &timestamp))
		smartcar_item_set_datum(item, column, TimestampTzGetDatum(timestamp));
	MemoryContextSwitchTo(old_context);
}

/*
 * Sets the times of a response with a single signal, which are in the body and not
 * in headers.  In a list, each signal has its own times.
 */
static void
set_signal_times(SmartcarCall *call, SmartcarItem *item, JsonbContainer *body)
{
	JsonbContainer *data = smartcar_json_object_member(body, "data");
	JsonbContainer *meta = data ? smartcar_json_object_member(data, "meta") : NULL;
	MemoryContext old_context;
	TimestampTz time;

	if (meta == NULL)
		return;
	old_context = MemoryContextSwitchTo(call->context);
	if (item->nulls[COLUMN_DATA_AGE] && smartcar_json_time_member(meta, "oemUpdatedAt", &time))
		smartcar_item_set_datum(item, COLUMN_DATA_AGE, TimestampTzGetDatum(time));
	if (item->nulls[COLUMN_FETCHED_AT] && smartcar_json_time_member(meta, "retrievedAt", &time))
		smartcar_item_set_datum(item, COLUMN_FETCHED_AT, TimestampTzGetDatum(time));
	MemoryContextSwitchTo(old_context);
}

/*
 * Sets the refusal of an item, if its status is an error, or if the response to a
 * command has status 202 and errors in its body.
 */
static void
set_refusal(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response,
			JsonbContainer *body)
{
	SmartcarApiResponse readable = *response;

	if (response->status < 400 &&
		(response->status != 202 || body == NULL ||
		 smartcar_json_array_member(body, "errors") == NULL))
		return;
	if (body == NULL && GetDatabaseEncoding() != PG_UTF8)
		readable.body.length = 0;
	smartcar_item_refuse(call, item, &readable, NULL);
	item->refusal = item->error;
	item->error = NULL;
}

static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	const RequestArguments *arguments = (const RequestArguments *) call->arguments;
	SmartcarSpan headers = response->headers;
	JsonbContainer *body = NULL;
	int64		retry_after;
	MemoryContext old_context;
	Datum		built;

	smartcar_item_set_datum(item, COLUMN_STATUS, Int32GetDatum(response->status));
	smartcar_item_set_text(call, item, COLUMN_BODY, response->body);
	set_header(call, item, COLUMN_CONTENT_TYPE, headers, "Content-Type");
	set_header(call, item, COLUMN_REQUEST_ID, headers, "SC-Request-Id");
	set_time_header(call, item, COLUMN_DATA_AGE, headers, "SC-Data-Age");
	set_time_header(call, item, COLUMN_FETCHED_AT, headers, "SC-Fetched-At");
	set_header(call, item, COLUMN_UNIT_SYSTEM, headers, "SC-Unit-System");

	if (response->status >= 400 || arguments->host == SMARTCAR_HOST_VEHICLE)
		body = smartcar_json_try_parse(response->body);
	if (body != NULL && arguments->host == SMARTCAR_HOST_VEHICLE)
		set_signal_times(call, item, body);
	set_refusal(call, item, response, body);

	/* built in the context of the response, which frees all but the copy */
	built = JsonbPGetDatum(headers_as_jsonb(headers));
	old_context = MemoryContextSwitchTo(call->context);
	if (smartcar_retry_after(headers, &retry_after))
		smartcar_item_set_datum(item, COLUMN_RETRY_AFTER, Int64GetDatum(retry_after));
	smartcar_item_set_datum(item, COLUMN_HEADERS, datumCopy(built, false, -1));
	MemoryContextSwitchTo(old_context);
	return false;
}

static const char *
method_argument(FunctionCallInfo fcinfo)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
	SmartcarSpan method = smartcar_argument_span(fcinfo, ARGUMENT_METHOD);

	if (method.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("method must not be null")));
	for (int i = 0; i < lengthof(methods); i++)
	{
		if (smartcar_span_equal_ignoring_case(method, smartcar_span_from_string(methods[i])))
			return methods[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid method: \"%s\"", smartcar_excerpt(method)),
			 errdetail("Valid methods are GET, HEAD, POST, PUT, PATCH and DELETE.")));
	return NULL;				/* keep compiler quiet */
}

static SmartcarHost
host_argument(FunctionCallInfo fcinfo, SmartcarApiVersion version)
{
	SmartcarSpan origin = smartcar_argument_span(fcinfo, ARGUMENT_ORIGIN);

	if (origin.data == NULL)
		return version == SMARTCAR_API_V3 ? SMARTCAR_HOST_VEHICLE : SMARTCAR_HOST_API;
	if (smartcar_span_equal(origin, SMARTCAR_SPAN("api")))
		return SMARTCAR_HOST_API;
	if (smartcar_span_equal(origin, SMARTCAR_SPAN("vehicle")))
		return SMARTCAR_HOST_VEHICLE;
	if (smartcar_span_equal(origin, SMARTCAR_SPAN("management")))
		return version == SMARTCAR_API_V3 ? SMARTCAR_HOST_V3_MANAGEMENT :
			SMARTCAR_HOST_MANAGEMENT;
	if (smartcar_span_equal(origin, SMARTCAR_SPAN("compatibility")))
		return SMARTCAR_HOST_COMPATIBILITY;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid origin: \"%s\"", smartcar_excerpt(origin)),
			 errdetail("Valid origins are \"api\", \"vehicle\", \"management\" and \"compatibility\".")));
	return SMARTCAR_HOST_API;	/* keep compiler quiet */
}

static SmartcarSpan
unit_system_argument(FunctionCallInfo fcinfo)
{
	SmartcarSpan unit_system = smartcar_argument_span(fcinfo, ARGUMENT_UNIT_SYSTEM);

	if (unit_system.data != NULL &&
		!smartcar_span_equal(unit_system, SMARTCAR_SPAN("metric")) &&
		!smartcar_span_equal(unit_system, SMARTCAR_SPAN("imperial")))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid unit_system: \"%s\"", smartcar_excerpt(unit_system)),
				 errdetail("Valid unit systems are \"metric\" and \"imperial\".")));
	return unit_system;
}

/* The value of a query parameter; no data for null, which leaves it out. */
static SmartcarSpan
parameter_value(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return smartcar_span(NULL, 0);
		case jbvString:
			return smartcar_utf8_from_bytes(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return smartcar_span_from_string(DatumGetCString(DirectFunctionCall1(numeric_out,
																				 NumericGetDatum(value->val.numeric))));
		case jbvBool:
			return value->val.boolean ? SMARTCAR_SPAN("true") : SMARTCAR_SPAN("false");
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value in query"),
					 errdetail("The value of a parameter is text, a number, a boolean or null.")));
	}
	return smartcar_span(NULL, 0);	/* keep compiler quiet */
}

static void
parse_query(FunctionCallInfo fcinfo, RequestArguments *arguments)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	Jsonb	   *query;

	if (PG_ARGISNULL(ARGUMENT_QUERY))
		return;
	query = PG_GETARG_JSONB_P(ARGUMENT_QUERY);
	if (!JB_ROOT_IS_OBJECT(query))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query must be a JSON object"),
				 errhint("An example is '{\"limit\": 10}'.")));

	if (VARSIZE(query) > MAX_QUERY_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("query is too long"),
				 errdetail("It has %zu bytes, and the limit is %d bytes.",
						   (size_t) VARSIZE(query), MAX_QUERY_LENGTH)));

	arguments->query = palloc((JB_ROOT_COUNT(query) + 1) * sizeof(QueryParameter));
	iterator = JsonbIteratorInit(&query->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			SmartcarSpan name = smartcar_utf8_from_bytes(value.val.string.val,
														 value.val.string.len);

			arguments->query[arguments->query_count].name = pnstrdup(name.data, name.length);
		}
		else if (token == WJB_VALUE)
			arguments->query[arguments->query_count++].value = parameter_value(&value);
	}
}

/*
 * With HEAD and a body, libcurl would wait for the body of the response, which has
 * none.
 */
static void
reject_body_of_head(const char *method)
{
	if (strcmp(method, "HEAD") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("method HEAD does not allow a body")));
}

static SmartcarSpan
body_argument(FunctionCallInfo fcinfo, const char *method)
{
	if (!PG_ARGISNULL(ARGUMENT_BODY))
		reject_body_of_head(method);
	return smartcar_json_argument(fcinfo, ARGUMENT_BODY);
}

static void
begin(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	RequestArguments *arguments = palloc0(sizeof(RequestArguments));

	arguments->method = method_argument(fcinfo);
	arguments->host = host_argument(fcinfo, call->version);
	arguments->unit_system = unit_system_argument(fcinfo);
	arguments->body = body_argument(fcinfo, arguments->method);
	parse_query(fcinfo, arguments);
	call->arguments = arguments;
	call->settings.timeout = smartcar_timeout_argument(fcinfo, ARGUMENT_TIMEOUT,
													   call->settings.timeout);

	if (arguments->host == SMARTCAR_HOST_MANAGEMENT)
		call->authorization = SMARTCAR_AUTHORIZE_MANAGEMENT;
	else if (arguments->host == SMARTCAR_HOST_COMPATIBILITY)
		call->authorization = SMARTCAR_AUTHORIZE_NONE;
	else if (arguments->host == SMARTCAR_HOST_VEHICLE ||
			 arguments->host == SMARTCAR_HOST_V3_MANAGEMENT)
		call->authorization = SMARTCAR_AUTHORIZE_APPLICATION;
	else
		call->authorization = SMARTCAR_AUTHORIZE_OWNER;
}

static const SmartcarOperation request = {
	.accepts_anything = true,
	.prepare = prepare,
	.parse = parse
};

static const SmartcarTypedCall request_call = {
	.name = "smartcar_request",
	.id_name = "path",
	.ids_name = "paths",
	.id_argument = ARGUMENT_PATH,
	.access_token_argument = ARGUMENT_ACCESS_TOKEN,
	.user_id_argument = ARGUMENT_USER_ID,
	.server_argument = ARGUMENT_SERVER,
	.columns = COLUMN_COUNT,
	.id_is_path = true,
	.operations = {&request, &request},
	.begin = begin
};

Datum
smartcar_request(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &request_call);
}

Datum
smartcar_request_many(PG_FUNCTION_ARGS)
{
	return smartcar_call_many(fcinfo, &request_call);
}
