/*-------------------------------------------------------------------------
 *
 * status.c
 *	  Chooses the action that a connection needs, and builds its link.
 *
 * The view smartcar_status calls these functions for each connection, so what a
 * server requires is computed once and cached.
 *
 * src/func/status.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "func/status.h"

#include "catalog/pg_enum.h"
#include "common/hashfn.h"
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

PG_FUNCTION_INFO_V1(smartcar_facts_hash);
PG_FUNCTION_INFO_V1(smartcar_next_action);
PG_FUNCTION_INFO_V1(smartcar_action_url);
PG_FUNCTION_INFO_V1(smartcar_may_use);

/* The arguments of smartcar_next_action() and smartcar_facts_hash(). */
enum
{
	ARGUMENT_CONNECTION_STATUS,
	ARGUMENT_ERROR_ACTION,
	ARGUMENT_GRANTED_SCOPES,
	ARGUMENT_TESLA_SCOPES,
	ARGUMENT_ACCESS_TYPE,
	ARGUMENT_MAKE,
	ARGUMENT_MODEL,
	ARGUMENT_YEAR,
	ARGUMENT_VIRTUAL_KEY_PAIRED,
	ARGUMENT_SERVER
};

/* The arguments of smartcar_action_url(). */
enum
{
	LINK_ACTION,
	LINK_EXTERNAL_ID,
	LINK_VEHICLE_ID,
	LINK_ERROR_URL,
	LINK_SERVER
};

/*
 * The cached result for an array: whether it lacks something that the server
 * requires.  Most rows have the same array as the row before, and comparing two
 * arrays is much faster than reading one.
 */
typedef struct ArrayVerdict
{
	struct varlena *array;		/* a copy; NULL before the first row */
	Size		allocated;
	bool		is_lacking;
} ArrayVerdict;

typedef struct StatusState
{
	SmartcarFnState fn;			/* must be first */
	bool		is_prepared;
	const SmartcarScopeList *scope; /* the option of the server, or NULL */
	unsigned int tesla;			/* bits of the Tesla permissions it needs */
	ArrayVerdict granted_scopes;
	ArrayVerdict tesla_scopes;
	Datum		actions[SMARTCAR_ACTION_COUNT];
} StatusState;

typedef bool (*ArrayCheck) (const StatusState *state, ArrayType *array);

/* The Tesla permissions that scopes need, as a bit mask. */
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
 * Caches the values of the enum smartcar_action, which is the result type.
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

static void
set_requirements(StatusState *state, const SmartcarServer *server)
{
	state->scope = smartcar_server_scope(server, SMARTCAR_OPTION_SCOPE);
	state->tesla = needed_tesla_permissions(state->scope);
}

static bool
lacks_tesla_permissions(const StatusState *state, ArrayType *tesla_scopes)
{
	SmartcarTextArray reader;
	SmartcarSpan scope;
	unsigned int granted = 0;

	smartcar_text_array_begin(&reader, tesla_scopes, "tesla_scopes");
	while (smartcar_text_array_next(&reader, &scope))
		granted |= 1U << smartcar_tesla_permission_find_scope(scope);
	return (state->tesla & ~granted) != 0;
}

static bool
lacks_scopes(const StatusState *state, ArrayType *granted_scopes)
{
	const SmartcarScopeList *wanted = state->scope;
	SmartcarScopeSet granted = {0, NULL};

	smartcar_scope_set_add_array(&granted, granted_scopes, "granted_scopes");
	for (int i = 0; wanted != NULL && i < wanted->count; i++)
	{
		if (!smartcar_scope_set_has(&granted, wanted->indexes[i], wanted->names[i]))
			return true;
	}
	return false;
}

/* Checks an array, or uses the cached result if it is that of the row before. */
static bool
is_lacking(StatusState *state, ArrayVerdict *verdict, struct varlena *array, ArrayCheck check)
{
	Size		size = VARSIZE_ANY(array);
	bool		result;

	if (verdict->array != NULL && VARSIZE_ANY(verdict->array) == size &&
		memcmp(verdict->array, array, size) == 0)
		return verdict->is_lacking;
	result = check(state, DatumGetArrayTypeP(PointerGetDatum(array)));
	if (verdict->allocated < size)
	{
		verdict->array = MemoryContextAlloc(state->fn.context, size);
		verdict->allocated = size;
	}
	memcpy(verdict->array, array, size);
	verdict->is_lacking = result;
	return result;
}

/*
 * The v2.0 API has DRIVER.  For v3, Smartcar documents that an account is primary
 * or secondary, but not the values.
 */
