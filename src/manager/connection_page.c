/*-------------------------------------------------------------------------
 *
 * connection_page.c
 *	  Connections of a v3 list, collected by an item and stored together.
 *
 * src/manager/connection_page.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/connection_page.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "manager/owner.h"
#include "manager/sync_run.h"
#include "manager/usable_id.h"
#include "pg/datum.h"
#include "pg/text_array.h"

static void
set(SmartcarPageRow *row, int column, Datum value, bool is_null)
{
	row->values[column] = value;
	row->nulls[column] = is_null;
}

static void
set_text(SmartcarPageRow *row, int column, SmartcarSpan value)
{
	set(row, column, value.data ?
		PointerGetDatum(cstring_to_text_with_len(value.data, (int) value.length)) : (Datum) 0,
		value.data == NULL);
}

static SmartcarSpan
joined_permissions(const SmartcarConnection *connection)
{
	SmartcarTextList list = {0};
	StringInfoData joined;

	if (connection->permissions == NULL)
		return smartcar_span(NULL, 0);
	smartcar_text_list_add_all(&list, CurrentMemoryContext, connection->permissions);
	initStringInfo(&joined);
	for (int i = 0; i < list.count; i++)
		appendStringInfo(&joined, "%s%.*s", i > 0 ? " " : "",
						 (int) list.elements[i].length, list.elements[i].data);
	return smartcar_span(joined.data, joined.len);
}

static SmartcarSpan
usable_external_id(const SmartcarConnectionPage *page, const SmartcarConnection *connection)
{
	if (connection->external_id.data != NULL &&
		connection->external_id.length <= SMARTCAR_MAX_EXTERNAL_ID_LENGTH)
		return connection->external_id;
	return smartcar_span_from_string(page->external_id);
}

static SmartcarPageRow *
new_row(SmartcarConnectionPage *page)
{
	if (page->count == page->allocated)
	{
		page->allocated = Max(2 * page->allocated, 16);
		page->rows = page->rows == NULL ?
			palloc(page->allocated * sizeof(SmartcarPageRow)) :
			repalloc(page->rows, page->allocated * sizeof(SmartcarPageRow));
	}
	return &page->rows[page->count++];
}

void
smartcar_page_prepare(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	smartcar_connections_prepare(call, item, &smartcar_item_page(item)->pages, &filter);
}

void
smartcar_page_add(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	SmartcarConnectionPage *page = smartcar_item_page(item);
	TimestampTz connected_at = 0;
	bool		has_time = smartcar_timestamptz(connection->connected_at, &connected_at);
	MemoryContext old_context;
	SmartcarPageRow *row;

	if (connection->connection_id.length > SMARTCAR_MAX_ID_LENGTH ||
		!smartcar_user_id_is_usable(connection->user_id) ||
		!smartcar_vehicle_id_is_usable(connection->vehicle_id))
	{
		page->unusable++;
		return;
	}
	old_context = MemoryContextSwitchTo(item->context);
	row = new_row(page);
	row->vehicle_id = smartcar_item_copy(item, connection->vehicle_id);
	row->is_left_out = false;
	set_text(row, SMARTCAR_PAGE_CONNECTION_ID, connection->connection_id);
	set_text(row, SMARTCAR_PAGE_USER_ID, connection->user_id);
	set_text(row, SMARTCAR_PAGE_VEHICLE_ID, connection->vehicle_id);
	set_text(row, SMARTCAR_PAGE_EXTERNAL_ID, usable_external_id(page, connection));
	set_text(row, SMARTCAR_PAGE_MODE, connection->mode);
	set_text(row, SMARTCAR_PAGE_PERMISSIONS, joined_permissions(connection));
	set_text(row, SMARTCAR_PAGE_MAKE, connection->make);
	set_text(row, SMARTCAR_PAGE_MODEL, connection->model);
	set(row, SMARTCAR_PAGE_YEAR, Int32GetDatum(connection->year), connection->year == 0);
	set_text(row, SMARTCAR_PAGE_POWERTRAIN_TYPE, connection->powertrain_type);
	set(row, SMARTCAR_PAGE_CONNECTED_AT, TimestampTzGetDatum(connected_at), !has_time);
	MemoryContextSwitchTo(old_context);
}

static Datum
column_array(const SmartcarPageRow *rows, int row_count, int column)
{
	Oid			type = smartcar_page_types[column];
	Datum	   *values = palloc((row_count + 1) * sizeof(Datum));
	bool	   *nulls = palloc((row_count + 1) * sizeof(bool));
	int			count = 0;
	int			lower_bound = 1;
	int16		length;
	bool		by_value;
	char		alignment;

	for (int i = 0; i < row_count; i++)
	{
		if (rows[i].is_left_out)
			continue;
		values[count] = rows[i].values[column];
		nulls[count++] = rows[i].nulls[column];
	}
	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound, type, length,
											  by_value, alignment));
}

void
smartcar_page_insert(const SmartcarServer *server, const SmartcarPageRow *rows, int count,
					 TimestampTz requested_at)
{
	Datum		columns[SMARTCAR_PAGE_COLUMNS];

	for (int i = 0; i < SMARTCAR_PAGE_COLUMNS; i++)
		columns[i] = column_array(rows, count, i);
	smartcar_connections_store_page(server, columns, requested_at);
}

/* The arguments of smartcar_page_insert(). */
typedef struct InsertArguments
{
	const SmartcarServer *server;
	const SmartcarPageRow *rows;
	int			count;
	TimestampTz requested_at;
} InsertArguments;

static void
insert_rows(void *argument)
{
	const InsertArguments *arguments = (const InsertArguments *) argument;

	smartcar_page_insert(arguments->server, arguments->rows, arguments->count,
						 arguments->requested_at);
}

/*
 * Stores the rows of a page one by one, and warns of those that cannot be stored.
 * Returns their number.
 */
static int
store_each(InsertArguments arguments)
{
	int			left = arguments.count;
	int			failed = 0;

	arguments.count = 1;
	for (; left > 0; left--, arguments.rows++)
	{
		ErrorData  *error;

		if (smartcar_sync_store(insert_rows, &arguments, SMARTCAR_SYNC_ATTEMPTS, &error))
			continue;
		failed++;
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not store a connection: %s", error->message)));
	}
	return failed;
}

/*
 * Stores a page, row by row if it cannot be stored at once.  Returns the number of rows
 * that could not be stored.
 */
int
smartcar_page_store(const SmartcarServer *server, const SmartcarConnectionPage *page)
{
	InsertArguments arguments = {server, page->rows, page->count, page->requested_at};
	ErrorData  *error;
	int			failed = 0;

	if (!smartcar_sync_store(insert_rows, &arguments, 1, &error))
		failed = store_each(arguments);
	smartcar_owners_report_changes(server, NULL, page->requested_at);
	return failed;
}

void
smartcar_warn_of_unusable(int64 count)
{
	if (count > 0)
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("connections skipped: " INT64_FORMAT, count),
				 errdetail("A user id must be a valid header value, and a vehicle id a valid part of a path.")));
}
