/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  The procedure smartcar_sync(), which brings connections up to date.
 *
 * Version 3 of the API lists all connections of the application, and several pages are
 * requested at a time.  The details of a vehicle are requested afterwards, from its
 * signals.  In version 2.0, vehicles are listed with the access token of a user, so a
 * run goes through the accounts, many at a time.
 *
 * No lock is held during a request, and results are committed as they arrive.
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
#include "manager/expired.h"
#include "manager/job_run.h"
#include "manager/key_ring.h"
#include "manager/progress.h"
#include "manager/seal.h"
#include "manager/settle.h"
#include "manager/spi.h"
#include "manager/subscribe.h"
#include "manager/sync_list.h"
#include "manager/sync_round.h"
#include "manager/sync_users.h"
#include "manager/usable_id.h"
#include "manager/user_outcome.h"
#include "pg/check.h"
#include "pg/datum.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_sync);

enum
{
	EXTERNAL_ID, USER_ID, DETAILS, MAX_REQUESTS, MAX_DISCONNECTS, SERVER
};

typedef struct Sync
{
	SmartcarSyncRun run;
	SmartcarUserFilter filter;
	SmartcarKeyRing ring;
	char	   *last_user_id;	/* of the previous batch; "": none */
} Sync;

static char *
argument_string(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

/*
 * Finds out the user of a provisional account.  Returns false if that fails.
 */
static bool
settle(Sync *sync, SmartcarUser *user)
{
	const SmartcarFailure *error =
		smartcar_account_settle(sync->run.server, &sync->ring, user->user_id,
								smartcar_span_from_string(user->access_token), false,
								&user->user_id);

	/* no lock may be held during the next requests */
	smartcar_spi_commit();
	if (error == NULL)
		return true;
	ereport(WARNING,
			(errcode(error->sqlstate),
			 errmsg("could not get the user id of account \"%s\": %s",
					user->user_id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0));
	sync->run.failed++;
	return false;
}

/*
 * Removes users whose ids no request can contain.  Returns how many are left.
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
			sync->run.failed++;
			ereport(WARNING,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("skipping user \"%s\"", smartcar_excerpt(id)),
					 errdetail("Its id is not a valid header value.")));
			continue;
		}
		users[kept] = users[i];
		tokens[kept++] = tokens[i];
	}
	return kept;
}

/*
 * Unseals the access tokens (v2.0), and removes users without a valid one, because only
 * smartcar_refresh() gets new tokens.  Returns how many users are left.
 */
static int
unseal_tokens(Sync *sync, SmartcarUser *users, bytea **tokens, int count)
{
	int			kept = 0;
	int			sqlstate;

	for (int i = 0; i < count; i++)
	{
		SmartcarSealedIdentity identity = {sync->run.server->name, users[i].user_id, "access"};

		if (tokens[i] != NULL)
			users[i].access_token = smartcar_try_unseal(&sync->ring, tokens[i], &identity,
														&sqlstate);
		if (users[i].access_token == NULL)
		{
			sync->run.failed++;
			continue;
		}
		if (smartcar_account_is_provisional(users[i].user_id) && !settle(sync, &users[i]))
			continue;
		users[kept++] = users[i];
	}
	return kept;
}

/*
 * Returns the account after which the next run continues: the last one before the first
 * deferred user.
 */
static const char *
last_finished_account(const Sync *sync, const SmartcarUser *users, int count)
{
	const char *last = sync->last_user_id;

	for (int i = 0; i < count && !users[i].is_deferred; i++)
		last = users[i].account_id;
	return last;
}

/*
 * Synchronizes a batch of users.  Returns how many are deferred to the next run.
 */
static int
sync_batch(Sync *sync, SmartcarUser *users, int count)
{
	int			failed;
	int			deferred = 0;

	if (count > 0)
		smartcar_sync_users(&sync->run, users, count);
	failed = smartcar_warn_of_users(users, count);
	for (int i = 0; i < count; i++)
		deferred += users[i].is_deferred;
	sync->run.synced += count - failed - deferred;
	sync->run.failed += failed;
	return deferred;
}

/*
 * Synchronizes the users that the filter selects, a batch at a time.
 */
static void
sync_selected_users(Sync *sync)
{
	SmartcarServer *server = sync->run.server;
	int			limit = SMARTCAR_USERS_PER_REQUEST *
		smartcar_server_number(server, SMARTCAR_OPTION_MAX_CONCURRENCY);
	bool		by_token = smartcar_server_api_version(server) == SMARTCAR_API_V2;
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla users",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context;
	int			found;

	if (by_token)
	{
		/* without accounts, no request would show that api_version is wrong */
		smartcar_server_check_credentials(server);
		smartcar_key_ring_read(&sync->ring, server);
	}
	smartcar_progress_begin(&sync->run.progress, "smartcar_sync()", "users",
							smartcar_users_count(&sync->filter));
	do
	{
		SmartcarUser *users;
		bytea	  **tokens;
		int			count;
		int			deferred;
		const char *last;

		old_context = MemoryContextSwitchTo(batch);
		users = palloc(limit * sizeof(SmartcarUser));
		tokens = palloc(limit * sizeof(bytea *));
		found = count = smartcar_users_read(&sync->filter, sync->last_user_id, limit, users,
											tokens);
		smartcar_spi_commit();
		if (by_token)
			smartcar_key_ring_reread(&sync->ring, server);
		last = found > 0 ? users[found - 1].user_id : sync->last_user_id;
		count = keep_usable(sync, users, tokens, count);
		if (by_token)
			count = unseal_tokens(sync, users, tokens, count);
		deferred = sync_batch(sync, users, count);
		if (sync->run.is_stopped)
			last = last_finished_account(sync, users, count);
		smartcar_spi_commit();
		smartcar_progress_add(&sync->run.progress, found - deferred);
		sync->last_user_id = MemoryContextStrdup(old_context, last);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(batch);
	} while (found == limit && !sync->run.is_stopped);
	smartcar_key_ring_wipe(&sync->ring);
	MemoryContextDelete(batch);
}

/*
 * Version 2.0: synchronizes all accounts, beginning where the previous run stopped.
 */
static void
sync_all_accounts(Sync *sync)
{
	const SmartcarServer *server = sync->run.server;
	SmartcarSyncRound round;

	smartcar_sync_round_read(server, &round);
	if (round.last_user_id != NULL)
		sync->last_user_id = pstrdup(round.last_user_id);
	else
		round.list_began_at = GetCurrentTimestamp();
	sync_selected_users(sync);
	round.last_user_id = sync->run.is_stopped && sync->last_user_id[0] != '\0' ?
		sync->last_user_id : NULL;
	smartcar_sync_round_store(server, &round);
	smartcar_spi_commit();
}

static void
report_stop(const SmartcarSyncRun *run)
{
	if (!run->is_stopped)
		return;
	if (run->is_rate_limited)
		ereport(WARNING,
				(errcode(run->limit_sqlstate),
				 errmsg("synchronization stopped after " INT64_FORMAT " requests because of Smartcar's rate limit",
						run->server->requests),
				 errhint("The next smartcar_sync() continues from here.")));
	else
		ereport(NOTICE,
				(errmsg("synchronization stopped after " INT64_FORMAT " requests because of max_requests",
						run->server->requests),
				 errhint("The next smartcar_sync() continues from here.")));
}

static Datum
form_counts(FunctionCallInfo fcinfo, const SmartcarSyncRun *run)
{
	Datum		values[] = {
		Int64GetDatum(run->synced),
		Int64GetDatum(run->failed),
		Int64GetDatum(run->disconnected),
		Int64GetDatum(run->server->requests)
	};
	bool		nulls[lengthof(values)] = {false};

	return smartcar_form_single_row(fcinfo, lengthof(values), values, nulls);
}

/*
 * Synchronizes all connections of the server, and deletes expired rows.
 */
static void
sync_all(Sync *sync, bool with_details)
{
	SmartcarServer *server = sync->run.server;

	if (smartcar_server_api_version(server) == SMARTCAR_API_V2)
		sync_all_accounts(sync);
	else
	{
		smartcar_progress_begin(&sync->run.progress, "smartcar_sync()", "connections", 0);
		smartcar_sync_connections(&sync->run, with_details);
	}
	smartcar_expired_rows_delete(server);
}

static SmartcarJobCounts
count_connections(const SmartcarSyncRun *run)
{
	return (SmartcarJobCounts) {run->synced, run->failed, SMARTCAR_NO_COUNT, run->disconnected};
}

/*
 * Calls sync_all(), and records this run in smartcar_tesla.job_run.
 */
static void
run_job(Sync *sync, bool with_details)
{
	const SmartcarSyncRun *run = &sync->run;
	SmartcarJobRun *job = palloc(sizeof(SmartcarJobRun));
	SmartcarJobCounts counts;

	smartcar_job_run_begin(job, run->server, "smartcar_sync");
	PG_TRY();
	{
		smartcar_job_run_insert(job);
		sync_all(sync, with_details);
	}
	PG_CATCH();
	{
		counts = count_connections(run);
		smartcar_job_run_fail(job, &counts);
	}
	PG_END_TRY();
	if (run->is_rate_limited)
		smartcar_job_run_stop(job, run->limit_sqlstate,
							  "Smartcar's rate limit was reached");
	counts = count_connections(run);
	smartcar_job_run_end(job, &counts);
}

Datum
smartcar_sync(PG_FUNCTION_ARGS)
{
	MemoryContext result_context = CurrentMemoryContext;
	SmartcarServer *server;
	Sync		sync = {.last_user_id = ""};
	SmartcarSyncRun *run = &sync.run;
	Datum		result;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_sync()");
	server = smartcar_required_server(fcinfo, SERVER);
	server->requests = 0;
	smartcar_sync_run_begin(run, server);
	run->max_requests = smartcar_limit_argument(fcinfo, MAX_REQUESTS, "max_requests",
												PG_INT64_MAX);
	if (smartcar_server_api_version(server) == SMARTCAR_API_V2 && run->max_requests > 0 &&
		run->max_requests < SMARTCAR_REQUESTS_PER_USER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_requests must be at least %d for api_version \"2.0\"",
						SMARTCAR_REQUESTS_PER_USER),
				 errdetail("A user with one vehicle needs that many requests.")));
	run->max_disconnects = smartcar_limit_argument(fcinfo, MAX_DISCONNECTS, "max_disconnects",
												   SMARTCAR_DISCONNECTS_BY_SHARE);
	sync.filter.server = server;
	sync.filter.external_id = argument_string(fcinfo, EXTERNAL_ID);
	sync.filter.user_id = argument_string(fcinfo, USER_ID);

	if (PG_ARGISNULL(EXTERNAL_ID) && PG_ARGISNULL(USER_ID))
		run_job(&sync, !PG_ARGISNULL(DETAILS) && PG_GETARG_BOOL(DETAILS));
	else
	{
		sync_selected_users(&sync);
		smartcar_subscribe_vehicles(run, &sync.filter, false);
	}
	smartcar_progress_end(&run->progress);
	report_stop(run);

	MemoryContextSwitchTo(result_context);
	result = form_counts(fcinfo, run);
	smartcar_spi_end();
	PG_RETURN_DATUM(result);
}
