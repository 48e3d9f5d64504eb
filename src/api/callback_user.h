/*-------------------------------------------------------------------------
 *
 * callback_user.h
 *	  Verifies the user_id of a v3 callback.
 *
 * src/api/callback_user.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CALLBACK_USER_H
#define SMARTCAR_CALLBACK_USER_H

#include "postgres.h"

#include "pg/server.h"

extern bool smartcar_is_known_user(SmartcarServer *server, const char *user_id,
								   const char *external_id);

#endif							/* SMARTCAR_CALLBACK_USER_H */
