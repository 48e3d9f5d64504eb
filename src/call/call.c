/*-------------------------------------------------------------------------
 *
 * call.c
 *	  Runs calls to Smartcar, for one item or for many.
 *
 * src/call/call.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/call.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "pg/compat.h"

/*
 * A response 401 may be about one vehicle.  If as many items in a row get one, the
 * application token is the reason.
 */
#define MAX_REFUSED_IN_ROW	3

/* The most memory that a call keeps from one response to the next. */
#define MAX_KEPT_MEMORY		(2 * 1024 * 1024)

/* Shown in pg_stat_activity; 0 before the first call. */
static uint32 wait_event = 0;

/*
 * Prepares the next request of an item.
 */
static void
prepare_request(SmartcarCall *call, SmartcarItem *item)
{
	MemoryContext old_context = MemoryContextSwitchTo(item->context);

	memset(&item->request, 0, sizeof(item->request));
	item->operation->prepare(call, item);
	item->request.url = item->url.data;
	MemoryContextSwitchTo(old_context);
}

static MemoryContext
new_item_context(const SmartcarCall *call)
{
	return AllocSetContextCreate(call->context, "smartcar_tesla call item",
								 ALLOCSET_SMALL_SIZES);
}

/*
 * Returns the first request of an item.
 */
static SmartcarRequest *
start_item(SmartcarCall *call, SmartcarItem *item)
{
	if (item->context == NULL)
		item->context = new_item_context(call);
	prepare_request(call, item);
	return &item->request;
}

/*
 * Refills an item that is done, and returns it; NULL if there is nothing more.
 */
static SmartcarItem *
refill_item(SmartcarCall *call)
{
	SmartcarItem *item = NULL;
	MemoryContext old_context;
	bool		refilled;

	for (int i = 0; i < call->item_count && item == NULL; i++)
	{
		if (call->items[i].is_done)
			item = &call->items[i];
	}
	if (item == NULL || call->refill == NULL)
		return NULL;

	item->token_refused = false;
	item->error = NULL;
	item->step = 0;
	item->operation_state = NULL;
	item->context = new_item_context(call);
	old_context = MemoryContextSwitchTo(item->context);
	refilled = call->refill(call, item);
	MemoryContextSwitchTo(old_context);
	if (!refilled)
	{
		MemoryContextDelete(item->context);
		item->context = NULL;
		return NULL;
	}
	item->is_done = false;
	return item;
}

/*
 * Returns the first request of the next item.  If the application token is no
 * longer accepted, the items that are left wait for a new one, see
 * smartcar_call_run().
 */
static SmartcarRequest *
next_request(SmartcarRequestSource *source)
{
	SmartcarCall *call = (SmartcarCall *) source;
	SmartcarItem *refilled;

	if (call->refused_in_row >= MAX_REFUSED_IN_ROW)
		return NULL;
	while (call->next_item < call->item_count)
	{
		SmartcarItem *item = &call->items[call->next_item++];

		if (!item->is_done)
			return start_item(call, item);
	}
	refilled = refill_item(call);
	return refilled ? start_item(call, refilled) : NULL;
}

static void
finish_item(SmartcarCall *call, SmartcarItem *item)
{
	if (item->error != NULL && item->operation->failed != NULL)
		item->operation->failed(call, item);
	if (call->finished != NULL)
	{
		/* there may be many items, so its memory is freed with the item */
		MemoryContext old_context = MemoryContextSwitchTo(item->context);

		call->finished(call, item);
		MemoryContextSwitchTo(old_context);
	}
	MemoryContextDelete(item->context);
	item->context = NULL;
	item->is_done = true;
}

/*
 * Whether to retry an item with a new application token: the token may have been
 * revoked before it expired.  Not if this item was refused before, or if the
 * current token is new and nothing has accepted it: a new token would not help.
 */
static bool
token_was_refused(SmartcarCall *call, SmartcarItem *item, int status)
{
	if (call->renew == NULL || item->access_token.data != NULL)
		return false;
	if (status != 401)
	{
		call->refused_in_row = 0;
		call->token_is_new = false;
		return false;
	}
	if (item->token_refused || call->token_is_new)
		return false;
	item->token_refused = true;
	call->refused_tokens++;
	call->refused_in_row++;
	return true;
}

static void
create_response_context(SmartcarCall *call, Size kept)
{
	call->kept_memory = kept;
	call->response_context = AllocSetContextCreate(call->context, "smartcar_tesla response",
												   0, kept, ALLOCSET_DEFAULT_MAXSIZE);
}

/*
 * Frees the memory of a response, but for a block as large as the largest response
 * needed.  Otherwise the kernel would have to clear that memory again for each page
 * of connections, which took almost half of the time to parse one.
 */
static void
free_response(SmartcarCall *call)
{
	Size		used = MemoryContextMemAllocated(call->response_context, false);

	if (used <= call->kept_memory || call->kept_memory >= MAX_KEPT_MEMORY)
	{
		MemoryContextReset(call->response_context);
		return;
	}
	MemoryContextDelete(call->response_context);
	create_response_context(call, pg_nextpower2_size_t(Min(used, MAX_KEPT_MEMORY)));
}

/*
 * Parses a response.  Returns whether the item has another request.
 */
