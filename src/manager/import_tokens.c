/*-------------------------------------------------------------------------
 *
 * import_tokens.c
 *	  The procedure that imports tokens which the application has kept itself.
 *
 * A list with an invalid element is refused as a whole.  Messages name positions, not
 * values: an invalid id may be a token that was passed in the wrong array.
 *
 * src/manager/import_tokens.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port.h"
#include "utils/builtins.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call/item.h"
#include "manager/account.h"
#include "manager/account_import.h"
#include "manager/spi.h"
#include "manager/usable_id.h"
#include "pg/datum.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_import_tokens);

/* The arguments, of which the first five are arrays. */
enum
{
	USER_IDS, EXTERNAL_IDS, ACCESS_TOKENS, REFRESH_TOKENS, EXPIRES_AT, SERVER
};

#define ARRAYS	SERVER

/* What the procedure returns. */
enum
{
	IMPORTED, REPLACED, KEPT, COLUMNS
};

/* How far the clock of the application may be ahead of ours. */
#define CLOCK_DIFFERENCE	(5 * USECS_PER_MINUTE)

static const char *const names[ARRAYS] = {
	"user_ids", "external_ids", "access_tokens", "refresh_tokens", "expires_at"
};

typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Column;

/* What the list says about a user.  A span without data is NULL. */
typedef struct Entry
{
	int			position;		/* from 1 */
	SmartcarSpan user_id;
	SmartcarSpan external_id;
	SmartcarSpan access_token;
	SmartcarSpan refresh_token;
	TimestampTz expires_at;
} Entry;

static Column
read_column(FunctionCallInfo fcinfo, int argument)
{
	Oid			type = argument == EXPIRES_AT ? TIMESTAMPTZOID : TEXTOID;
	Column		column;
	ArrayType  *array;
	int16		length;
	bool		by_value;
	char		alignment;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", names[argument])));
	array = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", names[argument])));
	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	deconstruct_array(array, type, length, by_value, alignment, &column.values, &column.nulls,
					  &column.count);
	return column;
}

static void
check_same_length(const Column *columns)
{
	for (int i = 1; i < ARRAYS; i++)
	{
		if (columns[i].count != columns[0].count)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("%s and %s must have the same length", names[0], names[i]),
					 errdetail("They have %d and %d elements.", columns[0].count,
							   columns[i].count)));
	}
}

static SmartcarSpan
text_element(const Column *column, int i)
{
	if (column->nulls[i])
		return smartcar_span(NULL, 0);
	return smartcar_span_from_text((text *) DatumGetPointer(column->values[i]));
}

static void
check_not_null(const Column *columns, int argument, int i)
{
	if (columns[argument].nulls[i])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain NULL", names[argument]),
				 errdetail("Element %d is NULL.", i + 1),
				 argument == REFRESH_TOKENS ?
				 errhint("Leave out users without a refresh token. Their owners have to connect again, with a link of smartcar_begin_connect().") :
				 0));
}

static void
check_ids(const Entry *entry)
{
	if (!smartcar_user_id_is_usable(entry->user_id) ||
		smartcar_account_is_provisional(pnstrdup(entry->user_id.data, entry->user_id.length)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid user id in user_ids"),
				 errdetail("Element %d is not Smartcar's id of a user.", entry->position)));
	if (entry->external_id.data != NULL && entry->external_id.length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_ids must not contain an empty text"),
				 errdetail("Element %d is empty.", entry->position),
				 errhint("Pass NULL for an owner whose id is not known.")));
	if (entry->external_id.length > SMARTCAR_MAX_EXTERNAL_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_ids must not contain a text longer than %d bytes",
						SMARTCAR_MAX_EXTERNAL_ID_LENGTH),
				 errdetail("Element %d has %zu bytes.", entry->position,
						   entry->external_id.length)));
}

static void
check_token(SmartcarSpan token, int argument, int position)
{
	if (token.data == NULL)
		return;
	if (token.length > SMARTCAR_MAX_TOKEN_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("token in %s is too long", names[argument]),
				 errdetail("Element %d has %zu bytes, and the limit is %d bytes.", position,
						   token.length, SMARTCAR_MAX_TOKEN_LENGTH)));
	if (token.length == 0 || !smartcar_span_is_visible(token))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid token in %s", names[argument]),
				 errdetail("Element %d does not consist of visible ASCII characters without spaces.",
						   position)));
}

/*
 * Applications often store when the refresh token expires, too.  With that time in
 * expires_at, no account would be due before its refresh token has expired.
 */
