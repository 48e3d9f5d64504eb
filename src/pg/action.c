/*-------------------------------------------------------------------------
 *
 * action.c
 *	  Values of the SQL type smartcar_action.
 *
 * src/pg/action.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/action.h"

#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_error_action);

/*
 * The value of the enum for an action that is known.  type is the enum, which
 * the callers find in their result type, so that no name is looked up.
 */
Datum
smartcar_action_datum(SmartcarAction action, Oid type)
{
	return OidFunctionCall2(F_ENUM_IN,
							CStringGetDatum(smartcar_action_label(action)),
							ObjectIdGetDatum(type));
}

Datum
smartcar_error_action(PG_FUNCTION_ARGS)
{
	SmartcarAction action = smartcar_action_for(smartcar_argument_span(fcinfo, 0),
												smartcar_argument_span(fcinfo, 1));

	if (action == SMARTCAR_ACTION_UNKNOWN)
		PG_RETURN_NULL();
	return smartcar_action_datum(action, get_func_rettype(fcinfo->flinfo->fn_oid));
}
