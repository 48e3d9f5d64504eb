/*-------------------------------------------------------------------------
 *
 * sql_function.h
 *	  The common implementation of the SQL functions that call Smartcar.
 *
 * src/api/sql_function.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SQL_FUNCTION_H
#define SMARTCAR_SQL_FUNCTION_H

#include "postgres.h"

#include "fmgr.h"

#include "call/call.h"

#define SMARTCAR_NO_ARGUMENT	(-1)

/*
 * The description of a call: its SQL functions, and its operation in each version
 * of the API.  The function for many has the same arguments, with arrays for the
 * id, the access token and the user_id.
 */
typedef struct SmartcarTypedCall
{
	const char *name;			/* of the SQL function for one */
	const char *id_name;		/* of id_argument, for messages */
	const char *ids_name;		/* of id_argument in the function for many */
	int			id_argument;	/* or SMARTCAR_NO_ARGUMENT */
	int			access_token_argument;	/* or SMARTCAR_NO_ARGUMENT */
	int			user_id_argument;	/* or SMARTCAR_NO_ARGUMENT */
	int			server_argument;
	int			columns;		/* of the result of the function for one */

	/* the id is the path of an endpoint */
	bool		id_is_path;

	/* the only column is an array of rows, which have the id and the error */
	bool		is_list;

	/* by version; NULL if the version does not have it */
	const SmartcarOperation *operations[2];
	SmartcarAuthorization authorizations[2];
	const char *version_hint;	/* the hint for the other version, or NULL */

	/*
	 * Reads the other arguments, and may set another authorization.  NULL if
	 * there are none.
	 */
	void		(*begin) (FunctionCallInfo fcinfo, SmartcarCall *call);
} SmartcarTypedCall;

/* The arguments of most functions about a vehicle. */
enum
{
	SMARTCAR_ARGUMENT_VEHICLE_ID,
	SMARTCAR_ARGUMENT_ACCESS_TOKEN,
	SMARTCAR_ARGUMENT_USER_ID,
	SMARTCAR_ARGUMENT_SERVER
};

#define SMARTCAR_VEHICLE_ARGUMENTS \
	.id_name = "vehicle_id", .ids_name = "vehicle_ids", \
	.id_argument = SMARTCAR_ARGUMENT_VEHICLE_ID, \
	.access_token_argument = SMARTCAR_ARGUMENT_ACCESS_TOKEN, \
	.user_id_argument = SMARTCAR_ARGUMENT_USER_ID, \
	.server_argument = SMARTCAR_ARGUMENT_SERVER

/* Calls that src/manager makes, too. */
extern const SmartcarTypedCall smartcar_user_call;
extern const SmartcarTypedCall smartcar_vehicles_call;
extern const SmartcarTypedCall smartcar_vehicle_call;
extern const SmartcarTypedCall smartcar_permissions_call;
extern const SmartcarTypedCall smartcar_tesla_access_call;
extern const SmartcarTypedCall smartcar_virtual_key_call;
extern const SmartcarTypedCall smartcar_disconnect_call;

extern Datum smartcar_call_one(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed);
extern Datum smartcar_call_list(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed);
extern Datum smartcar_call_many(FunctionCallInfo fcinfo, const SmartcarTypedCall *typed);

extern SmartcarSpan smartcar_json_argument(FunctionCallInfo fcinfo, int argument);
extern int	smartcar_timeout_argument(FunctionCallInfo fcinfo, int argument,
									  int default_timeout);
extern TupleDesc smartcar_error_descriptor(TupleDesc row);
extern pg_noreturn void smartcar_refuse_version(const SmartcarServer *server,
												const char *function, const char *hint);
extern void smartcar_item_set_datum(SmartcarItem *item, int column, Datum value);
extern void smartcar_item_set_text(SmartcarCall *call, SmartcarItem *item, int column,
								   SmartcarSpan value);

#endif							/* SMARTCAR_SQL_FUNCTION_H */
