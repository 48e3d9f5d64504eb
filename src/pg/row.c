/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Composite results of texts and integers, for many rows.
 *
 * heap_form_tuple() walks over all columns of any type twice and wants each
 * text as a datum of its own.  Where most columns are NULL and the others are
 * texts that lie somewhere already, that is half of what a call costs, so here
 * the bitmap of NULLs and the values are laid out directly, a short text with
 * the one-byte header that heap_form_tuple() would give it.
 *
 * The rest of the header is a copy of one that heap_form_tuple() made, because
 * what stands in it is the server's business and has changed even between
 * minor releases.
 *
 * src/pg/row.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/row.h"

#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "funcapi.h"
#include "port/pg_bitutils.h"

#include "pg/compat.h"
#include "pg/datum.h"

/*
 * A text whose one-byte header tells its length, itself included.
 */
static inline bool
is_short(SmartcarSpan value)
{
	return value.length + VARHDRSZ_SHORT <= VARATT_SHORT_MAX;
}

/* Room for any value of this length: a long header and its alignment. */
#define VALUE_ROOM(length)	((length) + VARHDRSZ + ALIGNOF_INT)

static Size
row_room(const SmartcarRow *row)
{
	Size		room = 0;

	for (uint32 rest = row->texts; rest != 0; rest &= rest - 1)
		room += VALUE_ROOM(row->text[pg_rightmost_one_pos32(rest)].length);
	for (uint32 rest = row->integers; rest != 0; rest &= rest - 1)
		room += VALUE_ROOM(sizeof(int32));
	return room;
}

/*
 * Moves on to the alignment of an integer.  The bytes between values must be
 * zero, because rows are compared as bytes.
 */
static inline char *
align(char *target)
{
	char	   *aligned = (char *) INTALIGN(target);

	while (target < aligned)
		*target++ = 0;
	return target;
}

/*
 * Writes the values and returns where they end.
 */
static char *
write_values(const SmartcarRow *row, char *target)
{
	for (uint32 rest = row->texts | row->integers; rest != 0; rest &= rest - 1)
	{
		int			column = pg_rightmost_one_pos32(rest);
		SmartcarSpan value;

		if (row->integers & ((uint32) 1 << column))
		{
			target = align(target);
			memcpy(target, &row->integer[column], sizeof(int32));
			target += sizeof(int32);
			continue;
		}

		value = row->text[column];
		if (is_short(value))
		{
			SET_VARSIZE_SHORT(target, value.length + VARHDRSZ_SHORT);
			target += VARHDRSZ_SHORT;
		}
		else
		{
			target = align(target);
			SET_VARSIZE(target, value.length + VARHDRSZ);
			target += VARHDRSZ;
		}
		memcpy(target, value.data, value.length);
		target += value.length;
	}
	return target;
}

/*
 * Makes a row of the result type in which every column is NULL, to be kept by
 * the call site.
 */
static HeapTupleHeader
make_empty_row(FunctionCallInfo fcinfo)
{
	TupleDesc	descriptor = smartcar_result_descriptor(fcinfo, SMARTCAR_ROW_MAX_COLUMNS);
	Datum		values[SMARTCAR_ROW_MAX_COLUMNS] = {0};
	bool		nulls[SMARTCAR_ROW_MAX_COLUMNS];
	MemoryContext old_context;
	Datum		row;

	memset(nulls, true, sizeof(nulls));
	old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	row = HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
	MemoryContextSwitchTo(old_context);
	return (HeapTupleHeader) DatumGetPointer(row);
}

/*
 * The datum of a row, whose columns are what the result type says.
 */
Datum
smartcar_form_row(FunctionCallInfo fcinfo, const SmartcarRow *row)
{
	uint32		present = row->texts | row->integers;
	HeapTupleHeader empty;
	HeapTupleHeader tuple;
	char	   *end;

	if (unlikely(fcinfo->flinfo->fn_extra == NULL))
		fcinfo->flinfo->fn_extra = make_empty_row(fcinfo);
	empty = (HeapTupleHeader) fcinfo->flinfo->fn_extra;

	tuple = (HeapTupleHeader) palloc(empty->t_hoff + row_room(row));
	memcpy(tuple, empty, empty->t_hoff);
	if (row->texts != 0)
		tuple->t_infomask |= HEAP_HASVARWIDTH;

	/* a bit that is set is a value */
	for (int i = 0; i < BITMAPLEN(HeapTupleHeaderGetNatts(empty)); i++)
		tuple->t_bits[i] = (uint8) (present >> (8 * i));

	end = write_values(row, (char *) tuple + empty->t_hoff);
	HeapTupleHeaderSetDatumLength(tuple, end - (char *) tuple);
	return PointerGetDatum(tuple);
}
