/*-------------------------------------------------------------------------
 *
 * sync_run.c
 *	  A run of a synchronization: its limits and counts.
 *
 * Smartcar limits and bills requests.  So a run stops after max_requests, and when the
 * application's rate limit is reached.
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

/* How long an attempt to store something waits for a lock, in milliseconds. */
#define LOCK_TIMEOUT	200

/*
 * Without max_disconnects, a run may disconnect this many connections, or one in ten,
 * whichever is more.
 */
#define FEW_DISCONNECTS		5
#define DISCONNECTS_SHARE	10

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
 * Whether a call may make another request besides those that are under way.  If not, the
 * run stops.
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
 * Whether an error is the application's rate limit, which stops the run.  The rate limit
 * of one vehicle does not apply to the others.
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
 * Whether an error means that a vehicle could not be synchronized.  An error that its
 * owner can fix, or that needs no action, is the state of the vehicle, and is stored.
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

static int64
disconnect_limit(const SmartcarSyncRun *run)
{
	if (run->max_disconnects != SMARTCAR_DISCONNECTS_BY_SHARE)
		return run->max_disconnects;
	return Max((run->disconnected + smartcar_connections_count(run->server)) / DISCONNECTS_SHARE,
			   FEW_DISCONNECTS);
}

/*
 * Whether a run may disconnect this many more connections.  If many are missing, the
 * owners have probably not disconnected them: the server may have other credentials or
 * another mode now, or Smartcar's list may be incomplete.  All these owners would be
 * asked to connect again.
 */
bool
smartcar_sync_may_disconnect(const SmartcarSyncRun *run, int64 count)
{
	if (count == 0)
		return true;

	/* by default a few are allowed, however many connections there are */
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
 * Stores something in a subtransaction, so that a row that cannot be stored does not
 * stop the run.  Only a transient error leads to another attempt.  Returns whether it
 * succeeded; if not, *error says why.
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
