/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  Accounts whose tokens are due, claimed for one run of a refresh.
 *
 * A claim is a lease, which ends by itself, so that what a run has left behind
 * when it was killed can be claimed again.  It compares the lease with what was
 * read, which works on a distributed table, where SELECT FOR UPDATE does not.
 *
 * src/manager/claim.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/claim.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "manager/account.h"
#include "manager/spi.h"
#include "manager/user_set.h"

/* In milliseconds: two of them fit into the minute in which an old token is good. */
#define LEASE				20000

/* An account that was due when it was read. */
typedef struct Candidate
{
	char	   *user_id;
	pg_uuid_t	lease;			/* of somebody whose time is over */
	bool		has_lease;
	TimestampTz refreshed_at;
} Candidate;

/*
 * Nobody has it, and it need not wait.  A time further away than we ever set one
 * comes from a clock that was wrong.
 */
#define CAN_BE_CLAIMED \
	"(next_attempt_at IS NULL OR next_attempt_at <= @now OR next_attempt_at > @now + interval '1 hour') " \
	"AND " SMARTCAR_NOT_LEASED

/*
 * It was not refreshed by this run: where access_within is longer than a token
 * lives, a new token is due again as soon as it is there.
 */
#define IS_NOT_DONE \
	"(refreshed_at IS NULL OR refreshed_at < $4 OR refreshed_at > @now + interval '1 minute')"

#define IS_DUE \
	"(access_expires_at <= @now + $2 OR refresh_expires_at <= @now + $3 OR access_expires_at IS NULL)"

/*
 * What is due, the most urgent first.  An account is in one of them only.  Each
 * is read from an index, which all of them together could not be: what has
 * failed, by the end of its pause or of its access token; the others, by the end
 * of either token.
 */
static const char *const due_conditions[] = {
	("attempts <> 0 AND " IS_DUE),
	"attempts = 0 AND access_expires_at <= @now + $2",
	"attempts = 0 AND refresh_expires_at <= @now + $3 AND access_expires_at IS NOT NULL AND (access_expires_at <= @now + $2) IS NOT TRUE",
	"attempts = 0 AND access_expires_at IS NULL"
};

/*
 * The accounts that are due, to select from.  What ends the statement of each
 * condition keeps its index from being read further than is needed.
 */
static char *
due_accounts(const char *end)
{
	StringInfoData result;

	initStringInfo(&result);
	for (int i = 0; i < lengthof(due_conditions); i++)
		appendStringInfo(&result,
						 "%s(SELECT %d AS urgency, user_id, lease, refreshed_at, access_expires_at FROM smartcar_tesla.account "
						 "WHERE server = $1 AND status = 'active' AND refresh_token IS NOT NULL "
						 "AND %s AND " IS_NOT_DONE " AND " CAN_BE_CLAIMED "%s)",
						 i == 0 ? "" : " UNION ALL ", i, due_conditions[i], end);
	return psprintf("(%s) AS due", result.data);
}

static void
pass_interval(SmartcarParameters *parameters, const Interval *interval)
{
	smartcar_parameter(parameters, INTERVALOID, PointerGetDatum(interval), interval == NULL);
}

static void
pass_due(const SmartcarClaims *claims, SmartcarParameters *parameters)
{
	smartcar_parameter_string(parameters, claims->server->name);
	pass_interval(parameters, claims->access_within);
	pass_interval(parameters, claims->refresh_within);
	smartcar_parameter_time(parameters, claims->began);
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
	claims->held = smartcar_user_set_create("smartcar_tesla held accounts");
}

/*
 * An account was refreshed, or its failure stored, either of which has ended
 * its lease.
 */
void
smartcar_claims_done(SmartcarClaims *claims, const SmartcarClaim *claim)
{
	smartcar_user_set_note(claims->held, claim->user_id, false);
}

int64
smartcar_claims_count_due(const SmartcarClaims *claims)
{
	SmartcarParameters parameters = {0};

	pass_due(claims, &parameters);
	smartcar_spi_run_by_index(psprintf("SELECT count(*) FROM %s", due_accounts("")), &parameters);
	return strtoll(smartcar_result_string(0, 0), NULL, 10);
}

/*
 * Claims one of the accounts that were found, unless somebody else has by now,
 * or has even refreshed it.
 */
