/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  Claims accounts whose tokens are due, for one run of smartcar_refresh().
 *
 * A claim stores a lease in the account.  The lease expires, so the accounts of a run
 * that was killed can be claimed again.  The UPDATE compares the lease with the one
 * that was read, because Citus does not run SELECT FOR UPDATE on many shards.
 *
 * A row that is locked, or that cannot be updated, is skipped, so that the others do
 * not wait for it.
 *
 * src/manager/claim.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/claim.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "manager/account.h"
#include "manager/due_account.h"
#include "manager/spi.h"

/*
 * How long a claim waits for a lock on its row, all claims of a batch together, and a
 * query for a lock on the table, in milliseconds.  The run does nothing else while it
 * waits.
 */
#define ROW_LOCK_TIMEOUT	20
#define BATCH_LOCK_TIMEOUT	100
#define TABLE_LOCK_TIMEOUT	200

/* How many batches are tried if all of their rows are locked. */
#define MAX_FILLS			5

/* The pause before a locked row is tried again. */
#define LOCKED_PAUSE		(2 * USECS_PER_SEC)

/* Longer than any user id of Smartcar's, which is a UUID. */
#define USER_ID_SIZE		128

/* An account in a set. */
typedef struct Member
{
	char		user_id[USER_ID_SIZE];	/* must be first */
	TimestampTz until;			/* only in the set of skipped accounts */
} Member;

/* Accounts that are claimed together. */
typedef struct Batch
{
	SmartcarClaims *claims;
	SmartcarDueAccount *accounts;
	bool	   *is_locked;
	int			count;
} Batch;

