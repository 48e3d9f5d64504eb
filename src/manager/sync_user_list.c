/*-------------------------------------------------------------------------
 *
 * sync_user_list.c
 *	  Lists the connections of single users (v3), and stores them.
 *
 * src/manager/sync_user_list.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_user_list.h"

#include "utils/timestamp.h"

#include "call/authorization.h"
#include "manager/connection_page.h"
#include "manager/owner.h"
#include "manager/spi.h"
#include "manager/user_outcome.h"
#include "pg/text_array.h"

typedef struct UserLists
{
	SmartcarCall call;			/* must be first */
	SmartcarSyncRun *run;
	SmartcarUser *users;		/* one for each item */
} UserLists;

static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	return smartcar_connections_parse(call, item, &smartcar_item_page(item)->pages, response,
									  smartcar_page_add);
}

static const SmartcarOperation list_operation = {
	.prepare = smartcar_page_prepare,
	.parse = parse
};

/* The argument of store_list(). */
typedef struct ListReport
{
	SmartcarSyncRun *run;
	SmartcarUser *user;
	SmartcarConnectionPage *page;
} ListReport;

/*
 * Stores the connections of a user.  A connection whose row was deleted during the
 * request has been disconnected, and is not stored again.
 */
static void
store_list(void *argument)
{
	ListReport *report = argument;
	const SmartcarServer *server = report->run->server;
	SmartcarConnectionPage *page = report->page;
	int			row_count;
	SmartcarConnectionRow *rows = smartcar_connections_lock(server, report->user->user_id,
															&row_count);

	for (int i = 0; i < page->count; i++)
		page->rows[i].is_left_out =
			smartcar_find_row(rows, row_count, page->rows[i].vehicle_id) == NULL &&
			smartcar_user_had_vehicle(report->user, page->rows[i].vehicle_id);
	smartcar_page_insert(server, page->rows, page->count, page->requested_at);
	smartcar_user_mark_disconnected(report->run, report->user, rows, row_count, page->requested_at);
	smartcar_owners_report_changes(server, report->user->user_id, page->requested_at);
}

static void
set_vehicle_ids(const SmartcarCall *call, SmartcarUser *user, const SmartcarConnectionPage *page)
{
	MemoryContext old_context = MemoryContextSwitchTo(call->context);
	SmartcarSpan *ids = palloc((page->count + 1) * sizeof(SmartcarSpan));

	for (int i = 0; i < page->count; i++)
		ids[i] = page->rows[i].vehicle_id;
	user->vehicle_ids = smartcar_build_text_array(ids, page->count);
	pfree(ids);
	MemoryContextSwitchTo(old_context);
}

static void
finish(SmartcarCall *call, SmartcarItem *item)
{
	UserLists  *lists = (UserLists *) call;
	SmartcarUser *user = &lists->users[item - call->items];
	SmartcarConnectionPage *page = smartcar_item_page(item);
	ListReport	report = {lists->run, user, page};
	ErrorData  *error;
	bool		is_stored;

	user->error = item->error;
	if (item->error != NULL)
	{
		user->is_deferred = smartcar_sync_check_rate_limit(lists->run, item->error);
		return;
	}
	set_vehicle_ids(call, user, page);
	smartcar_warn_of_unusable(page->unusable);
	user->has_failed = page->unusable > 0;
	is_stored = smartcar_sync_store(store_list, &report, SMARTCAR_SYNC_ATTEMPTS, &error);
	smartcar_user_finish(lists->run, user, is_stored, error, page->requested_at);
}

/*
 * Lists the connections of users, and stores them.  The rows of a user who could not be
 * listed do not change.
 */
void
smartcar_list_users(SmartcarSyncRun *run, SmartcarUser *users, int count)
{
	UserLists	lists = {.run = run, .users = users};
	SmartcarCall *call = &lists.call;
	int			requested = (int) Min(count, smartcar_sync_requests_left(run));

	smartcar_connections_read_known(run->server, users, count);
	smartcar_spi_commit();
	for (int i = requested; i < count; i++)
		run->is_stopped = users[i].is_deferred = true;
	if (requested == 0)
		return;
	smartcar_call_begin(call, run->server, &list_operation, requested);
	call->finished = finish;
	for (int i = 0; i < requested; i++)
	{
		SmartcarConnectionPage *page = palloc0(sizeof(SmartcarConnectionPage));

		page->requested_at = GetCurrentTimestamp();
		page->external_id = users[i].external_id;
		call->items[i].operation_state = page;
		smartcar_item_set_user_id(&call->items[i], smartcar_span_from_string(users[i].user_id));
	}
	smartcar_call_authorize(call, SMARTCAR_AUTHORIZE_APPLICATION);
	smartcar_call_run(call);
}

void
smartcar_relist_users(SmartcarSyncRun *run)
{
	ListCell   *cell;

	foreach(cell, run->relist_user_ids)
	{
		SmartcarUser user = {.user_id = lfirst(cell)};

		smartcar_list_users(run, &user, 1);
		(void) smartcar_warn_of_users(&user, 1);
	}
	list_free_deep(run->relist_user_ids);
	run->relist_user_ids = NIL;
}
