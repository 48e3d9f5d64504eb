/*-------------------------------------------------------------------------
 *
 * fn_state.h
 *	  Caches what a function has prepared for its servers, from row to row.
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
 * A cached server, so that a query looks up each of its servers once.  A function
 * that caches more makes this the first member of its own struct.
 *
 * Everything cached lives in context, which is reset when a server or user
 * mapping has changed, when the current role is another one, or when the query
 * uses too many servers.
 */
typedef struct SmartcarFnState
{
	MemoryContext context;
	const char *argument;		/* the argument "server", may be NULL */
	size_t		argument_length;
	SmartcarServer server;
} SmartcarFnState;

extern SmartcarFnState *smartcar_fn_state(FunctionCallInfo fcinfo, int server_argument,
										  Size size);
extern SmartcarFnState *smartcar_lenient_fn_state(FunctionCallInfo fcinfo,
												  int server_argument, Size size);
extern SmartcarServer *smartcar_required_server(FunctionCallInfo fcinfo, int server_argument);

#endif							/* SMARTCAR_FN_STATE_H */