static bool
parse_response(SmartcarCall *call, SmartcarItem *item, const SmartcarResponse *response)
{
	SmartcarApiResponse result;

	if (token_was_refused(call, item, response->status))
		return false;
	return smartcar_item_read_response(call, item, response, &result) &&
		item->operation->parse(call, item, &result) && item->error == NULL;
}

/*
 * Processes the response to a request of an item.  Returns whether the item has
 * another request.
 */
static bool
request_done(SmartcarRequestSource *source, SmartcarRequest *request,
			 const SmartcarResponse *response)
{
	SmartcarCall *call = (SmartcarCall *) source;
	SmartcarItem *item = (SmartcarItem *) request;
	MemoryContext old_context;
	int			refused_before = call->refused_tokens;
	bool		goes_on = false;

	call->server->requests += response->tries;
	if (response->outcome == SMARTCAR_OUTCOME_RESPONSE)
	{
		/* there may be many pages, so each is freed after it was parsed */
		old_context = MemoryContextSwitchTo(call->response_context);
		goes_on = parse_response(call, item, response);
		MemoryContextSwitchTo(old_context);
		free_response(call);
	}
	else
	{
		old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));
		item->error = smartcar_failure_from_outcome(call, item, response);
		MemoryContextSwitchTo(old_context);
	}

	if (goes_on)
		prepare_request(call, item);

	/* an item whose token was refused stays open, for smartcar_call_run() */
	else if (call->refused_tokens == refused_before)
		finish_item(call, item);
	return goes_on;
}

/*
 * Begins a call with a number of items, which the caller then fills in.
 */
void
smartcar_call_begin(SmartcarCall *call, SmartcarServer *server,
					const SmartcarOperation *operation, int item_count)
{
	memset(call, 0, sizeof(*call));
	call->source.next = next_request;
	call->source.done = request_done;
	call->server = server;
	call->version = smartcar_server_api_version(server);
	call->context = CurrentMemoryContext;
	call->item_count = item_count;
	call->items = MemoryContextAllocHuge(call->context,
										 Max(item_count, 1) * sizeof(SmartcarItem));
	memset(call->items, 0, item_count * sizeof(SmartcarItem));
	for (int i = 0; i < item_count; i++)
	{
		call->items[i].operation = operation;
		memset(call->items[i].nulls, true, sizeof(call->items[i].nulls));
	}

	if (wait_event == 0)
		wait_event = smartcar_new_wait_event("SmartcarCall");
	call->settings.wait_event = wait_event;
	call->settings.connect_timeout = smartcar_server_number(server, SMARTCAR_OPTION_CONNECT_TIMEOUT);
	call->settings.timeout = smartcar_server_number(server, SMARTCAR_OPTION_TIMEOUT);
	call->settings.max_concurrency = Min(smartcar_server_number(server, SMARTCAR_OPTION_MAX_CONCURRENCY),
										 Max(item_count, 1));
	call->settings.max_response_size = smartcar_server_number(server, SMARTCAR_OPTION_MAX_RESPONSE_SIZE);
	call->settings.ca_file = smartcar_server_option(server, SMARTCAR_OPTION_CA_FILE);
}

/*
 * Begins a call whose items are filled in by refill() while it runs.  It has as
 * many items as requests that run in parallel.
 */
void
smartcar_call_begin_refilled(SmartcarCall *call, SmartcarServer *server,
							 const SmartcarOperation *operation,
							 bool (*refill) (SmartcarCall *call, SmartcarItem *item),
							 void (*finished) (SmartcarCall *call, SmartcarItem *item))
{
	smartcar_call_begin(call, server, operation,
						smartcar_server_number(server, SMARTCAR_OPTION_MAX_CONCURRENCY));
	call->refill = refill;
	call->finished = finished;
	for (int i = 0; i < call->item_count; i++)
		call->items[i].is_done = true;
}

/*
 * Fails the items that are not done, because there is no new application token.
 * The results of the other items are kept.
 */
static void
fail_open_items(SmartcarCall *call, const SmartcarFailure *failure)
{
	for (int i = 0; i < call->item_count; i++)
	{
		SmartcarItem *item = &call->items[i];
		SmartcarFailure *error;

		if (item->is_done)
			continue;
		if (item->context == NULL)
			item->context = new_item_context(call);
		error = MemoryContextAlloc(smartcar_item_error_context(call, item),
								   sizeof(SmartcarFailure));
		*error = *failure;
		item->error = error;
		finish_item(call, item);
	}
}

/*
 * Runs the items, and then again with a new token those whose token was refused.
 * Each item is retried once, but other items may be refused in the next round.
 */
static void
run_items(SmartcarCall *call)
{
	for (;;)
	{
		int			refused_before = call->refused_tokens;
		const SmartcarFailure *failure;

		smartcar_http_run(&call->settings, &call->source);
		if (call->refused_tokens == refused_before)
			return;

		failure = call->renew(call);
		if (failure != NULL)
		{
			fail_open_items(call, failure);
			return;
		}
		call->next_item = 0;
		call->refused_in_row = 0;
		call->token_is_new = true;
	}
}

/*
 * Runs a call.  Then each of its items has a result or an error.
 */
void
smartcar_call_run(SmartcarCall *call)
{
	create_response_context(call, ALLOCSET_DEFAULT_INITSIZE);
	run_items(call);
	MemoryContextDelete(call->response_context);
}
