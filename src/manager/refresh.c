/*-------------------------------------------------------------------------
 *
 * refresh.c
 *	  The procedure that keeps tokens alive.
 *
 * Smartcar gives a new refresh token with every refresh, and the old one expires a
 * minute after its first use.  So a refresh must not be rolled back, nor made by
 * two sessions at once, and one whose response was lost has to be made again
 * within that minute:
 *
 * An account is claimed with a lease, and the claim is committed before the
 * request is sent.  No lock and no transaction is held while Smartcar works on it.
 * Each response is stored and committed as it comes, or kept until it can be
 * (refresh_result.c).  A lease expires (claim.c), so that another session, or this
 * one after a crash, tries again with the old token while that is still good.
 *
 * Only a definite refusal makes an account one whose owner has to connect
 * again, and only if nobody has stored another token since.
 *
 * src/manager/refresh.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "manager/claim.h"
#include "manager/forgotten_user.h"
#include "manager/job_run.h"
#include "manager/progress.h"
#include "manager/refresh_result.h"
#include "manager/seal.h"
#include "manager/session.h"
#include "manager/settle.h"
#include "manager/spi.h"
#include "manager/webhook_event.h"
#include "pg/datum.h"
#include "pg/fn_state.h"

PG_FUNCTION_INFO_V1(smartcar_refresh);

/*
 * In milliseconds.  A request gets less time than the lease of its account, and
 * two tries fit into the minute in which the old token is good.
 */
#define MAX_TIMEOUT			12000

/* How long a run stays for another attempt at what has failed or was locked. */
#define SOON				20000

/* The pause before what was locked is tried again. */
#define LOCKED_PAUSE		(200 * INT64CONST(1000))

/* How many accounts are claimed for each request that runs. */
#define CLAIM_FACTOR		2

typedef struct Refresh
{
	SmartcarCall call;			/* must be first */
	SmartcarKeyRing ring;
	SmartcarClaims claims;
	SmartcarRefreshResults results;
	SmartcarProgress progress;
	SmartcarJobRun job;
	const SmartcarFailure *setup_error; /* ours, not an account's */
	TimestampTz statement_end;	/* by statement_timeout; DT_NOEND: none */
	TimestampTz locked_since;	/* 0: something else was to do since */
} Refresh;

enum
{
	ACCESS_WITHIN, REFRESH_WITHIN, MAX_ACCOUNTS, SERVER
};

/*
 * Credentials that are not taken, and a server that is not to be trusted, are
 * nothing that another account would fix.
 */
static bool
is_our_fault(const SmartcarFailure *error)
{
	return error->api_error.status == 401 || error->sqlstate == SMARTCAR_SQLSTATE_TLS;
}

static void
record_setup_error(Refresh *refresh, const SmartcarFailure *error)
{
	MemoryContext old_context = MemoryContextSwitchTo(refresh->call.context);

	if (refresh->setup_error == NULL)
		refresh->setup_error = smartcar_failure_copy(error);
	MemoryContextSwitchTo(old_context);
}

/*
 * Takes a response, which is stored when all that has come by now was taken.
 */
static void
finish(SmartcarCall *call, SmartcarItem *item)
{
	Refresh    *refresh = (Refresh *) call;
	SmartcarRefreshResult *result = (SmartcarRefreshResult *) item->gathered;

	if (item->error == NULL)
		smartcar_result_add(&refresh->results, result);
	else if (!is_our_fault(item->error))
		smartcar_result_add_failure(&refresh->results, result, item->error);
	else
	{
		record_setup_error(refresh, item->error);
		smartcar_result_discard(result);
	}
}

/*
 * Called by the loop that waits for the network.
 */
static void
store_results(SmartcarRequestSource *source)
{
	smartcar_results_store(&((Refresh *) source)->results);
}

/*
 * Whether nothing more is to be claimed.  What has been sent is not dropped for
 * that.
 */
static bool
has_ended(const Refresh *refresh)
{
	const ErrorData *error = refresh->claims.error;

	return refresh->setup_error != NULL ||
		(error != NULL && !smartcar_error_is_transient(error)) ||
		refresh->statement_end <= GetCurrentTimestamp();
}

/*
 * Gives an item the next account.
 */
