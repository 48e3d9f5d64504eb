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
 * after LEASE, so that another session, or the same after a crash, tries again
 * with the old token while that is still good.  A claim compares the lease with
 * what was read, which works on a distributed table, where SELECT FOR UPDATE
 * does not.
 *
 * Only a definite refusal makes an account one whose owner has to connect
 * again, and only if nobody has stored another token since.
 *
 * src/pg/refresh.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "pg/account.h"
#include "pg/call_request.h"
#include "pg/compat.h"
#include "pg/manager.h"
#include "pg/progress.h"
#include "pg/seal.h"
#include "pg/session.h"

PG_FUNCTION_INFO_V1(smartcar_refresh);

/*
 * All in milliseconds.  A request gets less time than the lease, and two tries
 * fit into the minute in which the old token is good.
 */
#define MAX_TIMEOUT			12000
#define LEASE				20000
#define MAX_DELAY			(15 * 60 * 1000)

/* How long a run stays for another attempt at what it has failed. */
#define SOON				20000

/* No id of Smartcar's is longer; it is a UUID. */
#define FAILED_KEY_SIZE		128

/* How many accounts are claimed for each request that runs. */
#define CLAIM_FACTOR		2

/* An account that is ours for now. */
typedef struct Claim
{
	char	   *user_id;
	bytea	   *refresh_token;
	int			attempts;
	TimestampTz until;			/* end of the lease */
	SmartcarTokenRequest request;
} Claim;

/* An account that was due when it was read. */
typedef struct Candidate
{
	char	   *user_id;
	pg_uuid_t	lease;			/* of somebody whose time is over */
	bool		has_lease;
	TimestampTz refreshed_at;
} Candidate;

typedef struct Refresh
{
	SmartcarCall call;			/* must be first */
	FunctionCallInfo fcinfo;
	SmartcarKeyRing ring;
	MemoryContext queue_context;	/* of the claims that wait */
	Claim	  **queue;
	int			queue_length;
	int			queue_next;
	Datum		lease;			/* of this run */
	TimestampTz began;			/* the same */
	SmartcarProgress progress;
	int64		claimed;
	int64		refreshed;
	HTAB	   *failed;			/* the accounts that have failed in the end */
	int64		refused;
	const SmartcarCallError *setup_error;	/* ours, not an account's */
} Refresh;

enum
{
	ACCESS_WITHIN, REFRESH_WITHIN, MAX_ACCOUNTS, SERVER, ARGUMENTS
};

/*
 * Nobody has it, and it need not wait.  A time further away than we ever set one
 * comes from a clock that was wrong.
 */
#define CAN_BE_CLAIMED \
	"(next_attempt_at IS NULL OR next_attempt_at <= @now OR next_attempt_at > @now + interval '1 hour') " \
	"AND (leased_until IS NULL OR leased_until <= @now OR leased_until > @now + interval '1 minute')"

/*
 * It is due, and was not refreshed by this run: where access_within is longer
 * than a token lives, a new token is due again as soon as it is there.
 */
#define IS_DUE \
	"(access_expires_at <= @now + $2 OR refresh_expires_at <= @now + $3 OR access_expires_at IS NULL) " \
	"AND (refreshed_at IS NULL OR refreshed_at < $4 OR refreshed_at > @now + interval '1 minute')"

static const char due_accounts[] =
	"FROM @.smartcar_account WHERE server = $1 AND status = 'active' AND refresh_token IS NOT NULL "
	"AND " IS_DUE " AND " CAN_BE_CLAIMED;

static void
pass_due(Refresh *refresh, SmartcarParameters *parameters)
{
	FunctionCallInfo fcinfo = refresh->fcinfo;

	smartcar_parameter_string(parameters, refresh->call.server->name);
	smartcar_parameter(parameters, INTERVALOID, PG_GETARG_DATUM(ACCESS_WITHIN),
					   PG_ARGISNULL(ACCESS_WITHIN));
	smartcar_parameter(parameters, INTERVALOID, PG_GETARG_DATUM(REFRESH_WITHIN),
					   PG_ARGISNULL(REFRESH_WITHIN));
	smartcar_parameter_time(parameters, refresh->began);
}

