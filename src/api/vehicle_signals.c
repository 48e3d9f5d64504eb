/*-------------------------------------------------------------------------
 *
 * vehicle_signals.c
 *	  The SQL functions that return the signals of vehicles (v3).
 *
 * A signal that Smartcar could not read is a row with an error.  A signal without
 * a value yet has no row, as for a vehicle without a webhook subscription.
 *
 * src/api/vehicle_signals.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/signal.h"
#include "api/sql_function.h"
#include "pg/datum.h"
#include "pg/json.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_get_signals);
PG_FUNCTION_INFO_V1(smartcar_get_signals_many);

/* The arguments of the SQL functions. */
enum
{
	ARGUMENT_ID,
	ARGUMENT_USER_ID,
	ARGUMENT_CODES,
	ARGUMENT_SERVER
};

/* The columns of the SQL type smartcar_signal. */
enum
{
	COLUMN_VEHICLE_ID,
	COLUMN_CODE,
	COLUMN_VALUE,
	COLUMN_UNIT,
	COLUMN_BODY,
	COLUMN_STATUS,
	COLUMN_RETRIEVED_AT,
	COLUMN_OEM_UPDATED_AT,
	COLUMN_SQLSTATE,
	COLUMN_ERROR_OBJECT,
	COLUMN_COUNT
};

/* The arguments of the call, and its row types. */
typedef struct SignalArguments
{
	ArrayType  *codes;			/* NULL for all */
	TupleDesc	row;
	TupleDesc	error_row;
} SignalArguments;

/* The progress of an item. */
typedef struct SignalList
{
	SmartcarSignalPages pages;
	ArrayBuildState *rows;		/* in the context of the call */
} SignalList;

static SignalList *
list_state(SmartcarItem *item)
{
	return (SignalList *) smartcar_item_state(item, sizeof(SignalList));
}

static bool
is_wanted(const SignalArguments *arguments, SmartcarSpan code)
{
	SmartcarTextArray reader;
	SmartcarSpan wanted;

	if (arguments->codes == NULL)
		return true;
	smartcar_text_array_begin(&reader, arguments->codes, "codes");
	while (smartcar_text_array_next(&reader, &wanted))
	{
		if (smartcar_span_equal(wanted, code))
			return true;
	}
	return false;
}

static void
set_jsonb(Datum *values, bool *nulls, int column, Jsonb *value)
{
	if (value == NULL)
		return;
	values[column] = JsonbPGetDatum(value);
	nulls[column] = false;
}

static void
set_time(Datum *values, bool *nulls, int column, JsonbContainer *meta, const char *key)
{
	TimestampTz time;

	if (!smartcar_json_time_member(meta, key, &time))
		return;
	values[column] = TimestampTzGetDatum(time);
	nulls[column] = false;
}

/*
 * Sets the columns body, unit and value.  Most bodies have a value, some a list of
 * values.  The value of others, such as a location, is the body.
 */
static void
set_body(Datum *values, bool *nulls, const SmartcarSignal *signal)
{
	static const char *const keys[] = {"value", "values"};
	JsonbValue	member;

	set_jsonb(values, nulls, COLUMN_BODY, smartcar_json_copy_member(signal->attributes, "body"));
	if (signal->body == NULL)
		return;
	smartcar_set_text_column(values, nulls, COLUMN_UNIT, smartcar_json_text_member(signal->body, "unit"));
	for (int i = 0; i < lengthof(keys); i++)
	{
		if (smartcar_json_member(signal->body, keys[i], &member) != NULL)
		{
			set_jsonb(values, nulls, COLUMN_VALUE,
					  smartcar_json_copy_member(signal->body, keys[i]));
			return;
		}
	}
	values[COLUMN_VALUE] = values[COLUMN_BODY];
	nulls[COLUMN_VALUE] = nulls[COLUMN_BODY];
}

static ArrayBuildState *
row_state(SmartcarCall *call, SignalList *list)
{
	const SignalArguments *arguments = (const SignalArguments *) call->arguments;

	if (list->rows == NULL)
		list->rows = initArrayResult(arguments->row->tdtypeid, call->context, true);
	return list->rows;
}

