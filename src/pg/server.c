/*-------------------------------------------------------------------------
 *
 * server.c
 *	  The Smartcar application that a call uses.
 *
 * src/pg/server.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/server.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/dependency.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "pg/text.h"

/*
 * A fleet's rows may be about several applications in turn.  Beyond so many, the
 * one that was used longest ago is looked up again.
 */
#define SERVERS_PER_CALL	8

/*
 * What hangs on fn_extra: a site for each server, the one used last first.  Those
 * after count are NULL, or not in use.
 */
typedef struct CallSites
{
	uint64		generation;
	Oid			userid;
	int			count;
	SmartcarFnState *sites[SERVERS_PER_CALL];
} CallSites;

/* The setting smartcar_tesla.server. */
static char *server_setting = NULL;

/*
 * Counts the changes of servers, user mappings, memberships and the setting.
 * What a call site remembers is outdated when this is no longer what it was.
 */
static uint64 current_generation = 1;

static void
forget_servers(Datum arg, int cacheid, uint32 hashvalue)
{
	current_generation++;
}

static void
assign_server_setting(const char *newval, void *extra)
{
	current_generation++;
}

/*
 * Called once, when the library is loaded.
 */
void
smartcar_server_init(void)
{
	DefineCustomStringVariable("smartcar_tesla.server",
							   "Names the server that is used where a function is given none.",
							   "An empty string names none.",
							   &server_setting,
							   "smartcar",
							   PGC_USERSET,
							   0,
							   NULL,
							   assign_server_setting,
							   NULL);

	/* the last two decide whether a role has USAGE */
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_servers, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, forget_servers, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_servers, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, forget_servers, (Datum) 0);
}

/*
 * Stores those options of a list that we know.  The validator let no others
 * through, but it may have been another version of it.
 */
static void
store_options(SmartcarServer *server, List *options, Oid catalog)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = (DefElem *) lfirst(cell);
		int			option = smartcar_option_find(element->defname, catalog);

		if (option != SMARTCAR_NO_OPTION)
			server->values[option] = MemoryContextStrdup(server->context, defGetString(element));
	}
}

/*
 * Reads a server.  One that an argument names must exist, the one that the
 * setting names need not, because some calls need none.  To a lenient caller, a
 * server that is not there, that may not be used, or that is another's by now,
 * is no server.
 */
static void
load_server(SmartcarServer *server, const char *argument, bool is_lenient,
			MemoryContext context)
{
	const char *name = argument ? argument : server_setting;
	ForeignServer *foreign_server;
	AclResult	aclresult;
	bool		is_ours;

	memset(server, 0, sizeof(*server));
	server->context = context;
	server->serverid = InvalidOid;
	if (argument == NULL && (name == NULL || name[0] == '\0'))
		return;
	server->name = MemoryContextStrdup(context, name);

	foreign_server = GetForeignServerByName(name, true);
	if (foreign_server == NULL)
	{
		if (argument != NULL && !is_lenient)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("server \"%s\" does not exist", name)));
		return;
	}

	aclresult = smartcar_server_aclcheck(foreign_server->serverid, GetUserId(), ACL_USAGE);
	if (aclresult != ACLCHECK_OK && is_lenient)
		return;
	if (aclresult != ACLCHECK_OK)
		aclcheck_error(aclresult, OBJECT_FOREIGN_SERVER, foreign_server->servername);

	/*
	 * A server of another wrapper has not been through our validator, so its
	 * options may be anybody's.
	 */
	is_ours = getExtensionOfObject(ForeignDataWrapperRelationId, foreign_server->fdwid) ==
		get_extension_oid("smartcar_tesla", false);
	if (!is_ours && is_lenient)
		return;
	if (!is_ours)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a Smartcar application", name),
				 errdetail("Its foreign-data wrapper is not \"smartcar_tesla\".")));

	server->serverid = foreign_server->serverid;
	store_options(server, foreign_server->options, ForeignServerRelationId);
}

static bool
is_site_for(const SmartcarFnState *site, const text *argument)
{
	if (argument == NULL || site->argument == NULL)
		return argument == NULL && site->argument == NULL;
	return smartcar_span_equal(smartcar_span_from_text(argument),
							   smartcar_span_from_string(site->argument));
}

/*
 * Empties all sites.  Looking up a server can take in invalidations, so the
 * generation is the one from before it.
 */
static void
forget_sites(CallSites *all)
{
	for (int i = 0; i < all->count; i++)
		MemoryContextReset(all->sites[i]->context);
	all->count = 0;
	all->generation = current_generation;
	all->userid = GetUserId();
}

/*
 * Makes a site after those in use, in place of the last one if there are as many
 * as may be.  If something fails below, it is not in use, and is made again.
 */
static void
add_site(CallSites *all, MemoryContext parent, Size size, const text *argument, bool is_lenient)
{
	SmartcarFnState *site;
	MemoryContext context;

	if (all->count == SERVERS_PER_CALL)
		all->count--;
	site = all->sites[all->count];
	if (site == NULL)
	{
		site = MemoryContextAllocZero(parent, size);
		site->context = AllocSetContextCreate(parent, "smartcar_tesla call site",
											  ALLOCSET_SMALL_SIZES);
		all->sites[all->count] = site;
	}

	context = site->context;
	MemoryContextReset(context);
	memset(site, 0, size);
	site->context = context;

	if (argument != NULL)
	{
		SmartcarSpan name = smartcar_span_from_text(argument);
		char	   *copy = MemoryContextAlloc(context, name.length + 1);

		memcpy(copy, name.data, name.length);
		copy[name.length] = '\0';
		site->argument = copy;
	}
	load_server(&site->server, site->argument, is_lenient, context);
	all->count++;
}

