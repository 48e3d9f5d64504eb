/*-------------------------------------------------------------------------
 *
 * account_import.h
 *	  Statements on the table smartcar_tesla.account that store tokens which the
 *	  application has kept itself.
 *
 * src/manager/account_import.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ACCOUNT_IMPORT_H
#define SMARTCAR_ACCOUNT_IMPORT_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "core/span.h"
#include "manager/key_ring.h"
#include "pg/server.h"

typedef struct SmartcarTokensToImport
{
	const char *user_id;
	const char *external_id;	/* NULL: not known */
	SmartcarSpan access_token;	/* no data: not known */
	SmartcarSpan refresh_token;
	TimestampTz expires_at;		/* of the access token, known or not */
} SmartcarTokensToImport;

typedef enum SmartcarImportResult
{
	SMARTCAR_IMPORT_FIRST,		/* the account had no tokens */
	SMARTCAR_IMPORT_REPLACED,	/* the account had others */
	SMARTCAR_IMPORT_KEPT,		/* the account was not changed */
	SMARTCAR_IMPORT_FORGOTTEN	/* the user was forgotten, and has no account */
} SmartcarImportResult;

extern void smartcar_account_import_begin(const SmartcarServer *server, SmartcarKeyRing *ring);
extern SmartcarImportResult smartcar_account_import(const SmartcarServer *server,
													const SmartcarKeyRing *ring,
													const SmartcarTokensToImport *tokens);

#endif							/* SMARTCAR_ACCOUNT_IMPORT_H */
