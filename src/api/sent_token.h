/*-------------------------------------------------------------------------
 *
 * sent_token.h
 *	  Caches the tokens that a statement has received, by their code or token.
 *
 * src/api/sent_token.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SENT_TOKEN_H
#define SMARTCAR_SENT_TOKEN_H

#include "postgres.h"

#include "fmgr.h"

#include "core/span.h"
#include "pg/server.h"

extern bool smartcar_sent_token_find(FunctionCallInfo fcinfo, const SmartcarServer *server,
									 SmartcarSpan credential, bool single_use, Datum *result);
extern void smartcar_sent_token_store(FunctionCallInfo fcinfo, const SmartcarServer *server,
									  SmartcarSpan credential, Datum result);

#endif							/* SMARTCAR_SENT_TOKEN_H */
