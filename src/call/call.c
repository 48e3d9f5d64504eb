/*-------------------------------------------------------------------------
 *
 * call.c
 *	  Calls to Smartcar, about one vehicle or about many.
 *
 * src/call/call.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/call.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/compat.h"

/*
 * A refusal or two may be about the vehicle; so many in a row are about the
 * token.
 */
#define REFUSALS_OF_TOKEN	3

/* What pg_stat_activity shows while a backend waits; 0 before the first call. */
static uint32 wait_event = 0;

/*
 * Describes the next request of an item.
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
 * Starts an item, whose first request this is.
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
 * An item that is done and has been given something new to be about, or NULL.
 */
static SmartcarItem *
refilled_item(SmartcarCall *call)
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
	item->gathered = NULL;
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
 * The source of the requests: the first one of each item that is not done.  A
 * token that is not accepted any more would be refused to each, so they wait
 * for the next round.
 */
static SmartcarRequest *
next_request(SmartcarRequestSource *source)
{
	SmartcarCall *call = (SmartcarCall *) source;
	SmartcarItem *refilled;

	if (call->refused_in_row >= REFUSALS_OF_TOKEN)
		return NULL;
	while (call->next_item < call->item_count)
	{
		SmartcarItem *item = &call->items[call->next_item++];

		if (!item->is_done)
			return start_item(call, item);
	}
	refilled = refilled_item(call);
	return refilled ? start_item(call, refilled) : NULL;
}

static void
finish_item(SmartcarCall *call, SmartcarItem *item)
{
	if (item->error != NULL && item->operation->failed != NULL)
		item->operation->failed(call, item);
	if (call->finished != NULL)
	{
		/*
		 * of a hundred thousand items, what it needs for one is held at a
		 * time
		 */
		MemoryContext old_context = MemoryContextSwitchTo(item->context);

		call->finished(call, item);
		MemoryContextSwitchTo(old_context);
	}
	MemoryContextDelete(item->context);
	item->context = NULL;
	item->is_done = true;
}

/*
 * Whether a response says that the application token is to be replaced, which
 * may be revoked before it expires; see smartcar_call_run().  One that is new
 * would not fare better the next time.
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

/*
 * Parses a response; returns whether there is another request to make.
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
 * The request of an item has come to an end.
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
		/* of a thousand pages, one is held at a time */
		MemoryContext context = AllocSetContextCreate(item->context,
													  "smartcar_tesla response",
													  ALLOCSET_DEFAULT_SIZES);

		old_context = MemoryContextSwitchTo(context);
		goes_on = parse_response(call, item, response);
		MemoryContextSwitchTo(old_context);
		MemoryContextDelete(context);
	}
	else
	{
		old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));
		item->error = smartcar_failure_from_outcome(call, item, response);
		MemoryContextSwitchTo(old_context);
	}

	if (goes_on)
		prepare_request(call, item);
	else if (call->refused_tokens == refused_before)
		finish_item(call, item);
	return goes_on;
}

/*
 * Starts a call with a number of items, which the caller then fills in.
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
 * Starts a call whose items get what they are about while it runs, as many as run side
 * by side.
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
 * Ends the items that are not done with an error which none of them can escape.
 * What the others have done is still told.
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
 * Runs a call to its end.  Its items then have their results, or their errors.
 */
void
smartcar_call_run(SmartcarCall *call)
{
	for (;;)
	{
		int			refused_before = call->refused_tokens;
		const SmartcarFailure *failure;

		smartcar_http_run(&call->settings, &call->source);
		if (call->refused_tokens == refused_before)
			return;

		/*
		 * Once more, with a new token, for the items whose token was not
		 * accepted.  That happens to an item once, but in the second round
		 * there may be new ones.
		 */
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
