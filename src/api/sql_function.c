/*-------------------------------------------------------------------------
 *
 * sql_function.c
 *	  The common implementation of the SQL functions that call Smartcar.
 *
 * A function for one item raises its failure as an error.  A function for many
 * returns a row for each item, in their order: the id, the columns of the call,
 * the SQLSTATE that the function for one would have raised, and the error.  If the
 * call returns a list, the function returns a row for each element of the list.
 *
 * src/api/sql_function.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/sql_function.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "call/authorization.h"
#include "pg/datum.h"
#include "pg/scope.h"
#include "pg/fn_state.h"
#include "pg/text.h"
#include "pg/text_array.h"

/* Sets a column of an item to a value in the memory context of the call. */
void
smartcar_item_set_datum(SmartcarItem *item, int column, Datum value)
{
	item->values[column] = value;
	item->nulls[column] = false;
}

/* Sets a column of an item to a copy of a text.  Without data, it stays NULL. */
void
smartcar_item_set_text(SmartcarCall *call, SmartcarItem *item, int column, SmartcarSpan value)
{
	MemoryContext old_context;

	if (value.data == NULL)
		return;
	old_context = MemoryContextSwitchTo(call->context);
	smartcar_item_set_datum(item, column, smartcar_span_text_datum(value));
	MemoryContextSwitchTo(old_context);
}

/*
 * Raises the error for a function that the server's version of the API does not
 * support.
 */
void
smartcar_refuse_version(const SmartcarServer *server, const char *function, const char *hint)
{
	const char *version = smartcar_server_option(server, SMARTCAR_OPTION_API_VERSION);

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s() does not exist in version %s of Smartcar's API", function, version),
			 errdetail("Server \"%s\" has api_version \"%s\".", server->name, version),
			 hint ? errhint("%s", hint) : 0));
}

/* A jsonb argument as text in UTF-8; no data if it is NULL. */
SmartcarSpan
smartcar_json_argument(FunctionCallInfo fcinfo, int argument)
{
	Jsonb	   *json;
	char	   *written;

	if (PG_ARGISNULL(argument))
		return smartcar_span(NULL, 0);
	json = PG_GETARG_JSONB_P(argument);
	written = JsonbToCString(NULL, &json->root, VARSIZE(json));
	return smartcar_utf8_from_bytes(written, (int) strlen(written));
}

/*
 * The argument "timeout" in milliseconds, or the default if it is NULL.
 */
int
smartcar_timeout_argument(FunctionCallInfo fcinfo, int argument, int default_timeout)
{
	const SmartcarOptionInfo *option = &smartcar_options[SMARTCAR_OPTION_TIMEOUT];
	const Interval *timeout;
	double		milliseconds;

	if (PG_ARGISNULL(argument))
		return default_timeout;
	timeout = PG_GETARG_INTERVAL_P(argument);
	milliseconds = (timeout->month * (double) DAYS_PER_MONTH + timeout->day) * SECS_PER_DAY * 1000.0 +
		timeout->time / 1000.0;
	if (milliseconds < option->minimum || milliseconds > option->maximum)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout must be between %d ms and %d ms",
						option->minimum, option->maximum)));
	return (int) milliseconds;
}

static void
begin_call(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed, SmartcarCall *call,
		   int item_count)
{
	SmartcarServer *server = smartcar_required_server(fcinfo, typed->server_argument);
	SmartcarApiVersion version = smartcar_server_api_version(server);

	if (typed->operations[version] == NULL)
		smartcar_refuse_version(server, typed->name, typed->version_hint);
	smartcar_call_begin(call, server, typed->operations[version], item_count);
	call->authorization = typed->authorizations[version];
	if (typed->begin != NULL)
		typed->begin(fcinfo, call);
}

static void
run_call(SmartcarCall *call)
{
	smartcar_call_authorize(call, call->authorization);
	smartcar_call_run(call);
}

