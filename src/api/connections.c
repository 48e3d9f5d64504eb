/*-------------------------------------------------------------------------
 *
 * connections.c
 *	  Calls about connections: listing, deleting, disconnecting one vehicle.
 *
 * src/api/connections.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "call/request.h"
#include "api/sql_function.h"
#include "api/connection_pages.h"
#include "pg/check.h"
#include "pg/json.h"
#include "pg/text.h"
#include "pg/text_array.h"
#include "pg/datum.h"

PG_FUNCTION_INFO_V1(smartcar_get_connections);
PG_FUNCTION_INFO_V1(smartcar_connections_many);
PG_FUNCTION_INFO_V1(smartcar_delete_connections);
PG_FUNCTION_INFO_V1(smartcar_delete_connections_many);

/* The most that the management API gives at once. */
#define MANAGED_LIMIT	"100"

/* The columns of the SQL type smartcar_connection. */
enum
{
	CONNECTION_ID,
	USER_ID,
	VEHICLE_ID,
	EXTERNAL_ID,
	MODE,
	PERMISSIONS,
	MAKE,
	MODEL,
	YEAR,
	POWERTRAIN_TYPE,
	CONNECTED_AT,
	UPDATED_AT,
	COLUMNS
};

/* What the call is about beside its items, and the type of its rows. */
typedef struct ConnectionArguments
{
	SmartcarSpan external_id;
	SmartcarSpan mode;
	TupleDesc	row;
} ConnectionArguments;

/* The progress of an item. */
typedef struct ConnectionList
{
	SmartcarConnectionDeletion deletion;	/* must be first */
	SmartcarConnectionWalk walk;
	SmartcarSpan cursor;		/* of the next page of the v2.0 API */
	SmartcarPageTrail trail;	/* of the cursors */
	ArrayBuildState *rows;		/* of the call */
} ConnectionList;

static ConnectionList *
list_of(SmartcarItem *item)
{
	return (ConnectionList *) smartcar_item_state(item, sizeof(ConnectionList));
}

static void
set_text_column(Datum *values, bool *nulls, int column, SmartcarSpan value)
{
	if (value.data == NULL)
		return;
	values[column] = PointerGetDatum(cstring_to_text_with_len(value.data, (int) value.length));
	nulls[column] = false;
}

static void
set_time_column(Datum *values, bool *nulls, int column, SmartcarSpan value)
{
	TimestampTz timestamp;

	if (!smartcar_timestamptz(value, &timestamp))
		return;
	values[column] = TimestampTzGetDatum(timestamp);
	nulls[column] = false;
}

static Datum
connection_datum(const SmartcarConnection *connection, TupleDesc row)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];

	memset(nulls, true, sizeof(nulls));
	set_text_column(values, nulls, CONNECTION_ID, connection->connection_id);
	set_text_column(values, nulls, USER_ID, connection->user_id);
	set_text_column(values, nulls, VEHICLE_ID, connection->vehicle_id);
	set_text_column(values, nulls, EXTERNAL_ID, connection->external_id);
	set_text_column(values, nulls, MODE, connection->mode);
	set_text_column(values, nulls, MAKE, connection->make);
	set_text_column(values, nulls, MODEL, connection->model);
	set_text_column(values, nulls, POWERTRAIN_TYPE, connection->powertrain_type);
	set_time_column(values, nulls, CONNECTED_AT, connection->connected_at);
	set_time_column(values, nulls, UPDATED_AT, connection->updated_at);
	if (connection->year != 0)
	{
		values[YEAR] = Int32GetDatum(connection->year);
		nulls[YEAR] = false;
	}
	if (connection->permissions != NULL)
	{
		SmartcarTextList list = {0};

		smartcar_text_list_add_all(&list, CurrentMemoryContext, connection->permissions);
		values[PERMISSIONS] = smartcar_text_list_datum(&list);
		nulls[PERMISSIONS] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

static ArrayBuildState *
rows_of(SmartcarCall *call, ConnectionList *list)
{
	const ConnectionArguments *arguments = (const ConnectionArguments *) call->arguments;

	if (list->rows == NULL)
		list->rows = initArrayResult(arguments->row->tdtypeid, call->context, true);
	return list->rows;
}

/* accumArrayResult() copies the row into the call's memory. */
static void
add_row(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	const ConnectionArguments *arguments = (const ConnectionArguments *) call->arguments;
	ConnectionList *list = list_of(item);

	accumArrayResult(rows_of(call, list), connection_datum(connection, arguments->row), false,
					 arguments->row->tdtypeid, call->context);
}

static void
set_rows(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_item_set_datum(item, 0, makeArrayResult(rows_of(call, list_of(item)),
													 call->context));
}

/*
 * The type of the rows is the one that the SQL function returns, or the one of
 * the arrays in its second column.
 */
static TupleDesc
row_descriptor(FunctionCallInfo fcinfo)
{
	TupleDesc	descriptor;
	Oid			type;

	if (get_call_result_type(fcinfo, &type, &descriptor) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("result type is not the one of the extension")));
	if (type == RECORDOID)
		type = get_element_type(TupleDescAttr(descriptor, 1)->atttypid);
	return lookup_rowtype_tupdesc_copy(type, -1);
}