static int64
count_due(Refresh *refresh)
{
	SmartcarParameters parameters = {0};

	pass_due(refresh, &parameters);
	smartcar_manager_run(psprintf("SELECT count(*) %s", due_accounts), &parameters);
	return strtoll(smartcar_result_string(0, 0), NULL, 10);
}

/*
 * Claims one of the accounts that were found, unless somebody else has by now,
 * or has even refreshed it.
 */
static bool
claim_account(Refresh *refresh, const Candidate *candidate)
{
	SmartcarParameters parameters = {0};
	MemoryContext old_context;
	Claim	   *claim;

	smartcar_parameter_string(&parameters, refresh->call.server->name);
	smartcar_parameter_string(&parameters, candidate->user_id);
	smartcar_parameter(&parameters, UUIDOID, UUIDPGetDatum(&candidate->lease),
					   !candidate->has_lease);
	smartcar_parameter(&parameters, UUIDOID, refresh->lease, false);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(LEASE), false);
	smartcar_parameter_time(&parameters, candidate->refreshed_at);
	if (smartcar_manager_run("UPDATE @.smartcar_account SET lease = $4, leased_until = @now + $5 * interval '1 ms' "
							 "WHERE server = $1 AND user_id = $2 AND lease IS NOT DISTINCT FROM $3 AND refreshed_at IS NOT DISTINCT FROM $6 AND status = 'active' "
							 "AND " CAN_BE_CLAIMED " "
							 "RETURNING refresh_token, attempts, leased_until",
							 &parameters) == 0)
		return false;

	old_context = MemoryContextSwitchTo(refresh->queue_context);
	claim = palloc0(sizeof(Claim));
	claim->user_id = pstrdup(candidate->user_id);
	claim->refresh_token = smartcar_result_bytea(0, 0);
	claim->attempts = pg_strtoint32(smartcar_result_string(0, 1));
	smartcar_result_time(0, 2, &claim->until);
	refresh->queue[refresh->queue_length++] = claim;
	refresh->claimed++;
	MemoryContextSwitchTo(old_context);
	return true;
}

/* Brings as many as are wanted to the front. */
static void
pick_at_random(Candidate *candidates, int count, int wanted)
{
	for (int i = 0; i < wanted && i < count; i++)
	{
		int			other = (int) pg_prng_uint64_range(&pg_global_prng_state, i, count - 1);
		Candidate	swap = candidates[i];

		candidates[i] = candidates[other];
		candidates[other] = swap;
	}
}

static int
compare_candidates(const void *a, const void *b)
{
	return strcmp(((const Candidate *) a)->user_id, ((const Candidate *) b)->user_id);
}

/*
 * Fills the queue.  More accounts are read than are wanted, and some
 * picked at random, so that sessions side by side seldom want the same.  They
 * are claimed in the order of their ids, which keeps sessions that do from
 * waiting for each other in a circle.
 */
