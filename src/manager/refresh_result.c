/*-------------------------------------------------------------------------
 *
 * refresh_result.c
 *	  The results of refreshes, until they are stored.
 *
 * Smartcar does not return new tokens a second time, and no account may delay another.
 * So results are stored in a subtransaction that waits for locks only briefly.  What
 * cannot be stored is kept and tried again while other requests go on.
 *
 * Connections are updated in a transaction of their own, after the tokens are
 * committed: a lock on a connection must not prevent tokens from being stored.
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
 * How long the results of one account wait for locks, and all results of a round, in
 * milliseconds.  No response is read meanwhile.
 */
#define LOCK_TIMEOUT		20
#define ROUND_LOCK_TIMEOUT	100

/* The pause before a result is stored again, in milliseconds. */
#define MIN_PAUSE			200
#define MAX_PAUSE			1000

/* The longest pause before the next attempt at an account, in milliseconds. */
#define MAX_DELAY			(15 * 60 * 1000)

typedef struct Batch
{
	SmartcarRefreshResults *results;
	SmartcarRefreshResult **items;
	int			count;
	bool	   *locked;			/* leave these out */
	bool	   *recorded;		/* whether the statement found the account */
	bool	   *done;
	bool		is_last;		/* there is no later round */
} Batch;

/*
 * The pause after so many attempts, in milliseconds, plus a random part of up to half of
 * it.  The first pauses are short: if Smartcar has carried out a refresh whose response
 * was lost, the old token is valid for only a minute.
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
 * Whether Smartcar has refused this token, rather than reported a problem of its own, of
 * our request or of the network.  Other errors for which an owner has to connect again
 * occur only in callbacks.
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
 * Adds a failed request.  Only a refusal ends an account, and not the first one of an
 * account that was taken over: the session that had the lease may have received the new
 * tokens and not stored them yet.
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
 * Adds the failure to unseal the stored token, which is not changed.
 */
void
smartcar_result_add_unseal_failure(SmartcarRefreshResults *results, SmartcarRefreshResult *result,
								   int sqlstate)
{
	result->has_failed = true;
	result->failure.sqlstate = MemoryContextStrdup(result->context, unpack_sql_state(sqlstate));
	result->failure.description = "the stored refresh token cannot be opened";
	result->failure.delay = delay_after(result->claim.attempts + 1, SMARTCAR_NO_RETRY_AFTER);
	smartcar_result_add(results, result);
}

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
			smartcar_account_store_refreshed(results->server, results->ring, claim->user_id,
											 results->claims->lease, claim->refresh_token,
											 &result->request);
	}
}

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
 * A refusal is recorded only if the account is still refused: the owner may have
 * connected again since.
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
 * Keeps a result that could not be stored.  No warning is given if it may be stored
 * later; error may then be NULL, and is for a cancel.
 */
static void
keep_result(SmartcarRefreshResult *result, const ErrorData *error)
{
	MemoryContext old_context;

	result->next_try = GetCurrentTimestamp() + result->pause * INT64CONST(1000);
	result->pause = Min(result->pause * 2, MAX_PAUSE);
	if (error == NULL || smartcar_error_is_transient(error) || result->has_permanent_error)
		return;
	result->has_permanent_error = true;
	old_context = MemoryContextSwitchTo(result->context);
	result->warning = smartcar_failure_from_error(error);
	MemoryContextSwitchTo(old_context);
}

/*
 * Like smartcar_spi_try(), but returns a cancel in *cancel, too, which is raised at the
 * end of the round.
 */
static bool
try_work(void (*work) (void *argument), Batch *batch, ErrorData **error, ErrorData **cancel)
{
	bool		is_done = smartcar_spi_try(work, batch, LOCK_TIMEOUT, error);

	if (!is_done && (*error)->sqlerrcode == ERRCODE_QUERY_CANCELED)
		*cancel = *error;
	return is_done;
}

/*
 * Does some work for each result of a batch by itself, so that none prevents another.  A
 * cancel hits one result, which is tried again.  The last round has no time limit for
 * tokens, which Smartcar does not return again.
 */
static void
store_one_by_one(Batch *batch, void (*work) (void *argument), ErrorData **cancel)
{
	TimestampTz end = batch->is_last && work == store_accounts ? DT_NOEND :
		GetCurrentTimestamp() + ROUND_LOCK_TIMEOUT * INT64CONST(1000);
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

		batch->done[i] = try_work(work, &one, &error, cancel);
		if (!batch->done[i] && error == *cancel)
			batch->done[i] = try_work(work, &one, &error, cancel);
		if (!batch->done[i])
			keep_result(batch->items[i], error == *cancel ? NULL : error);
	}
}

/*
 * Stores the results of a batch.  If they cannot be stored together, it stores those of
 * accounts that are not locked; if that fails, because Citus refuses the lock or a
 * result cannot be stored, it stores them one by one.
 */
