/*-------------------------------------------------------------------------
 *
 * vehicle_signals.c
 *	  SQL functions that return the signals of vehicles (v3).
 *
 * A signal that could not be read is a row with its own error.  One that is not
 * there is no row, as with a vehicle that no webhook is subscribed to.
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
	ID_ARGUMENT,
	USER_ID_ARGUMENT,
	CODES_ARGUMENT,
	SERVER_ARGUMENT
};

/* The columns of the SQL type smartcar_signal. */
enum
{
	VEHICLE_ID,
	CODE,
	VALUE,
	UNIT,
	BODY,
	STATUS,
	RETRIEVED_AT,
	OEM_UPDATED_AT,
	SQLSTATE,
	ERROR_OBJECT,
	COLUMNS
};

/* What the call is about beside its items, and the types of its rows. */
typedef struct SignalArguments
{
	ArrayType  *codes;			/* NULL: all */
	TupleDesc	row;
	TupleDesc	error_row;
} SignalArguments;

/* The progress of an item. */
typedef struct SignalList
{
	SmartcarSignalWalk walk;
	ArrayBuildState *rows;		/* of the call */
} SignalList;

static SignalList *
list_state(SmartcarItem *item)
{
	return (SignalList *) smartcar_item_state(item, sizeof(SignalList));
}

static bool
is_wanted(const SignalArguments *arguments, SmartcarSpan code)
{
	SmartcarTextArray walk;
	SmartcarSpan wanted;

	if (arguments->codes == NULL)
		return true;
	smartcar_text_array_begin(&walk, arguments->codes, "codes");
	while (smartcar_text_array_next(&walk, &wanted))
	{
		if (smartcar_span_equal(wanted, code))
			return true;
	}
	return false;
}

static void
set_text(Datum *values, bool *nulls, int column, SmartcarSpan value)
{
	values[column] = smartcar_span_text_datum_or_null(value, &nulls[column]);
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
 * The body of a signal, and what most users want of it.  Most bodies have a value,
 * others a list of values, and a few, such as a location, neither.
 */
static void
set_body(Datum *values, bool *nulls, const SmartcarSignal *signal)
{
	static const char *const keys[] = {"value", "values"};
	JsonbValue	member;

	set_jsonb(values, nulls, BODY, smartcar_json_copy_member(signal->attributes, "body"));
	if (signal->body == NULL)
		return;
	set_text(values, nulls, UNIT, smartcar_json_text_member(signal->body, "unit"));
	for (int i = 0; i < lengthof(keys); i++)
	{
		if (smartcar_json_member(signal->body, keys[i], &member) != NULL)
		{
			set_jsonb(values, nulls, VALUE, smartcar_json_copy_member(signal->body, keys[i]));
			return;
		}
	}
	values[VALUE] = values[BODY];
	nulls[VALUE] = nulls[BODY];
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
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];

	if (!is_wanted(arguments, signal->code))
		return;
	memset(nulls, true, sizeof(nulls));
	set_text(values, nulls, VEHICLE_ID, smartcar_text_from_utf8(item->id));
	set_text(values, nulls, CODE, signal->code);
	set_text(values, nulls, STATUS, signal->status);
	set_body(values, nulls, signal);
	if (signal->meta != NULL)
	{
		set_time(values, nulls, RETRIEVED_AT, signal->meta, "retrievedAt");
		set_time(values, nulls, OEM_UPDATED_AT, signal->meta, "oemUpdatedAt");
	}
	if (signal->error != NULL)
	{
		const SmartcarFailure *failure = smartcar_signal_failure(call, item, response, signal);

		values[SQLSTATE] = CStringGetTextDatum(unpack_sql_state(failure->sqlstate));
		values[ERROR_OBJECT] = smartcar_error_datum(&failure->api_error, arguments->error_row);
		nulls[SQLSTATE] = nulls[ERROR_OBJECT] = false;
	}
	accumArrayResult(row_state(call, list_state(item)),
					 HeapTupleGetDatum(heap_form_tuple(arguments->row, values, nulls)), false,
					 arguments->row->tdtypeid, call->context);
}

static void
prepare(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_signals_ask(call, item, &list_state(item)->walk);
}

static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SignalList *list = list_state(item);

	if (smartcar_signals_parse(call, item, &list->walk, response, add_row))
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
	SmartcarTextArray walk;

	if (!PG_ARGISNULL(CODES_ARGUMENT))
	{
		arguments->codes = PG_GETARG_ARRAYTYPE_P(CODES_ARGUMENT);
		smartcar_text_array_begin(&walk, arguments->codes, "codes");
	}
	arguments->row = smartcar_row_descriptor(fcinfo, COLUMNS);
	arguments->error_row = smartcar_error_descriptor(arguments->row);
	call->arguments = arguments;
}

static const SmartcarTypedCall signals_call = {
	.name = "smartcar_get_signals",
	.version_hint = "Version 2.0 has an endpoint for each reading, which smartcar_request_many() can call: "
	"'/vehicles/<vehicle_id>/odometer', '/vehicles/<vehicle_id>/charge'.",
	.id_name = "vehicle_id",
	.ids_name = "vehicle_ids",
	.id_argument = ID_ARGUMENT,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = USER_ID_ARGUMENT,
	.server_argument = SERVER_ARGUMENT,
	/* those that stand between the id and the SQLSTATE */
	.columns = SQLSTATE - CODE,
	.is_list = true,
	.operations = {NULL, &signals_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_NOT, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin
};

static void
reject_null_user(FunctionCallInfo fcinfo, const char *argument)
{
	if (PG_ARGISNULL(USER_ID_ARGUMENT))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", argument)));
}

Datum
smartcar_get_signals(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(ID_ARGUMENT))
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
	if (!PG_ARGISNULL(ID_ARGUMENT))
		reject_null_user(fcinfo, "user_ids");
	return smartcar_call_many(fcinfo, &signals_call);
}
