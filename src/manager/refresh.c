/*-------------------------------------------------------------------------
 *
 * refresh.c
 *	  The procedure that keeps tokens alive.
 *
 * Smartcar returns a new refresh token with every refresh, and the old one expires a
 * minute after its first use.  So a refresh must not be rolled back, two sessions must
 * not refresh an account at once, and a refresh whose response was lost must be sent
 * again within that minute:
 *
 * An account is claimed with a lease, and the claim is committed before the request is
 * sent.  The session holds no lock and no transaction while it waits for Smartcar.
 * Each response is stored and committed when it arrives, or kept until it can be
 * (refresh_result.c).  A lease expires (claim.c), so that another session, or this one
 * after a crash, sends the old token again while it is still valid.
 *
 * The owner has to connect again only after a definite refusal, and only if no other
 * token was stored since.
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
#include "manager/expired.h"
#include "manager/job_run.h"
#include "manager/progress.h"
#include "manager/refresh_result.h"
#include "manager/seal.h"
#include "manager/settle.h"
#include "manager/spi.h"
#include "pg/check.h"
#include "pg/datum.h"
#include "pg/fn_state.h"

PG_FUNCTION_INFO_V1(smartcar_refresh);

/*
 * In milliseconds.  A request must end before the lease of its account expires, and two
 * attempts must fit into the minute for which the old token is valid.
 */
#define MAX_TIMEOUT			12000

/*
 * How long a run waits to try again accounts that have failed or were locked, in
 * milliseconds.
 */
#define MAX_WAIT			20000

/* The pause before locked rows are tried again, in milliseconds. */
#define LOCKED_PAUSE		200

/* How many accounts are claimed for each concurrent request. */
#define CLAIM_FACTOR		2

typedef struct Refresh
{
	SmartcarCall call;			/* must be first */
	SmartcarKeyRing ring;
	SmartcarClaims claims;
	SmartcarRefreshResults results;
	SmartcarProgress progress;
	SmartcarJobRun job;
	const SmartcarFailure *setup_error; /* concerns all accounts */
	TimestampTz statement_end;	/* by statement_timeout; DT_NOEND: never */
	TimestampTz locked_since;	/* when the run began to wait for locks; 0: it
								 * does not wait */
} Refresh;

enum
{
	ACCESS_WITHIN, REFRESH_WITHIN, MAX_ACCOUNTS, SERVER
};

/*
 * Refused credentials and an untrusted certificate would fail every account.
 */
static bool
is_setup_error(const SmartcarFailure *error)
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
 * Adds a response to the results.  They are stored when all responses that have arrived
 * are added.
 */
static void
finish_item(SmartcarCall *call, SmartcarItem *item)
{
	Refresh    *refresh = (Refresh *) call;
	SmartcarRefreshResult *result = (SmartcarRefreshResult *) item->operation_state;

	if (item->error == NULL)
		smartcar_result_add(&refresh->results, result);
	else if (!is_setup_error(item->error))
		smartcar_result_add_failure(&refresh->results, result, item->error);
	else
	{
		record_setup_error(refresh, item->error);
		smartcar_result_discard(result);
	}
}

/*
 * Whether the run must claim no more accounts.  It still waits for the requests that it
 * has sent.
 */
static bool
must_stop(const Refresh *refresh)
{
	const ErrorData *error = refresh->claims.error;

	return refresh->setup_error != NULL ||
		(error != NULL && !smartcar_error_is_transient(error)) ||
		refresh->statement_end <= GetCurrentTimestamp();
}

/*
 * Called by the loop of src/http, at least every 100 ms, while requests are on their
 * way.
 */
static void
store_results(SmartcarRequestSource *source)
{
	Refresh    *refresh = (Refresh *) source;

	smartcar_results_store(&refresh->results);

	/* a session that is about to end would leave its claims */
	if (!InterruptPending && !must_stop(refresh))
		smartcar_claims_fill_ahead(&refresh->claims);
}

/*
 * Gives an item the next account.
 */
