/*-------------------------------------------------------------------------
 *
 * application_token.h
 *	  The access token of an application, for the v3 API.
 *
 * src/call/application_token.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_APPLICATION_TOKEN_H
#define SMARTCAR_APPLICATION_TOKEN_H

#include "postgres.h"

#include "call/failure.h"
#include "pg/server.h"

/* api_client_id and api_client_secret of a user mapping. */
typedef struct SmartcarApplicationCredentials SmartcarApplicationCredentials;

extern SmartcarApplicationCredentials *smartcar_application_credentials(SmartcarServer *server);
extern const char *smartcar_application_access_token(SmartcarServer *server,
													 const SmartcarApplicationCredentials *credentials);
extern const SmartcarFailure *smartcar_application_token_renew(SmartcarServer *server,
															   const SmartcarApplicationCredentials *credentials,
															   const char **token);

#endif							/* SMARTCAR_APPLICATION_TOKEN_H */
