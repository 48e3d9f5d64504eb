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

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "api/sql_function.h"
#include "api/connection_pages.h"
#include "manager/spi.h"
#include "manager/sync_vehicles.h"
#include "pg/text_array.h"
#include "pg/datum.h"

/* No id of the application's own that a link can carry is longer. */
#define MAX_EXTERNAL_ID_LENGTH	512

/* The columns of a page, each an array. */
enum
{
	CONNECTION_ID,
	USER_ID,
	VEHICLE_ID,
	EXTERNAL_ID,
	MODE,
	PERMISSIONS,				/* separated by spaces */
	MAKE,
	MODEL,
	YEAR,
	POWERTRAIN_TYPE,
	CONNECTED_AT,
	COLUMNS
};

static const Oid column_types[COLUMNS] = {
	[CONNECTION_ID] = TEXTOID,
	[USER_ID] = TEXTOID,
	[VEHICLE_ID] = TEXTOID,
	[EXTERNAL_ID] = TEXTOID,
	[MODE] = TEXTOID,
	[PERMISSIONS] = TEXTOID,
	[MAKE] = TEXTOID,
	[MODEL] = TEXTOID,
	[YEAR] = INT4OID,
	[POWERTRAIN_TYPE] = TEXTOID,
	[CONNECTED_AT] = TIMESTAMPTZOID
};

/* The progress of an item, which asks for one page. */
typedef struct ConnectionPage
{
	SmartcarConnectionWalk walk;
	ArrayBuildState *columns[COLUMNS];
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
											 column_types[column], item->context);
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

/*
 * Whether an id can become a header, and stand in the key of a table.
 */
static bool
is_usable_id(SmartcarSpan id)
{
	return id.length <= SMARTCAR_MAX_ID_LENGTH && smartcar_span_is_visible(id);
}

/* The same for one that becomes part of a path. */
static bool
is_usable_in_path(SmartcarSpan id)
{
	return is_usable_id(id) && smartcar_path_segment_valid(id) &&
		memchr(id.data, '/', id.length) == NULL && memchr(id.data, '\\', id.length) == NULL;
}

static void
add_connection(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	TimestampTz connected_at = 0;
	bool		has_time = smartcar_timestamptz(connection->connected_at, &connected_at);

	/* what could not be asked about would be in the way of everything else */
	if (!is_usable_id(connection->user_id) || !is_usable_in_path(connection->vehicle_id))
		return;
	add_text(item, CONNECTION_ID, connection->connection_id);
	add_text(item, USER_ID, connection->user_id);
	add_text(item, VEHICLE_ID, connection->vehicle_id);
	add_text(item, EXTERNAL_ID,
			 connection->external_id.length <= MAX_EXTERNAL_ID_LENGTH ? connection->external_id :
			 smartcar_span(NULL, 0));
	add_text(item, MODE, connection->mode);
	add_text(item, PERMISSIONS, joined_permissions(connection));
	add_text(item, MAKE, connection->make);
	add_text(item, MODEL, connection->model);
	add(item, YEAR, Int32GetDatum(connection->year), connection->year == 0);
	add_text(item, POWERTRAIN_TYPE, connection->powertrain_type);
	add(item, CONNECTED_AT, TimestampTzGetDatum(connected_at), !has_time);
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
	page->asked_at = GetCurrentTimestamp();
	item->gathered = page;
	return true;
}

/*
 * Stores a page, in the order of the key, in which other sessions do it, too.  A
 * vehicle that is there twice for one user counts as it was connected last.  A
 * row that was brought up to date after the page was asked for knows better.
 */
