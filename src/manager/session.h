/*-------------------------------------------------------------------------
 *
 * session.h
 *	  The session of a callback: found by its state, taken once, and ended.
 *
 * src/manager/session.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SESSION_H
#define SMARTCAR_SESSION_H

#include "postgres.h"

#include "utils/array.h"

#include "core/callback.h"
#include "core/error.h"
#include "pg/server.h"

typedef struct SmartcarSession
{
	const char *link;
	const char *external_id;
	const char *vehicle_id;
	const char *redirect_uri;
	bytea	   *state_hash;
} SmartcarSession;

typedef struct SmartcarSessionResult
{
	const char *status;
	const char *external_id;
	const char *user_id;
	ArrayType  *vehicle_ids;	/* NULL: not known */
	const char *error;
	SmartcarAction action;
} SmartcarSessionResult;

extern void smartcar_session_find(const SmartcarServer *server,
								  const SmartcarCallback *callback,
								  SmartcarSession *session);
extern void smartcar_session_check_owner(const SmartcarSession *session,
										 SmartcarSpan external_id);
extern void smartcar_session_claim(const SmartcarServer *server,
								   const SmartcarSession *session);
extern void smartcar_session_record_tokens(const SmartcarServer *server,
										   const SmartcarSession *session);
extern void smartcar_session_end(const SmartcarServer *server,
								 const SmartcarSession *session,
								 const SmartcarSessionResult *outcome,
								 const char *description);

#endif							/* SMARTCAR_SESSION_H */
