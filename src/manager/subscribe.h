/*-------------------------------------------------------------------------
 *
 * subscribe.h
 *	  Subscribes new vehicles to the webhook that the server names.
 *
 * src/manager/subscribe.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SUBSCRIBE_H
#define SMARTCAR_SUBSCRIBE_H

#include "postgres.h"

#include "manager/sync_users.h"

extern void smartcar_subscribe_vehicles(SmartcarSyncRun *run, const SmartcarUserFilter *filter,
										bool all);

#endif							/* SMARTCAR_SUBSCRIBE_H */
