/*-------------------------------------------------------------------------
 *
 * status.c
 *	  What is to be done about a connection, and the link for it.
 *
 * The view smartcar_status asks this about every row of a fleet, so what the
 * server wants is looked at once and kept as bits.
 *
 * src/func/status.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_enum.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "core/error.h"
#include "core/permission.h"
#include "core/virtual_key.h"
#include "pg/api_error.h"
#include "pg/fn_state.h"
#include "pg/scope.h"
#include "pg/server_link.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_next_action);
PG_FUNCTION_INFO_V1(smartcar_action_url);
PG_FUNCTION_INFO_V1(smartcar_may_use);

/* The arguments of smartcar_next_action(). */
enum
{
	CONNECTION_STATUS,
	ERROR_ACTION,
	GRANTED_SCOPES,
	TESLA_SCOPES,
	ACCESS_TYPE,
	MAKE,
	MODEL,
	YEAR,
	VIRTUAL_KEY_PAIRED,
	SERVER
};

/* Those of smartcar_action_url(). */
enum
{
	LINK_ACTION,
	LINK_VEHICLE_ID,
	LINK_ERROR_URL,
	LINK_SERVER
};

typedef struct StatusState
{
	SmartcarFnState fn;			/* must be first */
	bool		is_prepared;
	const SmartcarScopeList *scope; /* what the server asks for, or NULL */
	unsigned int tesla;			/* the Tesla permissions that it needs */
	Datum		actions[SMARTCAR_ACTION_COUNT];
} StatusState;

static void
prepare_scope(StatusState *state)
{
	state->scope = smartcar_server_scope(&state->fn.server, SMARTCAR_OPTION_SCOPE);
	for (int i = 0; state->scope != NULL && i < state->scope->count; i++)
	{
		int			index = state->scope->indexes[i];

		if (index >= 0)
			state->tesla |= 1U << smartcar_permission_table[index].tesla;
	}
	state->tesla &= ~(1U << SMARTCAR_TESLA_NONE);
}

/*
 * The values of the enum, which is the result type.
 */
static void
prepare_actions(StatusState *state, FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_rettype(fcinfo->flinfo);

	if (!OidIsValid(type))
		type = get_func_rettype(fcinfo->flinfo->fn_oid);
	for (int i = 0; i < SMARTCAR_ACTION_COUNT; i++)
		state->actions[i] = smartcar_action_datum((SmartcarAction) i, type);
}

static unsigned int
tesla_mask(FunctionCallInfo fcinfo)
{
	SmartcarTextArray reader;
	SmartcarSpan scope;
	unsigned int mask = 0;

	smartcar_text_array_begin(&reader, PG_GETARG_ARRAYTYPE_P(TESLA_SCOPES), "tesla_scopes");
	while (smartcar_text_array_next(&reader, &scope))
		mask |= 1U << smartcar_tesla_permission_find_scope(scope);
	return mask;
}

static bool
lacks_scopes(FunctionCallInfo fcinfo, const StatusState *state)
{
	SmartcarScopeSet granted = {0, NULL};

	smartcar_scope_set_add_array(&granted, PG_GETARG_ARRAYTYPE_P(GRANTED_SCOPES), "granted_scopes");
	for (int i = 0; state->scope != NULL && i < state->scope->count; i++)
	{
		if (!smartcar_scope_set_has(&granted, state->scope->indexes[i], state->scope->names[i]))
			return true;
	}
	return false;
}

static bool
lacks_key(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(VIRTUAL_KEY_PAIRED) || PG_GETARG_BOOL(VIRTUAL_KEY_PAIRED))
		return false;
	return smartcar_virtual_key_need(smartcar_argument_span(fcinfo, MAKE),
									 smartcar_argument_span(fcinfo, MODEL),
									 PG_ARGISNULL(YEAR) ? SMARTCAR_NO_YEAR : PG_GETARG_INT32(YEAR))
		== SMARTCAR_VIRTUAL_KEY_REQUIRED;
}

/*
 * The v2.0 API says DRIVER.  What Smartcar documents of v3's role is that it is
 * a primary or a secondary account, but not how that is written.
 */
static bool
is_driver(SmartcarSpan access_type)
{
	return smartcar_span_equal_ignoring_case(access_type, SMARTCAR_SPAN("DRIVER")) ||
		smartcar_span_equal_ignoring_case(access_type, SMARTCAR_SPAN("SECONDARY"));
}

