/*-------------------------------------------------------------------------
 *
 * fn_state.c
 *	  Caches what a function has prepared for its servers, from row to row.
 *
 * src/pg/fn_state.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/fn_state.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/only_in.h"
#include "pg/text.h"

/*
 * The rows of a query may use several servers in turn.  If there are more, the
 * least recently used one is replaced.
 */
#define MAX_STATES	8

/*
 * The value of fn_extra: a state for each server, the most recently used one
 * first.  Those from count on are NULL or not in use.
 */
typedef struct FnStates
{
	uint64		generation;
	Oid			userid;
	int			count;
	SmartcarFnState *states[MAX_STATES];
} FnStates;

static bool
has_argument(const SmartcarFnState *state, const text *argument)
{
	if (argument == NULL || state->argument == NULL)
		return argument == NULL && state->argument == NULL;
	return smartcar_span_equal(smartcar_span_from_text(argument),
							   smartcar_span(state->argument, state->argument_length));
}

/*
 * Empties all states.  The generation is read before the servers are looked up
 * again, because a lookup can process invalidations.
 */
static void
reset_states(FnStates *all)
{
	for (int i = 0; i < all->count; i++)
		MemoryContextReset(all->states[i]->context);
	all->count = 0;
	all->generation = smartcar_server_generation();
	all->userid = GetUserId();
}

/*
 * Adds a state, which replaces the last one if there are MAX_STATES.  count is
 * incremented last, so that a state is not used if an error is raised here.
 */
static void
add_state(FnStates *all, MemoryContext parent, Size size, const text *argument, bool missing_ok)
{
	SmartcarFnState *state;
	MemoryContext context;

	if (all->count == MAX_STATES)
		all->count--;
	state = all->states[all->count];
	if (state == NULL)
	{
		state = MemoryContextAllocZero(parent, size);
		state->context = AllocSetContextCreate(parent, "smartcar_tesla function state",
											   ALLOCSET_SMALL_SIZES);
		all->states[all->count] = state;
	}

	context = state->context;
	MemoryContextReset(context);
	memset(state, 0, size);
	state->context = context;

	if (argument != NULL)
	{
		SmartcarSpan name = smartcar_span_from_text(argument);
		char	   *copy = MemoryContextAlloc(context, name.length + 1);

		memcpy(copy, name.data, name.length);
		copy[name.length] = '\0';
		state->argument = copy;
		state->argument_length = name.length;
	}
	smartcar_server_load(&state->server, state->argument, missing_ok, context);
	all->count++;
}

/*
 * Finds or adds the state for the server of this row, and moves it to the front.
 */
static SmartcarFnState *
find_state(FunctionCallInfo fcinfo, int server_argument, Size size, bool missing_ok)
{
	FnStates   *all = (FnStates *) fcinfo->flinfo->fn_extra;
	const text *argument = PG_ARGISNULL(server_argument) ? NULL :
		PG_GETARG_TEXT_PP(server_argument);
	SmartcarFnState *state;
	int			found = 0;

	Assert(size >= sizeof(SmartcarFnState));

	if (all == NULL)
	{
		all = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(FnStates));
		fcinfo->flinfo->fn_extra = all;
	}
	if (all->generation != smartcar_server_generation() || all->userid != GetUserId())
		reset_states(all);

	while (found < all->count && !has_argument(all->states[found], argument))
		found++;
	if (found == all->count)
	{
		add_state(all, fcinfo->flinfo->fn_mcxt, size, argument, missing_ok);
		found = all->count - 1;
	}

	state = all->states[found];
	for (; found > 0; found--)
		all->states[found] = all->states[found - 1];
	all->states[0] = state;
	return state;
}

/*
 * The state for the server of this row.  server_argument is the number of the
 * argument "server", and size that of the caller's struct, whose own members
 * start as zeros.
 */
SmartcarFnState *
smartcar_fn_state(FunctionCallInfo fcinfo, int server_argument, Size size)
{
	return find_state(fcinfo, server_argument, size, false);
}

/*
 * Like smartcar_fn_state(), but a server that does not exist or that the role may
 * not use is no error: its serverid is InvalidOid.
 */
SmartcarFnState *
smartcar_lenient_fn_state(FunctionCallInfo fcinfo, int server_argument, Size size)
{
	return find_state(fcinfo, server_argument, size, true);
}

/*
 * The server of a function that sends requests.  Raises an error if it does not
 * exist or has an invalid option, before anything is sent.
 */
SmartcarServer *
smartcar_required_server(FunctionCallInfo fcinfo, int server_argument)
{
	SmartcarFnState *state = smartcar_fn_state(fcinfo, server_argument,
											   sizeof(SmartcarFnState));

	if (!OidIsValid(state->server.serverid))
		smartcar_missing_value(&state->server, SMARTCAR_OPTION_CLIENT_ID, NULL);
	smartcar_server_check_options(&state->server);
	smartcar_check_only_in(&state->server);
	return &state->server;
}
