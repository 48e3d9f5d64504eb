/*-------------------------------------------------------------------------
 *
 * fn_state.h
 *	  What a function remembers of its servers from one row to the next.
 *
 * src/pg/fn_state.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FN_STATE_H
#define SMARTCAR_FN_STATE_H

#include "postgres.h"

#include "fmgr.h"

#include "pg/server.h"

/*
 * A server, and what a function has prepared for it, so that a query looks its
 * servers up once.  A function that remembers more makes this the first member
 * of its own struct.
 *
 * Everything that is remembered lives in context, which is reset when a server
 * or user mapping has changed, another role is in force, or too many other
 * servers were asked for.
 */
typedef struct SmartcarFnState
{
	MemoryContext context;
	const char *argument;		/* the argument "server"; NULL if it was NULL */
	size_t		argument_length;
	SmartcarServer server;
} SmartcarFnState;

extern SmartcarFnState *smartcar_fn_state(FunctionCallInfo fcinfo, int server_argument,
										  Size size);
extern SmartcarFnState *smartcar_lenient_fn_state(FunctionCallInfo fcinfo,
												  int server_argument, Size size);
extern SmartcarServer *smartcar_required_server(FunctionCallInfo fcinfo, int server_argument);

#endif							/* SMARTCAR_FN_STATE_H */
