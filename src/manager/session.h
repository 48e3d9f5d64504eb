/*-------------------------------------------------------------------------
 *
 * session.h
 *	  The state of a link, which the callback brings back.
 *
 * src/manager/session.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SESSION_H
#define SMARTCAR_SESSION_H

#include "postgres.h"

#include "core/span.h"
#include "pg/server.h"

extern bytea *smartcar_state_hash(SmartcarSpan state);
extern void smartcar_forget_the_past(const SmartcarServer *server);

#endif							/* SMARTCAR_SESSION_H */