/* What was wrong with a vehicle that is gone does not matter any more. */
static bool
is_disconnected(FunctionCallInfo fcinfo)
{
	return smartcar_span_equal(smartcar_argument_span(fcinfo, CONNECTION_STATUS),
							   SMARTCAR_SPAN("disconnected"));
}

/*
 * The first thing that is in the way where Smartcar has not said what is wrong.
 * What was never granted comes before the key, which cannot be added without
 * it.
 */
static SmartcarAction
next_action(FunctionCallInfo fcinfo, const StatusState *state)
{
	if (!PG_ARGISNULL(TESLA_SCOPES) && (state->tesla & ~tesla_mask(fcinfo)) != 0)
		return SMARTCAR_ACTION_UPDATE_ACCESS;
	if (!PG_ARGISNULL(GRANTED_SCOPES) && lacks_scopes(fcinfo, state))
		return PG_ARGISNULL(TESLA_SCOPES) ? SMARTCAR_ACTION_UPDATE_ACCESS :
			SMARTCAR_ACTION_CONNECT;
	if (lacks_key(fcinfo))
		return is_driver(smartcar_argument_span(fcinfo, ACCESS_TYPE)) ?
			SMARTCAR_ACTION_ASK_OWNER : SMARTCAR_ACTION_ADD_VIRTUAL_KEY;
	return SMARTCAR_ACTION_NONE;
}

Datum
smartcar_next_action(PG_FUNCTION_ARGS)
{
	StatusState *state = (StatusState *)
		smartcar_lenient_fn_state(fcinfo, SERVER, sizeof(StatusState));

	if (!state->is_prepared)
	{
		prepare_scope(state);
		prepare_actions(state, fcinfo);
		state->is_prepared = true;
	}
	if (is_disconnected(fcinfo))
		PG_RETURN_DATUM(state->actions[SMARTCAR_ACTION_CONNECT]);
	if (!PG_ARGISNULL(ERROR_ACTION))
		PG_RETURN_DATUM(PG_GETARG_DATUM(ERROR_ACTION));
	PG_RETURN_DATUM(state->actions[next_action(fcinfo, state)]);
}

/*
 * A link that an owner can be sent as it is.  The one for what is missing at
 * Tesla comes back to nobody and leaves the tokens as they are; to connect
 * again, a session has to be begun.
 */
Datum
smartcar_action_url(PG_FUNCTION_ARGS)
{
	const SmartcarServer *server =
		&smartcar_lenient_fn_state(fcinfo, LINK_SERVER, sizeof(SmartcarFnState))->server;
	SmartcarSpan action = smartcar_argument_span(fcinfo, LINK_ACTION);
	SmartcarSpan error_url = smartcar_argument_utf8(fcinfo, LINK_ERROR_URL);
	SmartcarSpan none = {NULL, 0};
	const char *link = NULL;

	if (smartcar_span_equal(action, SMARTCAR_SPAN("update_access")))
		link = smartcar_server_link(server, SMARTCAR_LINK_UPDATE_ACCESS_ONLY, none);
	else if (smartcar_span_equal(action, SMARTCAR_SPAN("reauthenticate")))
		link = smartcar_server_link(server, SMARTCAR_LINK_REAUTHENTICATE,
									smartcar_argument_utf8(fcinfo, LINK_VEHICLE_ID));
	else if (smartcar_span_equal(action, SMARTCAR_SPAN("add_virtual_key")))
	{
		if (error_url.data != NULL && smartcar_virtual_key_url_valid(error_url))
			link = pnstrdup(error_url.data, error_url.length);
		else
			link = psprintf("%s%s", SMARTCAR_VIRTUAL_KEY_BASE,
							smartcar_server_option(server, SMARTCAR_OPTION_VIRTUAL_KEY_DOMAIN));
	}
	if (link == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(link));
}

/*
 * Whether the user may see rows about a server.
 */
Datum
smartcar_may_use(PG_FUNCTION_ARGS)
{
	SmartcarFnState *state = smartcar_lenient_fn_state(fcinfo, 0, sizeof(SmartcarFnState));

	PG_RETURN_BOOL(OidIsValid(state->server.serverid) || superuser());
}
