/*-------------------------------------------------------------------------
 *
 * sync_run.c
 *	  A run of a synchronization: what it may do, and what it has done.
 *
 * Requests are limited and billed, so a run stops at the first one that the
 * application may not make at present, and at the limit that its caller has set.
 *
 * src/manager/sync_run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_run.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "manager/connection_sync.h"
#include "manager/spi.h"

/* How long a lock is waited for at a time, in milliseconds. */
#define LOCK_TIMEOUT	200

/* So many connections may be disconnected at once, or one in so many. */
#define FEW_DISCONNECTS		5
#define DISCONNECTS_SHARE	10

/*
 * Begins a run without limits.
 */
void
smartcar_sync_run_begin(SmartcarSyncRun *run, SmartcarServer *server)
{
	memset(run, 0, sizeof(*run));
	run->server = server;
	run->context = CurrentMemoryContext;
	run->max_requests = PG_INT64_MAX;
	run->max_disconnects = PG_INT64_MAX;
}

int64
smartcar_sync_requests_left(const SmartcarSyncRun *run)
{
	return run->is_rate_limited ? 0 : Max(run->max_requests - run->server->requests, 0);
}

/*
 * Whether another request may be made, beside those of a call that are on their way.
 * If not, the run is stopped.
 */
bool
smartcar_sync_may_request(SmartcarSyncRun *run, const SmartcarCall *call)
{
	int64		open = 0;

	for (int i = 0; i < call->item_count; i++)
	{
		if (!call->items[i].is_done)
			open++;
	}
	if (open < smartcar_sync_requests_left(run))
		return true;
	run->is_stopped = true;
	return false;
}

/*
 * Whether an error says that the application may make no more requests at present.
 * A limit of one vehicle says nothing about the others.
 */
bool
smartcar_sync_check_rate_limit(SmartcarSyncRun *run, const SmartcarFailure *error)
{
	if (error->api_error.status != 429 ||
		smartcar_span_equal(error->api_error.code, SMARTCAR_SPAN("VEHICLE")))
		return false;
	run->is_rate_limited = true;
	run->limit_sqlstate = error->sqlstate;
	run->is_stopped = true;
	return true;
}

/*
 * Whether an error leaves unanswered what was asked about a vehicle.  One that tells
 * what its owner can do, or that there is nothing to do, is an answer.
 */
bool
smartcar_sync_is_failure(const SmartcarFailure *error)
{
	switch (error->api_error.action)
	{
		case SMARTCAR_ACTION_UNKNOWN:
		case SMARTCAR_ACTION_RETRY:
		case SMARTCAR_ACTION_REFRESH_TOKEN:
		case SMARTCAR_ACTION_FIX_SETUP:
			return true;
		default:
			return false;
	}
}

/*
 * How many connections may be disconnected in a run.
 */
static int64
disconnect_limit(const SmartcarSyncRun *run)
{
	if (run->max_disconnects != SMARTCAR_DISCONNECTS_BY_SHARE)
		return run->max_disconnects;
	return Max((run->disconnected + smartcar_connections_count(run->server)) / DISCONNECTS_SHARE,
			   FEW_DISCONNECTS);
}

/*
 * Whether so many more connections may be disconnected.  Where it is the setup that
 * has changed rather than the will of the owners - other credentials, another mode, a
 * list that is empty by mistake - everybody would be asked to connect again.
 */
bool
smartcar_sync_may_disconnect(const SmartcarSyncRun *run, int64 count)
{
	if (count == 0)
		return true;

	/* the usual few need no count of all */
	if (run->max_disconnects == SMARTCAR_DISCONNECTS_BY_SHARE &&
		run->disconnected + count <= FEW_DISCONNECTS)
		return true;
	return run->disconnected + count <= disconnect_limit(run);
}

void
smartcar_sync_refuse_disconnects(const SmartcarSyncRun *run, int64 count)
{
	int64		all = run->disconnected + count;

	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("Smartcar no longer lists " INT64_FORMAT " of " INT64_FORMAT " connections of server \"%s\"",
					all, run->disconnected + smartcar_connections_count(run->server),
					run->server->name),
			 errdetail("At most " INT64_FORMAT " may be marked as disconnected in one run. The others are left as they are.",
					   disconnect_limit(run)),
			 errhint("Check the credentials and the option \"mode\" of the server. If the owners have disconnected them, run CALL smartcar_sync(max_disconnects => " INT64_FORMAT ", server => %s).",
					 all, quote_literal_cstr(run->server->name))));
}

/*
 * Stores something in a subtransaction, so that a row that cannot be stored stops
 * nobody else.  Each attempt waits for a lock for a moment.  Returns whether it was
 * stored; if not, what went wrong is in *error.
 */
bool
smartcar_sync_store(void (*store) (void *argument), void *argument, int attempts,
					ErrorData **error)
{
	bool		is_stored = false;

	for (int i = 0; i < attempts && !is_stored; i++)
	{
		CHECK_FOR_INTERRUPTS();
		is_stored = smartcar_spi_try(store, argument, LOCK_TIMEOUT, error);
		if (!is_stored && (*error)->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(*error);
		if (!is_stored && !smartcar_error_is_transient(*error))
			break;
	}
	return is_stored;
}
