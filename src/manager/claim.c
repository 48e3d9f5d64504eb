/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  Accounts whose tokens are due, claimed for one run of a refresh.
 *
 * A claim is a lease, which expires, so that what a run has left behind when it was
 * killed can be claimed again.  It compares the lease with what was read, which
 * works on a distributed table, where SELECT FOR UPDATE over many shards does not.
 *
 * A row that somebody else has locked, or that cannot be changed, is passed over:
 * the others must not wait for it.
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
#include "manager/spi.h"

/*
 * How long a claim waits for a row, how long the claims of a batch do in all, and
 * how long the table is waited for, in milliseconds.  Nothing else of the run goes
 * on meanwhile.
 */
#define ROW_LOCK_TIMEOUT	20
#define BATCH_LOCK_TIMEOUT	100
#define TABLE_LOCK_TIMEOUT	200

/* How often a batch is claimed of which all rows are locked. */
#define MAX_FILLS			5

/* When a row that was locked is tried again. */
#define LOCKED_FOR			(2 * USECS_PER_SEC)

/* No user id of Smartcar's is longer; it is a UUID. */
#define USER_ID_SIZE		128

/* An account of a set; until when is used by one of them only. */
typedef struct Member
{
	char		user_id[USER_ID_SIZE];	/* must be first */
	TimestampTz until;
} Member;

/* An account that was due when it was read. */
typedef struct Candidate
{
	char	   *user_id;
	pg_uuid_t	lease;			/* of somebody whose time is over */
	bool		has_lease;
	TimestampTz refreshed_at;
	bool		is_locked;
} Candidate;