/* An argument; no data if the function does not have it or it is NULL. */
static SmartcarSpan
optional_argument(FunctionCallInfo fcinfo, int argument)
{
	if (argument == SMARTCAR_NO_ARGUMENT)
		return smartcar_span(NULL, 0);
	return smartcar_argument_span(fcinfo, argument);
}

static void
set_id(SmartcarCall *call, SmartcarItem *item, SmartcarSpan value,
	   const SmartcarTypedCall *typed)
{
	if (typed->id_is_path)
		smartcar_item_set_path(item, value);
	else
		smartcar_item_set_id(item, value, typed->id_name);
}

/*
 * Runs the call of a function for one item.
 */
static void
call_one(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed, SmartcarCall *call)
{
	SmartcarSpan id = optional_argument(fcinfo, typed->id_argument);
	SmartcarSpan token = optional_argument(fcinfo, typed->access_token_argument);
	SmartcarSpan user_id = optional_argument(fcinfo, typed->user_id_argument);

	begin_call(fcinfo, typed, call, 1);
	if (id.data != NULL)
		set_id(call, &call->items[0], id, typed);
	if (token.data != NULL)
		smartcar_item_set_access_token(&call->items[0], token);
	if (user_id.data != NULL)
		smartcar_item_set_user_id(&call->items[0], user_id);
	run_call(call);
	if (call->items[0].error != NULL)
		smartcar_failure_raise(call->items[0].error);
}

/*
 * A function for one item.  It returns a row, or a value if there is one column.
 */
Datum
smartcar_call_one(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed)
{
	SmartcarCall call;
	SmartcarItem *item;
	TupleDesc	descriptor = NULL;

	if (typed->id_argument != SMARTCAR_NO_ARGUMENT && PG_ARGISNULL(typed->id_argument))
		PG_RETURN_NULL();

	/* check the result type before anything is sent */
	if (get_call_result_type(fcinfo, NULL, NULL) == TYPEFUNC_COMPOSITE)
		descriptor = smartcar_row_descriptor(fcinfo, typed->columns);

	call_one(fcinfo, typed, &call);
	item = &call.items[0];
	if (descriptor != NULL)
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(descriptor,
														  item->values, item->nulls)));
	if (item->nulls[0])
		PG_RETURN_NULL();
	PG_RETURN_DATUM(item->values[0]);
}

/* Adds a row to the result for each element of an array. */
static void
put_elements(ReturnSetInfo *result, Datum array)
{
	bool		is_row = type_is_rowtype(ARR_ELEMTYPE(DatumGetArrayTypeP(array)));
	ArrayIterator iterator = array_create_iterator(DatumGetArrayTypeP(array), 0, NULL);
	Datum		element;
	bool		is_null;

	while (array_iterate(iterator, &element, &is_null))
	{
		if (is_row)
		{
			HeapTupleHeader row = DatumGetHeapTupleHeader(element);
			HeapTupleData tuple = {0};

			tuple.t_len = HeapTupleHeaderGetDatumLength(row);
			tuple.t_data = row;
			tuplestore_puttuple(result->setResult, &tuple);
		}
		else
			tuplestore_putvalues(result->setResult, result->setDesc, &element, &is_null);
	}
	array_free_iterator(iterator);
}

/*
 * A function for one item that returns a list.  The only column of the call is an
 * array, and each of its elements becomes a row.
 */
Datum
smartcar_call_list(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed)
{
	SmartcarCall call;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	call_one(fcinfo, typed, &call);
	put_elements((ReturnSetInfo *) fcinfo->resultinfo, call.items[0].values[0]);
	return (Datum) 0;
}

static int
element_count(FunctionCallInfo fcinfo, int argument)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argument);

	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

typedef void (*ItemSetter) (SmartcarCall *call, SmartcarItem *item, SmartcarSpan value,
							const SmartcarTypedCall *typed);

static void
set_access_token(SmartcarCall *call, SmartcarItem *item, SmartcarSpan value,
				 const SmartcarTypedCall *typed)
{
	smartcar_item_set_access_token(item, value);
}

