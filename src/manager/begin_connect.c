/*-------------------------------------------------------------------------
 *
 * begin_connect.c
 *	  The SQL functions that begin a round trip of an owner through Connect.
 *
 * The state of a link is 256 random bits.  Only its SHA-256 is stored, so that
 * nobody who reads the table can make a callback that is taken.
 *
 * src/manager/begin_connect.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/begin_connect.h"

#include <openssl/evp.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/hex.h"
#include "manager/spi.h"
#include "pg/compat.h"
#include "pg/fn_state.h"
#include "pg/server.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_begin_connect);
PG_FUNCTION_INFO_V1(smartcar_begin_reauth);

#define STATE_BYTES		32
#define HASH_BYTES		32

#define MAX_LIFETIME_DAYS		30
#define MAX_EXTERNAL_ID_LENGTH	512

/*
 * What a state is stored under.
 */
bytea *
smartcar_state_hash(SmartcarSpan state)
{
	bytea	   *hash = palloc(VARHDRSZ + HASH_BYTES);

	SET_VARSIZE(hash, VARHDRSZ + HASH_BYTES);
	if (!EVP_Digest(state.data, state.length, (unsigned char *) VARDATA(hash), NULL,
					EVP_sha256(), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a digest")));
	return hash;
}

static char *
new_state(void)
{
	unsigned char bytes[STATE_BYTES];
	char	   *state = palloc(2 * STATE_BYTES + 1);

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random bytes")));
	smartcar_hex_encode(bytes, sizeof(bytes), state);
	state[2 * STATE_BYTES] = '\0';
	return state;
}

static void
pass_argument(SmartcarParameters *parameters, FunctionCallInfo fcinfo, int argument, Oid type)
{
	smartcar_parameter(parameters, type, PG_GETARG_DATUM(argument), PG_ARGISNULL(argument));
}

/*
 * Stores a session and returns its link.  The link is made by a statement that
 * runs as the caller, who must be allowed to use the server.
 */
static Datum
begin_session(const SmartcarServer *server, const char *state, const char *kind,
			  const char *link_statement, const SmartcarParameters *link_parameters,
			  const SmartcarParameters *stored)
{
	MemoryContext result_context = CurrentMemoryContext;
	SmartcarParameters parameters = {0};
	char	   *link;
	text	   *result;

	smartcar_spi_begin();
	smartcar_spi_run_as_caller(link_statement, link_parameters);
	link = smartcar_result_string(0, 0);

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_bytea(&parameters, smartcar_state_hash(smartcar_span_from_string(state)));
	smartcar_parameter_string(&parameters, kind);
	for (int i = 0; i < stored->count; i++)
		smartcar_parameter(&parameters, stored->types[i], stored->values[i],
						   stored->nulls[i] == 'n');
	smartcar_parameter_string(&parameters,
							  smartcar_server_option(server, SMARTCAR_OPTION_REDIRECT_URI));
	smartcar_spi_run("INSERT INTO smartcar_tesla.session (server, state_hash, link, external_id, vehicle_id, scope, redirect_uri, expires_at) "
						 "VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7, $9), now() + $8)",
						 &parameters);

	MemoryContextSwitchTo(result_context);
	result = cstring_to_text(link);
	smartcar_spi_end();
	PG_RETURN_TEXT_P(result);
}

static void
check_lifetime(FunctionCallInfo fcinfo, int argument)
{
	const Interval *lifetime;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("lifetime must not be null")));
	lifetime = PG_GETARG_INTERVAL_P(argument);
	if (lifetime->month != 0 || lifetime->day < 0 || lifetime->day > MAX_LIFETIME_DAYS ||
		lifetime->time < 0 ||
		lifetime->time > (MAX_LIFETIME_DAYS - lifetime->day) * USECS_PER_DAY ||
		(lifetime->day == 0 && lifetime->time == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lifetime must be longer than 0 and not longer than %d days",
						MAX_LIFETIME_DAYS)));
}

/*
 * An id of the application's own ends up in the keys of tables.  Version 3 of
 * the API needs one: without it, nothing proves whose callback it is.
 */
static void
check_external_id(FunctionCallInfo fcinfo, int argument, const SmartcarServer *server)
{
	SmartcarSpan external_id = smartcar_argument_span(fcinfo, argument);

	if (external_id.length > MAX_EXTERNAL_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_id must not be longer than %d bytes", MAX_EXTERNAL_ID_LENGTH)));
	if (external_id.length == 0 && smartcar_server_api_version(server) == SMARTCAR_API_V3)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("external_id must not be null"),
				 errdetail("In version 3 of Smartcar's API it is what proves whose callback it is.")));
}

