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

extern TupleDesc smartcar_result_descriptor(FunctionCallInfo fcinfo, int max_columns);

#endif							/* SMARTCAR_TUPLE_H */
