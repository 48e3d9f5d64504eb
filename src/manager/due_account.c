/*-------------------------------------------------------------------------
 *
 * due_account.c
 *	  Statements that find the accounts whose tokens are due for a refresh.
 *
 * src/manager/due_account.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/due_account.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "manager/spi.h"

/*
 * Whether this run has not refreshed the account yet.  If access_within is longer
 * than a token lives, a new token is due as soon as it is stored.
 */
#define IS_NOT_REFRESHED \
	"(refreshed_at IS NULL OR refreshed_at < $4 " \
	"OR refreshed_at > @now + interval '1 minute')"

#define IS_DUE \
	"(access_expires_at <= @now + $2 " \
	"OR refresh_expires_at <= @now + $3 " \
	"OR access_expires_at IS NULL)"

/* A kind of due account, and since when one of this kind is due. */
typedef struct DueKind
{
	const char *condition;
	const char *due_at;
} DueKind;

/*
 * The kinds of due accounts, the most urgent first.  An account is of one kind only.
 * A failed account is due when its pause ends, any other when one of its tokens
 * expires.  Each kind is a range of an index on the server and due_at and is read in
 * the order of that index, so the plan does not depend on the table's statistics.
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
 * A subquery of the accounts that are due.  If it is limited, it leaves out the users
 * in $6, and reads at most $5 accounts of each kind.
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
						 "AND %s AND " IS_NOT_REFRESHED " AND " SMARTCAR_CAN_BE_CLAIMED "%s"
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
bind_filter(SmartcarParameters *parameters, const SmartcarDueFilter *filter)
{
	smartcar_parameter_string(parameters, filter->server->name);
	bind_interval(parameters, filter->access_within);
	bind_interval(parameters, filter->refresh_within);
	smartcar_parameter_time(parameters, filter->began);
}

int64
smartcar_due_accounts_count(const SmartcarDueFilter *filter)
{
	SmartcarParameters parameters = {0};

	bind_filter(&parameters, filter);
	smartcar_spi_run_in_order(psprintf("SELECT count(*) AS count FROM %s", due_accounts(false)),
							  &parameters);
	return smartcar_row_int64(0, "count");
}

/*
 * How many skipped accounts a kept plan may have.  It compares each row with all of
 * them; a list that the planner knows is hashed.
 */
#define MAX_SKIPPED_BY_KEPT_PLAN	100

/*
 * The statement of smartcar_due_accounts_read(), at one address, because its plan is
 * kept.
 */
static const char *
read_statement(void)
{
	static const char *statement = NULL;

	if (statement == NULL)
		statement = MemoryContextStrdup(TopMemoryContext,
										psprintf("SELECT user_id, lease, refreshed_at FROM %s "
												 "ORDER BY urgency, due_at LIMIT $5",
												 due_accounts(true)));
	return statement;
}

/*
 * Reads the most urgent accounts that are due, but for some users.
 */
SmartcarDueAccount *
smartcar_due_accounts_read(const SmartcarDueFilter *filter, Datum *skipped_ids,
						   int skipped_count, int limit, int *count)
{
	SmartcarParameters parameters = {0};
	SmartcarDueAccount *accounts;

	bind_filter(&parameters, filter);
	smartcar_parameter_int32(&parameters, limit);
	smartcar_parameter_text_array(&parameters, skipped_ids, skipped_count);
	*count = (int) (skipped_count <= MAX_SKIPPED_BY_KEPT_PLAN ?
					smartcar_spi_run_kept_in_order(read_statement(), &parameters) :
					smartcar_spi_run_in_order(read_statement(), &parameters));
	accounts = palloc(Max(*count, 1) * sizeof(SmartcarDueAccount));
	for (int i = 0; i < *count; i++)
	{
		SmartcarDueAccount *account = &accounts[i];
		bool		is_null;
		Datum		lease = smartcar_row_datum(i, "lease", &is_null);

		account->user_id = smartcar_row_string(i, "user_id");
		account->has_lease = !is_null;
		if (!is_null)
			account->lease = *DatumGetUUIDP(lease);
		account->refreshed_at = smartcar_row_time(i, "refreshed_at");
	}
	return accounts;
}

/*
 * The time of the next attempt at a failed account, if it is within so many
 * milliseconds; DT_NOEND if there is none.  An account whose token could not be
 * unsealed is left out: nothing was sent for it, so it is not urgent.
 */
TimestampTz
smartcar_due_accounts_next_attempt(const SmartcarDueFilter *filter, int within)
{
	SmartcarParameters parameters = {0};

	bind_filter(&parameters, filter);
	smartcar_parameter_int32(&parameters, within);
	smartcar_spi_run_in_order("SELECT min(greatest(next_attempt_at, leased_until)) AS time "
							  "FROM smartcar_tesla.account "
							  "WHERE server = $1 AND status = 'active' AND refresh_token IS NOT NULL "
							  "AND attempts BETWEEN 1 AND 5 "
							  "AND error_sqlstate NOT IN ('XX001', '55000') "
							  "AND next_attempt_at <= @now + $5 * interval '1 ms' "
							  "AND greatest(next_attempt_at, leased_until) "
							  "<= @now + $5 * interval '1 ms' "
							  "AND " IS_DUE " AND " IS_NOT_REFRESHED,
							  &parameters);
	return smartcar_row_time(0, "time");
}
