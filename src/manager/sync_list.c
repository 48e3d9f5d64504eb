/*-------------------------------------------------------------------------
 *
 * sync_list.c
 *	  Lists all connections of an application (v3), and stores them.
 *
 * The first page says how many connections there are, and the other pages are requested
 * concurrently.  A connection that is made meanwhile can move another one to a page that
 * was already read.  So if a connection was on no page, its user is listed before it is
 * marked as disconnected.
 *
 * src/manager/sync_list.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_list.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "manager/connection_page.h"
#include "manager/spi.h"
#include "manager/subscribe.h"
#include "manager/sync_details.h"
#include "manager/sync_round.h"
#include "manager/sync_user_list.h"
#include "manager/usable_id.h"
#include "manager/user_outcome.h"

typedef struct Listing
{
	SmartcarCall call;			/* must be first */
	SmartcarSyncRun *run;
	int			next_page;
	int			last_page;		/* the last known one */
	int			first_count;	/* connections on the first page that arrived */
	int			page_size;		/* 0: unknown */
	int			refused_page;	/* the first that the rate limit refused; 0:
								 * none */
	SmartcarPageCycle cycle;	/* of all pages, in the order of arrival */
	int64		unusable;		/* connections whose ids cannot be used */
	const SmartcarFailure *error;
} Listing;

/*
 * Computes the number of the last page from the number of connections.  If Smartcar does
 * not send that, a page only shows whether there is a next one.
 */
static void
find_last_page(Listing *listing, const SmartcarConnectionPages *pages, bool has_more)
{
	if (listing->first_count == 0)
		listing->first_count = pages->count;
	if (pages->count == 0)
	{
		listing->last_page = Min(listing->last_page, pages->page);
		return;
	}
	if (pages->total == 0 ? has_more : pages->has_next)
		listing->last_page = Max(listing->last_page, pages->page + 1);
	if (pages->total == 0)
		return;
	if (listing->page_size == 0)
		listing->page_size = Max(pages->page_size, pages->count);
	listing->last_page = Max(listing->last_page,
							 (pages->total - 1) / listing->page_size + 1);
}

/*
 * Returns false, because each item requests a single page.
 */
static bool
parse_page(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	Listing    *listing = (Listing *) call;
	SmartcarConnectionPages *pages = &smartcar_item_page(item)->pages;
	bool		has_more;

	pages->first_count = listing->first_count;
	has_more = smartcar_connections_parse(call, item, pages, response, smartcar_page_add);
	if (item->error != NULL ||
		(pages->count > 0 &&
		 !smartcar_page_is_new(call, item, &listing->cycle, call->context, pages->first_id)))
		return false;
	find_last_page(listing, pages, has_more);
	return false;
}

static const SmartcarOperation page_operation = {
	.prepare = smartcar_page_prepare,
	.parse = parse_page
};

static bool
next_page(SmartcarCall *call, SmartcarItem *item)
{
	Listing    *listing = (Listing *) call;
	SmartcarConnectionPage *page;

	if (listing->next_page > listing->last_page || listing->refused_page > 0 ||
		listing->error != NULL || !smartcar_sync_may_request(listing->run, call))
		return false;
	page = palloc0(sizeof(SmartcarConnectionPage));

	/* the last page that was parsed; the request is for the next one */
	page->pages.page = listing->next_page++ - 1;
	page->pages.is_lenient = true;
	page->requested_at = GetCurrentTimestamp();
	item->operation_state = page;
	return true;
}

static void
record_error(Listing *listing, const SmartcarItem *item)
{
	MemoryContext old_context;

	if (smartcar_sync_check_rate_limit(listing->run, item->error))
	{
		/* a refused page was not parsed, so pages.page is the one before it */
		int			number = smartcar_item_page(item)->pages.page + 1;

		if (listing->refused_page == 0 || number < listing->refused_page)
			listing->refused_page = number;
		return;
	}
	old_context = MemoryContextSwitchTo(listing->call.context);
	if (listing->error == NULL)
		listing->error = smartcar_failure_copy(item->error);
	MemoryContextSwitchTo(old_context);
}

static void
finish_page(SmartcarCall *call, SmartcarItem *item)
{
	Listing    *listing = (Listing *) call;
	SmartcarConnectionPage *page = smartcar_item_page(item);
	int			failed;

	if (item->error != NULL)
	{
		record_error(listing, item);
		return;
	}
	listing->unusable += page->unusable;
	if (page->count == 0)
		return;
	failed = smartcar_page_store(call->server, page);
	smartcar_spi_commit();
	listing->run->failed += failed;
	listing->run->synced += page->count - failed;
	smartcar_progress_add(&listing->run->progress, page->count - failed);
}

/*
 * Lists the connections, beginning with the next page of a round.  An error is raised
 * after the pages that have arrived are stored.
 */
