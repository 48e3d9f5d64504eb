/*-------------------------------------------------------------------------
 *
 * tuple.c
 *	  Composite results, a column after the other.
 *
 * The descriptor of the result type is looked up once per call site.
 *
 * src/pg/tuple.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/tuple.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/compat.h"

void
smartcar_tuple_begin(SmartcarTuple *tuple, FunctionCallInfo fcinfo)
{
	TupleDesc	descriptor = (TupleDesc) fcinfo->flinfo->fn_extra;

	if (descriptor == NULL)
	{
		MemoryContext old_context;

		if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
			descriptor->natts > SMARTCAR_TUPLE_MAX_COLUMNS)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("result type is not the one of the extension")));

		old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		descriptor = BlessTupleDesc(CreateTupleDescCopy(descriptor));
		MemoryContextSwitchTo(old_context);
		fcinfo->flinfo->fn_extra = descriptor;
	}
	tuple->descriptor = descriptor;
	tuple->count = 0;
}

void
smartcar_tuple_add_null(SmartcarTuple *tuple)
{
	tuple->nulls[tuple->count] = true;
	tuple->values[tuple->count++] = (Datum) 0;
}

void
smartcar_tuple_add_datum(SmartcarTuple *tuple, Datum value)
{
	tuple->nulls[tuple->count] = false;
	tuple->values[tuple->count++] = value;
}

void
smartcar_tuple_add_int32(SmartcarTuple *tuple, int32 value)
{
	smartcar_tuple_add_datum(tuple, Int32GetDatum(value));
}

/*
 * A span without data becomes NULL.
 */
void
smartcar_tuple_add_text(SmartcarTuple *tuple, SmartcarSpan value)
{
	if (value.data == NULL)
		smartcar_tuple_add_null(tuple);
	else
		smartcar_tuple_add_datum(tuple,
								 PointerGetDatum(cstring_to_text_with_len(value.data,
																		  (int) value.length)));
}

Datum
smartcar_tuple_finish(SmartcarTuple *tuple)
{
	Assert(tuple->count == tuple->descriptor->natts);
	return HeapTupleGetDatum(heap_form_tuple(tuple->descriptor, tuple->values, tuple->nulls));
}
