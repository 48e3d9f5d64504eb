/*-------------------------------------------------------------------------
 *
 * forget_ask.h
 *	  What Smartcar has of an owner who is to be forgotten.
 *
 * src/manager/forget_ask.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FORGET_ASK_H
#define SMARTCAR_FORGET_ASK_H

#include "postgres.h"

#include "api/owner_connections.h"
#include "manager/owner_user.h"
#include "manager/sync_run.h"

/* What one request disconnects. */
typedef struct SmartcarForgetTarget
{
	SmartcarOwnerDeletion deletion; /* must be first: the item's arguments */
	SmartcarOwnerUser *user;
	const char *vehicle_id;		/* NULL: all of the user */
	const char *access_token;	/* NULL: the application's own credentials */
	const SmartcarOperation *operation;
	int			vehicle_count;	/* as far as is known */
	bool		is_done;
} SmartcarForgetTarget;

typedef struct SmartcarForget
{
	SmartcarCall call;			/* must be first: the one that disconnects */
	SmartcarSyncRun run;
	const char *external_id;

	/* the owner's, in the order of their ids */
	SmartcarOwnerUser *users;
	int			user_count;

	SmartcarAuthorization authorization;
	SmartcarForgetTarget *targets;
	int			target_count;
	int			next;

	/* what came of it */
	int64		disconnected;
	int64		left;
	SmartcarOwnerRows rows;
	const SmartcarFailure *failure; /* the first; NULL: none */
} SmartcarForget;

extern void smartcar_forget_fail(SmartcarForget *forget, SmartcarOwnerUser *user,
								 const char *vehicle_id, const SmartcarFailure *failure);
extern void smartcar_forget_ask(SmartcarForget *forget);

#endif							/* SMARTCAR_FORGET_ASK_H */