/* The accounts of a batch that is being claimed. */
typedef struct Batch
{
	SmartcarClaims *claims;
	Candidate  *candidates;
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
pass_over(SmartcarClaims *claims, const char *user_id, TimestampTz until)
{
	set_entry(claims->skipped, user_id, HASH_ENTER)->until = until;
}

/*
 * Nobody has it, and it need not wait.  A time further away than we ever set one
 * comes from a clock that was ahead.
 */
#define CAN_BE_CLAIMED \
	"(next_attempt_at IS NULL OR next_attempt_at <= @now " \
	"OR next_attempt_at > @now + interval '1 hour') " \
	"AND " SMARTCAR_NOT_LEASED

/*
 * It was not refreshed by this run: where access_within is longer than a token
 * lives, a new token is due again as soon as it is there.
 */
#define IS_NOT_DONE \
	"(refreshed_at IS NULL OR refreshed_at < $4 OR refreshed_at > @now + interval '1 minute')"

#define IS_DUE \
	"(access_expires_at <= @now + $2 OR refresh_expires_at <= @now + $3 " \
	"OR access_expires_at IS NULL)"

/* A kind of account that is due, and since when one of it is. */
typedef struct DueKind
{
	const char *condition;
	const char *due_at;
} DueKind;

/*
 * What is due, the most urgent first.  An account is of one kind only.  Each kind
 * has a range of an index that begins with the server and due_at, in whose order it
 * is read: what the statistics say of the table then makes no difference.  What has
 * failed waits for the end of its pause, the others for the end of either token.
 */
static const DueKind due_kinds[] = {
	{"attempts <> 0 AND next_attempt_at <= @now AND " IS_DUE, "next_attempt_at"},
	{"attempts <> 0 AND next_attempt_at IS NULL AND " IS_DUE, "next_attempt_at"},
	{"attempts <> 0 AND next_attempt_at > @now + interval '1 hour' AND " IS_DUE, "next_attempt_at"},
	{"attempts = 0 AND access_expires_at <= @now + $2", "access_expires_at"},
	{"attempts = 0 AND refresh_expires_at <= @now + $3 AND access_expires_at IS NOT NULL "
	"AND (access_expires_at <= @now + $2) IS NOT TRUE", "refresh_expires_at"},
	{"attempts = 0 AND access_expires_at IS NULL", "access_expires_at"}
};

/*
 * The accounts that are due, to select from.  Where only some are wanted, these are
 * none of $6, and no more than $5 of each kind are read.
 */
static char *
due_accounts(bool is_limited)
{
	StringInfoData result;

	initStringInfo(&result);
	for (int i = 0; i < lengthof(due_kinds); i++)
		appendStringInfo(&result,
						 "%s(SELECT %d AS urgency, user_id, lease, refreshed_at, %s AS due_at "
						 "FROM smartcar_tesla.account "
						 "WHERE server = $1 AND status = 'active' AND refresh_token IS NOT NULL "
						 "AND %s AND " IS_NOT_DONE " AND " CAN_BE_CLAIMED "%s"
						 " ORDER BY due_at%s)",
						 i == 0 ? "" : " UNION ALL ", i, due_kinds[i].due_at,
						 due_kinds[i].condition, is_limited ? " AND user_id <> ALL ($6)" : "",
						 is_limited ? " LIMIT $5" : "");
	return psprintf("(%s) AS due", result.data);
}

static void
bind_interval(SmartcarParameters *parameters, const Interval *interval)
{
	smartcar_parameter(parameters, INTERVALOID, PointerGetDatum(interval), interval == NULL);
}

static void
bind_due(const SmartcarClaims *claims, SmartcarParameters *parameters)
{
	smartcar_parameter_string(parameters, claims->server->name);
	bind_interval(parameters, claims->access_within);
	bind_interval(parameters, claims->refresh_within);
	smartcar_parameter_time(parameters, claims->began);
}

/* The members of a set as a parameter. */
static void
bind_members(SmartcarParameters *parameters, HTAB *set)
{
	Datum	   *user_ids = palloc(Max(hash_get_num_entries(set), 1) * sizeof(Datum));
	HASH_SEQ_STATUS scan;
	const Member *member;
	int			count = 0;

	hash_seq_init(&scan, set);
	while ((member = hash_seq_search(&scan)) != NULL)
		user_ids[count++] = CStringGetTextDatum(member->user_id);
	smartcar_parameter_text_array(parameters, user_ids, count);
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
 * Begins a run that claims so many accounts at a time; what is due, and how many
 * are wanted in all, is then the caller's to fill in.
 */
void
smartcar_claims_begin(SmartcarClaims *claims, const SmartcarServer *server, int batch)
{
	memset(claims, 0, sizeof(*claims));
	claims->server = server;
	claims->max_accounts = -1;
	claims->batch = batch;
	claims->lease = new_lease();
	claims->began = GetCurrentTimestamp();
	claims->context = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla claims",
											ALLOCSET_DEFAULT_SIZES);
	claims->held = create_set("smartcar_tesla held accounts");
	claims->skipped = create_set("smartcar_tesla skipped accounts");
	claims->failed = create_set("smartcar_tesla failed accounts");
}

int64
smartcar_claims_count_due(const SmartcarClaims *claims)
{
	SmartcarParameters parameters = {0};

	bind_due(claims, &parameters);
	smartcar_spi_run_in_order(psprintf("SELECT count(*) AS count FROM %s", due_accounts(false)),
							  &parameters);
	return smartcar_row_int64(0, "count");
}

/*
 * The response of an account has come.  Its lease is not ours to give back any
 * more, and it is not claimed again before the response is stored.
 */
void
smartcar_claims_responded(SmartcarClaims *claims, const char *user_id)
{
	set_entry(claims->held, user_id, HASH_REMOVE);
	pass_over(claims, user_id, DT_NOEND);
}

/*
 * The response of an account is stored, or never will be.  One may fail and then
 * succeed, or the other way round, so those that have failed in the end are kept
 * by name.  Returns whether the account is one that had not failed before, so that
 * whoever counts accounts does not count attempts.
 */
bool
smartcar_claims_ended(SmartcarClaims *claims, const char *user_id, bool has_failed)
{
	bool		is_first = set_entry(claims->failed, user_id, HASH_FIND) == NULL;

	set_entry(claims->held, user_id, HASH_REMOVE);
	set_entry(claims->skipped, user_id, HASH_REMOVE);
	set_entry(claims->failed, user_id, has_failed ? HASH_ENTER : HASH_REMOVE);
	return is_first;
}

/*
 * Claims one of the accounts that were found, unless somebody else has by now,
 * or has even refreshed it.
 */
static void
claim_account(SmartcarClaims *claims, const Candidate *candidate)
{
	SmartcarParameters parameters;
	SmartcarClaim *claim;

	smartcar_parameters_begin(&parameters, claims->server, candidate->user_id);
	smartcar_parameter(&parameters, UUIDOID, UUIDPGetDatum(&candidate->lease),
					   !candidate->has_lease);
	smartcar_parameter(&parameters, UUIDOID, claims->lease, false);
	smartcar_parameter_int32(&parameters, SMARTCAR_LEASE);
	smartcar_parameter_time(&parameters, candidate->refreshed_at);
	if (smartcar_spi_run_kept("UPDATE smartcar_tesla.account "
							  "SET lease = $4, leased_until = @now + $5 * interval '1 ms' "
							  "WHERE server = $1 AND user_id = $2 AND status = 'active' "
							  "AND lease IS NOT DISTINCT FROM $3 "
							  "AND refreshed_at IS NOT DISTINCT FROM $6 "
							  "AND " CAN_BE_CLAIMED " "
							  "RETURNING refresh_token, attempts, leased_until",
							  &parameters) == 0)
		return;

	claim = &claims->queue[claims->length++];
	claim->user_id = pstrdup(candidate->user_id);
	claim->refresh_token = smartcar_row_bytea(0, "refresh_token");
	claim->attempts = smartcar_row_int32(0, "attempts");
	claim->is_taken_over = candidate->has_lease;
	claim->until = smartcar_row_time(0, "leased_until");
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
 * Reads more accounts than are wanted, and picks some at random, so that sessions
 * side by side seldom want the same.  They are claimed in the order of their ids,
 * which keeps sessions that do from waiting for each other in a circle.
 */
static void
read_candidates(void *argument)
{
	Batch	   *batch = (Batch *) argument;
	SmartcarParameters parameters = {0};
	int			wanted = batch->count;
	int			found;

	bind_due(batch->claims, &parameters);
	smartcar_parameter_int32(&parameters, wanted * 4);
	bind_members(&parameters, batch->claims->skipped);
	found = (int) smartcar_spi_run_in_order(psprintf("SELECT user_id, lease, refreshed_at FROM %s "
													 "ORDER BY urgency, due_at LIMIT $5",
													 due_accounts(true)),
											&parameters);
	batch->candidates = palloc(Max(found, 1) * sizeof(Candidate));
	for (int i = 0; i < found; i++)
	{
		Candidate  *candidate = &batch->candidates[i];
		bool		is_null;
		Datum		lease = smartcar_row_datum(i, "lease", &is_null);

		candidate->user_id = smartcar_row_string(i, "user_id");
		candidate->has_lease = !is_null;
		if (!is_null)
			candidate->lease = *DatumGetUUIDP(lease);
		candidate->refreshed_at = smartcar_row_time(i, "refreshed_at");
		candidate->is_locked = false;
	}
	batch->count = Min(found, wanted);
	pick_at_random(batch->candidates, found, wanted);
	qsort(batch->candidates, batch->count, sizeof(Candidate), compare_candidates);
}

static void
claim_batch(void *argument)
{
	Batch	   *batch = (Batch *) argument;

	for (int i = 0; i < batch->count; i++)
	{
		if (!batch->candidates[i].is_locked)
			claim_account(batch->claims, &batch->candidates[i]);
	}
}

/*
 * Claims the accounts of a batch that are not locked.
 */
static void
claim_unlocked(void *argument)
{
	Batch	   *batch = (Batch *) argument;
	const char **user_ids = palloc(batch->count * sizeof(char *));
	bool	   *is_locked = palloc(batch->count * sizeof(bool));

	for (int i = 0; i < batch->count; i++)
		user_ids[i] = batch->candidates[i].user_id;
	smartcar_account_lock_free(batch->claims->server, user_ids, batch->count, is_locked);
	for (int i = 0; i < batch->count; i++)
		batch->candidates[i].is_locked = is_locked[i];
	claim_batch(batch);
}

/*
 * Claims the accounts of a batch one by one.  One that is locked is tried again
 * later; one that cannot be changed at all fails.
 */
static void
claim_one_by_one(SmartcarClaims *claims, const Batch *batch)
{
	TimestampTz end = GetCurrentTimestamp() + BATCH_LOCK_TIMEOUT * INT64CONST(1000);

	for (int i = 0; i < batch->count && GetCurrentTimestamp() < end; i++)
	{
		Batch		one = {claims, &batch->candidates[i], 1};
		const char *user_id = one.candidates->user_id;
		int			length = claims->length;
		ErrorData  *error;

		one.candidates->is_locked = false;
		if (smartcar_spi_try(claim_batch, &one, ROW_LOCK_TIMEOUT, &error))
			continue;
		claims->length = length;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		{
			claims->error = error;
			return;
		}
		if (smartcar_error_is_transient(error))
		{
			pass_over(claims, user_id, GetCurrentTimestamp() + LOCKED_FOR);
			continue;
		}
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not claim account of user \"%s\": %s", user_id, error->message)));
		(void) smartcar_claims_ended(claims, user_id, true);
		pass_over(claims, user_id, DT_NOEND);
	}
}