static void
set_user_id(SmartcarCall *call, SmartcarItem *item, SmartcarSpan value,
			const SmartcarTypedCall *typed)
{
	smartcar_item_set_user_id(item, value);
}

static void
set_items(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed, SmartcarCall *call,
		  int argument, const char *name, ItemSetter set)
{
	SmartcarTextArray reader;
	SmartcarSpan value = {NULL, 0};

	if (argument == SMARTCAR_NO_ARGUMENT || PG_ARGISNULL(argument))
		return;
	smartcar_text_array_begin(&reader, PG_GETARG_ARRAYTYPE_P(argument), name);
	if (reader.count != call->item_count && reader.count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 call->item_count == 1 ?
				 errmsg("array \"%s\" has %d elements, expected 1", name, reader.count) :
				 errmsg("array \"%s\" has %d elements, expected 1 or %d", name, reader.count,
						call->item_count)));
	for (int i = 0; i < call->item_count; i++)
	{
		if (i == 0 || reader.count > 1)
			smartcar_text_array_next(&reader, &value);
		set(call, &call->items[i], value, typed);
	}
}

/*
 * The descriptor of smartcar_error, which is the type of the last column.  Its
 * columns may differ if the library is older than the installed extension.
 */
TupleDesc
smartcar_error_descriptor(TupleDesc row)
{
	Oid			type = TupleDescAttr(row, row->natts - 1)->atttypid;
	TupleDesc	descriptor = type_is_rowtype(type) ? lookup_rowtype_tupdesc_copy(type, -1) : NULL;

	if (descriptor == NULL || descriptor->natts != SMARTCAR_ERROR_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("return type does not match the definition in the extension")));
	return descriptor;
}

static void
put_item(ReturnSetInfo *result, const SmartcarTypedCall *typed, const SmartcarItem *item,
		 SmartcarSpan id, TupleDesc error_row)
{
	const SmartcarFailure *failure = item->error ? item->error : item->refusal;
	Datum		values[SMARTCAR_CALL_MAX_COLUMNS + 3] = {0};
	bool		nulls[SMARTCAR_CALL_MAX_COLUMNS + 3];
	int			column = 0;

	if (typed->is_list && item->error == NULL)
	{
		put_elements(result, item->values[0]);
		return;
	}
	memset(nulls, true, sizeof(nulls));
	smartcar_set_text_column(values, nulls, column++, id);
	for (int i = 0; i < typed->columns; i++, column++)
	{
		values[column] = item->values[i];
		nulls[column] = item->error != NULL || item->nulls[i];
	}
	if (item->error != NULL)
	{
		values[column] = CStringGetTextDatum(unpack_sql_state(item->error->sqlstate));
		nulls[column] = false;
	}
	if (failure != NULL)
	{
		values[column + 1] = smartcar_error_datum(&failure->api_error, error_row);
		nulls[column + 1] = false;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * A function for many items.
 */
Datum
smartcar_call_many(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SmartcarCall call;
	SmartcarTextArray ids;
	SmartcarSpan id = {NULL, 0};
	TupleDesc	error_row;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(typed->id_argument))
		return (Datum) 0;
	if (result->setDesc->natts != typed->columns + 3)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("return type does not match the definition in the extension")));
	error_row = smartcar_error_descriptor(result->setDesc);

	begin_call(fcinfo, typed, &call, element_count(fcinfo, typed->id_argument));
	set_items(fcinfo, typed, &call, typed->id_argument, typed->ids_name, set_id);
	set_items(fcinfo, typed, &call, typed->access_token_argument, "access_tokens",
			  set_access_token);
	set_items(fcinfo, typed, &call, typed->user_id_argument, "user_ids", set_user_id);
	if (call.item_count == 0)
		return (Datum) 0;
	run_call(&call);

	smartcar_text_array_begin(&ids, PG_GETARG_ARRAYTYPE_P(typed->id_argument), "");
	for (int i = 0; i < call.item_count; i++)
	{
		smartcar_text_array_next(&ids, &id);
		put_item(result, typed, &call.items[i], id, error_row);
	}
	return (Datum) 0;
}
