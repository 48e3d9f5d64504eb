/*-------------------------------------------------------------------------
 *
 * refresh.c
 *	  The procedure that keeps tokens alive.
 *
 * Smartcar gives a new refresh token with every refresh, and the old one ends a
 * minute after its first use.  So a refresh must not be rolled back, nor made
 * by two sessions at once, and what was lost has to be asked for again within
 * that minute:
 *
 * An account is claimed with a lease, and the claim is committed before the
 * request is made.  No lock and no transaction is held while Smartcar answers.
 * Each answer is stored and committed as it comes.  A lease ends by itself
 * (claim.c), so that another session, or the same after a crash, tries again
 * with the old token while that is still good.
 *
 * Only a definite refusal makes an account one whose owner has to connect
 * again, and only if nobody has stored another token since.
 *
 * src/manager/refresh.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "call/request.h"
#include "manager/account.h"
#include "manager/claim.h"
#include "manager/connection.h"
#include "manager/spi.h"
#include "manager/progress.h"
#include "manager/seal.h"
#include "manager/session.h"
#include "manager/user_set.h"
#include "manager/webhook_event.h"
#include "pg/compat.h"
#include "pg/datum.h"
#include "pg/fn_state.h"

PG_FUNCTION_INFO_V1(smartcar_refresh);

/*
 * Both in milliseconds.  A request gets less time than the lease of its account,
 * and two tries fit into the minute in which the old token is good.
 */
#define MAX_TIMEOUT			12000
#define MAX_DELAY			(15 * 60 * 1000)

/* How long a run stays for another attempt at what it has failed. */
#define SOON				20000

/* How many accounts are claimed for each request that runs. */
#define CLAIM_FACTOR		2

typedef struct Refresh
{
	SmartcarCall call;			/* must be first */
	SmartcarKeyRing ring;
	SmartcarClaims claims;
	SmartcarProgress progress;
	int64		refreshed;
	HTAB	   *failed;			/* the accounts that have failed in the end */
	int64		refused;
	const SmartcarFailure *setup_error; /* ours, not an account's */
} Refresh;

/* An account whose request is on its way. */
typedef struct Refreshing
{
	SmartcarClaim claim;
	SmartcarTokenRequest request;
} Refreshing;

enum
{
	ACCESS_WITHIN, REFRESH_WITHIN, MAX_ACCOUNTS, SERVER
};

/*
 * The pause after so many attempts, in milliseconds, spread over half of
 * itself.  The first ones are close together: Smartcar may have done what it
 * was asked, and then the old token is good for a minute.
 */
static int
delay_after(int attempts, int64 retry_after)
{
	static const int first[] = {3000, 5000, 8000, 10000, 10000, 10000};
	double		delay = first[Min(attempts, lengthof(first)) - 1];

	for (int i = lengthof(first); i < attempts && delay < MAX_DELAY; i++)
		delay *= 2;
	if (retry_after != SMARTCAR_NO_RETRY_AFTER)
		delay = Max(delay, (double) retry_after * 1000);
	delay *= 1 + 0.5 * pg_prng_double(&pg_global_prng_state);
	return (int) Min(delay, MAX_DELAY);
}

/*
 * An account may fail and then succeed, or the other way round, so that what
 * has failed in the end is kept by name.
 */
static void
note_failure(Refresh *refresh, const SmartcarClaim *claim, bool has_failed)
{
	smartcar_user_set_note(refresh->failed, claim->user_id, has_failed);
}

/*
 * Notes that a refresh did not succeed.  One that was definitely refused ends
 * the account, unless it has another token by now, which ends the lease.
 * Returns whether it was still ours.
 */
static bool
store_failure(Refresh *refresh, const SmartcarClaim *claim, const char *sqlstate,
			  const char *description, bool is_refused, int64 retry_after)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, refresh->call.server->name);
	smartcar_parameter_string(&parameters, claim->user_id);
	smartcar_parameter(&parameters, UUIDOID, refresh->claims.lease, false);
	smartcar_parameter_string(&parameters, is_refused ? "reauthenticate" : "active");
	smartcar_parameter_string(&parameters, sqlstate);
	smartcar_parameter_string(&parameters, description);
	smartcar_parameter(&parameters, INT4OID,
					   Int32GetDatum(delay_after(claim->attempts + 1, retry_after)), false);
	if (smartcar_spi_run("UPDATE smartcar_tesla.account SET status = $4, lease = NULL, leased_until = NULL, attempts = attempts + 1, "
						 "next_attempt_at = @now + $7 * interval '1 ms', "
						 "error_sqlstate = $5, error_description = $6, error_at = @now, updated_at = @now "
						 "WHERE server = $1 AND user_id = $2 AND lease = $3",
						 &parameters) == 0)
		return false;
	smartcar_claims_done(&refresh->claims, claim);
	if (is_refused)
		refresh->refused++;
	note_failure(refresh, claim, !is_refused);
	return true;
}