/* What was locked can be tried again after a while. */
static void
forget_locked(SmartcarClaims *claims)
{
	TimestampTz now = GetCurrentTimestamp();
	HASH_SEQ_STATUS scan;
	Member	   *member;

	hash_seq_init(&scan, claims->skipped);
	while ((member = hash_seq_search(&scan)) != NULL)
	{
		bool		is_clock_ahead = member->until > now + LOCKED_FOR;

		if (member->until != DT_NOEND && (member->until <= now || is_clock_ahead))
			set_entry(claims->skipped, member->user_id, HASH_REMOVE);
	}
}

/*
 * Claims the accounts of a batch: all at once if nothing is in the way, else those
 * that are not locked, and where the table cannot tell that, or one of them cannot
 * be changed, each by itself.
 */
static void
claim_accounts(SmartcarClaims *claims, Batch *batch)
{
	ErrorData  *error;

	if (smartcar_spi_try(claim_batch, batch, ROW_LOCK_TIMEOUT, &error))
		return;
	claims->length = 0;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
	{
		claims->error = error;
		return;
	}
	if (!smartcar_spi_try(claim_unlocked, batch, ROW_LOCK_TIMEOUT, &error))
	{
		claims->length = 0;
		claim_one_by_one(claims, batch);
		return;
	}
	for (int i = 0; i < batch->count; i++)
	{
		if (batch->candidates[i].is_locked)
			pass_over(claims, batch->candidates[i].user_id, GetCurrentTimestamp() + LOCKED_FOR);
	}
}

