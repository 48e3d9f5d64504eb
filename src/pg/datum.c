/*-------------------------------------------------------------------------
 *
 * datum.c
 *	  Results of SQL functions: rows, timestamps and text.
 *
 * src/pg/datum.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/datum.h"

#include "access/htup_details.h"
#include "funcapi.h"

#include "core/timestamp.h"
#include "pg/compat.h"

static pg_noreturn void
refuse_type(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("return type does not match the definition in the extension")));
}

/*
 * Parses a timestamp of Smartcar.  Returns false if it is not valid, or outside
 * PostgreSQL's range.
 */
bool
smartcar_timestamptz(SmartcarSpan text, TimestampTz *timestamp)
{
	int64_t		microseconds;

	if (text.data == NULL || !smartcar_timestamp_parse(text, &microseconds))
		return false;
	*timestamp = microseconds -
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	return IS_VALID_TIMESTAMP(*timestamp);
}

/*
 * The descriptor of the result type, for all rows of a query: it lives as long
 * as the FmgrInfo.
 */
TupleDesc
smartcar_result_descriptor(FunctionCallInfo fcinfo, int columns)
{
	TupleDesc	descriptor;
	MemoryContext old_context;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts != columns)
		refuse_type();

	old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	descriptor = BlessTupleDesc(CreateTupleDescCopy(descriptor));
	MemoryContextSwitchTo(old_context);
	return descriptor;
}

/*
 * The descriptor of the result type, for one row.
 */
TupleDesc
smartcar_row_descriptor(FunctionCallInfo fcinfo, int columns)
{
	TupleDesc	descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts != columns)
		refuse_type();
	return BlessTupleDesc(descriptor);
}

/*
 * The row of a function that returns one.
 */
Datum
smartcar_form_single_row(FunctionCallInfo fcinfo, int columns, Datum *values, bool *nulls)
{
	TupleDesc	descriptor = smartcar_row_descriptor(fcinfo, columns);

	return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}