static HTAB *
create_set(const char *name)
{
	HASHCTL		control = {
		.keysize = USER_ID_SIZE,
		.entrysize = sizeof(Member),
		.hcxt = CurrentMemoryContext
	};

	return hash_create(name, 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

static Member *
set_entry(HTAB *set, const char *user_id, HASHACTION action)
{
	char		key[USER_ID_SIZE];
	bool		found;

	strlcpy(key, user_id, sizeof(key));
	return (Member *) hash_search(set, key, action, &found);
}

static void
skip(SmartcarClaims *claims, const char *user_id, TimestampTz until)
{
	set_entry(claims->skipped, user_id, HASH_ENTER)->until = until;
}

static Datum *
member_ids(HTAB *set, int *count)
{
	Datum	   *user_ids = palloc(Max(hash_get_num_entries(set), 1) * sizeof(Datum));
	HASH_SEQ_STATUS scan;
	const Member *member;

	*count = 0;
	hash_seq_init(&scan, set);
	while ((member = hash_seq_search(&scan)) != NULL)
		user_ids[(*count)++] = CStringGetTextDatum(member->user_id);
	return user_ids;
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

/*
 * Begins the claims of a run, which claims batch accounts at a time.  The caller then
 * sets access_within, refresh_within and max_accounts.
 */
void
smartcar_claims_begin(SmartcarClaims *claims, const SmartcarServer *server, int batch)
{
	memset(claims, 0, sizeof(*claims));
	claims->due.server = server;
	claims->due.began = GetCurrentTimestamp();
	claims->batch = batch;
	claims->lease = new_lease();
	claims->context = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla claims",
											ALLOCSET_DEFAULT_SIZES);
	claims->held = create_set("smartcar_tesla held accounts");
	claims->skipped = create_set("smartcar_tesla skipped accounts");
	claims->failed = create_set("smartcar_tesla failed accounts");
}

/*
 * Called when the response for an account was received.  From then on the run must not
 * give the lease back, nor claim the account again before the response is stored.
 */
void
smartcar_claims_record_response(SmartcarClaims *claims, const char *user_id)
{
	set_entry(claims->held, user_id, HASH_REMOVE);
	skip(claims, user_id, DT_NOEND);
}

/*
 * Called when the response for an account is stored, or never will be.  An account can
 * fail and later succeed, or succeed and later fail, so the run keeps the ids of those
 * that failed last.  Returns whether the account had not failed before: a caller that
 * counts accounts must not count attempts.
 */
bool
smartcar_claims_record_end(SmartcarClaims *claims, const char *user_id, bool has_failed)
{
	bool		is_first = set_entry(claims->failed, user_id, HASH_FIND) == NULL;

	set_entry(claims->held, user_id, HASH_REMOVE);
	set_entry(claims->skipped, user_id, HASH_REMOVE);
	set_entry(claims->failed, user_id, has_failed ? HASH_ENTER : HASH_REMOVE);
	return is_first;
}

/*
 * Claims an account, unless another session has claimed or refreshed it since it was
 * read.
 */
static void
claim_account(SmartcarClaims *claims, const SmartcarDueAccount *account)
{
	SmartcarParameters parameters;
	SmartcarClaim *claim;

	smartcar_parameters_begin(&parameters, claims->due.server, account->user_id);
	smartcar_parameter(&parameters, UUIDOID, UUIDPGetDatum(&account->lease),
					   !account->has_lease);
	smartcar_parameter(&parameters, UUIDOID, claims->lease, false);
	smartcar_parameter_int32(&parameters, SMARTCAR_LEASE);
	smartcar_parameter_time(&parameters, account->refreshed_at);
	if (smartcar_spi_run_kept("UPDATE smartcar_tesla.account "
							  "SET lease = $4, leased_until = @now + $5 * interval '1 ms' "
							  "WHERE server = $1 AND user_id = $2 AND status = 'active' "
							  "AND lease IS NOT DISTINCT FROM $3 "
							  "AND refreshed_at IS NOT DISTINCT FROM $6 "
							  "AND " SMARTCAR_CAN_BE_CLAIMED " "
							  "RETURNING refresh_token, attempts, leased_until",
							  &parameters) == 0)
		return;

	claim = &claims->queue[claims->length++];
	claim->user_id = pstrdup(account->user_id);
	claim->refresh_token = smartcar_row_bytea(0, "refresh_token");
	claim->attempts = smartcar_row_int32(0, "attempts");
	claim->is_taken_over = account->has_lease;
	claim->until = smartcar_row_time(0, "leased_until");
}

/* Moves so many accounts, picked at random, to the front. */
static void
pick_at_random(SmartcarDueAccount *accounts, int count, int wanted)
{
	for (int i = 0; i < wanted && i < count; i++)
	{
		int			other = (int) pg_prng_uint64_range(&pg_global_prng_state, i, count - 1);
		SmartcarDueAccount swap = accounts[i];

		accounts[i] = accounts[other];
		accounts[other] = swap;
	}
}

static int
compare_accounts(const void *a, const void *b)
{
	return strcmp(((const SmartcarDueAccount *) a)->user_id,
				  ((const SmartcarDueAccount *) b)->user_id);
}

/*
 * Reads the accounts of a batch.  They are picked at random from four times as many, so
 * that concurrent sessions seldom want the same ones, and claimed in the order of their
 * ids, so that these sessions cannot deadlock.
 */
static void
read_batch(void *argument)
{
	Batch	   *batch = (Batch *) argument;
	int			wanted = batch->count;
	int			skipped_count;
	Datum	   *skipped_ids = member_ids(batch->claims->skipped, &skipped_count);
	int			found;

	batch->accounts = smartcar_due_accounts_read(&batch->claims->due, skipped_ids, skipped_count,
												 wanted * 4, &found);
	batch->is_locked = palloc0(Max(found, 1) * sizeof(bool));
	batch->count = Min(found, wanted);
	pick_at_random(batch->accounts, found, wanted);
	qsort(batch->accounts, batch->count, sizeof(SmartcarDueAccount), compare_accounts);
}

static void
claim_batch(void *argument)
{
	Batch	   *batch = (Batch *) argument;

	for (int i = 0; i < batch->count; i++)
	{
		if (!batch->is_locked[i])
			claim_account(batch->claims, &batch->accounts[i]);
	}
}

static void
claim_unlocked(void *argument)
{
	Batch	   *batch = (Batch *) argument;
	const char **user_ids = palloc(batch->count * sizeof(char *));

	for (int i = 0; i < batch->count; i++)
		user_ids[i] = batch->accounts[i].user_id;
	smartcar_accounts_lock_available(batch->claims->due.server, user_ids, batch->count,
									 batch->is_locked);
	claim_batch(batch);
}

/*
 * Like smartcar_spi_try(), but keeps a cancel, which ends the run when it may end.
 */
static bool
try_work(SmartcarClaims *claims, void (*work) (void *argument), void *argument,
		 int lock_timeout, ErrorData **error)
{
	MemoryContext old_context = MemoryContextSwitchTo(claims->context);
	bool		is_done = smartcar_spi_try(work, argument, lock_timeout, error);

	if (!is_done && (*error)->sqlerrcode == ERRCODE_QUERY_CANCELED)
		claims->error = *error;
	MemoryContextSwitchTo(old_context);
	return is_done;
}

/*
 * Claims the accounts of a batch one by one.  A locked account is tried again later;
 * one that cannot be updated for another reason has failed.
 */
static void
claim_one_by_one(SmartcarClaims *claims, const Batch *batch)
{
	TimestampTz end = GetCurrentTimestamp() + BATCH_LOCK_TIMEOUT * INT64CONST(1000);

	for (int i = 0; i < batch->count && GetCurrentTimestamp() < end; i++)
	{
		bool		is_locked = false;
		Batch		one = {claims, &batch->accounts[i], &is_locked, 1};
		const char *user_id = batch->accounts[i].user_id;
		int			length = claims->length;
		ErrorData  *error;

		if (try_work(claims, claim_batch, &one, ROW_LOCK_TIMEOUT, &error))
			continue;
		claims->length = length;
		if (claims->error != NULL)
			return;
		if (smartcar_error_is_transient(error))
		{
			skip(claims, user_id, GetCurrentTimestamp() + LOCKED_PAUSE);
			continue;
		}
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not claim account of user \"%s\": %s", user_id, error->message)));
		(void) smartcar_claims_record_end(claims, user_id, true);
		skip(claims, user_id, DT_NOEND);
	}
}

