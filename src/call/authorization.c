/*-------------------------------------------------------------------------
 *
 * authorization.c
 *	  Authorizes calls.
 *
 * src/call/authorization.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/authorization.h"

#include "call/application_token.h"
#include "call/request.h"
#include "pg/secret.h"

static bool
every_item_has_token(const SmartcarCall *call)
{
	for (int i = 0; i < call->item_count; i++)
	{
		if (call->items[i].access_token.data == NULL)
			return false;
	}
	return true;
}

static void
set_bearer(SmartcarCall *call, const char *token)
{
	smartcar_call_add_secret(call, token);
	call->credentials = smartcar_span_from_string(psprintf("Bearer %s", token));
}

/*
 * Gets a new application token with the credentials that the call began with, so
 * that only the request can fail.
 */
static const SmartcarFailure *
renew_application_token(SmartcarCall *call)
{
	MemoryContext old_context = MemoryContextSwitchTo(call->context);
	const char *token = NULL;
	const SmartcarFailure *failure =
		smartcar_application_token_renew(call->server, call->renew_argument, &token);

	if (failure == NULL)
		set_bearer(call, token);
	MemoryContextSwitchTo(old_context);
	return failure;
}

/*
 * Gets the credentials of a call.  Items with an access token use that instead.
 */
void
smartcar_call_authorize(SmartcarCall *call, SmartcarAuthorization authorization)
{
	SmartcarServer *server = call->server;

	call->authorization = authorization;
	if ((authorization == SMARTCAR_AUTHORIZE_OWNER ||
		 authorization == SMARTCAR_AUTHORIZE_APPLICATION) && every_item_has_token(call))
		return;
	switch (authorization)
	{
		case SMARTCAR_AUTHORIZE_OWNER:
			smartcar_server_check_credentials(server);
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("access_token must not be null"),
					 errdetail("Version 2.0 of the API requires the access token of the vehicle's owner."),
					 errhint("Get one with smartcar_exchange_code() or smartcar_refresh_token().")));
			break;
		case SMARTCAR_AUTHORIZE_CLIENT:
			smartcar_call_use_client(call);
			break;
		case SMARTCAR_AUTHORIZE_MANAGEMENT:
			smartcar_server_load_mapping(server);
			if (!smartcar_server_has(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN) &&
				!smartcar_server_has(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN_FILE))
				smartcar_server_check_credentials(server);
			smartcar_call_use_basic(call, "default",
									smartcar_secret(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN, NULL));
			break;
		case SMARTCAR_AUTHORIZE_APPLICATION:
			call->renew_argument = smartcar_application_credentials(server);
			set_bearer(call, smartcar_application_access_token(server, call->renew_argument));
			call->renew = renew_application_token;
			break;
		case SMARTCAR_AUTHORIZE_NONE:
			break;
	}
}
