/*-------------------------------------------------------------------------
 *
 * sync_vehicles.h
 *	  Synchronizes the vehicles of users.
 *
 * src/manager/sync_vehicles.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_VEHICLES_H
#define SMARTCAR_SYNC_VEHICLES_H

#include "postgres.h"

#include "manager/connection_sync.h"
#include "manager/sync_run.h"

/* The requests of version 2.0 for a user with one vehicle, as most have. */
#define SMARTCAR_REQUESTS_PER_USER	(1 + SMARTCAR_VEHICLE_REQUESTS)

extern void smartcar_sync_users(SmartcarSyncRun *run, SmartcarUser *users, int count);

#endif							/* SMARTCAR_SYNC_VEHICLES_H */
