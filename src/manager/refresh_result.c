/*-------------------------------------------------------------------------
 *
 * refresh_result.c
 *	  What came of refreshes, until it is stored.
 *
 * New tokens cannot be asked for again, and no account may be in the way of
 * another.  So results are stored in a subtransaction that waits for locks for a
 * moment only.  What cannot be stored is kept, and tried again while the requests
 * of others go on.
 *
 * Connections are updated in a transaction of their own, after the tokens are
 * committed: a lock on a connection must not keep tokens from being stored.
 *
 * src/manager/refresh_result.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/refresh_result.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "manager/connection.h"
#include "manager/spi.h"

/*
 * How long the results of one account wait for locks, and those of a round in
 * all, in milliseconds.  Sockets are not read meanwhile.
 */
#define LOCK_TIMEOUT		20
#define ROUND_LOCK_TIMEOUT	100

/* The pause before what was not stored is tried again, in milliseconds. */
#define MIN_PAUSE			200
#define MAX_PAUSE			1000

/* The longest pause before the next attempt at an account, in milliseconds. */
#define MAX_DELAY			(15 * 60 * 1000)

/* Results that are stored together. */
typedef struct Batch
{
	SmartcarRefreshResults *results;
	SmartcarRefreshResult **items;
	int			count;
	bool	   *locked;			/* rows that are not to be waited for */
	bool	   *recorded;		/* whether the account was still ours */
	bool	   *done;
} Batch;

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
 * Whether Smartcar has said that this token is no good, and not that it, or we,
 * or something in between is in trouble.  Errors of other names for which an
 * owner has to connect again are those of callbacks.
 */
static bool
is_refusal(const SmartcarApiError *error)
{
	return error->status == 400 && error->action == SMARTCAR_ACTION_CONNECT &&
		(smartcar_span_equal(error->type, SMARTCAR_SPAN("invalid_grant")) ||
		 smartcar_span_equal(error->type, SMARTCAR_SPAN("invalid_request")));
}

void
smartcar_results_begin(SmartcarRefreshResults *results, SmartcarServer *server,
					   SmartcarKeyRing *ring, SmartcarClaims *claims,
					   SmartcarProgress *progress)
{
	memset(results, 0, sizeof(*results));
	results->server = server;
	results->ring = ring;
	results->claims = claims;
	results->progress = progress;
	results->context = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla results",
											 ALLOCSET_SMALL_SIZES);
	results->work = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla storing",
										  ALLOCSET_DEFAULT_SIZES);
	dlist_init(&results->list);
}

