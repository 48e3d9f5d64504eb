/*-------------------------------------------------------------------------
 *
 * place.c
 *	  Where a server may be used: in one database of one cluster.
 *
 * A dump that is restored elsewhere has the servers and the user mappings of
 * the database that it was made from, and would act on the same vehicles.
 *
 * src/pg/place.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/place.h"

#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/*
 * The current database, as the option "only_in" names it.
 */
const char *
smartcar_place(void)
{
	return psprintf(UINT64_FORMAT "/%s", GetSystemIdentifier(), get_database_name(MyDatabaseId));
}

/*
 * Raises the error for a server that is to be used in another database.
 */
void
smartcar_check_place(const SmartcarServer *server)
{
	const char *only_in = smartcar_server_option(server, SMARTCAR_OPTION_ONLY_IN);
	const char *here;

	if (only_in == NULL)
		return;
	here = smartcar_place();
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
