/*-------------------------------------------------------------------------
 *
 * connections.c
 *	  The SQL functions that list and delete connections, and the call that
 *	  disconnects a vehicle.
 *
 * src/api/connections.c
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

#include "call/request.h"
#include "api/sql_function.h"
#include "api/connection_pages.h"
#include "pg/check.h"
#include "pg/datum.h"
#include "pg/json.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_get_connections);
PG_FUNCTION_INFO_V1(smartcar_delete_connections);

/* The largest page of the management API. */
#define MANAGED_LIMIT	"100"

/* The arguments of smartcar_get_connections(). */
enum
{
	LIST_VEHICLE_ID,
	LIST_USER_ID,
	LIST_EXTERNAL_ID,
	LIST_MODE,
	LIST_SERVER
};

/* The arguments of smartcar_delete_connections(). */
enum
{
	DELETE_VEHICLE_ID,
	DELETE_USER_ID,
	DELETE_SERVER
};

/* The columns of the SQL type smartcar_connection. */
enum
{
	COLUMN_CONNECTION_ID,
	COLUMN_USER_ID,
	COLUMN_VEHICLE_ID,
	COLUMN_EXTERNAL_ID,
	COLUMN_MODE,
	COLUMN_PERMISSIONS,
	COLUMN_MAKE,
	COLUMN_MODEL,
	COLUMN_YEAR,
	COLUMN_POWERTRAIN_TYPE,
	COLUMN_CONNECTED_AT,
	COLUMN_UPDATED_AT,
	COLUMN_COUNT
};

/* The arguments of the call, and its row type. */
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
	SmartcarConnectionPages pages;
	SmartcarSpan cursor;		/* of the next page of the v2.0 API */
	SmartcarPageCycle cycle;	/* of the cursors */
	ArrayBuildState *rows;		/* in the context of the call */
} ConnectionList;

static ConnectionList *
list_state(SmartcarItem *item)
{
	return (ConnectionList *) smartcar_item_state(item, sizeof(ConnectionList));
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
	Datum		values[COLUMN_COUNT] = {0};
	bool		nulls[COLUMN_COUNT];

	memset(nulls, true, sizeof(nulls));
	smartcar_set_text_column(values, nulls, COLUMN_CONNECTION_ID, connection->connection_id);
	smartcar_set_text_column(values, nulls, COLUMN_USER_ID, connection->user_id);
	smartcar_set_text_column(values, nulls, COLUMN_VEHICLE_ID, connection->vehicle_id);
	smartcar_set_text_column(values, nulls, COLUMN_EXTERNAL_ID, connection->external_id);
	smartcar_set_text_column(values, nulls, COLUMN_MODE, connection->mode);
	smartcar_set_text_column(values, nulls, COLUMN_MAKE, connection->make);
	smartcar_set_text_column(values, nulls, COLUMN_MODEL, connection->model);
	smartcar_set_text_column(values, nulls, COLUMN_POWERTRAIN_TYPE, connection->powertrain_type);
	set_time_column(values, nulls, COLUMN_CONNECTED_AT, connection->connected_at);
	set_time_column(values, nulls, COLUMN_UPDATED_AT, connection->updated_at);
	if (connection->year != 0)
	{
		values[COLUMN_YEAR] = Int32GetDatum(connection->year);
		nulls[COLUMN_YEAR] = false;
	}
	if (connection->permissions != NULL)
	{
		SmartcarTextList list = {0};

		smartcar_text_list_add_all(&list, CurrentMemoryContext, connection->permissions);
		values[COLUMN_PERMISSIONS] = smartcar_text_list_datum(&list);
		nulls[COLUMN_PERMISSIONS] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

static ArrayBuildState *
row_state(SmartcarCall *call, ConnectionList *list)
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
	ConnectionList *list = list_state(item);

	accumArrayResult(row_state(call, list), connection_datum(connection, arguments->row), false,
					 arguments->row->tdtypeid, call->context);
}

static void
set_rows(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_item_set_datum(item, 0, makeArrayResult(row_state(call, list_state(item)),
													 call->context));
}

/* smartcar_get_connections() */

static SmartcarConnectionFilter
connection_filter(const SmartcarCall *call, const SmartcarItem *item)
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
	SmartcarConnectionFilter filter = connection_filter(call, item);

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_MANAGED_CONNECTIONS,
							  smartcar_span(NULL, 0));
	smartcar_request_query(item, "limit", SMARTCAR_SPAN(MANAGED_LIMIT));
	smartcar_request_query(item, "vehicle_id", filter.vehicle_id);
	smartcar_request_query(item, "user_id", filter.user_id);
	smartcar_request_query(item, "mode", filter.mode);
	smartcar_request_query(item, "cursor", list_state(item)->cursor);
}

/*
 * Parses connections of the management API.  One that does not match the filter
 * fails the item.
 */
static bool
parse_managed(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response,
			  const SmartcarConnectionFilter *filter)
{
	JsonbContainer *connections = smartcar_json_array_member(response->json, "connections");
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
		smartcar_connection_parse_v2(object, &connection);
		if (!smartcar_connection_matches(&connection, filter))
		{
			smartcar_item_fail(call, item, "It lists a connection that was not asked for.");
			return false;
		}
		add_row(call, item, &connection);
	}
	return true;
}

