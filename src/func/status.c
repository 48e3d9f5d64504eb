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
	LINK_EXTERNAL_ID,
	LINK_VEHICLE_ID,
	LINK_ERROR_URL,
	LINK_SERVER
};

/*
 * Whether an array lacks something that the server wants.  Most rows of a fleet have
 * the same arrays as the row before, and to compare one takes a fraction of the time
 * of reading it.
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
	const SmartcarScopeList *scope; /* what the server asks for, or NULL */
	unsigned int tesla;			/* the Tesla permissions that it needs */
	ArrayVerdict granted_scopes;
	ArrayVerdict tesla_scopes;
	Datum		actions[SMARTCAR_ACTION_COUNT];
} StatusState;

typedef bool (*ArrayReader) (const StatusState *state, ArrayType *array);

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

static void
set_wanted(StatusState *state, const SmartcarServer *server)
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

static bool
is_lacking(StatusState *state, ArrayVerdict *verdict, struct varlena *array, ArrayReader is_read_as)
{
	Size		size = VARSIZE_ANY(array);
	bool		result;

	if (verdict->array != NULL && VARSIZE_ANY(verdict->array) == size &&
		memcmp(verdict->array, array, size) == 0)
		return verdict->is_lacking;
	result = is_read_as(state, DatumGetArrayTypeP(PointerGetDatum(array)));
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
 * What was wrong with a vehicle that is gone does not matter any more.  An error
 * that passes by itself must not hide what somebody has to do.
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

	set_wanted(&state, server);
	return choose_action(&state, facts);
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

static struct varlena *
varlena_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument));
}

Datum
smartcar_next_action(PG_FUNCTION_ARGS)
{
	StatusState *state = (StatusState *)
		smartcar_lenient_fn_state(fcinfo, SERVER, sizeof(StatusState));
	SmartcarConnectionFacts facts;

	if (!state->is_prepared)
	{
		set_wanted(state, &state->fn.server);
		prepare_actions(state, fcinfo);
		state->is_prepared = true;
	}
	facts.is_disconnected = smartcar_span_equal(smartcar_argument_span(fcinfo, CONNECTION_STATUS),
												SMARTCAR_SPAN("disconnected"));

	/* what is wanted of a vehicle is known only where its server is */
	if (!OidIsValid(state->fn.server.serverid) && !facts.is_disconnected)
	{
		if (PG_ARGISNULL(ERROR_ACTION))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(ERROR_ACTION));
	}
	facts.error_action = error_action_argument(fcinfo, state);
	facts.granted_scopes = varlena_argument(fcinfo, GRANTED_SCOPES);
	facts.tesla_scopes = varlena_argument(fcinfo, TESLA_SCOPES);
	facts.access_type = smartcar_argument_span(fcinfo, ACCESS_TYPE);
	facts.make = smartcar_argument_span(fcinfo, MAKE);
	facts.model = smartcar_argument_span(fcinfo, MODEL);
	facts.year = PG_ARGISNULL(YEAR) ? SMARTCAR_NO_YEAR : PG_GETARG_INT32(YEAR);
	facts.is_unpaired = !PG_ARGISNULL(VIRTUAL_KEY_PAIRED) && !PG_GETARG_BOOL(VIRTUAL_KEY_PAIRED);
	PG_RETURN_DATUM(state->actions[choose_action(state, &facts)]);
}

static uint64
combine_hash(uint64 hash, const void *data, size_t length)
{
	return hash_combine64(hash, hash_bytes_extended(data, (int) length, length));
}

/* Adds an argument that is a varlena; a NULL is like nothing else. */
static uint64
add_to_hash(uint64 hash, FunctionCallInfo fcinfo, int argument)
{
	struct varlena *value = varlena_argument(fcinfo, argument);

	if (value == NULL)
		return hash_combine64(hash, 1);
	return combine_hash(hash, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/*
 * A hash of what choose_action() looks at.  Rows with the same hash need the same
 * action; it does not matter if others need it, too, so that a later version may hash
 * in another way.
 */
Datum
smartcar_facts_hash(PG_FUNCTION_ARGS)
{
	bool		is_unpaired = !PG_ARGISNULL(VIRTUAL_KEY_PAIRED) && !PG_GETARG_BOOL(VIRTUAL_KEY_PAIRED);
	int32		year = PG_ARGISNULL(YEAR) ? SMARTCAR_NO_YEAR : PG_GETARG_INT32(YEAR);
	uint64		hash = add_to_hash(is_unpaired, fcinfo, SERVER);

	hash = add_to_hash(hash, fcinfo, CONNECTION_STATUS);
	if (!PG_ARGISNULL(ERROR_ACTION))
	{
		/* the OID of its value is another one in a restored database */
		const char *label = DatumGetCString(DirectFunctionCall1(enum_out,
																PG_GETARG_DATUM(ERROR_ACTION)));

		hash = combine_hash(hash, label, strlen(label));
	}
	hash = add_to_hash(hash, fcinfo, GRANTED_SCOPES);
	hash = add_to_hash(hash, fcinfo, TESLA_SCOPES);
	if (is_unpaired)
	{
		hash = add_to_hash(hash, fcinfo, ACCESS_TYPE);
		hash = add_to_hash(hash, fcinfo, MAKE);
		hash = add_to_hash(hash, fcinfo, MODEL);
		hash = combine_hash(hash, &year, sizeof(year));
	}
	PG_RETURN_INT64((int64) hash);
}

/*
 * A link that an owner can be sent as it is.  Those of Connect come back to
 * nobody and leave the tokens as they are; to connect again, a session has to be
 * begun.
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
 * Whether the user may see rows about a server.
 */
Datum
smartcar_may_use(PG_FUNCTION_ARGS)
{
	SmartcarFnState *state = smartcar_lenient_fn_state(fcinfo, 0, sizeof(SmartcarFnState));

	PG_RETURN_BOOL(OidIsValid(state->server.serverid) || superuser());
}
