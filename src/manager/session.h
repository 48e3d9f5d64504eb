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

/* Why a callback is refused. */
#define SMARTCAR_SQLSTATE_STATE_UNKNOWN	MAKE_SQLSTATE('S', 'C', 'U', 'N', 'K')
#define SMARTCAR_SQLSTATE_STATE_USED	MAKE_SQLSTATE('S', 'C', 'U', 'S', 'D')
#define SMARTCAR_SQLSTATE_STATE_EXPIRED	MAKE_SQLSTATE('S', 'C', 'E', 'X', 'P')
#define SMARTCAR_SQLSTATE_STATE_OWNER	MAKE_SQLSTATE('S', 'C', 'O', 'W', 'N')
#define SMARTCAR_SQLSTATE_STATE_BUSY	MAKE_SQLSTATE('S', 'C', 'B', 'S', 'Y')
#define SMARTCAR_SQLSTATE_STATE_CUT_OFF	MAKE_SQLSTATE('S', 'C', 'C', 'U', 'T')

typedef struct SmartcarSession
{
	const char *link;			/* SMARTCAR_SESSION_CONNECT etc. */
	const char *external_id;
	const char *vehicle_id;
	const char *redirect_uri;
	bytea	   *state_hash;
	bytea	   *callback_hash;
	TimestampTz created_at;
} SmartcarSession;

typedef struct SmartcarSessionResult
{
	const char *status;
	const char *external_id;
	const char *user_id;
	ArrayType  *vehicle_ids;	/* NULL: not known */
	const char *previous_external_id;	/* the previous owner */
	const char *error;
	SmartcarAction action;
} SmartcarSessionResult;

extern bytea *smartcar_state_hash(SmartcarSpan state);
extern void smartcar_session_insert(const SmartcarServer *server, const SmartcarSession *session,
									ArrayType *scope, const Interval *lifetime);
extern void smartcar_session_lock(const SmartcarCallback *callback, SmartcarSession *session);
extern void smartcar_session_unlock(const SmartcarSession *session);
extern bool smartcar_session_find(const SmartcarServer *server, SmartcarSession *session,
								  SmartcarSpan external_id, SmartcarSessionResult *result);
extern void smartcar_session_claim(const SmartcarServer *server, const SmartcarSession *session);
extern void smartcar_session_record_success(const SmartcarServer *server,
											const SmartcarSession *session);
extern void smartcar_session_close(const SmartcarServer *server, const SmartcarSession *session,
								   const SmartcarSessionResult *result, const char *description);
extern int64 smartcar_sessions_delete_of_owner(const SmartcarServer *server,
											   const char *external_id);

#endif							/* SMARTCAR_SESSION_H */