static void
claim_accounts(Refresh *refresh)
{
	FunctionCallInfo fcinfo = refresh->fcinfo;
	int			wanted = refresh->call.item_count * CLAIM_FACTOR;
	SmartcarParameters parameters = {0};
	int			found;
	Candidate  *candidates;

	if (!PG_ARGISNULL(MAX_ACCOUNTS))
		wanted = (int) Min(wanted, PG_GETARG_INT64(MAX_ACCOUNTS) - refresh->claimed);

	MemoryContextReset(refresh->queue_context);
	refresh->queue_length = refresh->queue_next = 0;
	if (wanted <= 0 || refresh->setup_error != NULL)
		return;
	refresh->queue = MemoryContextAlloc(refresh->queue_context, wanted * sizeof(Claim *));

	pass_due(refresh, &parameters);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(wanted * 4), false);
	found = (int) smartcar_manager_run(psprintf("SELECT user_id, lease, refreshed_at %s ORDER BY attempts = 0, access_expires_at LIMIT $5",
												due_accounts), &parameters);
	candidates = palloc(Max(found, 1) * sizeof(Candidate));
	for (int i = 0; i < found; i++)
	{
		bool		is_null;
		Datum		lease = smartcar_result_datum(i, 1, &is_null);

		candidates[i].user_id = smartcar_result_string(i, 0);
		candidates[i].has_lease = !is_null;
		if (!is_null)
			candidates[i].lease = *DatumGetUUIDP(lease);
		(void) smartcar_result_time(i, 2, &candidates[i].refreshed_at);
	}
	pick_at_random(candidates, found, wanted);
	qsort(candidates, Min(found, wanted), sizeof(Candidate), compare_candidates);
	for (int i = 0; i < Min(found, wanted); i++)
		claim_account(refresh, &candidates[i]);
	smartcar_manager_commit();

	/* smartcar_reseal_tokens() waits for what was claimed before it began */
	smartcar_key_ring_reread(&refresh->ring, refresh->call.server);
}

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
note_failure(Refresh *refresh, const Claim *claim, bool has_failed)
{
	char		key[FAILED_KEY_SIZE];
	bool		found;

	strlcpy(key, claim->user_id, sizeof(key));
	(void) hash_search(refresh->failed, key, has_failed ? HASH_ENTER : HASH_REMOVE, &found);
}

/*
 * Notes that a refresh did not succeed.  One that was definitely refused ends
 * the account, unless it has another token by now, which ends the lease.
 * Returns whether it was still ours.
 */
static bool
store_failure(Refresh *refresh, const Claim *claim, const char *sqlstate,
			  const char *description, bool is_refused, int64 retry_after)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, refresh->call.server->name);
	smartcar_parameter_string(&parameters, claim->user_id);
	smartcar_parameter(&parameters, UUIDOID, refresh->lease, false);
	smartcar_parameter_string(&parameters, is_refused ? "reauthenticate" : "active");
	smartcar_parameter_string(&parameters, sqlstate);
	smartcar_parameter_string(&parameters, description);
	smartcar_parameter(&parameters, INT4OID,
					   Int32GetDatum(delay_after(claim->attempts + 1, retry_after)), false);
	if (smartcar_manager_run("UPDATE @.smartcar_account SET status = $4, lease = NULL, leased_until = NULL, attempts = attempts + 1, "
							 "next_attempt_at = @now + $7 * interval '1 ms', "
							 "error_sqlstate = $5, error_description = $6, error_at = @now, updated_at = @now "
							 "WHERE server = $1 AND user_id = $2 AND lease = $3",
							 &parameters) == 0)
		return false;
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
is_definite(const SmartcarCallError *error)
{
	return error->answer.status == 400 && error->answer.action == SMARTCAR_ACTION_CONNECT &&
		(smartcar_span_equal(error->answer.type, SMARTCAR_SPAN("invalid_grant")) ||
		 smartcar_span_equal(error->answer.type, SMARTCAR_SPAN("invalid_request")));
}

/*
 * Credentials that are not taken, and a server that is not to be trusted, are
 * nothing that another account would mend.
 */
static bool
is_our_fault(const SmartcarCallError *error)
{
	return error->answer.status == 401 || error->sqlstate == SMARTCAR_SQLSTATE_TLS;
}

/*
 * Gives back what this run has claimed and not refreshed.
 */
static void
release_claims(Refresh *refresh)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, refresh->call.server->name);
	smartcar_parameter(&parameters, UUIDOID, refresh->lease, false);
	smartcar_manager_run("UPDATE @.smartcar_account SET lease = NULL, leased_until = NULL WHERE server = $1 AND lease = $2",
						 &parameters);
	smartcar_manager_commit();
}