/* accumArrayResult() copies the row into the call's memory. */
static void
add_row(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response,
		const SmartcarSignal *signal)
{
	const SignalArguments *arguments = (const SignalArguments *) call->arguments;
	Datum		values[COLUMN_COUNT] = {0};
	bool		nulls[COLUMN_COUNT];

	if (!is_wanted(arguments, signal->code))
		return;
	memset(nulls, true, sizeof(nulls));
	smartcar_set_text_column(values, nulls, COLUMN_VEHICLE_ID, smartcar_text_from_utf8(item->id));
	smartcar_set_text_column(values, nulls, COLUMN_CODE, signal->code);
	smartcar_set_text_column(values, nulls, COLUMN_STATUS, signal->status);
	set_body(values, nulls, signal);
	if (signal->meta != NULL)
	{
		set_time(values, nulls, COLUMN_RETRIEVED_AT, signal->meta, "retrievedAt");
		set_time(values, nulls, COLUMN_OEM_UPDATED_AT, signal->meta, "oemUpdatedAt");
	}
	if (signal->error != NULL)
	{
		const SmartcarFailure *failure = smartcar_signal_failure(call, item, response, signal);

		values[COLUMN_SQLSTATE] = CStringGetTextDatum(unpack_sql_state(failure->sqlstate));
		values[COLUMN_ERROR_OBJECT] = smartcar_error_datum(&failure->api_error,
														   arguments->error_row);
		nulls[COLUMN_SQLSTATE] = nulls[COLUMN_ERROR_OBJECT] = false;
	}
	accumArrayResult(row_state(call, list_state(item)),
					 HeapTupleGetDatum(heap_form_tuple(arguments->row, values, nulls)), false,
					 arguments->row->tdtypeid, call->context);
}

static void
prepare(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_signals_prepare(call, item, &list_state(item)->pages);
}

static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SignalList *list = list_state(item);

	if (smartcar_signals_parse(call, item, &list->pages, response, add_row))
		return true;
	smartcar_item_set_datum(item, 0, makeArrayResult(row_state(call, list), call->context));
	return false;
}

static const SmartcarOperation signals_v3 = {
	.accepts_no_value = true,
	.prepare = prepare,
	.parse = parse
};

static void
begin(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	SignalArguments *arguments = palloc0(sizeof(SignalArguments));
	SmartcarTextArray reader;

	if (!PG_ARGISNULL(ARGUMENT_CODES))
	{
		arguments->codes = PG_GETARG_ARRAYTYPE_P(ARGUMENT_CODES);
		smartcar_text_array_begin(&reader, arguments->codes, "codes");
	}
	arguments->row = smartcar_row_descriptor(fcinfo, COLUMN_COUNT);
	arguments->error_row = smartcar_error_descriptor(arguments->row);
	call->arguments = arguments;
}

static const SmartcarTypedCall signals_call = {
	.name = "smartcar_get_signals",
	.version_hint = "Version 2.0 has an endpoint for each reading, which smartcar_request_many() can call: "
	"'/vehicles/<vehicle_id>/odometer', '/vehicles/<vehicle_id>/charge'.",
	.id_name = "vehicle_id",
	.ids_name = "vehicle_ids",
	.id_argument = ARGUMENT_ID,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = ARGUMENT_USER_ID,
	.server_argument = ARGUMENT_SERVER,
	/* the columns between the id and the SQLSTATE */
	.columns = COLUMN_SQLSTATE - COLUMN_CODE,
	.is_list = true,
	.operations = {NULL, &signals_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_NONE, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin
};

static void
reject_null_user(FunctionCallInfo fcinfo, const char *argument)
{
	if (PG_ARGISNULL(ARGUMENT_USER_ID))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", argument)));
}

Datum
smartcar_get_signals(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(ARGUMENT_ID))
	{
		InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
		return (Datum) 0;
	}
	reject_null_user(fcinfo, "user_id");
	return smartcar_call_list(fcinfo, &signals_call);
}

Datum
smartcar_get_signals_many(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(ARGUMENT_ID))
		reject_null_user(fcinfo, "user_ids");
	return smartcar_call_many(fcinfo, &signals_call);
}
