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

#include "manager/connection_sync.h"

/* A row that somebody has locked is waited for for some 10 seconds. */
#define SMARTCAR_SYNC_ATTEMPTS	50

extern bool smartcar_sync_store(void (*store) (void *argument), void *argument, int attempts,
								ErrorData **error);
extern void smartcar_sync_users(SmartcarServer *server, SmartcarUser *users, int count);
extern int	smartcar_warn_of_users(const SmartcarUser *users, int count);

#endif							/* SMARTCAR_SYNC_VEHICLES_H */
