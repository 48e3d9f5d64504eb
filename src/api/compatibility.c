/*-------------------------------------------------------------------------
 *
 * compatibility.c
 *	  The SQL function that checks the compatibility of a vehicle before its
 *	  owner connects it.
 *
 * Only version 2.0 of the API can check a single vehicle, so it is used for servers
 * of either version.  Version 3 has a list of models, which smartcar_request() can
 * get.
 *
 * src/api/compatibility.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "call/request.h"
#include "api/sql_function.h"
#include "pg/check.h"
#include "pg/flags.h"
#include "pg/json.h"
#include "pg/scope.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_get_compatibility);

enum
{
	ARGUMENT_VIN,
	ARGUMENT_SCOPE,
	ARGUMENT_COUNTRY,
	ARGUMENT_FLAGS,
	ARGUMENT_MODE,
	ARGUMENT_SERVER
};

enum
{
	COLUMN_COMPATIBLE,
	COLUMN_REASON,
	COLUMN_CAPABILITIES,
	COLUMN_COUNT
};

typedef struct CompatibilityArguments
{
	SmartcarSpan scope;
	SmartcarSpan country;
	SmartcarSpan flags;
	SmartcarSpan mode;
} CompatibilityArguments;

static void
prepare(SmartcarCall *call, SmartcarItem *item)
{
	const CompatibilityArguments *arguments = (const CompatibilityArguments *) call->arguments;

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_COMPATIBILITY, item->id);
	smartcar_request_query(item, "vin", item->id);
	smartcar_request_query(item, "scope", arguments->scope);
	smartcar_request_query(item, "country", arguments->country);
	smartcar_request_query(item, "flags", arguments->flags);
	smartcar_request_query(item, "mode", arguments->mode);
}

static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	JsonbValue	capabilities;
	MemoryContext old_context;
	bool		compatible;

	if (!smartcar_json_boolean_member(response->json, "compatible", &compatible))
	{
		smartcar_item_fail(call, item, "Its member \"compatible\" is not a boolean.");
		return false;
	}
	smartcar_item_set_datum(item, COLUMN_COMPATIBLE, BoolGetDatum(compatible));
	smartcar_item_set_text(call, item, COLUMN_REASON, smartcar_json_text_member(response->json, "reason"));

	if (smartcar_json_member(response->json, "capabilities", &capabilities) != NULL)
	{
		old_context = MemoryContextSwitchTo(call->context);
		smartcar_item_set_datum(item, COLUMN_CAPABILITIES,
								JsonbPGetDatum(JsonbValueToJsonb(&capabilities)));
		MemoryContextSwitchTo(old_context);
	}
	return false;
}

/* The scopes without "required:", separated by spaces. */
static SmartcarSpan
joined_scope(FunctionCallInfo fcinfo, const SmartcarServer *server, int argument)
{
	StringInfoData joined;
	const SmartcarScopeList *wanted = smartcar_server_scope(server, SMARTCAR_OPTION_SCOPE);
	SmartcarTextArray reader;
	SmartcarSpan name;

	initStringInfo(&joined);
	if (PG_ARGISNULL(argument))
	{
		if (wanted == NULL)
			smartcar_missing_value(server, SMARTCAR_OPTION_SCOPE, "scope");
		for (int i = 0; i < wanted->count; i++)
			appendStringInfo(&joined, " %.*s", (int) wanted->names[i].length,
							 wanted->names[i].data);
	}
	else
	{
		smartcar_text_array_begin(&reader, PG_GETARG_ARRAYTYPE_P(argument), "scope");
		while (smartcar_text_array_next(&reader, &name))
		{
			smartcar_resolve_permission(&name);
			appendStringInfo(&joined, " %.*s", (int) name.length, name.data);
		}
	}
	if (joined.len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope must not be empty")));
	return smartcar_span(joined.data + 1, joined.len - 1);
}

/*
 * The call needs the credentials of version 2.0, which a server of version 3 may
 * have as well.
 */
static void
require_credentials_v2(SmartcarCall *call)
{
	SmartcarServer *server = call->server;

	smartcar_server_load_mapping(server);
	if (call->version != SMARTCAR_API_V3 ||
		smartcar_server_has(server, SMARTCAR_OPTION_CLIENT_SECRET) ||
		smartcar_server_has(server, SMARTCAR_OPTION_CLIENT_SECRET_FILE))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("smartcar_get_compatibility() does not exist in version 3 of Smartcar's API"),
			 errdetail("Server \"%s\" uses that version, and its user mapping has no \"client_secret\" for version 2.0.",
					   server->name),
			 errhint("smartcar_request('GET', '/compatible-vehicles', origin => 'compatibility') lists the models that version 3 supports.")));
}

static void
begin(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	CompatibilityArguments *arguments = palloc0(sizeof(CompatibilityArguments));

	require_credentials_v2(call);

	arguments->scope = joined_scope(fcinfo, call->server, ARGUMENT_SCOPE);
	arguments->country = smartcar_argument_utf8(fcinfo, ARGUMENT_COUNTRY);
	arguments->mode = smartcar_argument_span(fcinfo, ARGUMENT_MODE);
	if (arguments->mode.data != NULL)
		smartcar_check_mode(arguments->mode);
	else
		arguments->mode = smartcar_server_span(call->server, SMARTCAR_OPTION_MODE);
	arguments->flags = smartcar_flags_argument(fcinfo, ARGUMENT_FLAGS);
	call->arguments = arguments;
}

static const SmartcarOperation compatibility = {
	.prepare = prepare,
	.parse = parse
};

static const SmartcarTypedCall compatibility_call = {
	.name = "smartcar_get_compatibility",
	.id_name = "vin",
	.id_argument = ARGUMENT_VIN,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = SMARTCAR_NO_ARGUMENT,
	.server_argument = ARGUMENT_SERVER,
	.columns = COLUMN_COUNT,
	.operations = {&compatibility, &compatibility},
	.authorizations = {SMARTCAR_AUTHORIZE_CLIENT, SMARTCAR_AUTHORIZE_CLIENT},
	.begin = begin
};

Datum
smartcar_get_compatibility(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &compatibility_call);
}
