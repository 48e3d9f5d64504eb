/*-------------------------------------------------------------------------
 *
 * server.c
 *	  A Smartcar application: a foreign server and its user mapping.
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

/* Whether a role may use a server, or why not. */
typedef enum ServerUse
{
	SERVER_USABLE,
	SERVER_MISSING,
	SERVER_NOT_PERMITTED,
	SERVER_OF_OTHER_WRAPPER
} ServerUse;

/* The argument of stored_option_context(). */
typedef struct StoredOption
{
	const SmartcarServer *server;
	SmartcarOption option;
} StoredOption;

/* The setting smartcar_tesla.server. */
static char *server_setting = NULL;

/* See smartcar_server_generation(). */
static uint64 current_generation = 1;

/* A wrapper of this extension, or InvalidOid, see is_own_wrapper(). */
static Oid	own_wrapper = InvalidOid;

static void
invalidate_servers(Datum arg, int cacheid, uint32 hashvalue)
{
	current_generation++;
	own_wrapper = InvalidOid;
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
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_servers, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_servers, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, invalidate_servers, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, invalidate_servers, (Datum) 0);
}

/*
 * A number that changes with every change of a server, a user mapping, a role
 * membership or the setting.  A loaded server is outdated if the number has
 * changed since.
 */
uint64
smartcar_server_generation(void)
{
	return current_generation;
}

/*
 * Sets the options of a list.  Unknown options are ignored: another version of
 * the validator may have accepted them.
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
 * Sets the defaults that differ in version 3 of the API.
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

/*
 * Whether a wrapper is that of this extension.  Remembered, because it takes four
 * scans of catalogs to find out.
 */
static bool
is_own_wrapper(Oid wrapper)
{
	if (wrapper != own_wrapper &&
		getExtensionOfObject(ForeignDataWrapperRelationId, wrapper) ==
		get_extension_oid("smartcar_tesla", false))
		own_wrapper = wrapper;
	return wrapper == own_wrapper;
}

static ServerUse
server_use(const ForeignServer *server)
{
	if (server == NULL)
		return SERVER_MISSING;
	if (smartcar_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		return SERVER_NOT_PERMITTED;

	/*
	 * Our validator has not checked the options of another wrapper's server,
	 * so anybody may have set options for superusers.
	 */
	if (!is_own_wrapper(server->fdwid))
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
 * Loads the server that the argument names, or the setting if the argument is
 * NULL.  The server of the setting need not exist, because some functions do not
 * need one.  With missing_ok, a server that does not exist, that the role may not
 * use or that belongs to another wrapper is not an error, and counts as missing.
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
 * Raises the error for a stored value that is no longer valid.
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
 * The value of an option, or the error if it is not valid.  Its text is NULL if
 * it is not set and has no default.
 */
static const SmartcarOptionValue *
option_value(const SmartcarServer *server, SmartcarOption option)
{
	const SmartcarOptionValue *value = &server->values[option];

	if (value->text !=NULL && !value->is_valid)
		refuse_stored(server, option);
	return value;
}

/* The value of an option, its default, or NULL. */
const char *
smartcar_server_option(const SmartcarServer *server, SmartcarOption option)
{
	return option_value(server, option)->text;
}

/* The value of an option, or its default; no data if there is neither. */
SmartcarSpan
smartcar_server_span(const SmartcarServer *server, SmartcarOption option)
{
	return smartcar_span_from_string(smartcar_server_option(server, option));
}

/*
 * The value of an option, or the error that it is missing.  argument is the name
 * of the argument that can replace the option, or NULL.
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

/* The value of a number, in milliseconds or bytes if it has a unit. */
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
 * Whether an option has a valid value.
 */
bool
smartcar_server_has(const SmartcarServer *server, SmartcarOption option)
{
	return server->values[option].is_valid;
}

/*
 * Raises the error for the first option of the server that is not valid.
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
 * Loads the user mapping of the current role, or that of PUBLIC, if there is one.
 * (GetUserMapping() raises an error if there is none.)
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
 * The statement that sets the version of the API of a server, for hints.
 */
const char *
smartcar_server_version_command(const SmartcarServer *server, const char *version)
{
	return psprintf("ALTER SERVER %s OPTIONS (%s api_version '%s')",
					quote_identifier(server->name),
					server->values[SMARTCAR_OPTION_API_VERSION].is_set ? "SET" : "ADD", version);
}

/* The first option of a range that is set, or SMARTCAR_NO_OPTION. */
static int
first_set_option(const SmartcarServer *server, SmartcarOption first, SmartcarOption last)
{
	for (int option = first; option <= (int) last; option++)
	{
		if (server->values[option].is_set)
			return option;
	}
	return SMARTCAR_NO_OPTION;
}

/*
 * Raises an error if the loaded user mapping has credentials for the other
 * version of the API only.  Then the option "api_version" may be wrong as well as
 * the mapping, and an error about a missing secret would be misleading.
 */
static void
check_credentials(const SmartcarServer *server)
{
	int			v2 = first_set_option(server, SMARTCAR_OPTION_CLIENT_SECRET,
									  SMARTCAR_OPTION_CLIENT_SECRET_FILE);
	int			v3 = first_set_option(server, SMARTCAR_OPTION_API_CLIENT_ID,
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

	/* both versions use the management token: webhooks need it */
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
 * Raises the error for a missing value.  argument is the name of the argument
 * that can replace the option, or NULL.
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
