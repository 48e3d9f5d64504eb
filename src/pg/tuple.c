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
