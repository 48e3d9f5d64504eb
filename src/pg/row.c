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
#include "pg/tuple.h"

/*
 * A text whose one-byte header tells its length, itself included.
 */
static inline bool
is_short(SmartcarSpan text)
{
	return text.length + VARHDRSZ_SHORT <= VARATT_SHORT_MAX;
}

/*
 * Where the values end that begin at an offset; with target, they are written.
 * Offsets count from the start of the tuple, which is MAXALIGNed.
 */
static Size
lay_out(const SmartcarRow *row, Size offset, char *target)
{
	for (uint32 rest = row->texts | row->integers; rest != 0; rest &= rest - 1)
	{
		int			column = pg_rightmost_one_pos32(rest);
		SmartcarSpan text;

		if (row->integers & ((uint32) 1 << column))
		{
			offset = INTALIGN(offset);
			if (target)
				memcpy(target + offset, &row->integer[column], sizeof(int32));
			offset += sizeof(int32);
			continue;
		}

		text = row->text[column];

		if (is_short(text))
		{
			if (target)
			{
				SET_VARSIZE_SHORT(target + offset, text.length + VARHDRSZ_SHORT);
				memcpy(target + offset + VARHDRSZ_SHORT, text.data, text.length);
			}
			offset += text.length + VARHDRSZ_SHORT;
		}
		else
		{
			offset = INTALIGN(offset);
			if (target)
			{
				SET_VARSIZE(target + offset, text.length + VARHDRSZ);
				memcpy(VARDATA(target + offset), text.data, text.length);
			}
			offset += text.length + VARHDRSZ;
		}
	}
	return offset;
}

/*
 * A row of the result type in which every column is NULL, made once per call
 * site.
 */
static HeapTupleHeader
empty_row(FunctionCallInfo fcinfo)
{
	Datum		values[SMARTCAR_ROW_MAX_COLUMNS] = {0};
	bool		nulls[SMARTCAR_ROW_MAX_COLUMNS];
	MemoryContext old_context;
	TupleDesc	descriptor;
	HeapTuple	tuple;

	if (fcinfo->flinfo->fn_extra != NULL)
		return (HeapTupleHeader) fcinfo->flinfo->fn_extra;

	descriptor = smartcar_result_descriptor(fcinfo, SMARTCAR_ROW_MAX_COLUMNS);
	memset(nulls, true, sizeof(nulls));
	old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	tuple = heap_form_tuple(descriptor, values, nulls);
	fcinfo->flinfo->fn_extra = DatumGetPointer(HeapTupleGetDatum(tuple));
	MemoryContextSwitchTo(old_context);
	return (HeapTupleHeader) fcinfo->flinfo->fn_extra;
}

/*
 * The datum of a row, whose columns are what the result type says.
 */
Datum
smartcar_form_row(FunctionCallInfo fcinfo, const SmartcarRow *row)
{
	HeapTupleHeader empty = empty_row(fcinfo);
	uint32		present = row->texts | row->integers;
	Size		size = lay_out(row, empty->t_hoff, NULL);
	HeapTupleHeader tuple;

	/* bytes between values must be zero, because values are compared as bytes */
	tuple = (HeapTupleHeader) palloc0(size);
	memcpy(tuple, empty, empty->t_hoff);
	HeapTupleHeaderSetDatumLength(tuple, size);
	if (row->texts != 0)
		tuple->t_infomask |= HEAP_HASVARWIDTH;

	/* a bit that is set is a value */
	for (int i = 0; i < BITMAPLEN(HeapTupleHeaderGetNatts(empty)); i++)
		tuple->t_bits[i] = (bits8) (present >> (8 * i));

	lay_out(row, empty->t_hoff, (char *) tuple);
	return PointerGetDatum(tuple);
}