static bool
parse_connections_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	ConnectionList *list = list_state(item);
	SmartcarConnectionFilter filter = connection_filter(call, item);
	JsonbContainer *paging = smartcar_json_object_member(response->json, "paging");
	SmartcarSpan cursor = paging ? smartcar_json_text_member(paging, "cursor") :
		smartcar_span(NULL, 0);

	if (!parse_managed(call, item, response, &filter))
		return false;
	if (cursor.length > 0)
	{
		list->cursor = smartcar_item_copy(item, cursor);
		return smartcar_page_is_new(call, item, &list->cycle, item->context, cursor);
	}
	set_rows(call, item);
	return false;
}

static const SmartcarOperation connections_v2 = {
	.prepare = prepare_connections_v2,
	.parse = parse_connections_v2
};

static void
prepare_connections_v3(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionFilter filter = connection_filter(call, item);

	smartcar_connections_prepare(call, item, &list_state(item)->pages, &filter);
}

static bool
parse_connections_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	if (smartcar_connections_parse(call, item, &list_state(item)->pages, response, add_row))
		return true;
	set_rows(call, item);
	return false;
}

static const SmartcarOperation connections_v3 = {
	.prepare = prepare_connections_v3,
	.parse = parse_connections_v3
};

static ConnectionArguments *
new_arguments(FunctionCallInfo fcinfo)
{
	ConnectionArguments *arguments = palloc0(sizeof(ConnectionArguments));

	arguments->row = smartcar_row_descriptor(fcinfo, COLUMN_COUNT);
	return arguments;
}

static SmartcarSpan
mode_argument(FunctionCallInfo fcinfo)
{
	SmartcarSpan mode = smartcar_argument_span(fcinfo, LIST_MODE);

	if (mode.data != NULL)
		smartcar_check_mode(mode);
	return mode;
}

static void
begin_connections(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	ConnectionArguments *arguments = new_arguments(fcinfo);

	arguments->external_id = smartcar_argument_utf8(fcinfo, LIST_EXTERNAL_ID);
	if (arguments->external_id.data != NULL && arguments->external_id.length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_id must not be empty")));
	arguments->mode = mode_argument(fcinfo);
	if (call->version == SMARTCAR_API_V2 && arguments->external_id.data != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("filtering by external_id is not supported by version 2.0 of Smartcar's API")));
	call->arguments = arguments;
}

static const SmartcarTypedCall connections_call = {
	.name = "smartcar_get_connections",
	.id_name = "vehicle_id",
	.id_argument = LIST_VEHICLE_ID,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = LIST_USER_ID,
	.server_argument = LIST_SERVER,
	.columns = 1,
	.operations = {&connections_v2, &connections_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_MANAGEMENT, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin_connections
};

/* smartcar_delete_connections() */

/* A response without a body does not tell which connections were deleted. */
static bool
parse_delete_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	static const SmartcarConnectionFilter any = {{NULL, 0}};

	/* they are deleted, so it is too late to check them against the filter */
	if (response->json == NULL || parse_managed(call, item, response, &any))
		set_rows(call, item);
	return false;
}

static const SmartcarOperation delete_v2 = {
	.accepts_empty = true,
	.prepare = smartcar_managed_deletion_prepare,
	.parse = parse_delete_v2
};

static void
prepare_delete_v3(SmartcarCall *call, SmartcarItem *item)
{
	list_state(item)->deletion.visit = add_row;
	smartcar_deletion_prepare(call, item);
}

static bool
parse_delete_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	if (smartcar_deletion_parse(call, item, response))
		return true;
	set_rows(call, item);
	return false;
}

static const SmartcarOperation delete_v3 = {
	.accepts_empty = true,
	.accepts_missing = true,
	.prepare = prepare_delete_v3,
	.parse = parse_delete_v3,
	.failed = smartcar_deletion_failed
};

/*
 * Without a vehicle and a user, all connections would be deleted.
 */
static void
begin_delete(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	if (PG_ARGISNULL(DELETE_VEHICLE_ID) && PG_ARGISNULL(DELETE_USER_ID))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("vehicle_id and user_id must not both be null")));
	call->arguments = new_arguments(fcinfo);
}

static const SmartcarTypedCall delete_call = {
	.name = "smartcar_delete_connections",
	.id_name = "vehicle_id",
	.id_argument = DELETE_VEHICLE_ID,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = DELETE_USER_ID,
	.server_argument = DELETE_SERVER,
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
smartcar_delete_connections(PG_FUNCTION_ARGS)
{
	return smartcar_call_list(fcinfo, &delete_call);
}

/*
 * smartcar_disconnect_vehicle(), which is in src/manager.  With a user_id, the
 * management API is used, because the endpoint for a vehicle disconnects it from
 * all its users.
 */
static void
prepare_disconnect_v2(SmartcarCall *call, SmartcarItem *item)
{
	if (item->user_id.data != NULL)
		smartcar_managed_deletion_prepare(call, item);
	else
		smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DISCONNECT, item->id);
}

static bool
parse_disconnect_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	return false;
}

static const SmartcarOperation disconnect_v2 = {
	.accepts_empty = true,
	.accepts_missing = true,
	.prepare = prepare_disconnect_v2,
	.parse = parse_disconnect_v2
};

static void
prepare_disconnect_v3(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_item_state(item, sizeof(SmartcarConnectionDeletion));
	smartcar_deletion_prepare(call, item);
}

static const SmartcarOperation disconnect_v3 = {
	.accepts_empty = true,
	.accepts_missing = true,
	.prepare = prepare_disconnect_v3,
	.parse = smartcar_deletion_parse,
	.failed = smartcar_deletion_failed
};

const SmartcarTypedCall smartcar_disconnect_call = {
	.operations = {&disconnect_v2, &disconnect_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_MANAGEMENT, SMARTCAR_AUTHORIZE_APPLICATION}
};