SmartcarRefreshResult *
smartcar_result_create(SmartcarRefreshResults *results, const SmartcarClaim *claim)
{
	MemoryContext context = AllocSetContextCreate(results->context, "smartcar_tesla result",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	SmartcarRefreshResult *result = palloc0(sizeof(SmartcarRefreshResult));
	Size		size = VARSIZE(claim->refresh_token);

	result->context = context;
	result->claim = *claim;
	result->claim.user_id = pstrdup(claim->user_id);
	result->claim.refresh_token = memcpy(palloc(size), claim->refresh_token, size);
	MemoryContextSwitchTo(old_context);
	return result;
}

static void
wipe(SmartcarSpan token)
{
	if (token.data != NULL)
		explicit_bzero(unconstify(char *, token.data), token.length);
}

void
smartcar_result_discard(SmartcarRefreshResult *result)
{
	wipe(result->request.access_token);
	wipe(result->request.refresh_token);
	MemoryContextDelete(result->context);
}

/*
 * Adds new tokens, or what was made a failure.
 */
void
smartcar_result_add(SmartcarRefreshResults *results, SmartcarRefreshResult *result)
{
	result->pause = MIN_PAUSE;
	dlist_push_tail(&results->list, &result->node);
	smartcar_claims_record_response(results->claims, result->claim.user_id);
}

static SmartcarSpan
copy_span(SmartcarSpan span)
{
	return span.data ? smartcar_span(pnstrdup(span.data, span.length), span.length) : span;
}

/*
 * Adds what went wrong with the request.  Only a refusal ends an account, and not
 * the first one of an account that was taken over: whoever had it before may have
 * the new tokens, and be about to store them.
 */
void
smartcar_result_add_failure(SmartcarRefreshResults *results, SmartcarRefreshResult *result,
							const SmartcarFailure *failure)
{
	const SmartcarApiError *error = &failure->api_error;
	MemoryContext old_context = MemoryContextSwitchTo(result->context);

	result->has_failed = true;
	result->error.type = copy_span(error->type);
	result->error.description = copy_span(error->description);
	result->failure.sqlstate = pstrdup(unpack_sql_state(failure->sqlstate));
	result->failure.description = error->description.data ? result->error.description.data :
		pstrdup(failure->message);
	result->failure.is_refusal = is_refusal(error) &&
		!(result->claim.is_taken_over && result->claim.attempts == 0);
	result->failure.delay = delay_after(result->claim.attempts + 1, error->retry_after);
	MemoryContextSwitchTo(old_context);
	smartcar_result_add(results, result);
}

/*
 * Adds that the token of an account could not be opened.  It stays as it is.
 */
void
smartcar_result_add_unopened(SmartcarRefreshResults *results, SmartcarRefreshResult *result,
							 int sqlstate)
{
	result->has_failed = true;
	result->failure.sqlstate = MemoryContextStrdup(result->context, unpack_sql_state(sqlstate));
	result->failure.description = "the stored refresh token cannot be opened";
	result->failure.delay = delay_after(result->claim.attempts + 1, SMARTCAR_NO_RETRY_AFTER);
	smartcar_result_add(results, result);
}

/*
 * A result is dealt with.
 */
static void
finish_result(SmartcarRefreshResult *result)
{
	dlist_delete(&result->node);
	smartcar_result_discard(result);
}

static void
store_accounts(void *argument)
{
	Batch	   *batch = (Batch *) argument;
	SmartcarRefreshResults *results = batch->results;

	for (int i = 0; i < batch->count; i++)
	{
		const SmartcarRefreshResult *result = batch->items[i];
		const SmartcarClaim *claim = &result->claim;

		if (batch->locked[i])
			continue;
		batch->recorded[i] = result->has_failed ?
			smartcar_account_record_failure(results->server, claim->user_id,
											results->claims->lease, &result->failure) :
			smartcar_account_renew(results->server, results->ring, claim->user_id,
								   results->claims->lease, claim->refresh_token,
								   &result->request);
	}
}

/*
 * Stores the results of the accounts that are not locked.
 */
static void
store_unlocked(void *argument)
{
	Batch	   *batch = (Batch *) argument;
	const char **user_ids = palloc(batch->count * sizeof(char *));

	for (int i = 0; i < batch->count; i++)
		user_ids[i] = batch->items[i]->claim.user_id;
	smartcar_accounts_lock_available(batch->results->server, user_ids, batch->count, batch->locked);
	store_accounts(batch);
}

/*
 * A refusal is recorded only while it stands: the owner may have connected again
 * since it was stored.
 */
static void
update_connections(void *argument)
{
	Batch	   *batch = (Batch *) argument;
	SmartcarServer *server = batch->results->server;

	for (int i = 0; i < batch->count; i++)
	{
		const SmartcarRefreshResult *result = batch->items[i];
		const char *user_id = result->claim.user_id;

		if (!result->has_failed)
			smartcar_connections_clear_refusal(server, user_id);
		else if (smartcar_account_lock_if_refused(server, user_id))
			smartcar_connections_record_refusal(server, user_id, &result->error);
	}
}

/*
 * Keeps a result that could not be stored.  A lock, for which there need not be an
 * error, goes by itself.
 */
static void
keep_result(SmartcarRefreshResult *result, const ErrorData *error, const char *what)
{
	result->next_try = GetCurrentTimestamp() + result->pause * INT64CONST(1000);
	result->pause = Min(result->pause * 2, MAX_PAUSE);
	if (error == NULL || smartcar_error_is_transient(error) || result->is_hopeless)
		return;
	result->is_hopeless = true;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not store the %s of user \"%s\": %s", what, result->claim.user_id,
					error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0));
}

