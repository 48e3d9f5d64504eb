/*-------------------------------------------------------------------------
 *
 * callback.c
 *	  The SQL function that parses a callback.
 *
 * src/func/callback.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"

#include "pg/datum.h"
#include "pg/parse_callback.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_parse_callback);

static bool
is_number(int field)
{
	return field == SMARTCAR_CALLBACK_YEAR || field == SMARTCAR_CALLBACK_STATUS_CODE;
}

/*
 * The columns of the result are in the order of SmartcarCallbackField.
 */
Datum
smartcar_parse_callback(PG_FUNCTION_ARGS)
{
	SmartcarSpan input = smartcar_utf8_from_text(PG_GETARG_TEXT_PP(0));
	SmartcarCallback callback;
	Datum		values[SMARTCAR_CALLBACK_FIELD_COUNT] = {0};
	bool		nulls[SMARTCAR_CALLBACK_FIELD_COUNT];

	smartcar_parse_callback_text(input, palloc(Max(input.length, 1)), &callback);

	for (int field = 0; field < SMARTCAR_CALLBACK_FIELD_COUNT; field++)
	{
		nulls[field] = (callback.present & SMARTCAR_CALLBACK_BIT(field)) == 0;
		if (!nulls[field] && !is_number(field))
			values[field] =
				smartcar_span_text_datum(smartcar_text_from_utf8(callback.fields[field]));
	}
	values[SMARTCAR_CALLBACK_YEAR] = Int32GetDatum(callback.year);
	values[SMARTCAR_CALLBACK_STATUS_CODE] = Int32GetDatum(callback.status_code);

	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra =
			smartcar_result_descriptor(fcinfo, SMARTCAR_CALLBACK_FIELD_COUNT);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple((TupleDesc) fcinfo->flinfo->fn_extra,
													  values, nulls)));
}
