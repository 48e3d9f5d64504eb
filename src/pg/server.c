/*-------------------------------------------------------------------------
 *
 * server.c
 *	  The Smartcar application that a function uses: a foreign server with the
 *	  options of its user mapping.
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

/* Whether a role may use a name as a server, and why not. */
typedef enum ServerUse
{
	SERVER_USABLE,
	SERVER_MISSING,
	SERVER_NOT_PERMITTED,
	SERVER_OF_OTHER_WRAPPER
} ServerUse;

/* A stored value that is being refused. */
typedef struct StoredOption
{
	const SmartcarServer *server;
	SmartcarOption option;
} StoredOption;

/* The setting smartcar_tesla.server. */
static char *server_setting = NULL;

static uint64 current_generation = 1;

static void
count_change(Datum arg, int cacheid, uint32 hashvalue)
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
							   "Sets the default server of functions and procedures.",
							   "An empty string means none.",
							   &server_setting,
							   "smartcar",
							   PGC_USERSET,
							   0,
							   NULL,
							   assign_server_setting,
							   NULL);

	/* the last two decide whether a role has USAGE */
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, count_change, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, count_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, count_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, count_change, (Datum) 0);
}

/*
 * Counts the changes of servers, user mappings, memberships and the setting.  A
 * server that was loaded is outdated when this is no longer what it was before.
 */
uint64
smartcar_server_generation(void)
{
	return current_generation;
}

/*
 * Sets those options of a list that we know.  The validator let no others
 * through, but it may have been another version of it.
 */
static void
set_options(SmartcarServer *server, List *options, Oid catalog)
{
	MemoryContext old_context = MemoryContextSwitchTo(server->context);
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = (DefElem *) lfirst(cell);
		int			option = smartcar_option_find(element->defname, catalog);

		if (option != SMARTCAR_NO_OPTION)
			smartcar_option_set(&server->values[option], (SmartcarOption) option,
								pstrdup(defGetString(element)));
	}
	MemoryContextSwitchTo(old_context);
}

static void
set_defaults(SmartcarServer *server)
{
	for (int option = 0; option < SMARTCAR_OPTION_COUNT; option++)
		smartcar_option_set(&server->values[option], (SmartcarOption) option, NULL);
}

/*
 * Defaults that are others with version 3 of the API.
 */
static void
set_v3_defaults(SmartcarServer *server)
{
	if (!smartcar_server_has(server, SMARTCAR_OPTION_API_VERSION) ||
		smartcar_server_api_version(server) != SMARTCAR_API_V3)
		return;
	for (int option = 0; option < SMARTCAR_OPTION_COUNT; option++)
	{
		if (smartcar_options[option].v3_default != NULL && !server->values[option].is_set)
			server->values[option].text = smartcar_options[option].v3_default;
	}
}

static ServerUse
server_use(const ForeignServer *server)
{
	if (server == NULL)
		return SERVER_MISSING;
	if (smartcar_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		return SERVER_NOT_PERMITTED;

	/*
	 * A server of another wrapper has not been through our validator, so its
	 * options may be anybody's.
	 */
	if (getExtensionOfObject(ForeignDataWrapperRelationId, server->fdwid) !=
		get_extension_oid("smartcar_tesla", false))
		return SERVER_OF_OTHER_WRAPPER;
	return SERVER_USABLE;
}

static void
refuse_server(ServerUse use, const char *name)
{
	switch (use)
	{
		case SERVER_USABLE:
			break;
		case SERVER_MISSING:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("server \"%s\" does not exist", name)));
			break;
		case SERVER_NOT_PERMITTED:
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
			break;
		case SERVER_OF_OTHER_WRAPPER:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("server \"%s\" is not a Smartcar application", name),
					 errdetail("Its foreign-data wrapper is not \"smartcar_tesla\".")));
			break;
	}
}

/*
 * Loads the server that an argument names, or that the setting names if the
 * argument is NULL.  The one of the setting need not exist, because some
 * functions can do without.  With missing_ok, a server that does not exist, that
 * the role may not use or that belongs to another wrapper is no server.
 */