static bool
refill(SmartcarCall *call, SmartcarItem *item)
{
	Refresh    *refresh = (Refresh *) call;

	while (!has_ended(refresh))
	{
		bool		is_first;
		const SmartcarClaim *claim = smartcar_claims_next(&refresh->claims,
														  call->settings.timeout, &is_first);
		SmartcarRefreshResult *result;
		SmartcarSealedIdentity identity;
		MemoryContext old_context;
		char	   *token;
		int			sqlstate;

		if (claim == NULL)
			return false;

		/* smartcar_reseal_tokens() waits only for older claims */
		if (is_first)
			smartcar_key_ring_reread(&refresh->ring, call->server);
		refresh->locked_since = 0;

		result = smartcar_result_create(&refresh->results, claim);
		identity.server = call->server->name;
		identity.user_id = result->claim.user_id;
		identity.kind = "refresh";
		token = smartcar_try_unseal(&refresh->ring, claim->refresh_token, &identity, &sqlstate);
		if (token == NULL)
		{
			smartcar_result_add_unopened(&refresh->results, result, sqlstate);
			smartcar_results_store(&refresh->results);
			continue;
		}
		old_context = MemoryContextSwitchTo(result->context);
		smartcar_refresh_request(&result->request, smartcar_span_from_string(token));
		MemoryContextSwitchTo(old_context);
		result->request.context = result->context;
		explicit_bzero(token, strlen(token));
		item->gathered = result;
		item->arguments = &result->request;
		item->secret = result->request.secret;
		return true;
	}
	return false;
}

/*
 * Waits for a moment, and stores what can be stored by then.
 */
static void
wait_for_locks(Refresh *refresh)
{
	TimestampTz now = GetCurrentTimestamp();

	smartcar_spi_wait_until(now + LOCKED_PAUSE);
	smartcar_results_store(&refresh->results);

	/*
	 * a lock may stand for so long that what this run has refreshed is due
	 * again
	 */
	refresh->claims.due.began = Max(refresh->claims.due.began, now - USECS_PER_HOUR);
}

/*
 * Whether accounts that were locked, or all of them, are still waited for.
 */
static bool
wait_for_locked_claims(Refresh *refresh)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!smartcar_claims_any_locked(&refresh->claims) && refresh->claims.error == NULL)
		return false;
	if (refresh->locked_since == 0 || refresh->locked_since > now)
		refresh->locked_since = now;
	return now - refresh->locked_since <= SOON * INT64CONST(1000);
}

/*
 * When there is nothing to send, waits for what may come: results that are locked
 * for as long as it takes, because nobody can ask for them again; accounts that
 * were locked, and the next attempt at what has failed, if that is soon.  A refresh
 * whose response was lost has to be made again within the minute, and the next call
 * of the procedure may be later than that.  Returns whether to go on.
 */
static bool
wait_for_more(Refresh *refresh)
{
	TimestampTz due;

	if (smartcar_results_any_locked(&refresh->results) ||
		(!has_ended(refresh) && wait_for_locked_claims(refresh)))
	{
		wait_for_locks(refresh);
		return true;
	}
	if (has_ended(refresh))
		return false;
	due = smartcar_claims_next_attempt(&refresh->claims, SOON);
	if (due == DT_NOEND)
		return false;
	smartcar_spi_wait_until(Min(due, refresh->statement_end));
	return true;
}

/*
 * Refreshes what is due.  Whatever ends that, what has come by then is stored.
 */
static void
run(Refresh *refresh)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		do
		{
			smartcar_call_run(&refresh->call);
			smartcar_claims_release(&refresh->claims);
		} while (wait_for_more(refresh));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		smartcar_results_store_last(&refresh->results);
		ReThrowError(error);
	}
	PG_END_TRY();
	smartcar_results_store_last(&refresh->results);
	smartcar_results_give_up(&refresh->results);
	smartcar_claims_give_up_locked(&refresh->claims);
}

/*
 * statement_timeout ends the run, but not the requests that have been sent, nor
 * the wait for a lock on what has come.
 */
static TimestampTz
hold_statement_timeout(void)
{
	TimestampTz end = DT_NOEND;

	if (get_timeout_active(STATEMENT_TIMEOUT))
	{
		end = get_timeout_finish_time(STATEMENT_TIMEOUT);
		disable_timeout(STATEMENT_TIMEOUT, false);
	}
	return end;
}

