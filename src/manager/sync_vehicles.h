/*-------------------------------------------------------------------------
 *
 * sync_vehicles.h
 *	  What Smartcar says about the vehicles of users, stored.
 *
 * src/manager/sync_vehicles.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_VEHICLES_H
#define SMARTCAR_SYNC_VEHICLES_H

#include "postgres.h"

#include "utils/array.h"

#include "call/failure.h"
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
	bool		has_unusable;	/* one of them was left out */
	const SmartcarFailure *error;
} SmartcarUser;

extern void smartcar_sync_users(SmartcarServer *server, SmartcarUser *users, int count);
extern int	smartcar_warn_of_users(const SmartcarUser *users, int count);

#endif							/* SMARTCAR_SYNC_VEHICLES_H */
