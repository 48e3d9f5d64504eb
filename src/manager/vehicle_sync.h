/*-------------------------------------------------------------------------
 *
 * vehicle_sync.h
 *	  What Smartcar says about the vehicles of users, stored.
 *
 * src/manager/vehicle_sync.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_VEHICLE_SYNC_H
#define SMARTCAR_VEHICLE_SYNC_H

#include "postgres.h"

#include "utils/array.h"

#include "call/call_error.h"
#include "pg/server.h"

typedef struct SmartcarUser
{
	/* who */
	const char *user_id;
	const char *external_id;	/* NULL: not known */
	const char *access_token;	/* NULL: the application's own */
	bool		has_just_connected;

	/* the vehicles that were stored before Smartcar was asked */
	ArrayType  *known_vehicle_ids;

	/* what came of it */
	ArrayType  *vehicle_ids;	/* NULL: they could not be listed */
	const SmartcarCallError *error;
} SmartcarUser;

extern void smartcar_sync_users(SmartcarServer *server, SmartcarUser *users, int count);
extern int	smartcar_warn_of_users(const SmartcarUser *users, int count);

#endif							/* SMARTCAR_VEHICLE_SYNC_H */
