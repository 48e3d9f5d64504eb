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

/* A span without data becomes NULL. */
static inline Datum
smartcar_span_text_datum_or_null(SmartcarSpan span, bool *isnull)
{
	*isnull = span.data == NULL;
	return *isnull ? (Datum) 0 : smartcar_span_text_datum(span);
}

#endif							/* SMARTCAR_DATUM_H */