/* smartcar_get_connections() */

static SmartcarConnectionFilter
filter_of(const SmartcarCall *call, const SmartcarItem *item)
{
	const ConnectionArguments *arguments = (const ConnectionArguments *) call->arguments;
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	filter.external_id = arguments->external_id;
	if (arguments->mode.data != NULL)
		filter.mode = arguments->mode;
	return filter;
}

static void
prepare_connections_v2(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionFilter filter = filter_of(call, item);

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_MANAGED_CONNECTIONS,
							  smartcar_span(NULL, 0));
	smartcar_request_query(item, "limit", SMARTCAR_SPAN(MANAGED_LIMIT));
	smartcar_request_query(item, "vehicle_id", filter.vehicle_id);
	smartcar_request_query(item, "user_id", filter.user_id);
	smartcar_request_query(item, "mode", filter.mode);
	smartcar_request_query(item, "cursor", list_of(item)->cursor);
}

/*
 * Takes the connections of an answer of the management API.
 */
static bool
take_managed(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer)
{
	JsonbContainer *connections = smartcar_json_array_member(answer->json, "connections");
	int			count;

	if (connections == NULL)
	{
		smartcar_item_fail(call, item, "It has no list \"connections\".");
		return false;
	}
	count = JsonContainerSize(connections);
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(connections, i);
		SmartcarConnection connection;

		if (object == NULL)
			continue;
		smartcar_connection_read_v2(object, &connection);
		add_row(call, item, &connection);
	}
	return true;
}

static bool
take_connections_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer)
{
	ConnectionList *list = list_of(item);
	JsonbContainer *paging = smartcar_json_object_member(answer->json, "paging");
	SmartcarSpan cursor = paging ? smartcar_json_text_member(paging, "cursor") :
		smartcar_span(NULL, 0);

	if (!take_managed(call, item, answer))
		return false;
	if (cursor.length > 0)
	{
		if (smartcar_page_trail_returns(&list->trail, item->context, cursor))
			smartcar_item_fail(call, item, "Its cursor is the one of a page before.");
		list->cursor = smartcar_item_keep(item, cursor);
		return true;
	}
	set_rows(call, item);
	return false;
}

static const SmartcarOperation connections_v2 = {
	.prepare = prepare_connections_v2,
	.take = take_connections_v2
};

static void
prepare_connections_v3(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionFilter filter = filter_of(call, item);

	smartcar_connections_ask(call, item, &list_of(item)->walk, &filter);
}

static bool
take_connections_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer)
{
	if (smartcar_connections_parse(call, item, &list_of(item)->walk, answer, add_row))
		return true;
	set_rows(call, item);
	return false;
}

