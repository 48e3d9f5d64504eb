/*-------------------------------------------------------------------------
 *
 * error.c
 *	  The SQL function that reads an error answer.
 *
 * src/func/error.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "pg/api_error.h"
#include "pg/text.h"
#include "pg/datum.h"

PG_FUNCTION_INFO_V1(smartcar_parse_error);

Datum
smartcar_parse_error(PG_FUNCTION_ARGS)
{
	SmartcarApiError answer = {0};

	smartcar_error_read_body(&answer, smartcar_argument_span(fcinfo, 0));
	if (!PG_ARGISNULL(1))
		answer.status = PG_GETARG_INT32(1);
	answer.retry_after = smartcar_error_retry_after(smartcar_argument_span(fcinfo, 2));
	if (answer.request_id.data == NULL)
		answer.request_id = smartcar_argument_span(fcinfo, 3);
	answer.action = smartcar_error_decide(&answer);

	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = smartcar_result_descriptor(fcinfo,
															  SMARTCAR_ERROR_COLUMNS);
	PG_RETURN_DATUM(smartcar_error_form(&answer, (TupleDesc) fcinfo->flinfo->fn_extra));
}
