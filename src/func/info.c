/*-------------------------------------------------------------------------
 *
 * info.c
 *	  The SQL function that shows versions and the options in effect.
 *
 * src/func/info.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "catalog/pg_user_mapping.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "pg/compat.h"
#include "pg/fn_state.h"
#include "pg/only_in.h"

PG_FUNCTION_INFO_V1(smartcar_info);

#define COLUMNS	3

static void
add_row(ReturnSetInfo *result, const char *name, const char *setting, const char *source)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false, setting == NULL, false};

	values[0] = CStringGetTextDatum(name);
	values[1] = setting ? CStringGetTextDatum(setting) : (Datum) 0;
	values[2] = CStringGetTextDatum(source);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * How libcurl resolves names.  A blocking resolver cannot be interrupted.
 */
static const char *
resolver(const curl_version_info_data *curl)
{
	if (curl->ares != NULL)
		return psprintf("c-ares %s", curl->ares);
	return (curl->features & CURL_VERSION_ASYNCHDNS) ? "threaded" : "blocking";
}

static void
add_versions(ReturnSetInfo *result)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	const char *tls = curl->ssl_version ? curl->ssl_version : "none";

	add_row(result, "smartcar_tesla", SMARTCAR_TESLA_VERSION, "library");
	add_row(result, "libcurl", curl->version, "library");
	add_row(result, "libcurl_tls", tls, "library");
	add_row(result, "libcurl_resolver", resolver(curl), "library");
	add_row(result, "libcurl_http2", (curl->features & CURL_VERSION_HTTP2) ? "yes" : "no",
			"library");
	add_row(result, "libcrypto", OpenSSL_version(OPENSSL_VERSION_STRING), "library");
}

static void
add_option(ReturnSetInfo *result, const SmartcarServer *server, SmartcarOption option)
{
	const SmartcarOptionInfo *info = &smartcar_options[option];
	bool		is_set = server->values[option].is_set;
	const char *value = server->values[option].text;
	const char *source = !is_set ? "default" :
		info->catalog == UserMappingRelationId ? "user mapping" : "server";

	if (info->kind == SMARTCAR_KIND_SECRET)
		value = is_set ? "(hidden)" : NULL;
	else if (info->kind == SMARTCAR_KIND_NUMBER && smartcar_server_has(server, option))
		value = psprintf("%d", smartcar_server_number(server, option));
	add_row(result, info->name, value, source);
}

Datum
smartcar_info(PG_FUNCTION_ARGS)
{
	SmartcarFnState *state;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	add_versions(result);
	add_row(result, "here", smartcar_current_database(), "database");

	state = smartcar_fn_state(fcinfo, 0, sizeof(SmartcarFnState));
	if (state->server.name != NULL)
		add_row(result, "server", state->server.name,
				state->argument != NULL ? "argument" : "setting");

	/* the versions are useful even if there is no server */
	if (!OidIsValid(state->server.serverid))
		return (Datum) 0;

	smartcar_server_load_mapping(&state->server);
	for (int option = 0; option < SMARTCAR_OPTION_COUNT; option++)
		add_option(result, &state->server, (SmartcarOption) option);
	return (Datum) 0;
}