static void
store_page(SmartcarServer *server, SmartcarItem *item)
{
	SmartcarParameters parameters = {0};
	ConnectionPage *page = page_of(item);

	smartcar_parameter_string(&parameters, server->name);
	for (int i = 0; i < COLUMNS; i++)
		smartcar_parameter(&parameters,
						   column_types[i] == TEXTOID ? TEXTARRAYOID :
						   column_types[i] == INT4OID ? INT4ARRAYOID : get_array_type(TIMESTAMPTZOID),
						   makeArrayResult(page->columns[i], item->context), false);
	smartcar_parameter_time(&parameters, page->asked_at);
	smartcar_spi_run("INSERT INTO smartcar_tesla.connection AS c (server, user_id, vehicle_id, connection_id, external_id, mode, granted_scopes, make, model, year, powertrain_type, connected_at, synced_at) "
					 "SELECT DISTINCT ON (p.user_id COLLATE \"C\", p.vehicle_id COLLATE \"C\") $1, p.user_id, p.vehicle_id, p.connection_id, p.external_id, p.mode, string_to_array(p.permissions, ' '), p.make, p.model, p.year, p.powertrain_type, p.connected_at, @now "
					 "FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS p (connection_id, user_id, vehicle_id, external_id, mode, permissions, make, model, year, powertrain_type, connected_at) "
					 "ORDER BY p.user_id COLLATE \"C\", p.vehicle_id COLLATE \"C\", p.connected_at DESC NULLS LAST "
					 "ON CONFLICT (server, user_id, vehicle_id) DO UPDATE SET status = 'connected', connection_id = EXCLUDED.connection_id, "
					 "external_id = COALESCE(EXCLUDED.external_id, c.external_id), mode = EXCLUDED.mode, granted_scopes = EXCLUDED.granted_scopes, "
					 "make = EXCLUDED.make, model = EXCLUDED.model, year = EXCLUDED.year, powertrain_type = EXCLUDED.powertrain_type, "
					 "connected_at = EXCLUDED.connected_at, synced_at = EXCLUDED.synced_at, updated_at = @now "
					 "WHERE c.synced_at IS NULL OR c.synced_at <= $13",
					 &parameters);
}

static void
finish_page(SmartcarCall *call, SmartcarItem *item)
{
	Listing    *listing = (Listing *) call;
	ConnectionPage *page = page_of(item);

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
	store_page(call->server, item);
	smartcar_spi_commit();
	smartcar_progress_add(listing->progress, page->count);
}

/*
 * Lists all connections.  Returns how many there were; an error after what had
 * come by then was stored.
 */
static void
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
}

/*
 * Goes through users, a batch at a time, and asks about each of their vehicles:
 * those of the users whose connections were not in the list, or of all.  Returns
 * of how many users the vehicles could not be listed.
 */
static int64
sync_users_of(SmartcarServer *server, const char *condition, TimestampTz began)
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
		SmartcarParameters parameters = {0};
		SmartcarUser *users;

		smartcar_parameter_string(&parameters, server->name);
		smartcar_parameter_string(&parameters, last);
		smartcar_parameter(&parameters, INT4OID, Int32GetDatum(limit), false);
		smartcar_parameter(&parameters, TIMESTAMPTZOID, TimestampTzGetDatum(began), false);
		count = (int) smartcar_spi_run(psprintf("SELECT DISTINCT user_id FROM smartcar_tesla.connection "
												"WHERE server = $1 AND user_id > $2 AND status = 'connected' AND %s "
												"ORDER BY user_id LIMIT $3", condition),
									   &parameters);
		users = palloc0(Max(count, 1) * sizeof(SmartcarUser));
		for (int i = 0; i < count; i++)
			users[i].user_id = smartcar_result_string(i, 0);
		smartcar_spi_commit();
		if (count > 0)
		{
			smartcar_sync_users(server, users, count);
			failed += smartcar_warn_of_users(users, count);
			smartcar_spi_commit();
			last = MemoryContextStrdup(old_context, users[count - 1].user_id);
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
						  int64 *failed)
{
	TimestampTz began = GetCurrentTimestamp();

	list_connections(server, progress);
	*failed = sync_users_of(server, with_details ? "$4 IS NOT NULL" : "synced_at < $4", began);
	return progress->done;
}
