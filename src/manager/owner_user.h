/*-------------------------------------------------------------------------
 *
 * owner_user.h
 *	  Statements that read and delete the rows of an owner's users.
 *
 * src/manager/owner_user.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_OWNER_USER_H
#define SMARTCAR_OWNER_USER_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "pg/server.h"

typedef struct SmartcarOwnerVehicle
{
	const char *vehicle_id;
	const char *external_id;	/* NULL: not known */
	bool		is_connected;
	bool		is_target;		/* is to be disconnected */
} SmartcarOwnerVehicle;

/* A user of an owner, by the tables or by a list of Smartcar's. */
typedef struct SmartcarOwnerUser
{
	const char *user_id;
	const char *external_id;	/* of the account; NULL: not known */
	bool		has_account;
	bool		is_refused;		/* the refresh token, by Smartcar */
	bytea	   *access_token;	/* sealed; NULL: no valid one */
	SmartcarOwnerVehicle *vehicles; /* in the order of their ids */
	int			vehicle_count;
	bool		is_own;			/* the account or a vehicle names the owner */
	bool		is_shared;		/* one of them names another owner */
	bool		is_listed;		/* a list of Smartcar's has the user */

	bool		has_failed;		/* not everything was disconnected */
} SmartcarOwnerUser;

/* How many rows were deleted. */
typedef struct SmartcarOwnerRows
{
	int64		accounts;
	int64		connections;
	int64		sessions;
} SmartcarOwnerRows;

extern SmartcarOwnerUser *smartcar_owner_users_read(const SmartcarServer *server,
													const char *external_id, List *more_user_ids,
													int *count);
extern SmartcarOwnerUser *smartcar_owner_user_find(SmartcarOwnerUser *users, int count,
												   const char *user_id);
extern SmartcarOwnerVehicle *smartcar_owner_vehicle_find(const SmartcarOwnerUser *user,
														 const char *vehicle_id);
extern void smartcar_owner_user_delete(const SmartcarServer *server, const char *external_id,
									   const SmartcarOwnerUser *user, SmartcarOwnerRows *rows);
extern void smartcar_owner_clear_previous(const SmartcarServer *server, const char *external_id);
extern void smartcar_owner_vehicle_delete(const SmartcarServer *server, const char *external_id,
										  const SmartcarOwnerUser *user, const char *vehicle_id,
										  SmartcarOwnerRows *rows);

#endif							/* SMARTCAR_OWNER_USER_H */