void
smartcar_server_load(SmartcarServer *server, const char *argument, bool missing_ok,
					 MemoryContext context)
{
	const char *name = argument ? argument : server_setting;
	ForeignServer *foreign_server;
	ServerUse	use;

	memset(server, 0, sizeof(*server));
	server->context = context;
	server->serverid = InvalidOid;
	set_defaults(server);
	if (argument == NULL && (name == NULL || name[0] == '\0'))
		return;
	server->name = MemoryContextStrdup(context, name);

	foreign_server = GetForeignServerByName(name, true);
	use = server_use(foreign_server);
	if (use == SERVER_USABLE)
	{
		server->serverid = foreign_server->serverid;
		set_options(server, foreign_server->options, ForeignServerRelationId);
		set_v3_defaults(server);
	}
	else if (!missing_ok && !(use == SERVER_MISSING && argument == NULL))
		refuse_server(use, name);
}

static void
stored_option_context(void *arg)
{
	const StoredOption *stored = (const StoredOption *) arg;
	const char *name = smartcar_options[stored->option].name;

	if (smartcar_options[stored->option].catalog == UserMappingRelationId)
		errcontext("option \"%s\" of the user mapping for server \"%s\"",
				   name, stored->server->name);
	else
		errcontext("option \"%s\" of server \"%s\"", name, stored->server->name);
}

/*
 * Raises the error for a value that was stored under other rules.
 */
static pg_noreturn void
refuse_stored(const SmartcarServer *server, SmartcarOption option)
{
	StoredOption stored = {server, option};
	ErrorContextCallback callback;

	callback.callback = stored_option_context;
	callback.arg = &stored;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	smartcar_option_refuse(option, server->values[option].text);
}

/*
 * An option that is to be used.  One that has neither a value nor a default has
 * no text.
 */
static const SmartcarOptionValue *
option_value(const SmartcarServer *server, SmartcarOption option)
{
	const SmartcarOptionValue *value = &server->values[option];

	if (value->text !=NULL && !value->is_valid)
		refuse_stored(server, option);
	return value;
}

/* An option, or its default, or NULL. */
const char *
smartcar_server_option(const SmartcarServer *server, SmartcarOption option)
{
	return option_value(server, option)->text;
}

/* An option, or its default; no data if there is neither. */
SmartcarSpan
smartcar_server_span(const SmartcarServer *server, SmartcarOption option)
{
	return smartcar_span_from_string(smartcar_server_option(server, option));
}

/*
 * An option, or the error for its lack.  argument is the name of the argument
 * that could give it instead, or NULL.
 */
SmartcarSpan
smartcar_required_option(const SmartcarServer *server, SmartcarOption option,
						 const char *argument)
{
	SmartcarSpan value = smartcar_server_span(server, option);

	if (value.data == NULL)
		smartcar_missing_value(server, option, argument);
	return value;
}

/* A number, in milliseconds or bytes if it has a unit. */
int
smartcar_server_number(const SmartcarServer *server, SmartcarOption option)
{
	Assert(smartcar_options[option].kind == SMARTCAR_KIND_NUMBER);
	return option_value(server, option)->number;
}

/* The permissions of an option, or NULL if it is not set. */
const SmartcarScopeList *
smartcar_server_scope(const SmartcarServer *server, SmartcarOption option)
{
	const SmartcarOptionValue *value = option_value(server, option);

	return value->text !=NULL ? &value->scope : NULL;
}

SmartcarApiVersion
smartcar_server_api_version(const SmartcarServer *server)
{
	return option_value(server, SMARTCAR_OPTION_API_VERSION)->api_version;
}

/*
 * Whether an option has a value that can be used, for a caller that does without
 * it rather than raise an error.
 */
bool
smartcar_server_has(const SmartcarServer *server, SmartcarOption option)
{
	return server->values[option].is_valid;
}

/*
 * Raises the error for the first option of the server that cannot be used.  A
 * function that sends something asks for all of them before it does.
 */
void
smartcar_server_check_options(const SmartcarServer *server)
{
	for (int option = 0; option < SMARTCAR_OPTION_COUNT; option++)
	{
		if (smartcar_options[option].catalog == ForeignServerRelationId)
			(void) option_value(server, (SmartcarOption) option);
	}
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
	server->has_own_mapping = HeapTupleIsValid(tuple);
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER,
								ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(server->serverid));
	server->has_mapping = HeapTupleIsValid(tuple);
	if (HeapTupleIsValid(tuple))
	{
		options = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
								  Anum_pg_user_mapping_umoptions, &isnull);
		if (!isnull)
			set_options(server, untransformRelOptions(options), UserMappingRelationId);
		ReleaseSysCache(tuple);
	}
	server->mapping_loaded = true;
}

/*
 * The statement that gives a server a version of the API, for hints.
 */
