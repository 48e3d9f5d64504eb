/*-------------------------------------------------------------------------
 *
 * only_in.c
 *	  The option "only_in": the one database in which a server may be used.
 *
 * A restored dump has the servers and user mappings of the dumped database, so
 * that its jobs would act on the same vehicles.
 *
 * src/pg/only_in.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/only_in.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/*
 * The current database in the form of the option: the system identifier of the
 * cluster, a slash, and the name of the database.
 */
const char *
smartcar_current_database(void)
{
	return psprintf(UINT64_FORMAT "/%s", GetSystemIdentifier(), get_database_name(MyDatabaseId));
}

/*
 * Raises an error if the server may be used only in another database.
 */
void
smartcar_check_only_in(const SmartcarServer *server)
{
	const char *only_in = smartcar_server_option(server, SMARTCAR_OPTION_ONLY_IN);
	const char *here;

	if (only_in == NULL)
		return;
	here = smartcar_current_database();
	if (strcmp(only_in, here) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("server \"%s\" is not allowed in this database", server->name),
			 errdetail("Its option \"only_in\" is \"%s\", and this database is \"%s\". Nothing was sent.",
					   only_in, here),
			 errhint("If this database is to act on the vehicles of that application, run ALTER SERVER %s OPTIONS (SET only_in %s).",
					 quote_identifier(server->name), quote_literal_cstr(here))));
}