static bool
is_driver(SmartcarSpan access_type)
{
	return smartcar_span_equal_ignoring_case(access_type, SMARTCAR_SPAN("DRIVER")) ||
		smartcar_span_equal_ignoring_case(access_type, SMARTCAR_SPAN("SECONDARY"));
}

/*
 * The action for something that is missing.  Permissions come before the virtual
 * key, which cannot be added without them.
 */
static SmartcarAction
missing_action(StatusState *state, const SmartcarConnectionFacts *facts)
{
	if (facts->tesla_scopes != NULL &&
		is_lacking(state, &state->tesla_scopes, facts->tesla_scopes, lacks_tesla_permissions))
		return SMARTCAR_ACTION_UPDATE_ACCESS;
	if (facts->granted_scopes != NULL &&
		is_lacking(state, &state->granted_scopes, facts->granted_scopes, lacks_scopes))
		return facts->tesla_scopes == NULL ? SMARTCAR_ACTION_UPDATE_ACCESS :
			SMARTCAR_ACTION_CONNECT;
	if (facts->is_unpaired &&
		smartcar_virtual_key_wanted(facts->make, facts->model, facts->year))
		return is_driver(facts->access_type) ?
			SMARTCAR_ACTION_ASK_OWNER : SMARTCAR_ACTION_ADD_VIRTUAL_KEY;
	return SMARTCAR_ACTION_NONE;
}

/*
 * Chooses the action.  The error of a disconnected vehicle no longer matters.  A
 * transient error must not hide an action of the owner; one that nobody can fix is not
 * stored.
 */
static SmartcarAction
choose_action(StatusState *state, const SmartcarConnectionFacts *facts)
{
	SmartcarAction missing;

	if (facts->is_disconnected)
		return SMARTCAR_ACTION_CONNECT;
	if (facts->error_action != SMARTCAR_ACTION_UNKNOWN &&
		facts->error_action != SMARTCAR_ACTION_RETRY)
		return facts->error_action;
	missing = missing_action(state, facts);
	if (missing == SMARTCAR_ACTION_NONE && facts->error_action == SMARTCAR_ACTION_RETRY)
		return SMARTCAR_ACTION_RETRY;
	return missing;
}

SmartcarAction
smartcar_connection_action(const SmartcarServer *server, const SmartcarConnectionFacts *facts)
{
	StatusState state = {.fn = {.context = CurrentMemoryContext}};

	set_requirements(&state, server);
	return choose_action(&state, facts);
}

/* A value that is not found is SMARTCAR_ACTION_UNKNOWN, which is SMARTCAR_ACTION_COUNT. */
static SmartcarAction
error_action_argument(FunctionCallInfo fcinfo, const StatusState *state)
{
	SmartcarAction action = SMARTCAR_ACTION_NONE;

	if (PG_ARGISNULL(ARGUMENT_ERROR_ACTION))
		return SMARTCAR_ACTION_UNKNOWN;
	while (action < SMARTCAR_ACTION_COUNT &&
		   state->actions[action] != PG_GETARG_DATUM(ARGUMENT_ERROR_ACTION))
		action++;
	return action;
}

static struct varlena *
varlena_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument));
}

static int32
year_argument(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(ARGUMENT_YEAR) ? SMARTCAR_NO_YEAR : PG_GETARG_INT32(ARGUMENT_YEAR);
}

static bool
is_unpaired_argument(FunctionCallInfo fcinfo)
{
	return !PG_ARGISNULL(ARGUMENT_VIRTUAL_KEY_PAIRED) &&
		!PG_GETARG_BOOL(ARGUMENT_VIRTUAL_KEY_PAIRED);
}

Datum
smartcar_next_action(PG_FUNCTION_ARGS)
{
	StatusState *state = (StatusState *)
		smartcar_lenient_fn_state(fcinfo, ARGUMENT_SERVER, sizeof(StatusState));
	SmartcarSpan status = smartcar_argument_span(fcinfo, ARGUMENT_CONNECTION_STATUS);
	SmartcarConnectionFacts facts;

	if (!state->is_prepared)
	{
		set_requirements(state, &state->fn.server);
		prepare_actions(state, fcinfo);
		state->is_prepared = true;
	}
	facts.is_disconnected = smartcar_span_equal(status, SMARTCAR_SPAN("disconnected"));

	/* without the server, it is not known what may be missing */
	if (!OidIsValid(state->fn.server.serverid) && !facts.is_disconnected)
	{
		if (PG_ARGISNULL(ARGUMENT_ERROR_ACTION))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(ARGUMENT_ERROR_ACTION));
	}
	facts.error_action = error_action_argument(fcinfo, state);
	facts.granted_scopes = varlena_argument(fcinfo, ARGUMENT_GRANTED_SCOPES);
	facts.tesla_scopes = varlena_argument(fcinfo, ARGUMENT_TESLA_SCOPES);
	facts.access_type = smartcar_argument_span(fcinfo, ARGUMENT_ACCESS_TYPE);
	facts.make = smartcar_argument_span(fcinfo, ARGUMENT_MAKE);
	facts.model = smartcar_argument_span(fcinfo, ARGUMENT_MODEL);
	facts.year = year_argument(fcinfo);
	facts.is_unpaired = is_unpaired_argument(fcinfo);
	PG_RETURN_DATUM(state->actions[choose_action(state, &facts)]);
}

