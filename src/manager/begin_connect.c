/*-------------------------------------------------------------------------
 *
 * begin_connect.c
 *	  The SQL functions that begin a session and return its link.
 *
 * src/manager/begin_connect.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/hex.h"
#include "manager/owner.h"
#include "manager/session.h"
#include "manager/spi.h"
#include "manager/usable_id.h"
#include "pg/compat.h"
#include "pg/fn_state.h"
#include "pg/server.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_begin_connect);
PG_FUNCTION_INFO_V1(smartcar_begin_reauth);

#define STATE_BYTES		32

#define MAX_LIFETIME_DAYS		30

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

static const Interval *
lifetime_argument(FunctionCallInfo fcinfo, int argument)
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
	return lifetime;
}

static const char *
string_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : TextDatumGetCString(PG_GETARG_DATUM(argument));
}

/*
 * The external_id is part of keys, so its length is limited.  Version 3 of the API
 * requires it, because nothing else proves whose callback it is.
 */
static const char *
external_id_argument(FunctionCallInfo fcinfo, int argument, const SmartcarServer *server)
{
	SmartcarSpan external_id = smartcar_argument_span(fcinfo, argument);

	if (external_id.length > SMARTCAR_MAX_EXTERNAL_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_id must not be longer than %d bytes",
						SMARTCAR_MAX_EXTERNAL_ID_LENGTH)));
	if (external_id.length == 0 && smartcar_server_api_version(server) == SMARTCAR_API_V3)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("external_id must not be null or empty"),
				 errdetail("In version 3 of Smartcar's API it is needed to verify the user of the callback.")));
	return string_argument(fcinfo, argument);
}

/*
 * In version 3, only a known owner can log in again: nothing but the external_id says
 * whose login the link is for, and Smartcar would give that id to any user who follows
 * the link.
 */
static void
check_known_owner(const SmartcarServer *server, const char *external_id)
{
	const char *owner;

	if (smartcar_server_api_version(server) != SMARTCAR_API_V3 ||
		smartcar_owner_is_known(server, external_id))
		return;
	owner = quote_literal_cstr(external_id);
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("no user of owner \"%s\" is known on server \"%s\"",
					smartcar_excerpt(smartcar_span_from_string(external_id)), server->name),
			 errhint("If the owner has never connected, use smartcar_begin_connect(%s). If Smartcar has the user without this external_id, run CALL smartcar_adopt(ARRAY['the user_id'], ARRAY[%s], %s).",
					 owner, owner, quote_literal_cstr(server->name))));
}

/*
 * Stores a session and returns its link.  The statement that builds the link runs as the
 * caller, who must be allowed to use the server.
 */
static Datum
begin_session(const SmartcarServer *server, const char *state, SmartcarSession *session,
			  ArrayType *scope, const Interval *lifetime,
			  const char *link_statement, const SmartcarParameters *link_parameters)
{
	MemoryContext result_context = CurrentMemoryContext;
	char	   *link;
	text	   *result;

	smartcar_spi_begin();
	smartcar_spi_run_as_caller(link_statement, link_parameters);
	link = smartcar_row_string(0, "link");
	if (strcmp(session->link, SMARTCAR_SESSION_CONNECT) != 0)
		check_known_owner(server, session->external_id);

	if (session->redirect_uri == NULL)
		session->redirect_uri = smartcar_server_option(server, SMARTCAR_OPTION_REDIRECT_URI);
	session->state_hash = smartcar_state_hash(smartcar_span_from_string(state));
	smartcar_session_insert(server, session, scope, lifetime);

	MemoryContextSwitchTo(result_context);
	result = cstring_to_text(link);
	smartcar_spi_end();
	PG_RETURN_TEXT_P(result);
}

Datum
smartcar_begin_connect(PG_FUNCTION_ARGS)
{
	enum
	{
		EXTERNAL_ID, SCOPE, MAKE, FORCE_PROMPT, LIFETIME, REDIRECT_URI, SERVER
	};
	SmartcarServer *server = smartcar_required_server(fcinfo, SERVER);
	const Interval *lifetime;
	SmartcarSession session = {
		.link = SMARTCAR_SESSION_CONNECT,
		.external_id = external_id_argument(fcinfo, EXTERNAL_ID, server),
		.redirect_uri = string_argument(fcinfo, REDIRECT_URI)
	};
	SmartcarParameters link = {0};
	char	   *state = new_state();

	lifetime = lifetime_argument(fcinfo, LIFETIME);
	smartcar_parameter_argument(&link, fcinfo, SCOPE, TEXTARRAYOID);
	smartcar_parameter_string(&link, state);
	smartcar_parameter_argument(&link, fcinfo, MAKE, TEXTOID);
	smartcar_parameter_argument(&link, fcinfo, FORCE_PROMPT, BOOLOID);
	smartcar_parameter_argument(&link, fcinfo, EXTERNAL_ID, TEXTOID);
	smartcar_parameter_argument(&link, fcinfo, REDIRECT_URI, TEXTOID);
	smartcar_parameter_string(&link, server->name);
	return begin_session(server, state, &session,
						 PG_ARGISNULL(SCOPE) ? NULL : PG_GETARG_ARRAYTYPE_P(SCOPE), lifetime,
						 "SELECT @.smartcar_connect_url(scope => $1, state => $2, make => $3, "
						 "force_prompt => $4, external_id => $5, redirect_uri => $6, "
						 "server => $7) AS link",
						 &link);
}

Datum
smartcar_begin_reauth(PG_FUNCTION_ARGS)
{
	enum
	{
		EXTERNAL_ID, VEHICLE_ID, SCOPE, LIFETIME, REDIRECT_URI, SERVER
	};
	SmartcarServer *server = smartcar_required_server(fcinfo, SERVER);
	const Interval *lifetime;
	SmartcarSession session = {
		.link = PG_ARGISNULL(VEHICLE_ID) ? SMARTCAR_SESSION_UPDATE_ACCESS :
		SMARTCAR_SESSION_REAUTHENTICATE,
		.external_id = external_id_argument(fcinfo, EXTERNAL_ID, server),
		.vehicle_id = string_argument(fcinfo, VEHICLE_ID),
		.redirect_uri = string_argument(fcinfo, REDIRECT_URI)
	};
	SmartcarParameters link = {0};
	char	   *state = new_state();

	lifetime = lifetime_argument(fcinfo, LIFETIME);
	smartcar_parameter_string(&link, state);
	smartcar_parameter_argument(&link, fcinfo, REDIRECT_URI, TEXTOID);
	smartcar_parameter_string(&link, server->name);
	smartcar_parameter_argument(&link, fcinfo, EXTERNAL_ID, TEXTOID);
	if (!PG_ARGISNULL(VEHICLE_ID))
		smartcar_parameter_argument(&link, fcinfo, VEHICLE_ID, TEXTOID);
	else
		smartcar_parameter_argument(&link, fcinfo, SCOPE, TEXTARRAYOID);
	return begin_session(server, state, &session,
						 PG_ARGISNULL(SCOPE) ? NULL : PG_GETARG_ARRAYTYPE_P(SCOPE), lifetime,
						 PG_ARGISNULL(VEHICLE_ID) ?
						 "SELECT @.smartcar_reauth_url(scope => $5, state => $1, "
						 "redirect_uri => $2, server => $3, external_id => $4) AS link" :
						 "SELECT @.smartcar_reauth_vehicle_url(vehicle_id => $5, state => $1, "
						 "redirect_uri => $2, server => $3, external_id => $4) AS link",
						 &link);
}