static void
list_connections(SmartcarSyncRun *run, SmartcarSyncRound *round)
{
	Listing    *listing = palloc0(sizeof(Listing));
	bool		is_complete;

	smartcar_call_begin_refilled(&listing->call, run->server, &page_operation, next_page,
								 finish_page);
	listing->run = run;
	listing->next_page = listing->last_page = round->next_page;
	if (smartcar_sync_may_request(run, &listing->call))
	{
		smartcar_call_authorize(&listing->call, SMARTCAR_AUTHORIZE_APPLICATION);
		smartcar_call_run(&listing->call);
	}
	if (listing->error != NULL)
		smartcar_failure_raise(listing->error);
	smartcar_warn_of_unusable(listing->unusable);
	run->failed += listing->unusable;

	is_complete = listing->refused_page == 0 && listing->next_page > listing->last_page;
	if (is_complete)
		round->next_page = SMARTCAR_AFTER_LAST_PAGE;
	else
		round->next_page = listing->refused_page > 0 ? listing->refused_page : listing->next_page;
}

/*
 * Lists each user with a connection that was on no page.
 */
static void
list_missing(SmartcarSyncRun *run, TimestampTz list_began_at)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla users",
												ALLOCSET_DEFAULT_SIZES);
	int			limit = SMARTCAR_USERS_PER_REQUEST *
		smartcar_server_number(run->server, SMARTCAR_OPTION_MAX_CONCURRENCY);
	char	   *last = pstrdup("");
	int			count;

	do
	{
		MemoryContext old_context = MemoryContextSwitchTo(batch);
		char	  **user_ids = smartcar_connections_read_users(run->server, last, list_began_at,
															   limit, &count);
		SmartcarUser *users = palloc0((count + 1) * sizeof(SmartcarUser));
		int			usable = 0;

		for (int i = 0; i < count; i++)
		{
			if (smartcar_user_id_is_usable(smartcar_span_from_string(user_ids[i])))
				users[usable++].user_id = user_ids[i];
		}
		smartcar_warn_of_unusable(count - usable);
		run->failed += count - usable;
		smartcar_spi_commit();
		if (usable > 0)
			smartcar_list_users(run, users, usable);
		run->failed += smartcar_warn_of_users(users, usable);
		if (count > 0)
			last = MemoryContextStrdup(old_context, user_ids[count - 1]);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(batch);
	} while (count == limit && !run->is_stopped);
	MemoryContextDelete(batch);
}

/*
 * Checks the connections that were on no page of a complete list.  If they are too many
 * to be disconnected, the list is discarded: connections that only this list has added
 * are removed, and the next run lists again.
 */
static void
find_missing(SmartcarSyncRun *run, SmartcarSyncRound *round)
{
	int64		count = smartcar_connections_count_missing(run->server, round->list_began_at);

	smartcar_spi_commit();
	if (count == 0)
		return;
	if (!smartcar_sync_may_disconnect(run, count))
	{
		smartcar_connections_remove_listed(run->server, round->list_began_at);
		round->list_began_at = DT_NOEND;
		round->next_page = 0;
		smartcar_sync_round_store(run->server, round);
		smartcar_spi_commit();
		smartcar_sync_refuse_disconnects(run, count);
	}
	list_missing(run, round->list_began_at);
}

/*
 * Lists all connections, subscribes new ones, and requests the details that webhooks do
 * not report.  If a limit stops the run, the next one continues.
 */
void
smartcar_sync_connections(SmartcarSyncRun *run, bool with_details)
{
	SmartcarUserFilter all_users = {.server = run->server};
	SmartcarSyncRound round;

	smartcar_sync_round_read(run->server, &round);
	if (with_details && round.details_began_at == DT_NOEND)
	{
		round.details_began_at = GetCurrentTimestamp();
		if (round.next_page == 0)
			round.list_began_at = DT_NOEND;
	}
	if (round.next_page == 0 && !(with_details && round.list_began_at != DT_NOEND))
	{
		round.list_began_at = GetCurrentTimestamp();
		round.next_page = 1;
	}

	/*
	 * rows that are inserted from now on have a created_at after
	 * list_began_at
	 */
	smartcar_spi_commit();
	if (round.next_page > 0)
		list_connections(run, &round);
	if (round.next_page == SMARTCAR_AFTER_LAST_PAGE && !run->is_rate_limited)
		find_missing(run, &round);
	if (!run->is_stopped)
		smartcar_subscribe_vehicles(run, &all_users, false);
	if (!run->is_stopped)
		round.next_page = 0;
	if (with_details && !run->is_stopped)
	{
		smartcar_sync_details(run, round.details_began_at);
		smartcar_relist_users(run);
		if (!run->is_stopped)
			round.details_began_at = DT_NOEND;
	}
	smartcar_sync_round_store(run->server, &round);
	smartcar_spi_commit();
}
