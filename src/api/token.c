/*-------------------------------------------------------------------------
 *
 * token.c
 *	  The SQL functions for the tokens of an owner (v2.0).
 *
 * src/api/token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "api/sent_token.h"
#include "api/sql_function.h"
#include "call/token_request.h"
#include "pg/check.h"
#include "pg/flags.h"
#include "pg/fn_state.h"
#include "pg/text.h"
#include "pg/datum.h"

PG_FUNCTION_INFO_V1(smartcar_exchange_code);
PG_FUNCTION_INFO_V1(smartcar_refresh_token);

/* The arguments of smartcar_exchange_code(). */
enum
{
	EXCHANGE_CODE,
	EXCHANGE_REFRESH_LIFETIME,
	EXCHANGE_FLAGS,
	EXCHANGE_REDIRECT_URI,
	EXCHANGE_SERVER
};

/* The arguments of smartcar_refresh_token(). */
enum
{
	REFRESH_OLD_TOKEN,
	REFRESH_LIFETIME,
	REFRESH_FLAGS,
	REFRESH_SERVER
};

/* The columns of the SQL type smartcar_token. */
enum
{
	COLUMN_ACCESS_TOKEN,
	COLUMN_TOKEN_TYPE,
	COLUMN_EXPIRES_AT,
	COLUMN_REFRESH_TOKEN,
	COLUMN_REFRESH_EXPIRES_AT,
	COLUMN_COUNT
};

/*
 * The response as a value of the result type.  Nothing here may fail, because the
 * tokens cannot be requested again; check_result_type() was called before.  If a
 * refresh returns no new refresh token, the old one stays valid (RFC 6749, section
 * 6), but its expiry is unknown.
 */
static Datum
form_token(FunctionCallInfo fcinfo, const SmartcarTokenRequest *request,
		   SmartcarSpan old_refresh_token, Datum refresh_expires_at)
{
	Datum		values[COLUMN_COUNT] = {0};
	bool		nulls[COLUMN_COUNT];
	bool		is_new = request->refresh_token.data != NULL;

	memset(nulls, true, sizeof(nulls));
	smartcar_set_text_column(values, nulls, COLUMN_ACCESS_TOKEN, request->access_token);
	smartcar_set_text_column(values, nulls, COLUMN_TOKEN_TYPE, request->token_type);
	smartcar_set_text_column(values, nulls, COLUMN_REFRESH_TOKEN,
							 is_new ? request->refresh_token : old_refresh_token);
	if (request->expires_in != SMARTCAR_NO_EXPIRY)
	{
		values[COLUMN_EXPIRES_AT] = TimestampTzGetDatum(request->requested_at +
														request->expires_in * USECS_PER_SEC);
		nulls[COLUMN_EXPIRES_AT] = false;
	}
	if (is_new)
	{
		values[COLUMN_REFRESH_EXPIRES_AT] = refresh_expires_at;
		nulls[COLUMN_REFRESH_EXPIRES_AT] = false;
	}
	return smartcar_form_single_row(fcinfo, COLUMN_COUNT, values, nulls);
}

/* Only version 2.0 of the API has tokens of owners. */
static SmartcarServer *
server_with_tokens(FunctionCallInfo fcinfo, int argument, const char *function)
{
	SmartcarServer *server = smartcar_required_server(fcinfo, argument);

	if (smartcar_server_api_version(server) != SMARTCAR_API_V2)
		smartcar_refuse_version(server, function, NULL);
	return server;
}

/* Raises an error for a wrong result type, before anything is sent. */
static void
check_result_type(FunctionCallInfo fcinfo)
{
	(void) smartcar_row_descriptor(fcinfo, COLUMN_COUNT);
}

/*
 * The code or refresh token.  It is not shown in errors.
 */
static SmartcarSpan
credential_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	SmartcarSpan credential = smartcar_argument_utf8(fcinfo, argument);

	if (credential.length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be empty", name)));
	return credential;
}

/*
 * When a refresh token that is requested now will expire.  Responses do not tell;
 * the default of the argument is from Smartcar's documentation.
 */
static Datum
refresh_expiry_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("refresh_lifetime must not be null")));
	return DirectFunctionCall2(timestamptz_pl_interval,
							   TimestampTzGetDatum(GetCurrentTimestamp()),
							   PG_GETARG_DATUM(argument));
}

static SmartcarSpan
redirect_uri_argument(FunctionCallInfo fcinfo, const SmartcarServer *server)
{
	SmartcarSpan uri = smartcar_argument_span(fcinfo, EXCHANGE_REDIRECT_URI);

	if (uri.data == NULL)
		return smartcar_server_span(server, SMARTCAR_OPTION_REDIRECT_URI);
	smartcar_check_redirect_uri(uri);
	return uri;
}

Datum
smartcar_exchange_code(PG_FUNCTION_ARGS)
{
	SmartcarServer *server;
	SmartcarTokenRequest request = {0};
	SmartcarSpan code;
	SmartcarSpan redirect_uri;
	Datum		refresh_expires_at;
	Datum		result;

	if (PG_ARGISNULL(EXCHANGE_CODE))
		PG_RETURN_NULL();
	server = server_with_tokens(fcinfo, EXCHANGE_SERVER, "smartcar_exchange_code");
	code = credential_argument(fcinfo, EXCHANGE_CODE, "code");
	refresh_expires_at = refresh_expiry_argument(fcinfo, EXCHANGE_REFRESH_LIFETIME);
	redirect_uri = redirect_uri_argument(fcinfo, server);
	check_result_type(fcinfo);
	if (smartcar_sent_token_find(fcinfo, server, code, true, &result))
		PG_RETURN_DATUM(result);

	smartcar_code_request(&request, code, redirect_uri);
	request.flags = smartcar_flags_argument(fcinfo, EXCHANGE_FLAGS);
	smartcar_token_request(server, &request);
	result = form_token(fcinfo, &request, smartcar_span(NULL, 0), refresh_expires_at);
	smartcar_sent_token_store(fcinfo, server, code, result);
	PG_RETURN_DATUM(result);
}

Datum
smartcar_refresh_token(PG_FUNCTION_ARGS)
{
	SmartcarServer *server;
	SmartcarTokenRequest request = {0};
	SmartcarSpan token;
	Datum		refresh_expires_at;
	Datum		result;

	if (PG_ARGISNULL(REFRESH_OLD_TOKEN))
		PG_RETURN_NULL();
	server = server_with_tokens(fcinfo, REFRESH_SERVER, "smartcar_refresh_token");
	token = credential_argument(fcinfo, REFRESH_OLD_TOKEN, "refresh_token");
	refresh_expires_at = refresh_expiry_argument(fcinfo, REFRESH_LIFETIME);
	check_result_type(fcinfo);
	if (smartcar_sent_token_find(fcinfo, server, token, false, &result))
		PG_RETURN_DATUM(result);

	smartcar_refresh_request(&request, token);
	request.flags = smartcar_flags_argument(fcinfo, REFRESH_FLAGS);
	smartcar_token_request(server, &request);
	result = form_token(fcinfo, &request, smartcar_argument_span(fcinfo, REFRESH_OLD_TOKEN),
						refresh_expires_at);
	smartcar_sent_token_store(fcinfo, server, token, result);
	PG_RETURN_DATUM(result);
}
