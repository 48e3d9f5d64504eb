/*-------------------------------------------------------------------------
 *
 * sync_details.c
 *	  Requests the details of vehicles (v3), and stores them.
 *
 * A vehicle needs one request.  The vehicles with the oldest details come first, so that
 * even if a limit stops each run, every vehicle has its turn.
 *
 * src/manager/sync_details.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_details.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "api/details.h"
#include "call/authorization.h"
#include "manager/connection_details.h"
#include "manager/spi.h"
#include "manager/usable_id.h"
#include "pg/text.h"

/* How many vehicles are read at a time. */
#define CHUNK_SIZE	10000

typedef struct DetailsRequest
{
	SmartcarDetails details;	/* must be first */
	const char *user_id;
	const char *vehicle_id;
	TimestampTz requested_at;
} DetailsRequest;

typedef struct DetailsCall
{
	SmartcarCall call;			/* must be first */
	SmartcarSyncRun *run;
	SmartcarStaleFilter filter;
	MemoryContext chunk_context;
	SmartcarStaleConnection *chunk;
	int			chunk_count;
	int			next;			/* of the chunk */
	bool		is_last_chunk;
	int64		synced;
	int64		failed;
} DetailsCall;

static DetailsRequest *
details_request(SmartcarItem *item)
{
	return (DetailsRequest *) item->operation_state;
}

/*
 * Reads the next vehicles, after the last one of the previous chunk.
 */
static void
read_chunk(DetailsCall *details)
{
	MemoryContext context = AllocSetContextCreate(details->call.context, "smartcar_tesla vehicles",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);

	if (details->chunk_count > 0)
		details->filter.after = &details->chunk[details->chunk_count - 1];
	details->chunk = smartcar_connections_read_stale(&details->filter, CHUNK_SIZE,
													 &details->chunk_count);
	details->is_last_chunk = details->chunk_count < CHUNK_SIZE;
	details->next = 0;
	smartcar_spi_commit();
	MemoryContextSwitchTo(old_context);
	if (details->chunk_context != NULL)
		MemoryContextDelete(details->chunk_context);
	details->chunk_context = context;
}

/*
 * Returns the next vehicle whose ids a request can contain; NULL if there is none.
 */
static const SmartcarStaleConnection *
next_vehicle(DetailsCall *details)
{
	for (;;)
	{
		const SmartcarStaleConnection *vehicle;

		while (details->next == details->chunk_count)
		{
			if (details->is_last_chunk)
				return NULL;
			read_chunk(details);
		}
		vehicle = &details->chunk[details->next++];
		if (smartcar_user_id_is_usable(smartcar_span_from_string(vehicle->user_id)) &&
			smartcar_vehicle_id_is_usable(smartcar_span_from_string(vehicle->vehicle_id)))
			return vehicle;
		details->failed++;
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("skipping vehicle \"%s\" of user \"%s\"",
						smartcar_excerpt(smartcar_span_from_string(vehicle->vehicle_id)),
						smartcar_excerpt(smartcar_span_from_string(vehicle->user_id))),
				 errdetail("A user id must be a valid header value, and a vehicle id a valid part of a path.")));
	}
}

/*
 * Gives an item the next vehicle, if there is one and a request may be made.
 */
static bool
refill(SmartcarCall *call, SmartcarItem *item)
{
	DetailsCall *details = (DetailsCall *) call;
	const SmartcarStaleConnection *vehicle = next_vehicle(details);
	DetailsRequest *request;

	if (vehicle == NULL)
		return false;
	if (!smartcar_sync_may_request(details->run, call))
	{
		details->next--;
		return false;
	}
	request = palloc0(sizeof(DetailsRequest));
	request->user_id = pstrdup(vehicle->user_id);
	request->vehicle_id = pstrdup(vehicle->vehicle_id);
	request->requested_at = GetCurrentTimestamp();
	item->operation_state = request;
	smartcar_item_set_id(item, smartcar_span_from_string(request->vehicle_id), "vehicle_id");
	smartcar_item_set_user_id(item, smartcar_span_from_string(request->user_id));
	return true;
}

