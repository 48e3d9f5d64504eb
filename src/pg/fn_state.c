/*-------------------------------------------------------------------------
 *
 * fn_state.c
 *	  What a function remembers of its servers from one row to the next.
 *
 * src/pg/fn_state.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/fn_state.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/place.h"
#include "pg/text.h"

/*
 * A fleet's rows may be about several applications in turn.  Beyond so many, the
 * one that was used longest ago is looked up again.
 */
#define MAX_STATES	8

/*
 * What hangs on fn_extra: a state for each server, the one used last first.
 * Those after count are NULL, or not in use.
 */
typedef struct FnStates
{
	uint64		generation;
	Oid			userid;
	int			count;
	SmartcarFnState *states[MAX_STATES];
} FnStates;

static bool
is_state_for(const SmartcarFnState *state, const text *argument)
{
	if (argument == NULL || state->argument == NULL)
		return argument == NULL && state->argument == NULL;
	return smartcar_span_equal(smartcar_span_from_text(argument),
							   smartcar_span(state->argument, state->argument_length));
}

/*
 * Empties all states.  Looking up a server can take in invalidations, so the
 * generation is the one from before it.
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
 * Makes a state after those in use, in place of the last one if there are as
 * many as may be.  If something fails below, it is not in use, and is made again.
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
 * The state of the function that is being called, for the server of this row;
 * made if need be.
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

	while (found < all->count && !is_state_for(all->states[found], argument))
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
 * server_argument is the number of the argument "server".  size is that of the
 * caller's own struct, in which everything but the server is zero at first.
 */
SmartcarFnState *
smartcar_fn_state(FunctionCallInfo fcinfo, int server_argument, Size size)
{
	return find_state(fcinfo, server_argument, size, false);
}

/*
 * Like smartcar_fn_state(), for rows whose server may have been dropped, or may
 * not be used: such a server is none.
 */
SmartcarFnState *
smartcar_lenient_fn_state(FunctionCallInfo fcinfo, int server_argument, Size size)
{
	return find_state(fcinfo, server_argument, size, true);
}

/*
 * The server of a function that sends something: it must exist, and its options
 * must be usable, because an error is of use only before the first request.
 */
SmartcarServer *
smartcar_required_server(FunctionCallInfo fcinfo, int server_argument)
{
	SmartcarFnState *state = smartcar_fn_state(fcinfo, server_argument,
											   sizeof(SmartcarFnState));

	if (!OidIsValid(state->server.serverid))
		smartcar_missing_value(&state->server, SMARTCAR_OPTION_CLIENT_ID, NULL);
	smartcar_server_check_options(&state->server);
	smartcar_check_place(&state->server);
	return &state->server;
}
