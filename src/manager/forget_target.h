/*-------------------------------------------------------------------------
 *
 * forget_target.h
 *	  Finds the connections at Smartcar of an owner who is to be forgotten.
 *
 * src/manager/forget_target.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FORGET_TARGET_H
#define SMARTCAR_FORGET_TARGET_H

#include "postgres.h"

#include "api/owner_connections.h"
#include "manager/owner_user.h"
#include "manager/sync_run.h"

/* A connection, or all connections of a user, to disconnect with one request. */
typedef struct SmartcarForgetTarget
{
	SmartcarOwnerDeletion deletion; /* must be first: the item's arguments */
	SmartcarOwnerUser *user;
	const char *vehicle_id;		/* NULL: all of the user */
	const char *access_token;	/* NULL: the application's own credentials */
	const SmartcarOperation *operation;
	int			vehicle_count;	/* as far as known */
	bool		is_done;
} SmartcarForgetTarget;

typedef struct SmartcarForget
{
	SmartcarCall call;			/* must be first; disconnects the targets */
	SmartcarSyncRun run;
	const char *external_id;

	/* the owner's users, in the order of their ids */
	SmartcarOwnerUser *users;
	int			user_count;

	SmartcarAuthorization authorization;
	SmartcarForgetTarget *targets;
	int			target_count;
	int			next;

	/* the result */
	int64		disconnected;
	int64		left;
	SmartcarOwnerRows rows;
	const SmartcarFailure *failure; /* the first; NULL: none */
} SmartcarForget;

extern void smartcar_forget_fail(SmartcarForget *forget, SmartcarOwnerUser *user,
								 const char *vehicle_id, const SmartcarFailure *failure);
extern void smartcar_forget_find_targets(SmartcarForget *forget);

#endif							/* SMARTCAR_FORGET_TARGET_H */