/*
 * Fills the queue, and commits.  Returns whether there were accounts to claim.
 */
static bool
fill_queue(SmartcarClaims *claims)
{
	Batch		batch = {claims, NULL, claims->batch};
	MemoryContext old_context;
	ErrorData  *error;

	if (claims->max_accounts >= 0)
		batch.count = (int) Min(batch.count, claims->max_accounts - claims->claimed);
	MemoryContextReset(claims->context);
	claims->length = claims->next = 0;
	claims->error = NULL;
	if (batch.count <= 0)
		return false;
	old_context = MemoryContextSwitchTo(claims->context);
	claims->queue = palloc(batch.count * sizeof(SmartcarClaim));
	forget_locked(claims);
	if (!smartcar_spi_try(read_candidates, &batch, TABLE_LOCK_TIMEOUT, &error))
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

/* Accounts whose leases are given back. */
typedef struct GivenBack
{
	SmartcarClaims *claims;
	HTAB	   *accounts;
} GivenBack;

static void
give_back(void *argument)
{
	GivenBack  *given = (GivenBack *) argument;
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, given->claims->server->name);
	smartcar_parameter(&parameters, UUIDOID, given->claims->lease, false);
	bind_members(&parameters, given->accounts);
	smartcar_spi_run_in_order("UPDATE smartcar_tesla.account "
							  "SET lease = NULL, leased_until = NULL "
							  "WHERE server = $1 AND user_id = ANY ($3) AND lease = $2",
							  &parameters);
}

/*
 * Gives back what was claimed and not refreshed, and commits.  It is found by
 * its ids: with an index of the leases, every claim would change all indexes.
 * What cannot be given back, for instance because it is locked, expires.
 */
