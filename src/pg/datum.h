/*-------------------------------------------------------------------------
 *
 * datum.h
 *	  Results of SQL functions: rows, timestamps and text.
 *
 * src/pg/datum.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_DATUM_H
#define SMARTCAR_DATUM_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "core/span.h"

extern bool smartcar_timestamptz(SmartcarSpan text, TimestampTz *timestamp);
extern TupleDesc smartcar_result_descriptor(FunctionCallInfo fcinfo, int columns);
extern TupleDesc smartcar_row_descriptor(FunctionCallInfo fcinfo, int columns);
extern Datum smartcar_form_single_row(FunctionCallInfo fcinfo, int columns, Datum *values,
									  bool *nulls);

static inline Datum
smartcar_span_text_datum(SmartcarSpan span)
{
	return PointerGetDatum(cstring_to_text_with_len(span.data, (int) span.length));
}

/* Sets a column to a text, or to NULL if it has no data. */
static inline void
smartcar_set_text_column(Datum *values, bool *nulls, int column, SmartcarSpan text)
{
	nulls[column] = text.data == NULL;

	values[column] = nulls[column] ? (Datum) 0 : smartcar_span_text_datum(text);
}

#endif							/* SMARTCAR_DATUM_H */