/*
 * The call site of the function that is being called, for the server of this
 * row; made if need be.
 */
static SmartcarFnState *
find_call_site(FunctionCallInfo fcinfo, int server_argument, Size size, bool is_lenient,
			   bool *fresh)
{
	CallSites  *all = (CallSites *) fcinfo->flinfo->fn_extra;
	const text *argument = PG_ARGISNULL(server_argument) ? NULL :
		PG_GETARG_TEXT_PP(server_argument);
	SmartcarFnState *site;
	int			found = 0;

	Assert(size >= sizeof(SmartcarFnState));

	if (all == NULL)
	{
		all = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSites));
		fcinfo->flinfo->fn_extra = all;
	}
	if (all->generation != current_generation || all->userid != GetUserId())
		forget_sites(all);

	while (found < all->count && !is_site_for(all->sites[found], argument))
		found++;
	*fresh = found == all->count;
	if (*fresh)
	{
		add_site(all, fcinfo->flinfo->fn_mcxt, size, argument, is_lenient);
		found = all->count - 1;
	}

	site = all->sites[found];
	for (; found > 0; found--)
		all->sites[found] = all->sites[found - 1];
	all->sites[0] = site;
	return site;
}

/*
 * server_argument is the number of the argument "server".  size is that of the
 * struct which the caller keeps at the call site.  *fresh tells that everything
 * but the server is zero, as at the first row.
 */
SmartcarFnState *
smartcar_fn_state(FunctionCallInfo fcinfo, int server_argument, Size size, bool *fresh)
{
	return find_call_site(fcinfo, server_argument, size, false, fresh);
}

/*
 * The same for rows that may be about a server which is no longer there, or may
 * not be used.
 */
SmartcarFnState *
smartcar_lenient_fn_state(FunctionCallInfo fcinfo, int server_argument, Size size, bool *fresh)
{
	return find_call_site(fcinfo, server_argument, size, true, fresh);
}

/*
 * The server of a function that cannot do without one.
 */
SmartcarServer *
smartcar_required_server(FunctionCallInfo fcinfo, int server_argument)
{
	bool		fresh;
	SmartcarFnState *site = smartcar_fn_state(fcinfo, server_argument,
											  sizeof(SmartcarFnState), &fresh);

	if (!OidIsValid(site->server.serverid))
		smartcar_missing_value(&site->server, SMARTCAR_OPTION_CLIENT_ID, NULL);
	return &site->server;
}

/*
 * An option, or its default, or NULL.
 */
const char *
smartcar_server_option(const SmartcarServer *server, SmartcarOption option)
{
	if (server->values[option] != NULL)
		return server->values[option];
	return smartcar_options[option].default_value;
}

/* The same in UTF-8; no data where there is neither. */
SmartcarSpan
smartcar_server_option_utf8(const SmartcarServer *server, SmartcarOption option)
{
	const char *value = smartcar_server_option(server, option);

	if (value == NULL)
		return smartcar_span(NULL, 0);
	return smartcar_utf8_from_bytes(value, (int) strlen(value));
}

SmartcarApiVersion
smartcar_server_api_version(const SmartcarServer *server)
{
	const char *version = smartcar_server_option(server, SMARTCAR_OPTION_API_VERSION);

	return strcmp(version, "3") == 0 ? SMARTCAR_API_V3 : SMARTCAR_API_V2;
}

/*
 * Reads the user mapping of the current role, or that of PUBLIC, if there is
 * one.  (GetUserMapping() raises an error where there is none.)
 */
void
smartcar_server_load_mapping(SmartcarServer *server)
{
	HeapTuple	tuple;
	Datum		options;
	bool		isnull;

	if (server->mapping_loaded || !OidIsValid(server->serverid))
		return;

	tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
							ObjectIdGetDatum(GetUserId()),
							ObjectIdGetDatum(server->serverid));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(server->serverid));
	if (HeapTupleIsValid(tuple))
	{
		options = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
								  Anum_pg_user_mapping_umoptions, &isnull);
		if (!isnull)
			store_options(server, untransformRelOptions(options), UserMappingRelationId);
		ReleaseSysCache(tuple);
	}
	server->mapping_loaded = true;
}

/*
 * Raises the error for a value that neither an argument nor the server gave.
 * argument is the name of the argument, or NULL if there is none for it.
 */
void
smartcar_missing_value(const SmartcarServer *server, SmartcarOption option,
					   const char *argument)
{
	const SmartcarOptionInfo *info = &smartcar_options[option];
	const char *or_pass = argument ? psprintf(", or pass %s", argument) : "";
	const char *quoted_name;

	if (server->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no %s is known", argument ? argument : "server"),
				 errdetail("The setting \"smartcar_tesla.server\" is empty."),
				 errhint("Name a server%s.", or_pass)));

	quoted_name = quote_identifier(server->name);
	if (!OidIsValid(server->serverid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", server->name),
				 errhint("Create it with CREATE SERVER %s FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id '...', redirect_uri '...', scope '...')%s.",
						 quoted_name, or_pass)));

	if (info->catalog == UserMappingRelationId)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no %s is known", info->name),
				 errdetail("Role \"%s\" has no user mapping with the option \"%s\" for server \"%s\".",
						   GetUserNameFromId(GetUserId(), false), info->name, server->name),
				 errhint("Set it with CREATE USER MAPPING FOR PUBLIC SERVER %s OPTIONS (%s '...')%s.",
						 quoted_name, info->name, or_pass)));

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("no %s is known", info->name),
			 errdetail("Server \"%s\" has no option \"%s\".", server->name, info->name),
			 errhint("Set it with ALTER SERVER %s OPTIONS (ADD %s '...')%s.",
					 quoted_name, info->name, or_pass)));
}