/* Allows accounts that were locked to be tried again. */
static void
expire_skips(SmartcarClaims *claims)
{
	TimestampTz now = GetCurrentTimestamp();
	HASH_SEQ_STATUS scan;
	Member	   *member;

	hash_seq_init(&scan, claims->skipped);
	while ((member = hash_seq_search(&scan)) != NULL)
	{
		bool		is_clock_ahead = member->until > now + LOCKED_PAUSE;

		if (member->until != DT_NOEND && (member->until <= now || is_clock_ahead))
			set_entry(claims->skipped, member->user_id, HASH_REMOVE);
	}
}

/*
 * Claims the accounts of a batch.  If they cannot be claimed together, it claims those
 * that are not locked; if that fails, because Citus refuses the lock or a row cannot
 * be updated, it claims them one by one.
 */
static void
claim_accounts(SmartcarClaims *claims, Batch *batch)
{
	ErrorData  *error;

	if (try_work(claims, claim_batch, batch, ROW_LOCK_TIMEOUT, &error))
		return;
	claims->length = 0;
	if (claims->error != NULL)
		return;
	if (!try_work(claims, claim_unlocked, batch, ROW_LOCK_TIMEOUT, &error))
	{
		claims->length = 0;
		if (claims->error == NULL)
			claim_one_by_one(claims, batch);
		return;
	}
	for (int i = 0; i < batch->count; i++)
	{
		if (batch->is_locked[i])
			skip(claims, batch->accounts[i].user_id, GetCurrentTimestamp() + LOCKED_PAUSE);
	}
}

/*
 * Claims the next batch, and commits.  Returns whether accounts were due.
 */
static bool
fill_queue(SmartcarClaims *claims)
{
	Batch		batch = {.claims = claims, .count = claims->batch};
	MemoryContext old_context;
	ErrorData  *error;

	batch.count = (int) Min(batch.count, claims->max_accounts - claims->claimed);
	MemoryContextReset(claims->context);
	claims->length = claims->next = 0;
	claims->error = NULL;
	if (batch.count <= 0)
		return false;
	old_context = MemoryContextSwitchTo(claims->context);
	claims->queue = palloc(batch.count * sizeof(SmartcarClaim));
	expire_skips(claims);
	if (!smartcar_spi_try(read_batch, &batch, TABLE_LOCK_TIMEOUT, &error))
	{
		claims->error = error;
		batch.count = 0;
	}
	else
		claim_accounts(claims, &batch);
	smartcar_spi_commit();
	MemoryContextSwitchTo(old_context);

	for (int i = 0; i < claims->length; i++)
		set_entry(claims->held, claims->queue[i].user_id, HASH_ENTER);
	claims->claimed += claims->length;
	return batch.count > 0;
}

typedef struct Release
{
	SmartcarClaims *claims;
	HTAB	   *accounts;
} Release;

/*
 * Finds the accounts by their ids: with an index on the lease, no claim could be a HOT
 * update.
 */
static void
release_leases(void *argument)
{
	Release    *release = (Release *) argument;
	SmartcarParameters parameters = {0};
	int			count;
	Datum	   *user_ids = member_ids(release->accounts, &count);

	smartcar_parameter_string(&parameters, release->claims->due.server->name);
	smartcar_parameter(&parameters, UUIDOID, release->claims->lease, false);
	smartcar_parameter_text_array(&parameters, user_ids, count);
	smartcar_spi_run("UPDATE smartcar_tesla.account "
					 "SET lease = NULL, leased_until = NULL "
					 "WHERE server = $1 AND user_id = ANY ($3) AND lease = $2",
					 &parameters);
}

/*
 * Tries again after a cancel: the accounts are due.
 */