/* The argument of store_report(). */
typedef struct DetailsReport
{
	const SmartcarServer *server;
	const DetailsRequest *request;
	const SmartcarFailure *error;	/* NULL: there was a response */
} DetailsReport;

static void
store_report(void *argument)
{
	const DetailsReport *report = argument;
	const DetailsRequest *request = report->request;
	const SmartcarDetails *details = &request->details;

	smartcar_connection_store_details(report->server, request->user_id, request->vehicle_id,
									  details,
									  report->error ? &report->error : details->errors,
									  report->error ? 1 : details->error_count,
									  request->requested_at);
}

/*
 * Records that a user must be listed again, because a vehicle that was not found may
 * have been disconnected since it was listed.
 */
static void
record_missing_vehicle(SmartcarSyncRun *run, const DetailsRequest *request)
{
	MemoryContext old_context;
	ListCell   *cell;

	foreach(cell, run->relist_user_ids)
	{
		if (strcmp(lfirst(cell), request->user_id) == 0)
			return;
	}
	old_context = MemoryContextSwitchTo(run->context);
	run->relist_user_ids = lappend(run->relist_user_ids, pstrdup(request->user_id));
	MemoryContextSwitchTo(old_context);
}

static void
finish(SmartcarCall *call, SmartcarItem *item)
{
	DetailsCall *details = (DetailsCall *) call;
	DetailsReport report = {call->server, details_request(item), item->error};
	SmartcarProgress *progress = &details->run->progress;
	ErrorData  *error;
	bool		is_missing;
	bool		is_stored;

	if (item->error != NULL && smartcar_sync_check_rate_limit(details->run, item->error))
		return;
	is_missing = item->error != NULL &&
		smartcar_span_equal(item->error->api_error.code, SMARTCAR_SPAN("VEHICLE_NOT_FOUND"));
	if (is_missing)
		record_missing_vehicle(details->run, report.request);
	is_stored = smartcar_sync_store(store_report, &report, SMARTCAR_SYNC_ATTEMPTS, &error);
	smartcar_spi_commit();
	if (!is_stored)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not store vehicle \"%s\" of user \"%s\": %s",
						report.request->vehicle_id, report.request->user_id, error->message)));
	if (!is_stored ||
		(item->error != NULL && !is_missing && smartcar_sync_is_failure(item->error)))
		details->failed++;
	else
		details->synced++;

	/* a run that continues has not counted them when it listed them */
	smartcar_progress_add(progress, details->filter.user_id != NULL ? 0 :
						  Max(details->synced - progress->done, 0));
}

/*
 * Requests the details of the vehicles that the filter selects, until a limit stops the
 * run.
 */
static void
request_details(DetailsCall *details)
{
	SmartcarCall *call = &details->call;
	MemoryContext old_context = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(old_context, "smartcar_tesla details",
												  ALLOCSET_DEFAULT_SIZES);

	MemoryContextSwitchTo(context);
	smartcar_call_begin_refilled(call, details->run->server, &smartcar_details_operation, refill,
								 finish);
	read_chunk(details);
	if (details->chunk_count > 0 && smartcar_sync_may_request(details->run, call))
	{
		smartcar_call_authorize(call, SMARTCAR_AUTHORIZE_APPLICATION);
		smartcar_call_run(call);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(context);
}

/*
 * Requests the details of all vehicles of the server whose details are older than
 * due_before, except those that webhooks report.
 */
void
smartcar_sync_details(SmartcarSyncRun *run, TimestampTz due_before)
{
	DetailsCall details = {
		.run = run,
		.filter = {.server = run->server, .due_before = due_before, .skips_reported = true}
	};

	request_details(&details);
	run->failed += details.failed;

	/*
	 * if this run continued a list, it has counted only some of these
	 * vehicles
	 */
	run->synced = Max(run->synced - details.failed, details.synced);
}

/*
 * Requests the details of a user's vehicles.  Returns how many vehicles failed.
 */
int64
smartcar_sync_details_of_user(SmartcarSyncRun *run, const char *user_id)
{
	DetailsCall details = {
		.run = run,
		.filter = {.server = run->server, .user_id = user_id, .due_before = GetCurrentTimestamp()}
	};

	request_details(&details);
	return details.failed;
}
