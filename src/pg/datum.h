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
#include "fmgr.h"

/* For many rows: at most so many columns, and kept as long as the call site. */
extern TupleDesc smartcar_result_descriptor(FunctionCallInfo fcinfo, int max_columns);

/* For one row of just so many columns. */
extern TupleDesc smartcar_row_descriptor(FunctionCallInfo fcinfo, int columns);
extern Datum smartcar_form_single_row(FunctionCallInfo fcinfo, int columns, Datum *values,
									  bool *nulls);

#endif							/* SMARTCAR_DATUM_H */