static const SmartcarOperation connections_v3 = {
	.prepare = prepare_connections_v3,
	.take = take_connections_v3
};

static ConnectionArguments *
new_arguments(FunctionCallInfo fcinfo)
{
	ConnectionArguments *arguments = palloc0(sizeof(ConnectionArguments));

	arguments->row = row_descriptor(fcinfo);
	return arguments;
}

static SmartcarSpan
mode_argument(FunctionCallInfo fcinfo, int argument)
{
	SmartcarSpan mode = smartcar_argument_span(fcinfo, argument);

	if (mode.data != NULL)
		smartcar_check_mode(mode);
	return mode;
}

static void
begin_connections(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	ConnectionArguments *arguments = new_arguments(fcinfo);

	arguments->external_id = smartcar_argument_utf8(fcinfo, 2);
	arguments->mode = mode_argument(fcinfo, 3);
	if (call->version == SMARTCAR_API_V2 && arguments->external_id.data != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("version 2.0 of Smartcar's API cannot look for an external_id")));
	call->arguments = arguments;
}

static const SmartcarTypedCall connections_call = {
	.name = "smartcar_get_connections",
	.id_name = "vehicle_id",
	.id_argument = 0,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = 1,
	.server_argument = 4,
	.columns = 1,
	.operations = {&connections_v2, &connections_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_MANAGEMENT, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin_connections
};

static void
begin_connections_many(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	ConnectionArguments *arguments = new_arguments(fcinfo);

	arguments->mode = mode_argument(fcinfo, 2);
	call->arguments = arguments;
}

static const SmartcarTypedCall connections_many_call = {
	.name = "smartcar_get_connections",
	.id_name = "vehicle_id",
	.ids_name = "vehicle_ids",
	.id_argument = 0,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = 1,
	.server_argument = 3,
	.columns = 1,
	.operations = {&connections_v2, &connections_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_MANAGEMENT, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin_connections_many
};

/* smartcar_delete_connections() */

static bool
take_delete_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer)
{
	if (take_managed(call, item, answer))
		set_rows(call, item);
	return false;
}

static const SmartcarOperation delete_v2 = {
	.prepare = smartcar_managed_deletion_ask,
	.take = take_delete_v2
};

static void
prepare_delete_v3(SmartcarCall *call, SmartcarItem *item)
{
	list_of(item)->deletion.note = add_row;
	smartcar_deletion_ask(call, item);
}

static bool
take_delete_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer)
{
	if (smartcar_deletion_parse(call, item, answer))
		return true;
	set_rows(call, item);
	return false;
}

static const SmartcarOperation delete_v3 = {
	.takes_nothing = true,
	.takes_missing = true,
	.prepare = prepare_delete_v3,
	.take = take_delete_v3
};

/*
 * To delete the connections of nobody in particular would be to delete all.
 */
static void
begin_delete(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("vehicle_id and user_id must not both be null")));
	call->arguments = new_arguments(fcinfo);
}

static const SmartcarTypedCall delete_call = {
	.name = "smartcar_delete_connections",
	.id_name = "vehicle_id",
	.ids_name = "vehicle_ids",
	.id_argument = 0,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = 1,
	.server_argument = 2,
	.columns = 1,
	.operations = {&delete_v2, &delete_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_MANAGEMENT, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin_delete
};

Datum
smartcar_get_connections(PG_FUNCTION_ARGS)
{
	return smartcar_call_list(fcinfo, &connections_call);
}

Datum
smartcar_connections_many(PG_FUNCTION_ARGS)
{
	return smartcar_call_many(fcinfo, &connections_many_call);
}

Datum
smartcar_delete_connections(PG_FUNCTION_ARGS)
{
	return smartcar_call_list(fcinfo, &delete_call);
}

Datum
smartcar_delete_connections_many(PG_FUNCTION_ARGS)
{
	return smartcar_call_many(fcinfo, &delete_call);
}