const char *
smartcar_server_version_command(const SmartcarServer *server, const char *version)
{
	return psprintf("ALTER SERVER %s OPTIONS (%s api_version '%s')",
					quote_identifier(server->name),
					server->values[SMARTCAR_OPTION_API_VERSION].is_set ? "SET" : "ADD", version);
}

/* The first of some options that is set, or SMARTCAR_NO_OPTION. */
static int
first_set(const SmartcarServer *server, SmartcarOption first, SmartcarOption last)
{
	for (int option = first; option <= (int) last; option++)
	{
		if (server->values[option].is_set)
			return option;
	}
	return SMARTCAR_NO_OPTION;
}

/*
 * Raises the error for a loaded user mapping that has credentials of the other
 * version of the API and none of the server's.  What is wrong then is the version
 * as often as the mapping, and asking for one more secret would lead astray.
 */
static void
check_credentials(const SmartcarServer *server)
{
	int			v2 = first_set(server, SMARTCAR_OPTION_CLIENT_SECRET,
							   SMARTCAR_OPTION_CLIENT_SECRET_FILE);
	int			v3 = first_set(server, SMARTCAR_OPTION_API_CLIENT_ID,
							   SMARTCAR_OPTION_API_CLIENT_SECRET_FILE);
	bool		is_v3 = smartcar_server_api_version(server) == SMARTCAR_API_V3;
	const char *other = is_v3 ? "2.0" : "3";
	int			found = is_v3 ? v2 : v3;

	if (found == SMARTCAR_NO_OPTION || (is_v3 ? v3 : v2) != SMARTCAR_NO_OPTION)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("credentials are those of api_version \"%s\", but server \"%s\" has api_version \"%s\"",
					other, server->name,
					smartcar_server_option(server, SMARTCAR_OPTION_API_VERSION)),
			 errdetail("The user mapping of role \"%s\" has the option \"%s\", and not the option \"%s\". Nothing was sent.",
					   GetUserNameFromId(GetUserId(), false), smartcar_options[found].name,
					   is_v3 ? "api_client_id" : "client_secret"),
			 errhint("If these are the credentials of the application, run %s.",
					 smartcar_server_version_command(server, other))));
}

void
smartcar_server_check_credentials(SmartcarServer *server)
{
	smartcar_server_load_mapping(server);
	check_credentials(server);
}

static pg_noreturn void
missing_mapping_option(const SmartcarServer *server, SmartcarOption option, const char *or_pass)
{
	const char *name = smartcar_options[option].name;
	const char *role = GetUserNameFromId(GetUserId(), false);
	bool		is_credential = option != SMARTCAR_OPTION_MANAGEMENT_TOKEN;

	/* the management token is the same in both versions: webhooks need it */
	if (is_credential)
		check_credentials(server);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("option \"%s\" is not set", name),
			 is_credential ?
			 errdetail("Role \"%s\" has no user mapping with the option \"%s\" for server \"%s\", which has api_version \"%s\".",
					   role, name, server->name,
					   smartcar_server_option(server, SMARTCAR_OPTION_API_VERSION)) :
			 errdetail("Role \"%s\" has no user mapping with the option \"%s\" for server \"%s\".",
					   role, name, server->name),
			 server->has_mapping ?
			 errhint("Set it with ALTER USER MAPPING FOR %s SERVER %s OPTIONS (ADD %s '...')%s.",
					 server->has_own_mapping ? quote_identifier(role) : "PUBLIC",
					 quote_identifier(server->name), name, or_pass) :
			 errhint("Set it with CREATE USER MAPPING FOR PUBLIC SERVER %s OPTIONS (%s '...')%s.",
					 quote_identifier(server->name), name, or_pass)));
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
				 errmsg("no server is given"),
				 errdetail("The setting \"smartcar_tesla.server\" is empty."),
				 errhint("Pass server or set smartcar_tesla.server%s.", or_pass)));

	quoted_name = quote_identifier(server->name);
	if (!OidIsValid(server->serverid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", server->name),
				 errhint("Create it with CREATE SERVER %s FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (client_id '...', redirect_uri '...', scope '...')%s.",
						 quoted_name, or_pass)));

	if (info->catalog == UserMappingRelationId)
		missing_mapping_option(server, option, or_pass);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("option \"%s\" is not set", info->name),
			 errdetail("Server \"%s\" has no option \"%s\".", server->name, info->name),
			 errhint("Set it with ALTER SERVER %s OPTIONS (ADD %s '...')%s.",
					 quoted_name, info->name, or_pass)));
}