static uint64
combine_hash(uint64 hash, const void *data, size_t length)
{
	return hash_combine64(hash, hash_bytes_extended(data, (int) length, length));
}

/* Adds a varlena argument; the hash of NULL differs from that of all values. */
static uint64
add_to_hash(uint64 hash, FunctionCallInfo fcinfo, int argument)
{
	struct varlena *value = varlena_argument(fcinfo, argument);

	if (value == NULL)
		return hash_combine64(hash, 1);
	return combine_hash(hash, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/*
 * A hash of the facts that choose_action() uses, for the index of smartcar_todo:
 * rows with the same hash need the same action.  Rows with different hashes may
 * need the same action, too.  If a later version computes it differently, its update
 * script must rebuild the index.
 */
Datum
smartcar_facts_hash(PG_FUNCTION_ARGS)
{
	bool		is_unpaired = is_unpaired_argument(fcinfo);
	int32		year = year_argument(fcinfo);
	uint64		hash = add_to_hash(is_unpaired, fcinfo, ARGUMENT_SERVER);

	hash = add_to_hash(hash, fcinfo, ARGUMENT_CONNECTION_STATUS);
	if (!PG_ARGISNULL(ARGUMENT_ERROR_ACTION))
	{
		/* use the label: a restored database has other OIDs */
		Datum		action = PG_GETARG_DATUM(ARGUMENT_ERROR_ACTION);
		const char *label = DatumGetCString(DirectFunctionCall1(enum_out, action));

		hash = combine_hash(hash, label, strlen(label));
	}
	hash = add_to_hash(hash, fcinfo, ARGUMENT_GRANTED_SCOPES);
	hash = add_to_hash(hash, fcinfo, ARGUMENT_TESLA_SCOPES);
	if (is_unpaired)
	{
		hash = add_to_hash(hash, fcinfo, ARGUMENT_ACCESS_TYPE);
		hash = add_to_hash(hash, fcinfo, ARGUMENT_MAKE);
		hash = add_to_hash(hash, fcinfo, ARGUMENT_MODEL);
		hash = combine_hash(hash, &year, sizeof(year));
	}
	PG_RETURN_INT64((int64) hash);
}

/*
 * The link to send to the owner.  A link to Connect has no callback: with v2.0, its
 * code would be exchanged for new tokens, which replace the stored ones.  There is no
 * link for the action "connect", which needs a new session.
 */
Datum
smartcar_action_url(PG_FUNCTION_ARGS)
{
	const SmartcarServer *server =
		&smartcar_lenient_fn_state(fcinfo, LINK_SERVER, sizeof(SmartcarFnState))->server;
	SmartcarSpan action = smartcar_argument_span(fcinfo, LINK_ACTION);
	SmartcarSpan error_url = smartcar_argument_utf8(fcinfo, LINK_ERROR_URL);
	SmartcarSpan external_id = smartcar_argument_utf8(fcinfo, LINK_EXTERNAL_ID);
	SmartcarSpan none = {NULL, 0};
	const char *link = NULL;

	if (smartcar_span_equal(action, SMARTCAR_SPAN("update_access")))
		link = smartcar_server_link(server, SMARTCAR_LINK_UPDATE_ACCESS_ONLY, external_id, none);
	else if (smartcar_span_equal(action, SMARTCAR_SPAN("reauthenticate")))
		link = smartcar_server_link(server, SMARTCAR_LINK_REAUTHENTICATE, external_id,
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
 * Whether the current role may see rows of a server.
 */
Datum
smartcar_may_use(PG_FUNCTION_ARGS)
{
	SmartcarFnState *state = smartcar_lenient_fn_state(fcinfo, 0, sizeof(SmartcarFnState));

	PG_RETURN_BOOL(OidIsValid(state->server.serverid) || superuser());
}
