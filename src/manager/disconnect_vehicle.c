/*-------------------------------------------------------------------------
 *
 * disconnect_vehicle.c
 *	  The procedure that disconnects a vehicle: first at Smartcar, then in the tables.
 *
 * src/manager/disconnect_vehicle.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "call/authorization.h"
#include "api/sql_function.h"
#include "manager/connection.h"
#include "manager/spi.h"
#include "pg/datum.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_disconnect_vehicle);

enum
{
	VEHICLE_ID, USER_ID, SERVER
};

Datum
smartcar_disconnect_vehicle(PG_FUNCTION_ARGS)
{
	SmartcarServer *server;
	SmartcarApiVersion version;
	SmartcarCall call;
	MemoryContext result_context = CurrentMemoryContext;
	Datum		result;
	bool		is_null = false;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_disconnect_vehicle()");
	server = smartcar_required_server(fcinfo, SERVER);
	server->requests = 0;
	if (PG_ARGISNULL(VEHICLE_ID))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("vehicle_id must not be null")));

	version = smartcar_server_api_version(server);
	smartcar_call_begin(&call, server, smartcar_disconnect_call.operations[version], 1);
	smartcar_item_set_id(&call.items[0], smartcar_argument_span(fcinfo, VEHICLE_ID),
						 "vehicle_id");
	if (!PG_ARGISNULL(USER_ID))
		smartcar_item_set_user_id(&call.items[0], smartcar_argument_span(fcinfo, USER_ID));
	smartcar_call_authorize(&call, smartcar_disconnect_call.authorizations[version]);
	smartcar_call_run(&call);
	if (call.items[0].error != NULL)
		smartcar_failure_raise(call.items[0].error);

	smartcar_connections_delete(server, smartcar_argument_span(fcinfo, VEHICLE_ID),
								smartcar_argument_span(fcinfo, USER_ID));
	smartcar_spi_commit();

	MemoryContextSwitchTo(result_context);
	result = Int64GetDatum(server->requests);
	result = smartcar_form_single_row(fcinfo, 1, &result, &is_null);
	smartcar_spi_end();
	PG_RETURN_DATUM(result);
}