static void
check_expiry(TimestampTz expires_at, int position, TimestampTz now)
{
	if (TIMESTAMP_NOT_FINITE(expires_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expires_at must not contain infinity"),
				 errdetail("Element %d is infinite.", position)));
	if (expires_at < SetEpochTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expires_at is too far in the past"),
				 errdetail("Element %d is before 1970.", position)));
	if (expires_at > now + SMARTCAR_ACCESS_LIFETIME + CLOCK_DIFFERENCE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expires_at is too far in the future"),
				 errdetail("Element %d is more than two hours from now, and no access token lasts longer.",
						   position),
				 errhint("Pass when the access token expires, not when the refresh token does, with its time zone.")));
}

static void
read_entry(const Column *columns, int i, TimestampTz now, Entry *entry)
{
	entry->position = i + 1;
	check_not_null(columns, USER_IDS, i);
	check_not_null(columns, REFRESH_TOKENS, i);
	check_not_null(columns, EXPIRES_AT, i);
	entry->user_id = text_element(&columns[USER_IDS], i);
	entry->external_id = text_element(&columns[EXTERNAL_IDS], i);
	entry->access_token = text_element(&columns[ACCESS_TOKENS], i);
	entry->refresh_token = text_element(&columns[REFRESH_TOKENS], i);
	entry->expires_at = DatumGetTimestampTz(columns[EXPIRES_AT].values[i]);

	check_ids(entry);
	check_token(entry->access_token, ACCESS_TOKENS, entry->position);
	check_token(entry->refresh_token, REFRESH_TOKENS, entry->position);
	if (smartcar_span_equal(entry->access_token, entry->refresh_token))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("access_tokens and refresh_tokens must not contain the same token"),
				 errdetail("Element %d is the same in both.", entry->position)));
	check_expiry(entry->expires_at, entry->position, now);
}

static int
compare_spans(SmartcarSpan a, SmartcarSpan b)
{
	size_t		length = Min(a.length, b.length);
	int			order = length > 0 ? memcmp(a.data, b.data, length) : 0;

	return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* The order in which rows are locked; equal ids keep the order of the list. */
static int
compare_users(const void *a, const void *b, void *argument)
{
	const Entry *one = (const Entry *) a;
	const Entry *other = (const Entry *) b;
	int			order = compare_spans(one->user_id, other->user_id);

	return order != 0 ? order : one->position - other->position;
}

static SmartcarSpan
entry_token(const Entry *entry, int argument)
{
	return argument == ACCESS_TOKENS ? entry->access_token : entry->refresh_token;
}

/* Users without a token come first. */
static int
compare_tokens(const void *a, const void *b, void *argument)
{
	const Entry *one = (const Entry *) a;
	const Entry *other = (const Entry *) b;
	int			order = compare_spans(entry_token(one, *(int *) argument),
									  entry_token(other, *(int *) argument));

	return order != 0 ? order : one->position - other->position;
}

static bool
is_copy(const Entry *a, const Entry *b)
{
	return smartcar_span_equal(a->external_id, b->external_id) &&
		smartcar_span_equal(a->access_token, b->access_token) &&
		smartcar_span_equal(a->refresh_token, b->refresh_token) &&
		a->expires_at == b->expires_at;
}

/*
 * Keeps one of several equal entries of a user: a join with vehicles repeats users.
 */
static int
remove_copies(Entry *entries, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		const Entry *last = kept > 0 ? &entries[kept - 1] : NULL;

		if (last == NULL || !smartcar_span_equal(last->user_id, entries[i].user_id))
			entries[kept++] = entries[i];
		else if (!is_copy(last, &entries[i]))
			ereport(ERROR,
					(errcode(ERRCODE_CARDINALITY_VIOLATION),
					 errmsg("user_ids contains a user more than once, with different values"),
					 errdetail("Elements %d and %d have the same user id.", last->position,
							   entries[i].position),
					 errhint("Pass the newest tokens of each user.")));
	}
	return kept;
}

/*
 * Refuses a token of two users, as a wrong join produces it.  The first use of a shared
 * refresh token would invalidate it for the other user; a shared access token would give
 * one user the vehicles of the other.
 */
static void
check_shared_tokens(Entry *entries, int count, int argument)
{
	qsort_interruptible(entries, count, sizeof(Entry), compare_tokens, &argument);
	for (int i = 1; i < count; i++)
	{
		SmartcarSpan last = entry_token(&entries[i - 1], argument);
		SmartcarSpan token = entry_token(&entries[i], argument);

		if (token.data != NULL && smartcar_span_equal(last, token))
			ereport(ERROR,
					(errcode(ERRCODE_CARDINALITY_VIOLATION),
					 errmsg("two users have the same token in %s", names[argument]),
					 errdetail("They are elements %d and %d.", entries[i - 1].position,
							   entries[i].position)));
	}
}

