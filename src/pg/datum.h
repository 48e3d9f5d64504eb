/*-------------------------------------------------------------------------
 *
 * datum.h
 *	  Composite results.
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

#include "core/span.h"

/* Returns false for what is not a point in time that PostgreSQL can hold. */
extern bool smartcar_timestamptz(SmartcarSpan text, TimestampTz *timestamp);

/* For many rows; it lives as long as the function call's FmgrInfo. */
extern TupleDesc smartcar_result_descriptor(FunctionCallInfo fcinfo, int columns);

/* For one row. */
extern TupleDesc smartcar_row_descriptor(FunctionCallInfo fcinfo, int columns);
extern Datum smartcar_form_single_row(FunctionCallInfo fcinfo, int columns, Datum *values,
									  bool *nulls);

static inline Datum
smartcar_span_text_datum(SmartcarSpan span)
{
	return PointerGetDatum(cstring_to_text_with_len(span.data, (int) span.length));
}

/* A span without data is NULL. */
static inline Datum
smartcar_span_text_datum_or_null(SmartcarSpan span, bool *isnull)
{
	*isnull = span.data == NULL;
	return *isnull ? (Datum) 0 : smartcar_span_text_datum(span);
}

#endif							/* SMARTCAR_DATUM_H */
