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
#include "pg/compat.h"

#include "core/span.h"

#define SMARTCAR_TUPLE_MAX_COLUMNS	16

typedef struct SmartcarTuple
{
	TupleDesc	descriptor;
	char	   *room;			/* where the next text goes */
	Size		room_left;
	Datum		values[SMARTCAR_TUPLE_MAX_COLUMNS];
	bool		nulls[SMARTCAR_TUPLE_MAX_COLUMNS];
} SmartcarTuple;

extern void smartcar_tuple_begin(SmartcarTuple *tuple, FunctionCallInfo fcinfo,
								 Size text_length);
extern Datum smartcar_tuple_finish(SmartcarTuple *tuple);

/*
 * Setting a column costs next to nothing, because a query sets several for
 * each of its rows.  Columns count from 0; those that are not set are NULL.
 */

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
	Size		size = VARHDRSZ + value.length;
	text	   *copy;

	if (value.data == NULL)
		return;

	if (MAXALIGN(size) <= tuple->room_left)
	{
		copy = (text *) tuple->room;
		tuple->room += MAXALIGN(size);
		tuple->room_left -= MAXALIGN(size);
	}
	else
		copy = (text *) palloc(size);
	SET_VARSIZE(copy, size);
	memcpy(VARDATA(copy), value.data, value.length);
	smartcar_tuple_set_datum(tuple, column, PointerGetDatum(copy));
}

#endif							/* SMARTCAR_TUPLE_H */
