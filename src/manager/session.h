/*-------------------------------------------------------------------------
 *
 * session.h
 *	  Statements on the table smartcar_tesla.session.
 *
 * src/manager/session.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SESSION_H
#define SMARTCAR_SESSION_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/timestamp.h"

#include "core/callback.h"
#include "core/error.h"
#include "pg/server.h"

#define SMARTCAR_SESSION_CONNECT			"connect"
#define SMARTCAR_SESSION_UPDATE_ACCESS		"update_access"
#define SMARTCAR_SESSION_REAUTHENTICATE		"reauthenticate"

typedef struct SmartcarSession
{
	const char *link;			/* one of the three above */
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

extern bytea *smartcar_state_hash(SmartcarSpan state);
extern void smartcar_session_insert(const SmartcarServer *server, const SmartcarSession *session,
									ArrayType *scope, const Interval *lifetime);
extern void smartcar_session_find(const SmartcarServer *server, const SmartcarCallback *callback,
								  SmartcarSession *session);
extern void smartcar_session_check_owner(const SmartcarSession *session,
										 SmartcarSpan external_id);
extern void smartcar_session_claim(const SmartcarServer *server, const SmartcarSession *session);
extern void smartcar_session_record_tokens(const SmartcarServer *server,
										   const SmartcarSession *session);
extern void smartcar_session_close(const SmartcarServer *server, const SmartcarSession *session,
								   const SmartcarSessionResult *result, const char *description);
extern void smartcar_sessions_delete_expired(const SmartcarServer *server);

#endif							/* SMARTCAR_SESSION_H */
