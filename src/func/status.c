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
#include "pg/action.h"
#include "pg/scope.h"
#include "pg/scope_set.h"
#include "pg/server.h"
#include "pg/server_link.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_next_action);
PG_FUNCTION_INFO_V1(smartcar_action_url);
PG_FUNCTION_INFO_V1(smartcar_wanted_scopes);
PG_FUNCTION_INFO_V1(smartcar_may_use);

/* The arguments of smartcar_next_action(). */
enum
{
	SERVER,
	CONNECTION_STATUS,
	ERROR_ACTION,
	PERMISSIONS,
	TESLA_SCOPES,
	ACCESS_TYPE,
	MAKE,
	MODEL,
	YEAR,
	VIRTUAL_KEY_PAIRED
};

typedef struct StatusFnState
{
	SmartcarFnState site;		/* must be first */
	uint32		known;			/* a bit for each known permission that is
								 * wanted */
	SmartcarSpan *others;		/* the other ones */
	int			other_count;
	unsigned int tesla;			/* the Tesla permissions that those need */
	Datum		actions[SMARTCAR_ACTION_COUNT];
} StatusFnState;

/*
 * What the server wants, as far as a row can have it.
 */
static void
prepare_wanted(StatusFnState *call)
{
	SmartcarSpan rest =
		smartcar_span_from_string(smartcar_server_option(&call->site.server, SMARTCAR_OPTION_SCOPE));
	SmartcarSpan name;

	call->others = MemoryContextAlloc(call->site.context,
									  (rest.length / 2 + 1) * sizeof(SmartcarSpan));
	while (smartcar_next_word(&rest, &name))
	{
		int			index = smartcar_resolve_permission(&name);

		if (index < 0)
			call->others[call->other_count++] = name;
		else
		{
			call->known |= UINT32_C(1) << index;
			call->tesla |= 1U << smartcar_permission_table[index].tesla;
		}
	}
	call->tesla &= ~(1U << SMARTCAR_TESLA_NONE);
}

/*
 * The values of the enum, which is the result type.
 */
static void
prepare_actions(StatusFnState *call, FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_rettype(fcinfo->flinfo);

	if (!OidIsValid(type))
		type = get_func_rettype(fcinfo->flinfo->fn_oid);
	for (int i = 0; i < SMARTCAR_ACTION_COUNT; i++)
		call->actions[i] = smartcar_action_datum((SmartcarAction) i, type);
}

static unsigned int
tesla_mask(FunctionCallInfo fcinfo)
{
	SmartcarTextArray walk;
	SmartcarSpan scope;
	unsigned int mask = 0;

	smartcar_text_array_begin(&walk, PG_GETARG_ARRAYTYPE_P(TESLA_SCOPES), "tesla_scopes");
	while (smartcar_text_array_next(&walk, &scope))
		mask |= 1U << smartcar_tesla_permission_find_scope(scope);
	return mask;
}

static bool
lacks_scopes(FunctionCallInfo fcinfo, const StatusFnState *call)
{
	SmartcarScopeSet granted = {0, NULL};

	smartcar_scope_set_add_array(&granted, PG_GETARG_ARRAYTYPE_P(PERMISSIONS), "permissions");
	if ((call->known & ~granted.known) != 0)
		return true;
	for (int i = 0; i < call->other_count; i++)
	{
		if (!smartcar_scope_set_has_other(&granted, call->others[i]))
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
next_action(FunctionCallInfo fcinfo, const StatusFnState *call)
{
	if (!PG_ARGISNULL(TESLA_SCOPES) && (call->tesla & ~tesla_mask(fcinfo)) != 0)
		return SMARTCAR_ACTION_UPDATE_ACCESS;
	if (!PG_ARGISNULL(PERMISSIONS) && lacks_scopes(fcinfo, call))
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
	bool		fresh;
	SmartcarAction action;
	StatusFnState *call = (StatusFnState *)
		smartcar_lenient_fn_state(fcinfo, SERVER, sizeof(StatusFnState), &fresh);

	if (fresh)
	{
		prepare_wanted(call);
		prepare_actions(call, fcinfo);
	}
	if (is_disconnected(fcinfo))
		PG_RETURN_DATUM(call->actions[SMARTCAR_ACTION_CONNECT]);
	if (!PG_ARGISNULL(ERROR_ACTION) &&
		PG_GETARG_DATUM(ERROR_ACTION) != call->actions[SMARTCAR_ACTION_RETRY])
		PG_RETURN_DATUM(PG_GETARG_DATUM(ERROR_ACTION));

	/* what passes by itself must not hide what somebody has to do */
	action = next_action(fcinfo, call);
	if (action == SMARTCAR_ACTION_NONE && !PG_ARGISNULL(ERROR_ACTION))
		action = SMARTCAR_ACTION_RETRY;
	PG_RETURN_DATUM(call->actions[action]);
}

/*
 * The scopes that a server wants; NULL if it is not there or says nothing.
 */
Datum
smartcar_wanted_scopes(PG_FUNCTION_ARGS)
{
	bool		fresh;
	SmartcarFnState *site = smartcar_lenient_fn_state(fcinfo, 0, sizeof(SmartcarFnState),
													  &fresh);
	SmartcarSpan rest =
		smartcar_span_from_string(smartcar_server_option(&site->server, SMARTCAR_OPTION_SCOPE));
	SmartcarSpan *words;
	SmartcarSpan word;
	int			count = 0;

	if (rest.data == NULL)
		PG_RETURN_NULL();
	words = palloc((rest.length / 2 + 1) * sizeof(SmartcarSpan));
	while (smartcar_next_word(&rest, &word))
		words[count++] = word;
	PG_RETURN_ARRAYTYPE_P(smartcar_build_text_array(words, count));
}

/*
 * A link that an owner can be sent as it is.  The one for what is missing at
 * Tesla comes back to nobody and leaves the tokens as they are; to connect
 * again, a session has to be begun.
 */
Datum
smartcar_action_url(PG_FUNCTION_ARGS)
{
	bool		fresh;
	SmartcarServer *server =
		&smartcar_lenient_fn_state(fcinfo, 0, sizeof(SmartcarFnState), &fresh)->server;
	SmartcarSpan action = smartcar_argument_span(fcinfo, 1);
	SmartcarSpan error_url = smartcar_argument_utf8(fcinfo, 3);
	SmartcarSpan none = {NULL, 0};
	const char *link = NULL;

	if (smartcar_span_equal(action, SMARTCAR_SPAN("update_access")))
		link = smartcar_server_link(server, SMARTCAR_LINK_UPDATE_ACCESS_ONLY, none);
	else if (smartcar_span_equal(action, SMARTCAR_SPAN("reauthenticate")))
		link = smartcar_server_link(server, SMARTCAR_LINK_REAUTHENTICATE,
									smartcar_argument_utf8(fcinfo, 2));
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
	bool		fresh;
	SmartcarFnState *site = smartcar_lenient_fn_state(fcinfo, 0, sizeof(SmartcarFnState),
													  &fresh);

	PG_RETURN_BOOL(OidIsValid(site->server.serverid) || superuser());
}
