/*-------------------------------------------------------------------------
 *
 * adopt.c
 *	  The procedure that assigns Smartcar users to owners of the application.
 *
 * src/manager/adopt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "manager/account.h"
#include "manager/owner.h"
#include "manager/spi.h"
#include "manager/usable_id.h"
#include "pg/datum.h"
#include "pg/fn_state.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_adopt);

enum
{
	USER_IDS, EXTERNAL_IDS, SERVER
};

/* What the procedure returns. */
enum
{
	ADOPTED, REPLACED, UNKNOWN, COLUMNS
};

typedef struct Adoption
{
	const char *user_id;
	const char *external_id;
} Adoption;

static ArrayType *
required_array(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return PG_GETARG_ARRAYTYPE_P(argument);
}

static void
check_ids(SmartcarSpan user_id, SmartcarSpan external_id)
{
	if (!smartcar_user_id_is_usable(user_id) ||
		smartcar_account_is_provisional(pnstrdup(user_id.data, user_id.length)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid user id: \"%s\"", smartcar_excerpt(user_id)),
				 errhint("Smartcar's user ids are in the column user_id of the view smartcar_status.")));
	if (external_id.length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_id of user \"%s\" must not be empty",
						smartcar_excerpt(user_id))));
	if (external_id.length > SMARTCAR_MAX_EXTERNAL_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_id of user \"%s\" must not be longer than %d bytes",
						smartcar_excerpt(user_id), SMARTCAR_MAX_EXTERNAL_ID_LENGTH)));
}

static int
compare_adoptions(const void *a, const void *b)
{
	return strcmp(((const Adoption *) a)->user_id, ((const Adoption *) b)->user_id);
}

/*
 * Keeps one of several equal pairs: a join with vehicles repeats users.
 */
static int
remove_duplicates(Adoption *adoptions, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		if (kept == 0 || strcmp(adoptions[kept - 1].user_id, adoptions[i].user_id) != 0)
			adoptions[kept++] = adoptions[i];
		else if (strcmp(adoptions[kept - 1].external_id, adoptions[i].external_id) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_CARDINALITY_VIOLATION),
					 errmsg("user \"%s\" has more than one external_id", adoptions[i].user_id),
					 errdetail("One is \"%s\", another is \"%s\".",
							   smartcar_excerpt(smartcar_span_from_string(adoptions[kept - 1].external_id)),
							   smartcar_excerpt(smartcar_span_from_string(adoptions[i].external_id)))));
	}
	return kept;
}

/*
 * Reads the arguments, and sorts them in the order in which rows are locked.
 */
static Adoption *
read_adoptions(ArrayType *user_ids, ArrayType *external_ids, int *count)
{
	SmartcarTextArray users;
	SmartcarTextArray owners;
	SmartcarSpan user_id;
	SmartcarSpan external_id;
	Adoption   *adoptions;

	smartcar_text_array_begin(&users, user_ids, "user_ids");
	smartcar_text_array_begin(&owners, external_ids, "external_ids");
	if (users.count != owners.count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("user_ids and external_ids must have the same length"),
				 errdetail("They have %d and %d elements.", users.count, owners.count)));

	adoptions = palloc((users.count + 1) * sizeof(Adoption));
	for (int i = 0; smartcar_text_array_next(&users, &user_id) &&
		 smartcar_text_array_next(&owners, &external_id); i++)
	{
		check_ids(user_id, external_id);
		adoptions[i].user_id = pnstrdup(user_id.data, user_id.length);
		adoptions[i].external_id = pnstrdup(external_id.data, external_id.length);
	}
	qsort(adoptions, users.count, sizeof(Adoption), compare_adoptions);
	*count = remove_duplicates(adoptions, users.count);
	return adoptions;
}

static void
warn_of_unknown(const SmartcarServer *server, int64 count, const char *first)
{
	ereport(WARNING,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg_plural("%lld user is not known on server \"%s\"",
						   "%lld users are not known on server \"%s\"",
						   (unsigned long) count, (long long) count, server->name),
			 errdetail("The first of them is \"%s\".", first),
			 errhint("Run CALL smartcar_sync(server => %s) to store the users that Smartcar lists, then call smartcar_adopt() again.",
					 quote_literal_cstr(server->name))));
}

/*
 * No request is sent, so it all happens in the transaction of the caller.
 */
Datum
smartcar_adopt(PG_FUNCTION_ARGS)
{
	SmartcarServer *server = smartcar_required_server(fcinfo, SERVER);
	MemoryContext result_context = CurrentMemoryContext;
	MemoryContext each;
	Adoption   *adoptions;
	int			count;
	int64		outcomes[SMARTCAR_ADOPTION_REPLACED + 1] = {0};
	const char *first_unknown = NULL;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {0};
	Datum		row;

	PreventCommandIfReadOnly("smartcar_adopt()");
	adoptions = read_adoptions(required_array(fcinfo, USER_IDS, "user_ids"),
							   required_array(fcinfo, EXTERNAL_IDS, "external_ids"), &count);
	smartcar_spi_begin();
	each = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla adopt",
								 ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < count; i++)
	{
		SmartcarAdoption outcome;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(each);
		MemoryContextSwitchTo(each);
		outcome = smartcar_owner_adopt(server, adoptions[i].user_id, adoptions[i].external_id);
		if (outcome == SMARTCAR_ADOPTION_UNKNOWN && first_unknown == NULL)
			first_unknown = adoptions[i].user_id;
		outcomes[outcome]++;
	}
	if (first_unknown != NULL)
		warn_of_unknown(server, outcomes[SMARTCAR_ADOPTION_UNKNOWN], first_unknown);

	MemoryContextSwitchTo(result_context);
	values[ADOPTED] = Int64GetDatum(outcomes[SMARTCAR_ADOPTION_FIRST] +
									outcomes[SMARTCAR_ADOPTION_REPLACED]);
	values[REPLACED] = Int64GetDatum(outcomes[SMARTCAR_ADOPTION_REPLACED]);
	values[UNKNOWN] = Int64GetDatum(outcomes[SMARTCAR_ADOPTION_UNKNOWN]);
	row = HeapTupleGetDatum(heap_form_tuple(smartcar_row_descriptor(fcinfo, COLUMNS), values,
											nulls));
	smartcar_spi_end();
	PG_RETURN_DATUM(row);
}