void
smartcar_claims_release(SmartcarClaims *claims)
{
	GivenBack	given = {claims, claims->held};
	HASH_SEQ_STATUS scan;
	Member	   *member;
	ErrorData  *error;

	if (hash_get_num_entries(claims->held) > 0)
		(void) smartcar_spi_try(give_back, &given, BATCH_LOCK_TIMEOUT, &error);
	smartcar_spi_commit();

	hash_seq_init(&scan, claims->held);
	while ((member = hash_seq_search(&scan)) != NULL)
		set_entry(claims->held, member->user_id, HASH_REMOVE);
	claims->length = claims->next = 0;
}

/*
 * Gives back what is left of the queue, whose leases would expire before their
 * requests, so that it can be claimed anew.
 */
static void
give_back_queue(SmartcarClaims *claims)
{
	GivenBack	given = {claims, create_set("smartcar_tesla accounts to give back")};
	ErrorData  *error;

	for (int i = claims->next; i < claims->length; i++)
	{
		set_entry(claims->held, claims->queue[i].user_id, HASH_REMOVE);
		set_entry(given.accounts, claims->queue[i].user_id, HASH_ENTER);
	}
	(void) smartcar_spi_try(give_back, &given, BATCH_LOCK_TIMEOUT, &error);
	smartcar_spi_commit();
	hash_destroy(given.accounts);
	claims->claimed -= claims->length - claims->next;
	claims->next = claims->length;
}

/*
 * The next claim, whose lease lasts longer than a request with a timeout of so many
 * milliseconds; NULL if there is none.  It is there until the next one is asked
 * for.  *is_first: it is the first of those that were claimed at a time.
 */
const SmartcarClaim *
smartcar_claims_next(SmartcarClaims *claims, int timeout, bool *is_first)
{
	for (int fills = 0;;)
	{
		if (claims->next == claims->length)
		{
			if (fills++ == MAX_FILLS || !fill_queue(claims) || claims->error != NULL)
				return NULL;
			continue;
		}
		if (claims->queue[claims->next].until >=
			GetCurrentTimestamp() + timeout * INT64CONST(1000))
		{
			*is_first = claims->next == 0;
			return &claims->queue[claims->next++];
		}
		give_back_queue(claims);
	}
}

/* A time that is asked for. */
typedef struct NextAttempt
{
	const SmartcarClaims *claims;
	int			within;
	TimestampTz time;
} NextAttempt;

/*
 * For a token that could not be opened nothing was sent, so there is no hurry.
 */
static void
read_next_attempt(void *argument)
{
	NextAttempt *next = (NextAttempt *) argument;
	SmartcarParameters parameters = {0};

	bind_due(next->claims, &parameters);
	smartcar_parameter_int32(&parameters, next->within);
	smartcar_spi_run_in_order("SELECT min(greatest(next_attempt_at, leased_until)) AS time "
							  "FROM smartcar_tesla.account "
							  "WHERE server = $1 AND status = 'active' AND refresh_token IS NOT NULL "
							  "AND attempts BETWEEN 1 AND 5 "
							  "AND error_sqlstate NOT IN ('XX001', '55000') "
							  "AND next_attempt_at <= @now + $5 * interval '1 ms' "
							  "AND greatest(next_attempt_at, leased_until) "
							  "<= @now + $5 * interval '1 ms' "
							  "AND " IS_DUE " AND " IS_NOT_DONE,
							  &parameters);
	next->time = smartcar_row_time(0, "time");
}

/*
 * When something that has failed can be attempted again, if that is within so
 * many milliseconds, and this run may claim more; DT_NOEND if there is nothing.
 */
TimestampTz
smartcar_claims_next_attempt(const SmartcarClaims *claims, int within)
{
	NextAttempt next = {claims, within, DT_NOEND};
	ErrorData  *error;

	if (claims->max_accounts >= 0 && claims->claimed >= claims->max_accounts)
		return DT_NOEND;
	if (!smartcar_spi_try(read_next_attempt, &next, TABLE_LOCK_TIMEOUT, &error))
		ReThrowError(error);
	smartcar_spi_commit();
	return next.time;
}

/*
 * Whether there are accounts that were locked when they were to be claimed.
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
 * Those are not waited for any more, and have failed.
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
