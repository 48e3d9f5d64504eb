/*-------------------------------------------------------------------------
 *
 * row.h
 *	  Composite results of texts and integers, for many rows.
 *
 * src/pg/row.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ROW_H
#define SMARTCAR_ROW_H

#include "postgres.h"

#include "fmgr.h"

#include "core/span.h"

#define SMARTCAR_ROW_MAX_COLUMNS	16

/*
 * A column is NULL unless its bit is set in one of the two masks, which tells
 * what it holds, too.  text has as many members as there are columns.
 */
typedef struct SmartcarRow
{
	uint32		texts;
	uint32		integers;
	const SmartcarSpan *text;
	int32		integer[SMARTCAR_ROW_MAX_COLUMNS];
} SmartcarRow;

extern Datum smartcar_form_row(FunctionCallInfo fcinfo, const SmartcarRow *row);

#endif							/* SMARTCAR_ROW_H */