static bool
refill(SmartcarCall *call, SmartcarItem *item)
{
	Refresh    *refresh = (Refresh *) call;

	while (!must_stop(refresh))
	{
		bool		is_first;
		const SmartcarClaim *claim;
		SmartcarRefreshResult *result;
		SmartcarSealedIdentity identity;
		MemoryContext old_context;
		char	   *token;
		ErrorData  *error;

		/* the session may end while it claims, or while it gives back a claim */
		if (!smartcar_claims_any_ready(&refresh->claims, call->settings.timeout))
		{
			smartcar_results_store(&refresh->results);
			CHECK_FOR_INTERRUPTS();
		}
		claim = smartcar_claims_next(&refresh->claims, call->settings.timeout, &is_first);
		if (claim == NULL)
			return false;

		/*
		 * smartcar_reseal_tokens() waits only for earlier claims.  Read the
		 * keys again for each batch, so that later claims use the new key.
		 */
		if (is_first)
			smartcar_key_ring_reread(&refresh->ring, call->server);
		refresh->locked_since = 0;

		result = smartcar_result_create(&refresh->results, claim);
		identity.server = call->server->name;
		identity.user_id = result->claim.user_id;
		identity.kind = "refresh";
		token = smartcar_unseal_or_error(&refresh->ring, claim->refresh_token, &identity, &error);
		if (token == NULL)
		{
			ErrorData  *cancel;

			smartcar_result_add_unseal_failure(&refresh->results, result, error->sqlerrcode);

			/* the session may end at the WARNING */
			cancel = smartcar_results_store_last(&refresh->results);
			smartcar_warn_of_sealed(error);
			FreeErrorData(error);
			if (cancel != NULL)
				ReThrowError(cancel);
			continue;
		}
		old_context = MemoryContextSwitchTo(result->context);
		smartcar_refresh_request(&result->request, smartcar_span_from_string(token));
		MemoryContextSwitchTo(old_context);
		result->request.context = result->context;
		explicit_bzero(token, strlen(token));
		item->operation_state = result;
		item->arguments = &result->request;
		item->secret = result->request.secret;
		return true;
	}
	return false;
}

/*
 * Waits for a moment, and stores the results whose rows are no longer locked.
 */
static void
wait_for_locks(Refresh *refresh)
{
	TimestampTz now = GetCurrentTimestamp();

	smartcar_spi_wait_until(now + LOCKED_PAUSE * INT64CONST(1000));
	smartcar_results_store(&refresh->results);

	/*
	 * A run refreshes an account once, but a lock may last until the new
	 * tokens are due.  An hour is half of the life of an access token.
	 */
	refresh->claims.due.began = Max(refresh->claims.due.began, now - USECS_PER_HOUR);
}

/*
 * Whether the run still waits for accounts that were locked, or for the table.
 */
static bool
wait_for_locked_claims(Refresh *refresh)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!smartcar_claims_any_locked(&refresh->claims) && refresh->claims.error == NULL)
		return false;
	if (refresh->locked_since == 0 || refresh->locked_since > now)
		refresh->locked_since = now;
	return now - refresh->locked_since <= MAX_WAIT * INT64CONST(1000);
}

/*
 * Called when there is nothing to send.  Waits for results whose rows are locked, until
 * a cancel, because Smartcar does not return these tokens again.  Waits up to
 * MAX_WAIT for locked accounts, and for the next attempt at a failed account: a refresh
 * whose response was lost must be sent again within a minute, and the next CALL may be
 * later.  Returns whether to go on.
 */
static bool
wait_for_more(Refresh *refresh)
{
	const ErrorData *error = refresh->claims.error;
	TimestampTz next_attempt;

	/* a cancel does not wait for locks */
	if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return false;
	if (smartcar_results_any_locked(&refresh->results) ||
		(!must_stop(refresh) && wait_for_locked_claims(refresh)))
	{
		wait_for_locks(refresh);
		return true;
	}
	if (must_stop(refresh))
		return false;
	next_attempt = smartcar_claims_next_attempt(&refresh->claims, MAX_WAIT);
	if (next_attempt == DT_NOEND)
		return false;
	smartcar_spi_wait_until(Min(next_attempt, refresh->statement_end));
	return true;
}

