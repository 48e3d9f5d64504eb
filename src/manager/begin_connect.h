/*-------------------------------------------------------------------------
 *
 * begin_connect.h
 *	  The state of a link, which the callback brings back.
 *
 * src/manager/begin_connect.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_BEGIN_CONNECT_H
#define SMARTCAR_BEGIN_CONNECT_H

#include "postgres.h"

#include "core/span.h"
#include "pg/server.h"

extern bytea *smartcar_state_hash(SmartcarSpan state);
extern void smartcar_delete_expired_rows(const SmartcarServer *server);

#endif							/* SMARTCAR_BEGIN_CONNECT_H */
