/*-------------------------------------------------------------------------
 *
 * sync_list.c
 *	  All connections of an application, as the v3 API lists them, stored.
 *
 * Pages are asked for side by side, so a connection that is made meanwhile can
 * push another one from a page that is not there yet to one that has come.  So
 * a connection that was in no page is asked for by itself before it is marked
 * as gone.
 *
 * src/manager/sync_list.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_list.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "api/sql_function.h"
#include "api/connection_pages.h"
#include "core/endpoint.h"
#include "manager/connection_sync.h"
#include "manager/spi.h"
#include "manager/sync_vehicles.h"
#include "manager/usable_id.h"
#include "pg/text_array.h"
#include "pg/datum.h"

/* The progress of an item, which asks for one page. */
typedef struct ConnectionPage
{
	SmartcarConnectionWalk walk;
	ArrayBuildState *columns[SMARTCAR_PAGE_COLUMNS];
	int			count;
	TimestampTz asked_at;
} ConnectionPage;

typedef struct Listing
{
	SmartcarCall call;			/* must be first */
	SmartcarProgress *progress;
	int			next_page;
	int			first_count;	/* connections on the first page; 0: not known */
	bool		is_last_known;	/* no page after those that were asked for */
	SmartcarPageTrail trail;	/* of all pages, in the order in which they
								 * came */
	int64		unusable;		/* connections whose ids cannot be used */
	int64		failed;			/* those that could not be stored */
	const SmartcarFailure *error;
} Listing;

static ConnectionPage *
page_of(SmartcarItem *item)
{
	return (ConnectionPage *) item->gathered;
}

static void
prepare_page(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	smartcar_connections_ask(call, item, &page_of(item)->walk, &filter);
}

static void
add(SmartcarItem *item, int column, Datum value, bool is_null)
{
	ConnectionPage *page = page_of(item);

	page->columns[column] = accumArrayResult(page->columns[column], value, is_null,
											 smartcar_page_types[column], item->context);
}

static void
add_text(SmartcarItem *item, int column, SmartcarSpan value)
{
	add(item, column, value.data ?
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

static void
add_connection(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	TimestampTz connected_at = 0;
	bool		has_time = smartcar_timestamptz(connection->connected_at, &connected_at);

	if (connection->connection_id.length > SMARTCAR_MAX_ID_LENGTH ||
		!smartcar_user_id_is_usable(connection->user_id) ||
		!smartcar_vehicle_id_is_usable(connection->vehicle_id))
	{
		((Listing *) call)->unusable++;
		return;
	}
	add_text(item, SMARTCAR_PAGE_CONNECTION_ID, connection->connection_id);
	add_text(item, SMARTCAR_PAGE_USER_ID, connection->user_id);
	add_text(item, SMARTCAR_PAGE_VEHICLE_ID, connection->vehicle_id);
	add_text(item, SMARTCAR_PAGE_EXTERNAL_ID,
			 connection->external_id.length <= SMARTCAR_MAX_EXTERNAL_ID_LENGTH ?
			 connection->external_id : smartcar_span(NULL, 0));
	add_text(item, SMARTCAR_PAGE_MODE, connection->mode);
	add_text(item, SMARTCAR_PAGE_PERMISSIONS, joined_permissions(connection));
	add_text(item, SMARTCAR_PAGE_MAKE, connection->make);
	add_text(item, SMARTCAR_PAGE_MODEL, connection->model);
	add(item, SMARTCAR_PAGE_YEAR, Int32GetDatum(connection->year), connection->year == 0);
	add_text(item, SMARTCAR_PAGE_POWERTRAIN_TYPE, connection->powertrain_type);
	add(item, SMARTCAR_PAGE_CONNECTED_AT, TimestampTzGetDatum(connected_at), !has_time);
	page_of(item)->count++;
}

/*
 * Each item asks for one page; whether there are more is for all of them.
 */
static bool
parse_page(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	Listing    *listing = (Listing *) call;
	SmartcarConnectionWalk *walk = &page_of(item)->walk;

	/* as long as the first page has not come, every other one may go on */
	walk->first_count = listing->first_count;
	if (!smartcar_connections_parse(call, item, walk, response, add_connection))
		listing->is_last_known = true;
	else
		(void) smartcar_page_is_new(call, item, &listing->trail, call->context, walk->first_id);
	if (walk->page == 1)
		listing->first_count = walk->first_count;
	return false;
}

static const SmartcarOperation page_operation = {
	.prepare = prepare_page,
	.parse = parse_page
};

static bool
next_page(SmartcarCall *call, SmartcarItem *item)
{
	Listing    *listing = (Listing *) call;
	ConnectionPage *page;

	if (listing->is_last_known || listing->error != NULL)
		return false;
	page = palloc0(sizeof(ConnectionPage));
	page->walk.page = listing->next_page++;
	page->walk.is_lenient = true;
	page->asked_at = GetCurrentTimestamp();
	item->gathered = page;
	return true;
}

/* A page, or a row of one, as it is to be stored. */
typedef struct PageReport
{
	const SmartcarServer *server;
	Datum		columns[SMARTCAR_PAGE_COLUMNS];
	TimestampTz asked_at;
} PageReport;

static void
store_report(void *argument)
{
	const PageReport *report = argument;

	smartcar_connections_store_page(report->server, report->columns, report->asked_at);
}

/* One row of a page. */
static PageReport
row_of(const PageReport *page, int row)
{
	PageReport	report = *page;
	int			lower_bound = 1;
	int			count = 1;

	for (int i = 0; i < SMARTCAR_PAGE_COLUMNS; i++)
	{
		int16		length;
		bool		by_value;
		char		alignment;
		Datum		value;
		bool		is_null;
		int			place = row + 1;

		get_typlenbyvalalign(smartcar_page_types[i], &length, &by_value, &alignment);
		value = array_get_element(page->columns[i], 1, &place, -1, length, by_value, alignment,
								  &is_null);
		report.columns[i] = PointerGetDatum(construct_md_array(&value, &is_null, 1, &count,
															   &lower_bound,
															   smartcar_page_types[i], length,
															   by_value, alignment));
	}
	return report;
}

/*
 * Stores a page, or else row by row what can be stored of it.  Returns the number
 * of rows that were stored.
 */
static int
store_page(Listing *listing, SmartcarItem *item)
{
	ConnectionPage *page = page_of(item);
	PageReport	report = {listing->call.server, {0}, page->asked_at};
	ErrorData  *error;
	int			stored = 0;

	for (int i = 0; i < SMARTCAR_PAGE_COLUMNS; i++)
		report.columns[i] = makeArrayResult(page->columns[i], item->context);
	if (smartcar_sync_store(store_report, &report, 1, &error))
		return page->count;
	for (int i = 0; i < page->count; i++)
	{
		PageReport	row = row_of(&report, i);

		if (smartcar_sync_store(store_report, &row, SMARTCAR_SYNC_ATTEMPTS, &error))
		{
			stored++;
			continue;
		}
		listing->failed++;
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("a connection could not be stored: %s", error->message)));
	}
	return stored;
}