/*
 * Refreshes the accounts that are due.  If an error ends the run, the responses that
 * have arrived are stored.
 */
static void
run(Refresh *refresh)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *cancel;

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
		(void) smartcar_results_store_last(&refresh->results);
		ReThrowError(error);
	}
	PG_END_TRY();
	cancel = smartcar_results_store_last(&refresh->results);
	smartcar_results_give_up(&refresh->results);
	smartcar_claims_give_up_locked(&refresh->claims);
	if (cancel != NULL)
		ReThrowError(cancel);
}

/*
 * statement_timeout ends the run, but not the requests that were sent, nor the wait for
 * locks to store their results.
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
 * Refreshes the accounts that are due, and raises an error that concerned all of them.
 */
static void
refresh_accounts(Refresh *refresh)
{
	SmartcarServer *server = refresh->call.server;
	int64		due_count;

	/* fail on missing configuration before anything is sent or claimed */
	smartcar_key_ring_read(&refresh->ring, server);
	smartcar_call_authorize(&refresh->call, SMARTCAR_AUTHORIZE_CLIENT);

	due_count = smartcar_due_accounts_count(&refresh->claims.due);
	smartcar_progress_begin(&refresh->progress, "smartcar_refresh()", "accounts", due_count);
	smartcar_spi_commit();
	if (due_count > 0)
		smartcar_job_run_insert(&refresh->job);
	refresh->statement_end = hold_statement_timeout();
	run(refresh);
	smartcar_progress_end(&refresh->progress);
	if (refresh->setup_error == NULL)
	{
		/* for instance a lock on the table */
		if (refresh->claims.error != NULL)
			ReThrowError(refresh->claims.error);
		resume_statement_timeout(refresh->statement_end);
		smartcar_settle_accounts(server, &refresh->ring);
	}
	smartcar_key_ring_wipe(&refresh->ring);
	smartcar_expired_rows_delete(server);
	if (refresh->setup_error != NULL)
		smartcar_failure_raise(refresh->setup_error);
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
	int64		max_accounts;
	Datum		result;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_refresh()");
	server = smartcar_required_server(fcinfo, SERVER);
	server->requests = 0;
	max_accounts = smartcar_limit_argument(fcinfo, MAX_ACCOUNTS, "max_accounts", PG_INT64_MAX);
	if (smartcar_server_api_version(server) == SMARTCAR_API_V3)
	{
		smartcar_account_report_no_tokens(server);
		MemoryContextSwitchTo(result_context);
		result = form_counts(fcinfo, server, &counts);
		smartcar_spi_end();
		PG_RETURN_DATUM(result);
	}

	refresh = palloc0(sizeof(Refresh));
	call = &refresh->call;
	smartcar_call_begin_refilled(call, server, &smartcar_token_operation, refill, finish_item);
	call->source.after_responses = store_results;
	call->settings.timeout = Min(call->settings.timeout, MAX_TIMEOUT);
	smartcar_claims_begin(&refresh->claims, server, call->item_count * CLAIM_FACTOR);
	if (!PG_ARGISNULL(ACCESS_WITHIN))
		refresh->claims.due.access_within = PG_GETARG_INTERVAL_P(ACCESS_WITHIN);
	if (!PG_ARGISNULL(REFRESH_WITHIN))
		refresh->claims.due.refresh_within = PG_GETARG_INTERVAL_P(REFRESH_WITHIN);
	refresh->claims.max_accounts = max_accounts;
	smartcar_results_begin(&refresh->results, server, &refresh->ring, &refresh->claims,
						   &refresh->progress);

	smartcar_job_run_begin(&refresh->job, server, "smartcar_refresh");
	PG_TRY();
	{
		refresh_accounts(refresh);
	}
	PG_CATCH();
	{
		smartcar_key_ring_wipe(&refresh->ring);
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
