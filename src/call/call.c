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

#include "call/application_token.h"
#include "call/call_request.h"
#include "pg/compat.h"
#include "pg/text.h"

/*
 * A refusal or two may be about the vehicle; so many in a row are about the
 * token.
 */
#define REFUSALS_OF_TOKEN	3

/* What pg_stat_activity shows while a backend waits; 0 before the first call. */
static uint32 wait_event = 0;

static int
number_option(const SmartcarServer *server, SmartcarOption option)
{
	return smartcar_option_number(option, smartcar_server_option(server, option));
}

/*
 * Refuses a value for a header that could be something else than one value.
 * The value is not shown, because it may be a token.
 */
static void
check_header_value(SmartcarSpan value, const char *argument)
{
	if (!smartcar_span_is_visible(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argument),
				 errdetail("It must consist of visible ASCII characters without spaces.")));
}

void
smartcar_item_set_id(SmartcarItem *item, SmartcarSpan id, const char *argument)
{
	/* some servers decode an encoded slash before they look at the path */
	if (!smartcar_path_segment_valid(id) || memchr(id.data, '/', id.length) != NULL ||
		memchr(id.data, '\\', id.length) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s: \"%s\"", argument, smartcar_excerpt(id))));
	item->id = smartcar_utf8_from_bytes(id.data, (int) id.length);
}

/* The same for a path of any endpoint. */
void
smartcar_item_set_path(SmartcarItem *item, SmartcarSpan path)
{
	if (!smartcar_request_path_valid(path))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid path: \"%s\"", smartcar_excerpt(path)),
				 errdetail("A path begins with \"/\", consists of visible ASCII characters, and has neither a query, nor a fragment, nor an encoded slash, nor empty segments, \".\" or \"..\"."),
				 errhint("Pass parameters in the argument \"query\". The version of the API is not part of the path.")));
	item->id = path;
}

void
smartcar_item_set_access_token(SmartcarCall *call, SmartcarItem *item, SmartcarSpan token)
{
	check_header_value(token, "access_token");
	item->access_token = token;
}

void
smartcar_item_set_user_id(SmartcarItem *item, SmartcarSpan user_id)
{
	check_header_value(user_id, "user_id");
	item->user_id = user_id;
}

/*
 * The answer to an item's request was not what it should be.
 */
void
smartcar_item_fail(SmartcarCall *call, SmartcarItem *item, const char *reason)
{
	MemoryContext old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));

	item->error = smartcar_error_unusable(call, item, reason);
	MemoryContextSwitchTo(old_context);
}

/*
 * A copy of a text of an answer, for as long as the item makes requests.
 */
SmartcarSpan
smartcar_item_keep(SmartcarItem *item, SmartcarSpan text)
{
	char	   *copy;

	if (text.data == NULL)
		return text;

	copy = MemoryContextAlloc(item->context, text.length + 1);
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	return smartcar_span(copy, text.length);
}

/*
 * Data of an operation's own, all zeros, for as long as the item makes
 * requests.
 */
void *
smartcar_item_gathered(SmartcarItem *item, Size size)
{
	if (item->gathered == NULL)
		item->gathered = MemoryContextAllocZero(item->context, size);
	return item->gathered;
}

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

/*
 * Where the error of an item lives: as long as the call, unless the item will
 * be about something else before its end.
 */
MemoryContext
smartcar_item_error_context(const SmartcarCall *call, const SmartcarItem *item)
{
	return call->refill != NULL ? item->context : call->context;
}

static void
finish_item(SmartcarCall *call, SmartcarItem *item)
{
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
 * Whether an answer says that the application token is to be replaced, which
 * may be withdrawn before its time; see smartcar_call_run().  One that is new
 * would not fare better the next time.
 */
static bool
token_was_refused(SmartcarCall *call, SmartcarItem *item, int status)
{
	if (call->authorization != SMARTCAR_AUTHORIZE_APPLICATION || item->access_token.data != NULL)
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
 * Takes an answer; returns whether there is another request to make.
 */
static bool
take_answer(SmartcarCall *call, SmartcarItem *item, const SmartcarResponse *response)
{
	SmartcarAnswer answer;

	if (token_was_refused(call, item, response->status))
		return false;
	return smartcar_item_read_answer(call, item, response, &answer) &&
		item->operation->take(call, item, &answer) && item->error == NULL;
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

	if (response->outcome == SMARTCAR_OUTCOME_RESPONSE)
	{
		/* of a thousand pages, one is held at a time */
		MemoryContext context = AllocSetContextCreate(item->context,
													  "smartcar_tesla answer",
													  ALLOCSET_DEFAULT_SIZES);

		old_context = MemoryContextSwitchTo(context);
		goes_on = take_answer(call, item, response);
		MemoryContextSwitchTo(old_context);
		MemoryContextDelete(context);
	}
	else
	{
		old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));
		item->error = smartcar_error_from_outcome(call, item, response);
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
	call->settings.connect_timeout = number_option(server, SMARTCAR_OPTION_CONNECT_TIMEOUT);
	call->settings.timeout = number_option(server, SMARTCAR_OPTION_TIMEOUT);
	call->settings.max_concurrency = Min(number_option(server, SMARTCAR_OPTION_MAX_CONCURRENCY),
										 Max(item_count, 1));
	call->settings.max_response_size = number_option(server, SMARTCAR_OPTION_MAX_RESPONSE_SIZE);
	call->settings.ca_file = smartcar_server_option(server, SMARTCAR_OPTION_CA_FILE);
}

static bool
every_item_has_token(const SmartcarCall *call)
{
	for (int i = 0; i < call->item_count; i++)
	{
		if (call->items[i].access_token.data == NULL)
			return false;
	}
	return true;
}

/*
 * Gets the credentials that a call needs, before its first request.  Items with
 * a token of their own use that.
 */
void
smartcar_call_authorize(SmartcarCall *call, SmartcarAuthorization authorization)
{
	call->authorization = authorization;
	if ((authorization == SMARTCAR_AUTHORIZE_OWNER ||
		 authorization == SMARTCAR_AUTHORIZE_OWNER_OR_MANAGEMENT ||
		 authorization == SMARTCAR_AUTHORIZE_APPLICATION) && every_item_has_token(call))
		return;
	if (authorization == SMARTCAR_AUTHORIZE_OWNER)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("access_token must not be null"),
				 errdetail("Version 2.0 of the API wants the access token of the vehicle's owner."),
				 errhint("Get one with smartcar_exchange_code() or smartcar_refresh_token().")));
	call->credentials = smartcar_call_credentials(call, authorization);
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

		smartcar_http_run(&call->settings, &call->source);
		if (call->refused_tokens == refused_before)
			return;

		/*
		 * Once more, with a new token, for the items whose token was not
		 * accepted.  That befalls an item once, but in the second round there
		 * may be new ones.
		 */
		smartcar_forget_application_token(call->server);
		call->credentials = smartcar_call_credentials(call, call->authorization);
		call->next_item = 0;
		call->refused_in_row = 0;
		call->token_is_new = true;
	}
}