Datum
smartcar_begin_connect(PG_FUNCTION_ARGS)
{
	enum
	{
		EXTERNAL_ID, SCOPE, MAKE, FORCE_PROMPT, REDIRECT_URI, LIFETIME, SERVER
	};
	SmartcarServer *server = smartcar_required_server(fcinfo, SERVER);
	SmartcarParameters link = {0};
	SmartcarParameters stored = {0};
	char	   *state = new_state();

	check_external_id(fcinfo, EXTERNAL_ID, server);
	check_lifetime(fcinfo, LIFETIME);
	pass_argument(&link, fcinfo, SCOPE, TEXTARRAYOID);
	smartcar_parameter_string(&link, state);
	pass_argument(&link, fcinfo, MAKE, TEXTOID);
	pass_argument(&link, fcinfo, FORCE_PROMPT, BOOLOID);
	pass_argument(&link, fcinfo, EXTERNAL_ID, TEXTOID);
	pass_argument(&link, fcinfo, REDIRECT_URI, TEXTOID);
	smartcar_parameter_string(&link, server->name);

	pass_argument(&stored, fcinfo, EXTERNAL_ID, TEXTOID);
	smartcar_parameter_string(&stored, NULL);
	pass_argument(&stored, fcinfo, SCOPE, TEXTARRAYOID);
	pass_argument(&stored, fcinfo, REDIRECT_URI, TEXTOID);
	pass_argument(&stored, fcinfo, LIFETIME, INTERVALOID);
	return begin_session(server, state, "connect",
						 "SELECT @.smartcar_connect_url(scope => $1, state => $2, make => $3, force_prompt => $4, external_id => $5, redirect_uri => $6, server => $7)",
						 &link, &stored);
}

Datum
smartcar_begin_reauth(PG_FUNCTION_ARGS)
{
	enum
	{
		EXTERNAL_ID, SCOPE, VEHICLE_ID, REDIRECT_URI, LIFETIME, SERVER
	};
	SmartcarServer *server = smartcar_required_server(fcinfo, SERVER);
	SmartcarParameters link = {0};
	SmartcarParameters stored = {0};
	char	   *state = new_state();
	bool		for_vehicle = !PG_ARGISNULL(VEHICLE_ID);

	check_external_id(fcinfo, EXTERNAL_ID, server);
	check_lifetime(fcinfo, LIFETIME);
	if (for_vehicle)
		pass_argument(&link, fcinfo, VEHICLE_ID, TEXTOID);
	else
		pass_argument(&link, fcinfo, SCOPE, TEXTARRAYOID);
	smartcar_parameter_string(&link, state);
	pass_argument(&link, fcinfo, REDIRECT_URI, TEXTOID);
	smartcar_parameter_string(&link, server->name);
	if (for_vehicle)
		pass_argument(&link, fcinfo, EXTERNAL_ID, TEXTOID);

	pass_argument(&stored, fcinfo, EXTERNAL_ID, TEXTOID);
	pass_argument(&stored, fcinfo, VEHICLE_ID, TEXTOID);
	pass_argument(&stored, fcinfo, SCOPE, TEXTARRAYOID);
	pass_argument(&stored, fcinfo, REDIRECT_URI, TEXTOID);
	pass_argument(&stored, fcinfo, LIFETIME, INTERVALOID);
	if (for_vehicle)
		return begin_session(server, state, "reauthenticate",
							 "SELECT @.smartcar_reauth_vehicle_url(vehicle_id => $1, state => $2, redirect_uri => $3, server => $4, external_id => $5)",
							 &link, &stored);
	return begin_session(server, state, "update_access",
						 "SELECT @.smartcar_reauth_url(scope => $1, state => $2, redirect_uri => $3, server => $4)",
						 &link, &stored);
}

/*
 * What nobody needs any more: sessions that ended long ago, and events that
 * will not be repeated.
 */
void
smartcar_delete_expired_rows(const SmartcarServer *server)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_spi_run_by_index("DELETE FROM smartcar_tesla.session WHERE server = $1 AND expires_at < @now - interval '30 days'",
								  &parameters);
	smartcar_spi_run_by_index("DELETE FROM smartcar_tesla.webhook_event WHERE server = $1 AND received_at < @now - interval '1 day'",
								  &parameters);
	smartcar_spi_commit();
}