/*
 * Whether Smartcar has said that this token is no good, and not that it, or we,
 * or something in between is in trouble.  Errors of other names for which an
 * owner has to connect again are those of callbacks.
 */
static bool
is_definite(const SmartcarFailure *error)
{
	return error->api_error.status == 400 && error->api_error.action == SMARTCAR_ACTION_CONNECT &&
		(smartcar_span_equal(error->api_error.type, SMARTCAR_SPAN("invalid_grant")) ||
		 smartcar_span_equal(error->api_error.type, SMARTCAR_SPAN("invalid_request")));
}

/*
 * Credentials that are not taken, and a server that is not to be trusted, are
 * nothing that another account would mend.
 */
static bool
is_our_fault(const SmartcarFailure *error)
{
	return error->api_error.status == 401 || error->sqlstate == SMARTCAR_SQLSTATE_TLS;
}

static void
note_setup_error(Refresh *refresh, const SmartcarFailure *error)
{
	MemoryContext old_context = MemoryContextSwitchTo(refresh->call.context);

	if (refresh->setup_error == NULL)
		refresh->setup_error = smartcar_failure_copy(error);
	MemoryContextSwitchTo(old_context);
}

static void
finish(SmartcarCall *call, SmartcarItem *item)
{
	Refresh    *refresh = (Refresh *) call;
	Refreshing *refreshing = (Refreshing *) item->gathered;
	const SmartcarClaim *claim = &refreshing->claim;
	const SmartcarFailure *error = item->error;

	if (error == NULL)
	{
		if (smartcar_account_renew(call->server, &refresh->ring, claim->user_id,
								   refresh->claims.lease, claim->refresh_token,
								   &refreshing->request))
			refresh->refreshed++;
		smartcar_claims_done(&refresh->claims, claim);
		note_failure(refresh, claim, false);
	}
	else if (is_our_fault(error))
		note_setup_error(refresh, error);
	else if (store_failure(refresh, claim, unpack_sql_state(error->sqlstate),
						   error->api_error.description.data ?
						   pnstrdup(error->api_error.description.data,
									error->api_error.description.length) :
						   error->message,
						   is_definite(error), error->api_error.retry_after) &&
			 is_definite(error))
		smartcar_connections_record_refusal(call->server, claim->user_id, &error->api_error);
	smartcar_spi_commit();
	smartcar_progress_add(&refresh->progress, 1);
}

/*
 * Opens the token of a claim.  One that cannot be opened stays as it is, and
 * the others go on.
 */
static char *
open_token(Refresh *refresh, const SmartcarClaim *claim)
{
	SmartcarSealedIdentity identity = {refresh->call.server->name, claim->user_id, "refresh"};
	int			sqlstate;
	char	   *token = smartcar_try_unseal(&refresh->ring, claim->refresh_token, &identity,
											&sqlstate);

	if (token != NULL)
		return token;
	store_failure(refresh, claim, unpack_sql_state(sqlstate),
				  "the stored refresh token cannot be opened", false, SMARTCAR_NO_RETRY_AFTER);
	smartcar_spi_commit();
	smartcar_progress_add(&refresh->progress, 1);
	return NULL;
}

/*
 * Gives an item the next account.  A claim whose lease would end before its
 * request is left alone; it will be claimed again.
 */
