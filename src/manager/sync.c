/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  The procedure that brings connections up to date.
 *
 * In version 2.0 of the API an owner's token opens his vehicles, so accounts
 * are asked about, many at a time.  Version 3 lists all connections of the
 * application, whose pages are asked for side by side; what only the signals of
 * a vehicle tell is asked afterwards.
 *
 * Either way nothing is held while Smartcar answers, and what has come is
 * committed before more is asked for.
 *
 * src/manager/sync.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "manager/account.h"
#include "manager/sync_list.h"
#include "manager/key_ring.h"
#include "manager/spi.h"
#include "manager/progress.h"
#include "manager/seal.h"
#include "manager/session.h"
#include "manager/subscribe.h"
#include "manager/sync_users.h"
#include "manager/usable_id.h"
#include "manager/webhook_event.h"
#include "pg/datum.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_sync);

/* How many users are asked about at a time, for each request that runs. */
#define USERS_PER_REQUEST	4

enum
{
	EXTERNAL_ID, USER_ID, DETAILS, SERVER
};

typedef struct Sync
{
	SmartcarServer *server;
	SmartcarUserFilter filter;
	SmartcarKeyRing ring;
	SmartcarProgress progress;
	char	   *last_user_id;	/* of the batch before; "" before the first */
	int64		synced;
	int64		failed;
	int64		disconnected;
} Sync;

static char *
argument_string(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

/*
 * Finds out whose tokens were stored before that was known.
 */
static bool
settle(Sync *sync, SmartcarUser *user)
{
	const SmartcarFailure *error =
		smartcar_account_settle(sync->server, &sync->ring, user->user_id,
								smartcar_span_from_string(user->access_token), false,
								&user->user_id);

	/* not to be held while Smartcar is asked about the vehicles */
	smartcar_spi_commit();
	if (error == NULL)
		return true;
	ereport(WARNING,
			(errcode(error->sqlstate),
			 errmsg("the user of account \"%s\" could not be found out: %s",
					user->user_id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0));
	sync->failed++;
	return false;
}

/*
 * Leaves out users who cannot be asked about.  Returns how many are left.
 */
static int
keep_usable(Sync *sync, SmartcarUser *users, bytea **tokens, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		SmartcarSpan id = smartcar_span_from_string(users[i].user_id);

		if (!smartcar_user_id_is_usable(id))
		{
			sync->failed++;
			ereport(WARNING,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("user \"%s\" is left out", smartcar_excerpt(id)),
					 errdetail("Its id cannot be a header.")));
			continue;
		}
		users[kept] = users[i];
		tokens[kept++] = tokens[i];
	}
	return kept;
}

/*
 * Opens the tokens of v2.0.  Users whose token has expired are left out; it is
 * smartcar_refresh() that gets a new one.  Returns how many are left.
 */
static int
open_tokens(Sync *sync, SmartcarUser *users, bytea **tokens, int count)
{
	int			kept = 0;
	int			sqlstate;

	for (int i = 0; i < count; i++)
	{
		SmartcarSealedIdentity identity = {sync->server->name, users[i].user_id, "access"};

		if (tokens[i] != NULL)
			users[i].access_token = smartcar_try_unseal(&sync->ring, tokens[i], &identity,
														&sqlstate);
		if (users[i].access_token == NULL)
		{
			sync->failed++;
			continue;
		}
		if (smartcar_account_is_provisional(users[i].user_id) && !settle(sync, &users[i]))
			continue;
		users[kept++] = users[i];
	}
	return kept;
}

/*
 * Goes through the accounts, a batch at a time.
 */
static void
sync_accounts(Sync *sync)
{
	int			limit = USERS_PER_REQUEST *
		smartcar_server_number(sync->server, SMARTCAR_OPTION_MAX_CONCURRENCY);
	bool		by_token = smartcar_server_api_version(sync->server) == SMARTCAR_API_V2;
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla users",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context;
	int			found;

	sync->last_user_id = pstrdup("");
	if (by_token)
		smartcar_key_ring_read(&sync->ring, sync->server);
	smartcar_progress_begin(&sync->progress, "smartcar_sync()", "users", smartcar_users_count(&sync->filter));
	do
	{
		SmartcarUser *users;
		bytea	  **tokens;
		int			count;
		int			failed;

		old_context = MemoryContextSwitchTo(batch);
		users = palloc(limit * sizeof(SmartcarUser));
		tokens = palloc(limit * sizeof(bytea *));
		found = count = smartcar_users_read(&sync->filter, sync->last_user_id, limit, users,
											tokens);
		smartcar_spi_commit();
		if (by_token)
			smartcar_key_ring_reread(&sync->ring, sync->server);
		if (found > 0)
		{
			pfree(sync->last_user_id);
			sync->last_user_id = MemoryContextStrdup(old_context, users[found - 1].user_id);
		}
		count = keep_usable(sync, users, tokens, count);
		if (by_token)
			count = open_tokens(sync, users, tokens, count);
		if (count > 0)
			smartcar_sync_users(sync->server, users, count);
		failed = smartcar_warn_of_users(users, count);
		for (int i = 0; i < count; i++)
			sync->disconnected += users[i].disconnected;
		sync->synced += count - failed;
		sync->failed += failed;
		smartcar_spi_commit();
		smartcar_progress_add(&sync->progress, found);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(batch);
	} while (found == limit);
	smartcar_key_ring_wipe(&sync->ring);
	MemoryContextDelete(batch);
}

static Datum
form_counts(FunctionCallInfo fcinfo, const Sync *sync)
{
	Datum		values[] = {
		Int64GetDatum(sync->synced),
		Int64GetDatum(sync->failed),
		Int64GetDatum(sync->disconnected),
		Int64GetDatum(sync->server->requests)
	};
	bool		nulls[lengthof(values)] = {false};

	return smartcar_form_single_row(fcinfo, lengthof(values), values, nulls);
}

Datum
smartcar_sync(PG_FUNCTION_ARGS)
{
	MemoryContext result_context = CurrentMemoryContext;
	bool		for_all = PG_ARGISNULL(EXTERNAL_ID) && PG_ARGISNULL(USER_ID);
	Sync		sync = {0};
	Datum		result;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_sync()");
	sync.server = smartcar_required_server(fcinfo, SERVER);
	sync.server->requests = 0;
	sync.filter = (SmartcarUserFilter)
	{
		sync.server, argument_string(fcinfo, EXTERNAL_ID),
			argument_string(fcinfo, USER_ID)
	};

	if (for_all && smartcar_server_api_version(sync.server) == SMARTCAR_API_V3)
	{
		smartcar_progress_begin(&sync.progress, "smartcar_sync()", "connections", 0);
		sync.synced = smartcar_sync_connections(sync.server, &sync.progress,
												!PG_ARGISNULL(DETAILS) && PG_GETARG_BOOL(DETAILS),
												&sync.failed, &sync.disconnected);
	}
	else
		sync_accounts(&sync);
	smartcar_subscribe_vehicles(sync.server, &sync.filter, false);
	if (for_all)
	{
		smartcar_sessions_delete_expired(sync.server);
		smartcar_webhook_events_delete_expired(sync.server);
		smartcar_spi_commit();
	}
	smartcar_progress_end(&sync.progress);

	MemoryContextSwitchTo(result_context);
	result = form_counts(fcinfo, &sync);
	smartcar_spi_end();
	PG_RETURN_DATUM(result);
}
