/*-------------------------------------------------------------------------
 *
 * tuple.h
 *	  Composite results.
 *
 * src/pg/tuple.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TUPLE_H
#define SMARTCAR_TUPLE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "core/span.h"

#define SMARTCAR_TUPLE_MAX_COLUMNS	16

typedef struct SmartcarTuple
{
	TupleDesc	descriptor;
	Datum		values[SMARTCAR_TUPLE_MAX_COLUMNS];
	bool		nulls[SMARTCAR_TUPLE_MAX_COLUMNS];
} SmartcarTuple;

extern TupleDesc smartcar_result_descriptor(FunctionCallInfo fcinfo, int max_columns);
extern void smartcar_tuple_begin(SmartcarTuple *tuple, FunctionCallInfo fcinfo);
extern Datum smartcar_tuple_finish(SmartcarTuple *tuple);

/* Columns count from 0; those that are not set are NULL. */

static inline void
smartcar_tuple_set_datum(SmartcarTuple *tuple, int column, Datum value)
{
	Assert(column < tuple->descriptor->natts);
	tuple->nulls[column] = false;
	tuple->values[column] = value;
}

static inline void
smartcar_tuple_set_int32(SmartcarTuple *tuple, int column, int32 value)
{
	smartcar_tuple_set_datum(tuple, column, Int32GetDatum(value));
}

/*
 * A span without data leaves the column NULL.
 */
static inline void
smartcar_tuple_set_text(SmartcarTuple *tuple, int column, SmartcarSpan value)
{
	if (value.data != NULL)
		smartcar_tuple_set_datum(tuple, column,
								 PointerGetDatum(cstring_to_text_with_len(value.data,
																		  (int) value.length)));
}

#endif							/* SMARTCAR_TUPLE_H */
