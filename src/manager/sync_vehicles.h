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

/* A row that somebody has locked is waited for for some 10 seconds. */
#define SMARTCAR_SYNC_ATTEMPTS	50

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
	bool		has_failed;		/* not all of them were stored */
	const SmartcarFailure *error;
} SmartcarUser;

extern bool smartcar_sync_store(void (*store) (void *argument), void *argument, int attempts,
								ErrorData **error);
extern void smartcar_sync_users(SmartcarServer *server, SmartcarUser *users, int count);
extern int	smartcar_warn_of_users(const SmartcarUser *users, int count);

#endif							/* SMARTCAR_SYNC_VEHICLES_H */