static bool
refill(SmartcarCall *call, SmartcarItem *item)
{
	Refresh    *refresh = (Refresh *) call;

	for (;;)
	{
		const SmartcarClaim *claim;
		Refreshing *refreshing;
		char	   *token;

		if (refresh->setup_error != NULL)
			return false;
		if (smartcar_claims_used_up(&refresh->claims))
		{
			smartcar_claims_fill(&refresh->claims);

			/* smartcar_reseal_tokens() waits only for older claims */
			smartcar_key_ring_reread(&refresh->ring, call->server);
		}
		claim = smartcar_claims_next(&refresh->claims);
		if (claim == NULL)
			return false;
		if (claim->until < GetCurrentTimestamp() + call->settings.timeout * INT64CONST(1000))
			continue;
		token = open_token(refresh, claim);
		if (token == NULL)
			continue;

		/* the queue is filled again before the item is done */
		refreshing = palloc0(sizeof(Refreshing));
		refreshing->claim = *claim;
		refreshing->claim.user_id = pstrdup(claim->user_id);
		refreshing->claim.refresh_token =
			(bytea *) memcpy(palloc(VARSIZE(claim->refresh_token)), claim->refresh_token,
							 VARSIZE(claim->refresh_token));
		smartcar_refresh_request(&refreshing->request, smartcar_span_from_string(token));
		refreshing->request.context = item->context;
		explicit_bzero(token, strlen(token));
		item->gathered = refreshing;
		item->arguments = &refreshing->request;
		item->secret = refreshing->request.secret;
		return true;
	}
}

/*
 * Waits for the next attempt at what has just failed, if that is soon.  A
 * refresh whose answer was lost has to be made again within the minute, and the
 * next call of the procedure may be later than that.  Returns whether there is
 * something to attempt.
 */
static bool
wait_for_failures(Refresh *refresh)
{
	TimestampTz due;

	if (!smartcar_claims_next_attempt(&refresh->claims, SOON, &due))
		return false;
	smartcar_spi_commit();
	smartcar_spi_wait_until(due);
	return true;
}

static Datum
form_counts(FunctionCallInfo fcinfo, const Refresh *refresh)
{
	Datum		values[] = {
		Int64GetDatum(refresh->refreshed),
		Int64GetDatum(hash_get_num_entries(refresh->failed)),
		Int64GetDatum(refresh->refused)
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
	Datum		result;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_refresh()");
	server = smartcar_required_server(fcinfo, SERVER);

	refresh = palloc0(sizeof(Refresh));
	call = &refresh->call;
	smartcar_call_begin(call, server, &smartcar_token_operation,
						smartcar_server_number(server, SMARTCAR_OPTION_MAX_CONCURRENCY));
	call->refill = refill;
	call->finished = finish;
	call->settings.timeout = Min(call->settings.timeout, MAX_TIMEOUT);
	for (int i = 0; i < call->item_count; i++)
		call->items[i].is_done = true;
	smartcar_claims_begin(&refresh->claims, server, call->item_count * CLAIM_FACTOR);
	if (!PG_ARGISNULL(ACCESS_WITHIN))
		refresh->claims.access_within = PG_GETARG_INTERVAL_P(ACCESS_WITHIN);
	if (!PG_ARGISNULL(REFRESH_WITHIN))
		refresh->claims.refresh_within = PG_GETARG_INTERVAL_P(REFRESH_WITHIN);
	if (!PG_ARGISNULL(MAX_ACCOUNTS))
		refresh->claims.max_accounts = Max(PG_GETARG_INT64(MAX_ACCOUNTS), 0);
	refresh->failed = smartcar_user_set_create("smartcar_tesla failed accounts");

	/* what is missing is missed before anything is sent or claimed */
	smartcar_key_ring_read(&refresh->ring, server);
	smartcar_call_authorize(call, SMARTCAR_AUTHORIZE_CLIENT);

	smartcar_progress_begin(&refresh->progress, "smartcar_refresh()", "accounts",
							smartcar_claims_count_due(&refresh->claims));
	smartcar_spi_commit();
	do
	{
		smartcar_call_run(call);
		smartcar_claims_release(&refresh->claims);
	} while (refresh->setup_error == NULL && wait_for_failures(refresh));
	smartcar_sessions_delete_expired(server);
	smartcar_webhook_events_delete_expired(server);
	smartcar_spi_commit();
	smartcar_key_ring_wipe(&refresh->ring);
	smartcar_progress_end(&refresh->progress);
	if (refresh->setup_error != NULL)
		smartcar_failure_raise(refresh->setup_error);

	MemoryContextSwitchTo(result_context);
	result = form_counts(fcinfo, refresh);
	smartcar_spi_end();
	PG_RETURN_DATUM(result);
}
