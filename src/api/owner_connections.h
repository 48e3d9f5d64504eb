/*-------------------------------------------------------------------------
 *
 * owner_connections.h
 *	  The connections of one owner at Smartcar: listed, and deleted one by one.
 *
 * src/api/owner_connections.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_OWNER_CONNECTIONS_H
#define SMARTCAR_OWNER_CONNECTIONS_H

#include "postgres.h"

#include "api/connection_pages.h"

/* A connection of a list; NULL for what the list does not say. */
typedef struct SmartcarListedConnection
{
	const char *connection_id;
	const char *user_id;
	const char *vehicle_id;
	const char *external_id;
} SmartcarListedConnection;

/*
 * What an item gathers that lists the connections of an external_id, or of the user
 * that the item is about (v3).  The list lives as long as the call.
 */
typedef struct SmartcarOwnerList
{
	SmartcarConnectionWalk walk;
	SmartcarSpan external_id;	/* in UTF-8; no data: those of the user */
	List	   *connections;	/* of SmartcarListedConnection * */
} SmartcarOwnerList;

/* What an item deletes: its arguments. */
typedef struct SmartcarOwnerDeletion
{
	const char *connection_id;	/* v3 */
	int			deleted;		/* by a response that tells how many; -1: it
								 * does not tell */
} SmartcarOwnerDeletion;

extern const SmartcarOperation smartcar_owner_list_operation;

/* One connection (v3). */
extern const SmartcarOperation smartcar_connection_deletion;

/* Those of a user, or the one of the vehicle that the item is about, too (v2.0). */
extern const SmartcarOperation smartcar_managed_deletion;

#endif							/* SMARTCAR_OWNER_CONNECTIONS_H */
