/*-------------------------------------------------------------------------
 *
 * tuple.h
 *	  Composite results, a column after the other.
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

#include "core/span.h"

#define SMARTCAR_TUPLE_MAX_COLUMNS	16

typedef struct SmartcarTuple
{
	TupleDesc	descriptor;
	int			count;
	Datum		values[SMARTCAR_TUPLE_MAX_COLUMNS];
	bool		nulls[SMARTCAR_TUPLE_MAX_COLUMNS];
} SmartcarTuple;

extern void smartcar_tuple_begin(SmartcarTuple *tuple, FunctionCallInfo fcinfo);
extern void smartcar_tuple_add_null(SmartcarTuple *tuple);
extern void smartcar_tuple_add_int32(SmartcarTuple *tuple, int32 value);
extern void smartcar_tuple_add_text(SmartcarTuple *tuple, SmartcarSpan value);
extern void smartcar_tuple_add_datum(SmartcarTuple *tuple, Datum value);
extern Datum smartcar_tuple_finish(SmartcarTuple *tuple);

#endif							/* SMARTCAR_TUPLE_H */