static void
try_to_release(Release *release)
{
	ErrorData  *error;

	if (!try_work(release->claims, release_leases, release, BATCH_LOCK_TIMEOUT, &error) &&
		error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		(void) try_work(release->claims, release_leases, release, BATCH_LOCK_TIMEOUT, &error);
}

/*
 * Gives back the leases of the accounts that were claimed and not refreshed, and
 * commits.  A lease that cannot be given back, for instance because its row is locked,
 * expires.
 */
void
smartcar_claims_release(SmartcarClaims *claims)
{
	Release		release = {claims, claims->held};
	HASH_SEQ_STATUS scan;
	Member	   *member;

	if (hash_get_num_entries(claims->held) > 0)
		try_to_release(&release);
	smartcar_spi_commit();

	hash_seq_init(&scan, claims->held);
	while ((member = hash_seq_search(&scan)) != NULL)
		set_entry(claims->held, member->user_id, HASH_REMOVE);
	claims->length = claims->next = 0;
}

/*
 * Gives back the rest of the queue, whose leases would expire before their requests
 * end, so that these accounts can be claimed again.
 */
static void
release_queue(SmartcarClaims *claims)
{
	Release		release = {claims, create_set("smartcar_tesla accounts to release")};

	for (int i = claims->next; i < claims->length; i++)
	{
		set_entry(claims->held, claims->queue[i].user_id, HASH_REMOVE);
		set_entry(release.accounts, claims->queue[i].user_id, HASH_ENTER);
	}
	try_to_release(&release);
	smartcar_spi_commit();
	hash_destroy(release.accounts);
	claims->claimed -= claims->length - claims->next;
	claims->next = claims->length;
}

static bool
is_used_up(const SmartcarClaims *claims)
{
	return claims->next == claims->length;
}

/*
 * Whether there is a next claim whose lease lasts longer than a request with this
 * timeout, in milliseconds.  If not, smartcar_claims_next() commits.
 */
bool
smartcar_claims_any_ready(const SmartcarClaims *claims, int timeout)
{
	return !is_used_up(claims) &&
		claims->queue[claims->next].until >=
		GetCurrentTimestamp() + timeout * INT64CONST(1000);
}

/*
 * Claims the next batch, if the previous one is used up and was not empty.
 */
void
smartcar_claims_fill_ahead(SmartcarClaims *claims)
{
	if (claims->length > 0 && is_used_up(claims))
		(void) fill_queue(claims);
}

/*
 * Returns the next claim, or NULL if there is none.  Its lease lasts longer than a
 * request with this timeout, in milliseconds.  The claim is valid until the next call.
 * *is_first: it is the first of a batch.
 */
const SmartcarClaim *
smartcar_claims_next(SmartcarClaims *claims, int timeout, bool *is_first)
{
	for (int fills = 0; !smartcar_claims_any_ready(claims, timeout);)
	{
		if (!is_used_up(claims))
			release_queue(claims);
		else if (fills++ == MAX_FILLS || !fill_queue(claims))
			return NULL;
		if (claims->error != NULL)
			return NULL;
	}
	*is_first = claims->next == 0;
	return &claims->queue[claims->next++];
}

typedef struct NextAttempt
{
	const SmartcarClaims *claims;
	int			within;
	TimestampTz time;
} NextAttempt;

static void
read_next_attempt(void *argument)
{
	NextAttempt *next = (NextAttempt *) argument;

	next->time = smartcar_due_accounts_next_attempt(&next->claims->due, next->within);
}

/*
 * Returns the time of the next attempt at a failed account, if that is within so many
 * milliseconds and this run may claim more accounts; else DT_NOEND.
 */
TimestampTz
smartcar_claims_next_attempt(const SmartcarClaims *claims, int within)
{
	NextAttempt next = {claims, within, DT_NOEND};
	ErrorData  *error;

	if (claims->claimed >= claims->max_accounts)
		return DT_NOEND;
	if (!smartcar_spi_try(read_next_attempt, &next, TABLE_LOCK_TIMEOUT, &error))
		ReThrowError(error);
	smartcar_spi_commit();
	return next.time;
}

/*
 * Whether the run has skipped accounts because they were locked.
 */
bool
smartcar_claims_any_locked(SmartcarClaims *claims)
{
	HASH_SEQ_STATUS scan;
	const Member *member;

	hash_seq_init(&scan, claims->skipped);
	while ((member = hash_seq_search(&scan)) != NULL)
	{
		if (member->until != DT_NOEND)
		{
			hash_seq_term(&scan);
			return true;
		}
	}
	return false;
}

/*
 * Counts the accounts that are still locked as failed.
 */
void
smartcar_claims_give_up_locked(SmartcarClaims *claims)
{
	HASH_SEQ_STATUS scan;
	const Member *member;

	hash_seq_init(&scan, claims->skipped);
	while ((member = hash_seq_search(&scan)) != NULL)
	{
		if (member->until != DT_NOEND)
			set_entry(claims->failed, member->user_id, HASH_ENTER);
	}
}

int64
smartcar_claims_failed(const SmartcarClaims *claims)
{
	return hash_get_num_entries(claims->failed);
}
