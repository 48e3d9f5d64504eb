/*-------------------------------------------------------------------------
 *
 * server.h
 *	  The Smartcar application that a call uses.
 *
 * src/pg/server.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SERVER_H
#define SMARTCAR_SERVER_H

#include "postgres.h"

#include "fmgr.h"

#include "core/link.h"
#include "pg/option.h"

/*
 * The options of a server, and those of the user mapping once they have been
 * asked for.  serverid is InvalidOid where there is no server and none was
 * needed.
 */
typedef struct SmartcarServer
{
	MemoryContext context;		/* of everything below */
	Oid			serverid;
	const char *name;			/* NULL if the setting names none */
	bool		mapping_loaded;
	const char *values[SMARTCAR_OPTION_COUNT];
} SmartcarServer;

/*
 * What a call site remembers of a server from one row to the next, so that a
 * query looks its servers up once.  A function that remembers more makes this
 * the first member of its own struct.
 *
 * Everything that is remembered lives in context, which is reset when a server
 * or user mapping has changed, another role is in force, or too many other
 * servers were asked for.
 */
typedef struct SmartcarFnState
{
	MemoryContext context;
	const char *argument;		/* the argument "server"; NULL if it was NULL */
	SmartcarServer server;
} SmartcarFnState;

extern void smartcar_server_init(void);
extern SmartcarFnState *smartcar_fn_state(FunctionCallInfo fcinfo, int server_argument,
										  Size size, bool *fresh);
extern SmartcarServer *smartcar_required_server(FunctionCallInfo fcinfo, int server_argument);
extern SmartcarFnState *smartcar_lenient_fn_state(FunctionCallInfo fcinfo,
												  int server_argument, Size size,
												  bool *fresh);

extern const char *smartcar_server_option(const SmartcarServer *server, SmartcarOption option);
extern SmartcarSpan smartcar_server_option_utf8(const SmartcarServer *server,
												SmartcarOption option);
extern SmartcarApiVersion smartcar_server_api_version(const SmartcarServer *server);
extern void smartcar_server_load_mapping(SmartcarServer *server);
extern void smartcar_missing_value(const SmartcarServer *server, SmartcarOption option,
								   const char *argument);

#endif							/* SMARTCAR_SERVER_H */
