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
 * Looks up the descriptor of the result type.  It lives as long as the call
 * site.
 */
TupleDesc
smartcar_result_descriptor(FunctionCallInfo fcinfo, int max_columns)
{
	TupleDesc	descriptor;
	MemoryContext old_context;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts > max_columns)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("result type is not the one of the extension")));

	old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	descriptor = BlessTupleDesc(CreateTupleDescCopy(descriptor));
	MemoryContextSwitchTo(old_context);
	return descriptor;
}

void
smartcar_tuple_begin(SmartcarTuple *tuple, FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = smartcar_result_descriptor(fcinfo,
															  SMARTCAR_TUPLE_MAX_COLUMNS);
	tuple->descriptor = (TupleDesc) fcinfo->flinfo->fn_extra;
	memset(tuple->nulls, true, sizeof(tuple->nulls));
}

Datum
smartcar_tuple_finish(SmartcarTuple *tuple)
{
	return HeapTupleGetDatum(heap_form_tuple(tuple->descriptor, tuple->values, tuple->nulls));
}