/*
 * Does something for each result of a batch by itself, so that none is in the way
 * of another.  A cancel comes once, so what it has hit is tried again; it is kept
 * for the end of the round.
 */
static void
store_one_by_one(Batch *batch, void (*work) (void *argument), const char *what,
				 ErrorData **cancel)
{
	TimestampTz end = GetCurrentTimestamp() + ROUND_LOCK_TIMEOUT * INT64CONST(1000);
	ErrorData  *error;

	for (int i = 0; i < batch->count && GetCurrentTimestamp() < end; i++)
	{
		bool		is_locked = false;
		Batch		one = {
			.results = batch->results,
			.items = &batch->items[i],
			.count = 1,
			.locked = &is_locked,
			.recorded = &batch->recorded[i]
		};

		batch->done[i] = smartcar_spi_try(work, &one, LOCK_TIMEOUT, &error);
		if (!batch->done[i] && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		{
			*cancel = error;
			batch->done[i] = smartcar_spi_try(work, &one, LOCK_TIMEOUT, &error);
		}
		if (!batch->done[i])
			keep_result(batch->items[i], error, what);
	}
}

/*
 * Stores the results of a batch: all at once if nothing is in the way, else those
 * of accounts that are not locked, and where the table cannot tell that, or one of
 * them cannot be stored, each by itself.
 */
static void
store_batch(Batch *batch, ErrorData **cancel)
{
	ErrorData  *error;

	if (batch->count > 1 && smartcar_spi_try(store_accounts, batch, LOCK_TIMEOUT, &error))
	{
		memset(batch->done, true, batch->count * sizeof(bool));
		return;
	}
	if (batch->count > 1 && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		*cancel = error;
	if (batch->count > 1 && smartcar_spi_try(store_unlocked, batch, LOCK_TIMEOUT, &error))
	{
		for (int i = 0; i < batch->count; i++)
		{
			batch->done[i] = !batch->locked[i];
			if (batch->locked[i])
				keep_result(batch->items[i], NULL, "tokens");
		}
		return;
	}
	memset(batch->locked, 0, batch->count * sizeof(bool));
	store_one_by_one(batch, store_accounts, "tokens", cancel);
}

static void
update_connections_of_batch(Batch *batch, ErrorData **cancel)
{
	ErrorData  *error;

	if (batch->count > 1 && smartcar_spi_try(update_connections, batch, LOCK_TIMEOUT, &error))
		memset(batch->done, true, batch->count * sizeof(bool));
	else
	{
		if (batch->count > 1 && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			*cancel = error;
		store_one_by_one(batch, update_connections, "connections", cancel);
	}
}

static int
compare_results(const void *a, const void *b)
{
	return strcmp((*(SmartcarRefreshResult *const *) a)->claim.user_id,
				  (*(SmartcarRefreshResult *const *) b)->claim.user_id);
}

/*
 * The results that are to be stored now, in the order of their ids.
 */
static Batch
find_due(SmartcarRefreshResults *results, bool are_accounts_stored, bool at_once)
{
	TimestampTz now = GetCurrentTimestamp();
	Batch		batch = {results};
	dlist_iter	iterator;

	dlist_foreach(iterator, &results->list)
		batch.count++;
	batch.items = palloc(batch.count * sizeof(SmartcarRefreshResult *));
	batch.locked = palloc0(batch.count * sizeof(bool));
	batch.recorded = palloc0(batch.count * sizeof(bool));
	batch.done = palloc0(batch.count * sizeof(bool));
	batch.count = 0;
	dlist_foreach(iterator, &results->list)
	{
		SmartcarRefreshResult *result = dlist_container(SmartcarRefreshResult, node, iterator.cur);

		/* a time further away than a pause comes from a clock that was ahead */
		if (result->is_account_stored == are_accounts_stored &&
			(at_once || result->next_try <= now ||
			 result->next_try > now + MAX_PAUSE * INT64CONST(1000)))
			batch.items[batch.count++] = result;
	}
	qsort(batch.items, batch.count, sizeof(SmartcarRefreshResult *), compare_results);
	return batch;
}

/*
 * The account of a result is stored, or was not ours any more.
 */
static void
finish_account(SmartcarRefreshResults *results, SmartcarRefreshResult *result, bool is_recorded)
{
	bool		is_refusal = result->has_failed && result->failure.is_refusal;

	if (smartcar_claims_record_end(results->claims, result->claim.user_id,
								   result->has_failed && !is_refusal && is_recorded))
		smartcar_progress_add(results->progress, 1);
	if (is_recorded && is_refusal)
		results->refused++;
	if (is_recorded && !result->has_failed)
		results->refreshed++;
	if (is_recorded && (is_refusal || !result->has_failed))
	{
		result->is_account_stored = true;
		result->is_hopeless = false;
		result->next_try = 0;
		result->pause = MIN_PAUSE;
	}
	else
		finish_result(result);
}

static ErrorData *
store_round(SmartcarRefreshResults *results, bool at_once)
{
	MemoryContext old_context;
	ErrorData  *cancel = NULL;
	Batch		batch;

	if (dlist_is_empty(&results->list))
		return NULL;
	MemoryContextReset(results->work);
	old_context = MemoryContextSwitchTo(results->work);
	batch = find_due(results, false, at_once);
	if (batch.count > 0)
	{
		store_batch(&batch, &cancel);
		smartcar_spi_commit();
		for (int i = 0; i < batch.count; i++)
		{
			if (batch.done[i])
				finish_account(results, batch.items[i], batch.recorded[i]);
		}
	}
	batch = find_due(results, true, at_once);
	if (batch.count > 0)
	{
		update_connections_of_batch(&batch, &cancel);
		smartcar_spi_commit();
		for (int i = 0; i < batch.count; i++)
		{
			if (batch.done[i])
				finish_result(batch.items[i]);
		}
	}
	MemoryContextSwitchTo(old_context);
	return cancel;
}

void
smartcar_results_store(SmartcarRefreshResults *results)
{
	ErrorData  *cancel = store_round(results, false);

	if (cancel != NULL)
		ReThrowError(cancel);
}

void
smartcar_results_store_last(SmartcarRefreshResults *results)
{
	(void) store_round(results, true);
}

/*
 * Whether tokens or connections wait for a lock.  A failure need not be stored:
 * the lease expires, and then the account is refreshed again.
 */
bool
smartcar_results_any_locked(const SmartcarRefreshResults *results)
{
	dlist_iter	iterator;

	dlist_foreach(iterator, unconstify(dlist_head *, &results->list))
	{
		const SmartcarRefreshResult *result =
			dlist_container(SmartcarRefreshResult, node, iterator.cur);

		if (!result->is_hopeless && (!result->has_failed || result->is_account_stored))
			return true;
	}
	return false;
}

/*
 * Gives up what could not be stored.
 */
void
smartcar_results_give_up(SmartcarRefreshResults *results)
{
	dlist_mutable_iter iterator;

	dlist_foreach_modify(iterator, &results->list)
	{
		SmartcarRefreshResult *result = dlist_container(SmartcarRefreshResult, node, iterator.cur);

		if (!result->is_account_stored)
			(void) smartcar_claims_record_end(results->claims, result->claim.user_id, true);
		finish_result(result);
	}
}