static void
resume_statement_timeout(TimestampTz end)
{
	if (end <= GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling statement due to statement timeout")));
	if (end != DT_NOEND)
		enable_timeout_at(STATEMENT_TIMEOUT, end);
}

/*
 * Refreshes what is due, and raises what went wrong with all of it.
 */
static void
refresh_accounts(Refresh *refresh)
{
	SmartcarServer *server = refresh->call.server;
	int64		due;

	/* fail on missing configuration before anything is sent or claimed */
	smartcar_key_ring_read(&refresh->ring, server);
	smartcar_call_authorize(&refresh->call, SMARTCAR_AUTHORIZE_CLIENT);

	due = smartcar_due_accounts_count(&refresh->claims.due);
	smartcar_progress_begin(&refresh->progress, "smartcar_refresh()", "accounts", due);
	smartcar_spi_commit();
	if (due > 0)
		smartcar_job_run_insert(&refresh->job);
	refresh->statement_end = hold_statement_timeout();
	run(refresh);
	if (!has_ended(refresh))
		smartcar_settle_accounts(server, &refresh->ring);
	smartcar_key_ring_wipe(&refresh->ring);
	smartcar_progress_end(&refresh->progress);
	smartcar_sessions_delete_expired(server);
	smartcar_webhook_events_delete_expired(server);
	smartcar_forgotten_users_delete_expired(server);
	smartcar_spi_commit();
	if (refresh->setup_error != NULL)
		smartcar_failure_raise(refresh->setup_error);
	if (refresh->claims.error != NULL)	/* or the table was locked all the
										 * time */
		ReThrowError(refresh->claims.error);
	resume_statement_timeout(refresh->statement_end);
}

static SmartcarJobCounts
count_accounts(const Refresh *refresh)
{
	return (SmartcarJobCounts)
	{
		.done = refresh->results.refreshed,
			.failed = smartcar_claims_failed(&refresh->claims),
			.refused = refresh->results.refused,
			.disconnected = SMARTCAR_NO_COUNT
	};
}

static Datum
form_counts(FunctionCallInfo fcinfo, const SmartcarServer *server,
			const SmartcarJobCounts *counts)
{
	Datum		values[] = {
		Int64GetDatum(counts->done),
		Int64GetDatum(counts->failed),
		Int64GetDatum(counts->refused),
		Int64GetDatum(server->requests)
	};
	bool		nulls[lengthof(values)] = {false};

	return smartcar_form_single_row(fcinfo, lengthof(values), values, nulls);
}

Datum
smartcar_refresh(PG_FUNCTION_ARGS)
{
	MemoryContext result_context = CurrentMemoryContext;
	SmartcarServer *server;
	Refresh    *refresh;
	SmartcarCall *call;
	SmartcarJobCounts counts = {0};
	Datum		result;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_refresh()");
	server = smartcar_required_server(fcinfo, SERVER);
	server->requests = 0;
	if (smartcar_server_api_version(server) == SMARTCAR_API_V3)
	{
		smartcar_account_no_tokens_notice(server);
		MemoryContextSwitchTo(result_context);
		result = form_counts(fcinfo, server, &counts);
		smartcar_spi_end();
		PG_RETURN_DATUM(result);
	}

	refresh = palloc0(sizeof(Refresh));
	call = &refresh->call;
	smartcar_call_begin_refilled(call, server, &smartcar_token_operation, refill, finish);
	call->source.idle = store_results;
	call->settings.timeout = Min(call->settings.timeout, MAX_TIMEOUT);
	smartcar_claims_begin(&refresh->claims, server, call->item_count * CLAIM_FACTOR);
	if (!PG_ARGISNULL(ACCESS_WITHIN))
		refresh->claims.due.access_within = PG_GETARG_INTERVAL_P(ACCESS_WITHIN);
	if (!PG_ARGISNULL(REFRESH_WITHIN))
		refresh->claims.due.refresh_within = PG_GETARG_INTERVAL_P(REFRESH_WITHIN);
	if (!PG_ARGISNULL(MAX_ACCOUNTS))
		refresh->claims.max_accounts = Max(PG_GETARG_INT64(MAX_ACCOUNTS), 0);
	smartcar_results_begin(&refresh->results, server, &refresh->ring, &refresh->claims,
						   &refresh->progress);

	smartcar_job_run_begin(&refresh->job, server, "smartcar_refresh");
	PG_TRY();
	{
		refresh_accounts(refresh);
	}
	PG_CATCH();
	{
		counts = count_accounts(refresh);
		smartcar_job_run_fail(&refresh->job, &counts);
	}
	PG_END_TRY();
	counts = count_accounts(refresh);
	smartcar_job_run_end(&refresh->job, &counts);

	MemoryContextSwitchTo(result_context);
	result = form_counts(fcinfo, server, &counts);
	smartcar_spi_end();
	PG_RETURN_DATUM(result);
}
