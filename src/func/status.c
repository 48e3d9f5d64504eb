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

#include "func/status.h"

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

/* The Tesla permissions that scopes need, as bits. */
static unsigned int
needed_tesla_permissions(const SmartcarScopeList *scope)
{
	unsigned int needed = 0;

	for (int i = 0; scope != NULL && i < scope->count; i++)
	{
		int			index = scope->indexes[i];

		if (index >= 0)
			needed |= 1U << smartcar_permission_table[index].tesla;
	}
	return needed & ~(1U << SMARTCAR_TESLA_NONE);
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
granted_tesla_permissions(ArrayType *tesla_scopes)
{
	SmartcarTextArray reader;
	SmartcarSpan scope;
	unsigned int granted = 0;

	smartcar_text_array_begin(&reader, tesla_scopes, "tesla_scopes");
	while (smartcar_text_array_next(&reader, &scope))
		granted |= 1U << smartcar_tesla_permission_find_scope(scope);
	return granted;
}

static bool
lacks_scopes(ArrayType *granted_scopes, const SmartcarScopeList *wanted)
{
	SmartcarScopeSet granted = {0, NULL};

	smartcar_scope_set_add_array(&granted, granted_scopes, "granted_scopes");
	for (int i = 0; wanted != NULL && i < wanted->count; i++)
	{
		if (!smartcar_scope_set_has(&granted, wanted->indexes[i], wanted->names[i]))
			return true;
	}
	return false;
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

/*
 * The first thing that is in the way where Smartcar has not said what is wrong.
 * What was never granted comes before the key, which cannot be added without
 * it.
 */
static SmartcarAction
missing_action(const SmartcarConnectionFacts *facts, const SmartcarScopeList *scope,
			   unsigned int tesla)
{
	if (facts->tesla_scopes != NULL &&
		(tesla & ~granted_tesla_permissions(facts->tesla_scopes)) != 0)
		return SMARTCAR_ACTION_UPDATE_ACCESS;
	if (facts->granted_scopes != NULL && lacks_scopes(facts->granted_scopes, scope))
		return facts->tesla_scopes == NULL ? SMARTCAR_ACTION_UPDATE_ACCESS :
			SMARTCAR_ACTION_CONNECT;
	if (facts->is_unpaired &&
		smartcar_virtual_key_wanted(facts->make, facts->model, facts->year))
		return is_driver(facts->access_type) ?
			SMARTCAR_ACTION_ASK_OWNER : SMARTCAR_ACTION_ADD_VIRTUAL_KEY;
	return SMARTCAR_ACTION_NONE;
}

/*
 * What was wrong with a vehicle that is gone does not matter any more.  An error
 * that passes by itself must not hide what somebody has to do.
 */
static SmartcarAction
choose_action(const SmartcarConnectionFacts *facts, const SmartcarScopeList *scope,
			  unsigned int tesla)
{
	SmartcarAction missing;

	if (facts->is_disconnected)
		return SMARTCAR_ACTION_CONNECT;
	if (facts->error_action != SMARTCAR_ACTION_UNKNOWN &&
		facts->error_action != SMARTCAR_ACTION_RETRY)
		return facts->error_action;
	missing = missing_action(facts, scope, tesla);
	if (missing == SMARTCAR_ACTION_NONE && facts->error_action == SMARTCAR_ACTION_RETRY)
		return SMARTCAR_ACTION_RETRY;
	return missing;
}

SmartcarAction
smartcar_connection_action(const SmartcarServer *server, const SmartcarConnectionFacts *facts)
{
	const SmartcarScopeList *scope = smartcar_server_scope(server, SMARTCAR_OPTION_SCOPE);

	return choose_action(facts, scope, needed_tesla_permissions(scope));
}

static SmartcarAction
error_action_argument(FunctionCallInfo fcinfo, const StatusState *state)
{
	SmartcarAction action = SMARTCAR_ACTION_NONE;

	if (PG_ARGISNULL(ERROR_ACTION))
		return SMARTCAR_ACTION_UNKNOWN;
	while (action < SMARTCAR_ACTION_COUNT &&
		   state->actions[action] != PG_GETARG_DATUM(ERROR_ACTION))
		action++;
	return action;
}

static ArrayType *
array_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_GETARG_ARRAYTYPE_P(argument);
}

Datum
smartcar_next_action(PG_FUNCTION_ARGS)
{
	StatusState *state = (StatusState *)
		smartcar_lenient_fn_state(fcinfo, SERVER, sizeof(StatusState));
	SmartcarConnectionFacts facts;

	if (!state->is_prepared)
	{
		state->scope = smartcar_server_scope(&state->fn.server, SMARTCAR_OPTION_SCOPE);
		state->tesla = needed_tesla_permissions(state->scope);
		prepare_actions(state, fcinfo);
		state->is_prepared = true;
	}
	facts.is_disconnected = smartcar_span_equal(smartcar_argument_span(fcinfo, CONNECTION_STATUS),
												SMARTCAR_SPAN("disconnected"));
	facts.error_action = error_action_argument(fcinfo, state);
	facts.granted_scopes = array_argument(fcinfo, GRANTED_SCOPES);
	facts.tesla_scopes = array_argument(fcinfo, TESLA_SCOPES);
	facts.access_type = smartcar_argument_span(fcinfo, ACCESS_TYPE);
	facts.make = smartcar_argument_span(fcinfo, MAKE);
	facts.model = smartcar_argument_span(fcinfo, MODEL);
	facts.year = PG_ARGISNULL(YEAR) ? SMARTCAR_NO_YEAR : PG_GETARG_INT32(YEAR);
	facts.is_unpaired = !PG_ARGISNULL(VIRTUAL_KEY_PAIRED) && !PG_GETARG_BOOL(VIRTUAL_KEY_PAIRED);
	PG_RETURN_DATUM(state->actions[choose_action(&facts, state->scope, state->tesla)]);
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