static void
note_setup_error(Refresh *refresh, const SmartcarCallError *error)
{
	MemoryContext old_context = MemoryContextSwitchTo(refresh->call.context);

	if (refresh->setup_error == NULL)
		refresh->setup_error = smartcar_call_error_copy(error);
	MemoryContextSwitchTo(old_context);
}

static void
finish(SmartcarCall *call, SmartcarItem *item)
{
	Refresh    *refresh = (Refresh *) call;
	Claim	   *claim = (Claim *) item->gathered;
	const SmartcarCallError *error = item->error;

	if (error == NULL)
	{
		if (smartcar_account_renew(call->server, &refresh->ring, claim->user_id, refresh->lease,
								   claim->refresh_token, &claim->request))
			refresh->refreshed++;
		note_failure(refresh, claim, false);
	}
	else if (is_our_fault(error))
		note_setup_error(refresh, error);
	else if (store_failure(refresh, claim, unpack_sql_state(error->sqlstate),
						   error->answer.description.data ?
						   pnstrdup(error->answer.description.data,
									error->answer.description.length) :
						   error->message,
						   is_definite(error), error->answer.retry_after) &&
			 is_definite(error))
		smartcar_account_note_refusal(call->server, claim->user_id, &error->answer);
	smartcar_manager_commit();
	smartcar_progress_add(&refresh->progress, 1);
}

/*
 * Opens the token of a claim.  One that cannot be opened stays as it is, and
 * the others go on.
 */
static char *
open_token(Refresh *refresh, const Claim *claim)
{
	SmartcarSealedIdentity identity = {refresh->call.server->name, claim->user_id, "refresh"};
	int			sqlstate;
	char	   *token = smartcar_try_unseal(&refresh->ring, claim->refresh_token, &identity,
											&sqlstate);

	if (token != NULL)
		return token;
	store_failure(refresh, claim, unpack_sql_state(sqlstate),
				  "the stored refresh token cannot be opened", false, SMARTCAR_NO_RETRY_AFTER);
	smartcar_manager_commit();
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
		const Claim *queued;
		Claim	   *claim;
		char	   *token;

		if (refresh->queue_next == refresh->queue_length)
			claim_accounts(refresh);
		if (refresh->queue_next == refresh->queue_length || refresh->setup_error != NULL)
			return false;
		queued = refresh->queue[refresh->queue_next++];
		if (queued->until < GetCurrentTimestamp() + call->settings.timeout * INT64CONST(1000))
			continue;
		token = open_token(refresh, queued);
		if (token == NULL)
			continue;

		/* the queue is emptied before the item is done */
		claim = palloc(sizeof(Claim));
		*claim = *queued;
		claim->user_id = pstrdup(queued->user_id);
		claim->refresh_token = (bytea *) memcpy(palloc(VARSIZE(queued->refresh_token)),
												queued->refresh_token,
												VARSIZE(queued->refresh_token));
		smartcar_refresh_request(&claim->request, smartcar_span_from_string(token));
		claim->request.context = item->context;
		explicit_bzero(token, strlen(token));
		item->gathered = claim;
		item->arguments = &claim->request;
		item->secret = claim->request.secret;
		return true;
	}
}

/*
 * Waits for the next attempt at what has just failed, if that is soon.  A
 * refresh whose answer was lost has to be made again within the minute, and the
 * next call of the procedure may be later than that.  For a token that could not
 * be opened nothing was sent.  Returns whether there is something to attempt.
 */
