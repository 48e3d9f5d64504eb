/*-------------------------------------------------------------------------
 *
 * token.c
 *	  The SQL functions for the tokens of an owner.
 *
 * src/api/token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "call/token_request.h"
#include "pg/check.h"
#include "pg/flags.h"
#include "pg/fn_state.h"
#include "pg/text.h"
#include "pg/datum.h"

PG_FUNCTION_INFO_V1(smartcar_exchange_code);
PG_FUNCTION_INFO_V1(smartcar_refresh_token);

/* The columns of the SQL type smartcar_token. */
enum
{
	ACCESS_TOKEN,
	TOKEN_TYPE,
	EXPIRES_AT,
	REFRESH_TOKEN,
	REFRESH_EXPIRES_AT,
	COLUMNS
};

static void
set_text(Datum *values, bool *nulls, int column, SmartcarSpan value)
{
	nulls[column] = value.data == NULL;
	if (!nulls[column])
		values[column] = PointerGetDatum(cstring_to_text_with_len(value.data,
																  (int) value.length));
}

/*
 * The answer as a value of the result type.  Nothing here fails, because what has
 * come cannot be asked for again; but for a function that somebody has declared
 * anew with another result.
 */
static Datum
form_token(FunctionCallInfo fcinfo, const SmartcarTokenRequest *request,
		   Datum refresh_expires_at)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];

	memset(nulls, true, sizeof(nulls));
	set_text(values, nulls, ACCESS_TOKEN, request->access_token);
	set_text(values, nulls, TOKEN_TYPE, request->token_type);
	set_text(values, nulls, REFRESH_TOKEN, request->refresh_token);
	if (request->expires_in != SMARTCAR_NO_EXPIRY)
	{
		values[EXPIRES_AT] = TimestampTzGetDatum(request->asked_at +
												 request->expires_in * USECS_PER_SEC);
		nulls[EXPIRES_AT] = false;
	}
	if (request->refresh_token.data != NULL)
	{
		values[REFRESH_EXPIRES_AT] = refresh_expires_at;
		nulls[REFRESH_EXPIRES_AT] = false;
	}
	return smartcar_form_single_row(fcinfo, COLUMNS, values, nulls);
}

/*
 * The code or token that is to be exchanged.  It must not be shown.
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
 * When a refresh token that is asked for now will end.  Smartcar does not say;
 * the argument is what its documentation says.
 */
static Datum
refresh_end_argument(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("refresh_lifetime must not be null")));
	return DirectFunctionCall2(timestamptz_pl_interval,
							   TimestampTzGetDatum(GetCurrentTimestamp()),
							   PG_GETARG_DATUM(argument));
}

Datum
smartcar_exchange_code(PG_FUNCTION_ARGS)
{
	SmartcarServer *server;
	SmartcarTokenRequest request = {0};
	SmartcarSpan code;
	SmartcarSpan redirect_uri = smartcar_argument_utf8(fcinfo, 3);
	Datum		refresh_expires_at;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	server = smartcar_required_server(fcinfo, 4);
	code = credential_argument(fcinfo, 0, "code");
	refresh_expires_at = refresh_end_argument(fcinfo, 1);
	if (redirect_uri.data != NULL)
		smartcar_check_redirect_uri(redirect_uri);
	else
		redirect_uri = smartcar_server_span(server, SMARTCAR_OPTION_REDIRECT_URI);

	smartcar_code_request(&request, code, redirect_uri);
	request.flags = smartcar_flags_argument(fcinfo, 2);
	smartcar_token_request(server, &request);
	PG_RETURN_DATUM(form_token(fcinfo, &request, refresh_expires_at));
}

Datum
smartcar_refresh_token(PG_FUNCTION_ARGS)
{
	SmartcarServer *server;
	SmartcarTokenRequest request = {0};
	SmartcarSpan token;
	Datum		refresh_expires_at;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	server = smartcar_required_server(fcinfo, 3);
	token = credential_argument(fcinfo, 0, "refresh_token");
	refresh_expires_at = refresh_end_argument(fcinfo, 1);

	smartcar_refresh_request(&request, token);
	request.flags = smartcar_flags_argument(fcinfo, 2);
	smartcar_token_request(server, &request);
	PG_RETURN_DATUM(form_token(fcinfo, &request, refresh_expires_at));
}
