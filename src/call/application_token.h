/*-------------------------------------------------------------------------
 *
 * application_token.h
 *	  The access token of an application, which the v3 API takes.
 *
 * src/call/application_token.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_APPLICATION_TOKEN_H
#define SMARTCAR_APPLICATION_TOKEN_H

#include "postgres.h"

#include "pg/server.h"

extern const char *smartcar_application_access_token(SmartcarServer *server);
extern void smartcar_application_token_drop(SmartcarServer *server);

#endif							/* SMARTCAR_APPLICATION_TOKEN_H */
