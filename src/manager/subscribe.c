/*-------------------------------------------------------------------------
 *
 * subscribe.c
 *	  Subscribes new vehicles to the webhook that the server names.
 *
 * Without a subscription, Smartcar sends no events about a vehicle, and has no signals
 * of it.  A failure is only a WARNING, because the next synchronization tries again.
 *
 * src/manager/subscribe.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/subscribe.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/subscription.h"
#include "call/authorization.h"
#include "manager/connection_subscription.h"
#include "manager/spi.h"
#include "manager/sync_vehicles.h"
#include "manager/usable_id.h"

/* How many vehicles a batch has for each concurrent request. */
#define VEHICLES_PER_REQUEST	4

/* How often to try to record subscriptions while a row is locked. */
#define RECORD_ATTEMPTS			5

static void
warn(const SmartcarServer *server, const SmartcarSubscriber *subscriber,
	 const SmartcarFailure *error)
{
	ereport(WARNING,
			(errcode(error->sqlstate),
			 errmsg("could not subscribe vehicle \"%s\" of user \"%s\": %s",
					subscriber->vehicle_id, subscriber->user_id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 smartcar_span_equal(error->api_error.code, SMARTCAR_SPAN("WEBHOOK_NOT_FOUND")) ?
			 errhint("Check the option \"webhook_id\"; smartcar_get_webhooks() lists the ids.") :
			 errhint("Run CALL smartcar_sync(server => %s) to try again.",
					 quote_literal_cstr(server->name))));
}

/* The arguments of smartcar_subscribers_record(). */
typedef struct RecordArguments
{
	const SmartcarServer *server;
	const char *webhook_id;
	const SmartcarSubscriber *subscribers;
	int			count;
} RecordArguments;

static void
record_subscribers(void *argument)
{
	const RecordArguments *arguments = (const RecordArguments *) argument;

	smartcar_subscribers_record(arguments->server, arguments->webhook_id, arguments->subscribers,
								arguments->count);
}

/*
 * Records subscriptions.  If a row stays locked, the next synchronization subscribes its
 * vehicle again, which changes nothing at Smartcar.
 */
static void
record(const SmartcarServer *server, const char *webhook_id,
	   const SmartcarSubscriber *subscribers, int count)
{
	RecordArguments arguments = {server, webhook_id, subscribers, count};
	ErrorData  *error;

	if (!smartcar_sync_store(record_subscribers, &arguments, RECORD_ATTEMPTS, &error))
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not record subscriptions: %s", error->message)));
}

/*
 * Keeps the vehicles whose ids a request can contain, and returns their number.  The
 * synchronization has warned of the others.
 */
static int
keep_usable(SmartcarSubscriber *subscribers, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		if (smartcar_user_id_is_usable(smartcar_span_from_string(subscribers[i].user_id)) &&
			smartcar_vehicle_id_is_usable(smartcar_span_from_string(subscribers[i].vehicle_id)))
			subscribers[kept++] = subscribers[i];
	}
	return kept;
}

/*
 * Subscribes the vehicles of a batch.  Returns whether to go on: if none could be
 * subscribed, or the rate limit is reached, the others would fail, too.
 */
static bool
subscribe(SmartcarSyncRun *run, const char *webhook_id, SmartcarSubscriber *subscribers, int count)
{
	SmartcarCall call;
	int			subscribed = 0;

	smartcar_subscriptions_begin(&call, run->server, smartcar_span_from_string(webhook_id), count);
	for (int i = 0; i < count; i++)
	{
		smartcar_item_set_id(&call.items[i], smartcar_span_from_string(subscribers[i].vehicle_id),
							 "vehicle_id");
		smartcar_item_set_user_id(&call.items[i],
								  smartcar_span_from_string(subscribers[i].user_id));
	}
	smartcar_call_authorize(&call, SMARTCAR_AUTHORIZE_APPLICATION);
	smartcar_call_run(&call);
	for (int i = 0; i < count; i++)
	{
		const SmartcarFailure *error = call.items[i].error;

		subscribers[i].is_subscribed = error == NULL;
		if (error == NULL)
			subscribed++;
		else if (!smartcar_sync_check_rate_limit(run, error))
			warn(run->server, &subscribers[i], error);
	}
	return subscribed > 0 && !run->is_rate_limited;
}

/*
 * Subscribes the vehicles of some users, if the server names a webhook: those whose
 * subscription is not recorded, or all.  Users who have just connected need all, because
 * they may have disconnected before, which ends a subscription.  Each batch is
 * committed.
 */
void
smartcar_subscribe_vehicles(SmartcarSyncRun *run, const SmartcarUserFilter *filter, bool all)
{
	SmartcarServer *server = run->server;
	const char *webhook_id = smartcar_server_option(server, SMARTCAR_OPTION_WEBHOOK_ID);
	int			limit = VEHICLES_PER_REQUEST *
		smartcar_server_number(server, SMARTCAR_OPTION_MAX_CONCURRENCY);
	MemoryContext batches[2];
	SmartcarSubscriber last = {"", "", false};
	bool		has_more;

	if (webhook_id == NULL || smartcar_server_api_version(server) != SMARTCAR_API_V3)
		return;

	/* the next batch begins after the last vehicle of this one */
	for (int i = 0; i < lengthof(batches); i++)
		batches[i] = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla subscribers",
										   ALLOCSET_DEFAULT_SIZES);
	for (int i = 0;; i++)
	{
		MemoryContext batch = batches[i % lengthof(batches)];
		MemoryContext old_context;
		SmartcarSubscriber *subscribers;
		SmartcarSubscriber next;
		int			found;
		int			count;
		int			allowed = (int) Min(limit, smartcar_sync_requests_left(run));

		MemoryContextReset(batch);
		old_context = MemoryContextSwitchTo(batch);
		subscribers = smartcar_subscribers_read(filter, webhook_id, all, &last, limit, &found);
		if (found > 0)
			next = subscribers[found - 1];
		count = keep_usable(subscribers, found);
		if (count > allowed)
		{
			count = allowed;
			run->is_stopped = true;
		}

		/* no snapshot may be held during the requests */
		smartcar_spi_commit();
		has_more = (count == 0 || subscribe(run, webhook_id, subscribers, count)) &&
			found == limit && !run->is_stopped;
		record(server, webhook_id, subscribers, count);
		smartcar_spi_commit();
		MemoryContextSwitchTo(old_context);
		if (!has_more)
			break;
		last = next;
	}
	for (int i = 0; i < lengthof(batches); i++)
		MemoryContextDelete(batches[i]);
}