static bool
wait_for_failures(Refresh *refresh)
{
	FunctionCallInfo fcinfo = refresh->fcinfo;
	SmartcarParameters parameters = {0};
	TimestampTz due;

	if (!PG_ARGISNULL(MAX_ACCOUNTS) && refresh->claimed >= PG_GETARG_INT64(MAX_ACCOUNTS))
		return false;
	pass_due(refresh, &parameters);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(SOON), false);
	smartcar_manager_run("SELECT min(greatest(next_attempt_at, leased_until)) FROM @.smartcar_account "
						 "WHERE server = $1 AND status = 'active' AND attempts BETWEEN 1 AND 5 AND refresh_token IS NOT NULL "
						 "AND error_sqlstate NOT IN ('XX001', '55000') "
						 "AND greatest(next_attempt_at, leased_until) <= @now + $5 * interval '1 ms' "
						 "AND " IS_DUE,
						 &parameters);
	if (!smartcar_result_time(0, 0, &due))
		return false;
	smartcar_manager_commit();

	smartcar_manager_wait_until(due);
	return true;
}

static Datum
new_lease(void)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	if (!pg_strong_random(uuid->data, UUID_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random bytes")));
	return UUIDPGetDatum(uuid);
}

static Datum
form_counts(FunctionCallInfo fcinfo, const Refresh *refresh)
{
	TupleDesc	descriptor;
	Datum		values[] = {
		Int64GetDatum(refresh->refreshed),
		Int64GetDatum(hash_get_num_entries(refresh->failed)),
		Int64GetDatum(refresh->refused)
	};
	bool		nulls[lengthof(values)] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts != lengthof(values))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("result type is not the one of the extension")));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

Datum
smartcar_refresh(PG_FUNCTION_ARGS)
{
	MemoryContext result_context = CurrentMemoryContext;
	SmartcarServer *server;
	Refresh    *refresh;
	SmartcarCall *call;
	HASHCTL		hash_control = {0};
	Datum		result;

	smartcar_manager_begin_procedure(fcinfo, "smartcar_refresh()");
	server = smartcar_required_server(fcinfo, SERVER);

	refresh = palloc0(sizeof(Refresh));
	call = &refresh->call;
	smartcar_call_begin(call, server, &smartcar_token_operation,
						smartcar_option_number(SMARTCAR_OPTION_MAX_CONCURRENCY,
											   smartcar_server_option(server, SMARTCAR_OPTION_MAX_CONCURRENCY)));
	call->refill = refill;
	call->finished = finish;
	call->settings.timeout = Min(call->settings.timeout, MAX_TIMEOUT);
	for (int i = 0; i < call->item_count; i++)
		call->items[i].is_done = true;
	refresh->fcinfo = fcinfo;
	refresh->lease = new_lease();
	refresh->began = GetCurrentTimestamp();
	hash_control.keysize = FAILED_KEY_SIZE;
	hash_control.entrysize = FAILED_KEY_SIZE;
	hash_control.hcxt = CurrentMemoryContext;
	refresh->failed = hash_create("smartcar_tesla failed accounts", 64, &hash_control,
								  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	refresh->queue_context = AllocSetContextCreate(CurrentMemoryContext,
												   "smartcar_tesla claims",
												   ALLOCSET_DEFAULT_SIZES);

	/* what is missing is missed before anything is sent or claimed */
	smartcar_key_ring_read(&refresh->ring, server);
	smartcar_call_authorize(call, SMARTCAR_AUTHORIZE_CLIENT);

	smartcar_progress_begin(&refresh->progress, "smartcar_refresh()", "accounts",
							count_due(refresh));
	smartcar_manager_commit();
	do
	{
		smartcar_call_run(call);
		release_claims(refresh);
	} while (refresh->setup_error == NULL && wait_for_failures(refresh));
	smartcar_forget_the_past(server);
	smartcar_key_ring_wipe(&refresh->ring);
	smartcar_progress_end(&refresh->progress);
	if (refresh->setup_error != NULL)
		smartcar_call_error_raise(refresh->setup_error);

	MemoryContextSwitchTo(result_context);
	result = form_counts(fcinfo, refresh);
	smartcar_manager_end();
	PG_RETURN_DATUM(result);
}
