/*-------------------------------------------------------------------------
 *
 * tuple.c
 *	  Composite results.
 *
 * src/pg/tuple.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/tuple.h"

#include "access/htup_details.h"
#include "funcapi.h"

/*
 * Looks up the descriptor of the result type, once per call site.
 */
static TupleDesc
result_descriptor(FunctionCallInfo fcinfo)
{
	TupleDesc	descriptor;
	MemoryContext old_context;

	if (fcinfo->flinfo->fn_extra != NULL)
		return (TupleDesc) fcinfo->flinfo->fn_extra;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts > SMARTCAR_TUPLE_MAX_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("result type is not the one of the extension")));

	old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	descriptor = BlessTupleDesc(CreateTupleDescCopy(descriptor));
	MemoryContextSwitchTo(old_context);
	fcinfo->flinfo->fn_extra = descriptor;
	return descriptor;
}

/*
 * text_length is about how many bytes the texts of all columns have together;
 * room for them is allocated in one piece.
 */
void
smartcar_tuple_begin(SmartcarTuple *tuple, FunctionCallInfo fcinfo, Size text_length)
{
	tuple->descriptor = result_descriptor(fcinfo);
	tuple->room_left = text_length +
		tuple->descriptor->natts * (VARHDRSZ + MAXIMUM_ALIGNOF);
	tuple->room = (char *) palloc(tuple->room_left);
	memset(tuple->nulls, true, sizeof(tuple->nulls));
}

Datum
smartcar_tuple_finish(SmartcarTuple *tuple)
{
	return HeapTupleGetDatum(heap_form_tuple(tuple->descriptor, tuple->values, tuple->nulls));
}