static void
finish_page(SmartcarCall *call, SmartcarItem *item)
{
	Listing    *listing = (Listing *) call;
	ConnectionPage *page = page_of(item);
	int			stored;

	if (item->error != NULL)
	{
		MemoryContext old_context = MemoryContextSwitchTo(call->context);

		if (listing->error == NULL)
			listing->error = smartcar_failure_copy(item->error);
		MemoryContextSwitchTo(old_context);
		return;
	}
	if (page->count == 0)
		return;
	stored = store_page(listing, item);
	smartcar_spi_commit();
	smartcar_progress_add(listing->progress, stored);
}

/*
 * Lists all connections, and returns how many of them could not be stored.  An
 * error comes after what had come by then was stored.
 */
static int64
list_connections(SmartcarServer *server, SmartcarProgress *progress)
{
	Listing    *listing = palloc0(sizeof(Listing));
	int			items = smartcar_server_number(server, SMARTCAR_OPTION_MAX_CONCURRENCY);

	smartcar_call_begin(&listing->call, server, &page_operation, items);
	listing->call.refill = next_page;
	listing->call.finished = finish_page;
	listing->progress = progress;
	for (int i = 0; i < items; i++)
		listing->call.items[i].is_done = true;
	smartcar_call_authorize(&listing->call, SMARTCAR_AUTHORIZE_APPLICATION);
	smartcar_call_run(&listing->call);
	if (listing->error != NULL)
		smartcar_failure_raise(listing->error);
	if (listing->unusable > 0)
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("connections left out: " INT64_FORMAT, listing->unusable),
				 errdetail("The id of a user must be able to be a header, and that of a vehicle to be part of a path.")));
	return listing->unusable + listing->failed;
}

/*
 * Goes through users, a batch at a time, and asks about each of their vehicles:
 * those of the users about whom Smartcar was not asked since a time.  Returns how
 * many of them failed.
 */
static int64
sync_users(SmartcarServer *server, TimestampTz not_since, int64 *disconnected)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla users",
												ALLOCSET_DEFAULT_SIZES);
	int			limit = 4 * smartcar_server_number(server, SMARTCAR_OPTION_MAX_CONCURRENCY);
	char	   *last = pstrdup("");
	int64		failed = 0;
	int			count;

	do
	{
		MemoryContext old_context = MemoryContextSwitchTo(batch);
		char	  **user_ids = smartcar_connections_read_users(server, last, not_since, limit,
															   &count);
		SmartcarUser *users = palloc0((count + 1) * sizeof(SmartcarUser));

		for (int i = 0; i < count; i++)
			users[i].user_id = user_ids[i];
		smartcar_spi_commit();
		if (count > 0)
		{
			smartcar_sync_users(server, users, count);
			failed += smartcar_warn_of_users(users, count);
			for (int i = 0; i < count; i++)
				*disconnected += users[i].disconnected;
			smartcar_spi_commit();
			last = MemoryContextStrdup(old_context, user_ids[count - 1]);
		}
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(batch);
	} while (count == limit);
	MemoryContextDelete(batch);
	return failed;
}

/*
 * Returns how many connections there are.
 */
int64
smartcar_sync_connections(SmartcarServer *server, SmartcarProgress *progress, bool with_details,
						  int64 *failed, int64 *disconnected)
{
	TimestampTz began = GetCurrentTimestamp();

	*failed = list_connections(server, progress);
	*failed += sync_users(server, with_details ? DT_NOEND : began, disconnected);
	return progress->done;
}