static void
store_batch(Batch *batch, ErrorData **cancel)
{
	ErrorData  *error;

	if (batch->count > 1 && try_work(store_accounts, batch, &error, cancel))
	{
		memset(batch->done, true, batch->count * sizeof(bool));
		return;
	}
	if (batch->count > 1 && try_work(store_unlocked, batch, &error, cancel))
	{
		for (int i = 0; i < batch->count; i++)
		{
			batch->done[i] = !batch->locked[i];
			if (batch->locked[i])
				keep_result(batch->items[i], NULL);
		}
		return;
	}
	memset(batch->locked, 0, batch->count * sizeof(bool));
	store_one_by_one(batch, store_accounts, cancel);
}

static void
update_connections_of_batch(Batch *batch, ErrorData **cancel)
{
	ErrorData  *error;

	if (batch->count > 1 && try_work(update_connections, batch, &error, cancel))
		memset(batch->done, true, batch->count * sizeof(bool));
	else
		store_one_by_one(batch, update_connections, cancel);
}

static int
compare_results(const void *a, const void *b)
{
	return strcmp((*(SmartcarRefreshResult *const *) a)->claim.user_id,
				  (*(SmartcarRefreshResult *const *) b)->claim.user_id);
}

/*
 * The results that are to be stored now, in the order of their user_id.
 */
static Batch
find_due(SmartcarRefreshResults *results, bool are_accounts_stored, bool is_last)
{
	TimestampTz now = GetCurrentTimestamp();
	Batch		batch = {.results = results, .is_last = is_last};
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
			(is_last || result->next_try <= now ||
			 result->next_try > now + MAX_PAUSE * INT64CONST(1000)))
			batch.items[batch.count++] = result;
	}
	qsort(batch.items, batch.count, sizeof(SmartcarRefreshResult *), compare_results);
	return batch;
}

/*
 * Called when the account of a result was updated, or was no longer found.
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
		result->has_permanent_error = false;
		result->warning = NULL;
		result->next_try = 0;
		result->pause = MIN_PAUSE;
	}
	else
		finish_result(result);
}

/*
 * Stores the results that are due, or all in the last round.  Returns the error of a
 * cancel, or NULL.
 */
static ErrorData *
store_round(SmartcarRefreshResults *results, bool is_last)
{
	MemoryContext old_context = MemoryContextSwitchTo(results->work);
	ErrorData  *cancel = NULL;
	Batch		batch = find_due(results, false, is_last);

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
	batch = find_due(results, true, is_last);
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

/*
 * Whether the session may end at the next check for interrupts, or at a WARNING, which
 * is one, and finds out whether the client is lost.
 */
static bool
may_end(const SmartcarRefreshResults *results)
{
	dlist_iter	iterator;

	dlist_foreach(iterator, unconstify(dlist_head *, &results->list))
	{
		if (dlist_container(SmartcarRefreshResult, node, iterator.cur)->warning != NULL)
			return true;
	}
	return ProcDiePending || ClientConnectionLost;
}

static void
warn(SmartcarRefreshResults *results)
{
	dlist_iter	iterator;

	dlist_foreach(iterator, &results->list)
	{
		SmartcarRefreshResult *result = dlist_container(SmartcarRefreshResult, node, iterator.cur);
		const SmartcarFailure *warning = result->warning;

		result->warning = NULL;
		if (warning != NULL)
			ereport(WARNING,
					(errcode(warning->sqlstate),
					 errmsg("could not store the %s of user \"%s\": %s",
							result->is_account_stored ? "connections" : "tokens",
							result->claim.user_id, warning->message),
					 warning->detail ? errdetail_internal("%s", warning->detail) : 0));
	}
}

static ErrorData *
store(SmartcarRefreshResults *results, bool is_last)
{
	ErrorData  *cancel;

	if (dlist_is_empty(&results->list))
		return NULL;
	MemoryContextReset(results->work);
	cancel = store_round(results, is_last);
	if (!is_last && may_end(results))
	{
		ErrorData  *later = store_round(results, true);

		if (cancel == NULL)
			cancel = later;
	}
	warn(results);
	return cancel;
}

/*
 * Stores the results whose pause is over.
 */
void
smartcar_results_store(SmartcarRefreshResults *results)
{
	ErrorData  *cancel = store(results, false);

	if (cancel != NULL)
		ReThrowError(cancel);
}

ErrorData *
smartcar_results_store_last(SmartcarRefreshResults *results)
{
	return store(results, true);
}

/*
 * Whether tokens or updates of connections wait for a lock.  A failure need not be
 * stored: the lease expires, and then the account is refreshed again.
 */
bool
smartcar_results_any_locked(const SmartcarRefreshResults *results)
{
	dlist_iter	iterator;

	dlist_foreach(iterator, unconstify(dlist_head *, &results->list))
	{
		const SmartcarRefreshResult *result =
			dlist_container(SmartcarRefreshResult, node, iterator.cur);

		if (!result->has_permanent_error && (!result->has_failed || result->is_account_stored))
			return true;
	}
	return false;
}

/*
 * Discards the results that could not be stored.
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