static void
claim_account(SmartcarClaims *claims, const Candidate *candidate)
{
	SmartcarParameters parameters = {0};
	MemoryContext old_context;
	SmartcarClaim *claim;

	smartcar_parameter_string(&parameters, claims->server->name);
	smartcar_parameter_string(&parameters, candidate->user_id);
	smartcar_parameter(&parameters, UUIDOID, UUIDPGetDatum(&candidate->lease),
					   !candidate->has_lease);
	smartcar_parameter(&parameters, UUIDOID, claims->lease, false);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(LEASE), false);
	smartcar_parameter_time(&parameters, candidate->refreshed_at);
	if (smartcar_spi_run("UPDATE smartcar_tesla.account SET lease = $4, leased_until = @now + $5 * interval '1 ms' "
						 "WHERE server = $1 AND user_id = $2 AND lease IS NOT DISTINCT FROM $3 AND refreshed_at IS NOT DISTINCT FROM $6 AND status = 'active' "
						 "AND " CAN_BE_CLAIMED " "
						 "RETURNING refresh_token, attempts, leased_until",
						 &parameters) == 0)
		return;

	old_context = MemoryContextSwitchTo(claims->context);
	claim = &claims->queue[claims->length++];
	claim->user_id = pstrdup(candidate->user_id);
	claim->refresh_token = smartcar_result_bytea(0, 0);
	claim->attempts = pg_strtoint32(smartcar_result_string(0, 1));
	smartcar_result_time(0, 2, &claim->until);
	claims->claimed++;
	smartcar_user_set_note(claims->held, claim->user_id, true);
	MemoryContextSwitchTo(old_context);
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

bool
smartcar_claims_used_up(const SmartcarClaims *claims)
{
	return claims->next == claims->length;
}

/*
 * Fills the queue, and commits.  More accounts are read than are wanted, and some
 * picked at random, so that sessions side by side seldom want the same.  They
 * are claimed in the order of their ids, which keeps sessions that do from
 * waiting for each other in a circle.
 */
void
smartcar_claims_fill(SmartcarClaims *claims)
{
	int			wanted = claims->batch;
	SmartcarParameters parameters = {0};
	int			found;
	Candidate  *candidates;

	if (claims->max_accounts >= 0)
		wanted = (int) Min(wanted, claims->max_accounts - claims->claimed);
	MemoryContextReset(claims->context);
	claims->length = claims->next = 0;
	if (wanted <= 0)
		return;
	claims->queue = MemoryContextAlloc(claims->context, wanted * sizeof(SmartcarClaim));

	pass_due(claims, &parameters);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(wanted * 4), false);
	found = (int) smartcar_spi_run_by_index(psprintf("SELECT user_id, lease, refreshed_at FROM %s ORDER BY urgency, access_expires_at LIMIT $5",
													 due_accounts(" ORDER BY access_expires_at LIMIT $5")),
											&parameters);
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
		claim_account(claims, &candidates[i]);
	smartcar_spi_commit();
}

/*
 * The next claim, which is there until the queue is filled again; NULL if there
 * is none.
 */
const SmartcarClaim *
smartcar_claims_next(SmartcarClaims *claims)
{
	return smartcar_claims_used_up(claims) ? NULL : &claims->queue[claims->next++];
}

/*
 * When something that has failed can be attempted again, if that is within so
 * many milliseconds, and this run may claim more.  For a token that could not be
 * opened nothing was sent, so there is no hurry.
 */
bool
smartcar_claims_next_attempt(const SmartcarClaims *claims, int within, TimestampTz *time)
{
	SmartcarParameters parameters = {0};

	if (claims->max_accounts >= 0 && claims->claimed >= claims->max_accounts)
		return false;
	pass_due(claims, &parameters);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(within), false);
	smartcar_spi_run_by_index("SELECT min(greatest(next_attempt_at, leased_until)) FROM smartcar_tesla.account "
							  "WHERE server = $1 AND status = 'active' AND attempts BETWEEN 1 AND 5 AND refresh_token IS NOT NULL "
							  "AND error_sqlstate NOT IN ('XX001', '55000') "
							  "AND (next_attempt_at <= @now + $5 * interval '1 ms' OR next_attempt_at IS NULL) "
							  "AND greatest(next_attempt_at, leased_until) <= @now + $5 * interval '1 ms' "
							  "AND " IS_DUE " AND " IS_NOT_DONE,
							  &parameters);
	return smartcar_result_time(0, 0, time);
}

/*
 * Gives back what was claimed and not refreshed, and commits.  It is found by
 * its ids: with an index of the leases, every claim would change all indexes.
 */
void
smartcar_claims_release(SmartcarClaims *claims)
{
	long		count = hash_get_num_entries(claims->held);

	if (count > 0)
	{
		SmartcarParameters parameters = {0};
		Datum	   *user_ids = palloc(count * sizeof(Datum));
		HASH_SEQ_STATUS scan;
		const char *user_id;
		int			i = 0;

		hash_seq_init(&scan, claims->held);
		while ((user_id = hash_seq_search(&scan)) != NULL)
		{
			user_ids[i++] = CStringGetTextDatum(user_id);
			smartcar_user_set_note(claims->held, user_id, false);
		}
		smartcar_parameter_string(&parameters, claims->server->name);
		smartcar_parameter(&parameters, UUIDOID, claims->lease, false);
		smartcar_parameter(&parameters, TEXTARRAYOID,
						   PointerGetDatum(construct_array(user_ids, i, TEXTOID, -1, false, TYPALIGN_INT)),
						   false);
		smartcar_spi_run_by_index("UPDATE smartcar_tesla.account SET lease = NULL, leased_until = NULL "
								  "WHERE server = $1 AND user_id = ANY ($3) AND lease = $2",
								  &parameters);
	}
	smartcar_spi_commit();
}