/*
 * Reads the arguments, and sorts them in the order in which rows are locked.
 */
static Entry *
read_entries(FunctionCallInfo fcinfo, int *count)
{
	TimestampTz now = GetCurrentTimestamp();
	Column		columns[ARRAYS];
	Entry	   *entries;

	for (int i = 0; i < ARRAYS; i++)
		columns[i] = read_column(fcinfo, i);
	check_same_length(columns);
	*count = columns[USER_IDS].count;

	entries = MemoryContextAllocHuge(CurrentMemoryContext, (*count + 1) * sizeof(Entry));
	for (int i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_entry(columns, i, now, &entries[i]);
	}
	qsort_interruptible(entries, *count, sizeof(Entry), compare_users, NULL);
	*count = remove_copies(entries, *count);
	check_shared_tokens(entries, *count, ACCESS_TOKENS);
	check_shared_tokens(entries, *count, REFRESH_TOKENS);
	qsort_interruptible(entries, *count, sizeof(Entry), compare_users, NULL);
	return entries;
}

static SmartcarImportResult
import_entry(const SmartcarServer *server, const SmartcarKeyRing *ring, const Entry *entry)
{
	SmartcarTokensToImport tokens = {
		.user_id = pnstrdup(entry->user_id.data, entry->user_id.length),
		.access_token = entry->access_token,
		.refresh_token = entry->refresh_token,
		.expires_at = entry->expires_at
	};

	if (entry->external_id.data != NULL)
		tokens.external_id = pnstrdup(entry->external_id.data, entry->external_id.length);
	return smartcar_account_import(server, ring, &tokens);
}

static void
warn_of_forgotten(int64 count)
{
	if (count > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg_plural("skipped %lld user who was forgotten",
							   "skipped %lld users who were forgotten",
							   (unsigned long) count, (long long) count),
				 errhint("Delete these owners from the list, too: forgotten users are remembered for 25 hours only.")));
}

static SmartcarServer *
server_with_tokens(FunctionCallInfo fcinfo)
{
	SmartcarServer *server = smartcar_required_server(fcinfo, SERVER);

	if (smartcar_server_api_version(server) != SMARTCAR_API_V2)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("server \"%s\" has api_version \"3\", in which owners have no tokens",
						server->name),
				 errhint("Run CALL smartcar_sync(server => %s) to store the users, and CALL smartcar_adopt() to give them their external_id.",
						 quote_literal_cstr(server->name))));
	return server;
}

/*
 * No request is sent, so it all happens in the transaction of the caller.
 */
Datum
smartcar_import_tokens(PG_FUNCTION_ARGS)
{
	SmartcarServer *server = server_with_tokens(fcinfo);
	MemoryContext result_context = CurrentMemoryContext;
	MemoryContext each;
	SmartcarKeyRing ring;
	Entry	   *entries;
	int			count;
	int64		outcomes[SMARTCAR_IMPORT_FORGOTTEN + 1] = {0};
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};
	Datum		row;

	PreventCommandIfReadOnly("smartcar_import_tokens()");
	entries = read_entries(fcinfo, &count);
	smartcar_spi_begin();
	smartcar_key_ring_read(&ring, server);
	smartcar_account_import_begin(server, &ring);
	each = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla import",
								 ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(each);
		MemoryContextSwitchTo(each);
		outcomes[import_entry(server, &ring, &entries[i])]++;
	}
	smartcar_key_ring_wipe(&ring);
	warn_of_forgotten(outcomes[SMARTCAR_IMPORT_FORGOTTEN]);

	MemoryContextSwitchTo(result_context);
	values[IMPORTED] = Int64GetDatum(outcomes[SMARTCAR_IMPORT_FIRST] +
									 outcomes[SMARTCAR_IMPORT_REPLACED]);
	values[REPLACED] = Int64GetDatum(outcomes[SMARTCAR_IMPORT_REPLACED]);
	values[KEPT] = Int64GetDatum(outcomes[SMARTCAR_IMPORT_KEPT]);
	row = HeapTupleGetDatum(heap_form_tuple(smartcar_row_descriptor(fcinfo, COLUMNS), values,
											nulls));
	smartcar_spi_end();
	PG_RETURN_DATUM(row);
}
