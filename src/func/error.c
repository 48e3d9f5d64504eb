/*-------------------------------------------------------------------------
 *
 * error.c
 *	  The SQL functions for Smartcar's errors.
 *
 * src/func/error.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/lsyscache.h"

#include "pg/api_error.h"
#include "pg/datum.h"
#include "pg/text.h"

/* The arguments of smartcar_parse_error(). */
enum
{
	PARSE_BODY,
	PARSE_STATUS,
	PARSE_RETRY_AFTER,
	PARSE_REQUEST_ID
};

/* The arguments of smartcar_error_action(). */
enum
{
	ACTION_TYPE,
	ACTION_CODE
};

PG_FUNCTION_INFO_V1(smartcar_parse_error);
PG_FUNCTION_INFO_V1(smartcar_error_action);

Datum
smartcar_parse_error(PG_FUNCTION_ARGS)
{
	SmartcarApiError error = {0};

	smartcar_error_parse_body(&error, smartcar_argument_span(fcinfo, PARSE_BODY));
	if (!PG_ARGISNULL(PARSE_STATUS))
		error.status = PG_GETARG_INT32(PARSE_STATUS);
	error.retry_after = smartcar_error_retry_after(smartcar_argument_span(fcinfo, PARSE_RETRY_AFTER));
	if (error.request_id.data == NULL)
		error.request_id = smartcar_argument_span(fcinfo, PARSE_REQUEST_ID);
	error.action = smartcar_error_choose_action(&error);

	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = smartcar_result_descriptor(fcinfo,
															  SMARTCAR_ERROR_COLUMNS);
	PG_RETURN_DATUM(smartcar_error_datum(&error, (TupleDesc) fcinfo->flinfo->fn_extra));
}

Datum
smartcar_error_action(PG_FUNCTION_ARGS)
{
	SmartcarAction action = smartcar_action_for(smartcar_argument_span(fcinfo, ACTION_TYPE),
												smartcar_argument_span(fcinfo, ACTION_CODE));

	if (action == SMARTCAR_ACTION_UNKNOWN)
		PG_RETURN_NULL();
	return smartcar_action_datum(action, get_func_rettype(fcinfo->flinfo->fn_oid));
}
