/*-------------------------------------------------------------------------
 *
 * server.h
 *	  A Smartcar application: a foreign server and its user mapping.
 *
 * src/pg/server.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SERVER_H
#define SMARTCAR_SERVER_H

#include "postgres.h"

#include "pg/option.h"

/*
 * The options of a server, and those of the user mapping once it is loaded.  If
 * there is no server, and the function does not need one, serverid is InvalidOid
 * and the options have their defaults.
 *
 * A stored value that is no longer valid is an error only for functions that use
 * it.
 */
typedef struct SmartcarServer
{
	MemoryContext context;		/* of the members below */
	Oid			serverid;
	const char *name;			/* NULL if the setting names none */
	bool		mapping_loaded;
	bool		has_mapping;	/* the role's own, or that of PUBLIC */
	bool		has_own_mapping;
	SmartcarOptionValue values[SMARTCAR_OPTION_COUNT];
	int64		requests;		/* number of requests sent with it */
} SmartcarServer;

extern void smartcar_server_init(void);
extern uint64 smartcar_server_generation(void);
extern void smartcar_server_load(SmartcarServer *server, const char *argument, bool missing_ok,
								 MemoryContext context);
extern void smartcar_server_load_mapping(SmartcarServer *server);

extern const char *smartcar_server_option(const SmartcarServer *server, SmartcarOption option);
extern SmartcarSpan smartcar_server_span(const SmartcarServer *server, SmartcarOption option);
extern int	smartcar_server_number(const SmartcarServer *server, SmartcarOption option);
extern const SmartcarScopeList *smartcar_server_scope(const SmartcarServer *server,
													  SmartcarOption option);
extern SmartcarApiVersion smartcar_server_api_version(const SmartcarServer *server);
extern bool smartcar_server_has(const SmartcarServer *server, SmartcarOption option);
extern void smartcar_server_check_options(const SmartcarServer *server);
extern void smartcar_server_check_credentials(SmartcarServer *server);
extern const char *smartcar_server_version_command(const SmartcarServer *server,
												   const char *version);

extern SmartcarSpan smartcar_required_option(const SmartcarServer *server,
											 SmartcarOption option, const char *argument);
extern pg_noreturn void smartcar_missing_value(const SmartcarServer *server,
											   SmartcarOption option, const char *argument);

#endif							/* SMARTCAR_SERVER_H */
