/*-------------------------------------------------------------------------
 *
 * token_request.h
 *	  Requests for tokens.
 *
 * src/call/token_request.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TOKEN_REQUEST_H
#define SMARTCAR_TOKEN_REQUEST_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "call/call.h"
#include "core/endpoint.h"
#include "pg/server.h"

typedef struct SmartcarTokenRequest
{
	/* the request; it is the arguments of an item */
	SmartcarEndpoint endpoint;
	SmartcarAuthorization authorization;
	SmartcarRequestKind kind;
	StringInfoData form;
	SmartcarSpan flags;			/* no data if there are none */
	const char *secret;			/* the secret in the form */
	MemoryContext context;		/* of the response */

	/* the response; no data or SMARTCAR_NO_EXPIRY for missing members */
	SmartcarSpan access_token;
	SmartcarSpan token_type;
	SmartcarSpan refresh_token;
	TimestampTz requested_at;	/* when the request began */
	int32		expires_in;		/* seconds after requested_at */
} SmartcarTokenRequest;

#define SMARTCAR_NO_EXPIRY	(-1)

extern const SmartcarOperation smartcar_token_operation;

extern void smartcar_code_request(SmartcarTokenRequest *request, SmartcarSpan code,
								  SmartcarSpan redirect_uri);
extern void smartcar_refresh_request(SmartcarTokenRequest *request, SmartcarSpan refresh_token);
extern void smartcar_token_form_add(SmartcarTokenRequest *request, const char *name,
									SmartcarSpan value);
extern void smartcar_token_request(SmartcarServer *server, SmartcarTokenRequest *request);
extern const SmartcarFailure *smartcar_try_token_request(SmartcarServer *server,
														 SmartcarTokenRequest *request);

#endif							/* SMARTCAR_TOKEN_REQUEST_H */
