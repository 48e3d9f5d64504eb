/*-------------------------------------------------------------------------
 *
 * sync_users.h
 *	  Statements that read the users to synchronize.
 *
 * src/manager/sync_users.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_USERS_H
#define SMARTCAR_SYNC_USERS_H

#include "postgres.h"

#include "fmgr.h"

#include "manager/sync_vehicles.h"

/* Selects users; NULL selects all ids. */
typedef struct SmartcarUserFilter
{
	const SmartcarServer *server;
	const char *external_id;
	const char *user_id;
} SmartcarUserFilter;

extern bool smartcar_user_filter_is_empty(const SmartcarUserFilter *filter);
extern int64 smartcar_users_count(const SmartcarUserFilter *filter);
extern int	smartcar_users_read(const SmartcarUserFilter *filter, const char *last, int limit,
								SmartcarUser *users, bytea **tokens);

#endif							/* SMARTCAR_SYNC_USERS_H */
