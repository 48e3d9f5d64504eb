/*-------------------------------------------------------------------------
 *
 * owner_connections.h
 *	  Operations that list the connections of an owner, and delete them.
 *
 * src/api/owner_connections.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_OWNER_CONNECTIONS_H
#define SMARTCAR_OWNER_CONNECTIONS_H

#include "postgres.h"

#include "api/connection_pages.h"

/* A connection of a list; NULL for missing members. */
typedef struct SmartcarListedConnection
{
	const char *connection_id;
	const char *user_id;
	const char *vehicle_id;
	const char *external_id;
} SmartcarListedConnection;

/*
 * The operation data of an item that lists connections: those of an external_id,
 * or those of the item's user (v3).  The list is in the context of the call.
 */
typedef struct SmartcarOwnerList
{
	SmartcarConnectionPages pages;
	SmartcarSpan external_id;	/* in UTF-8; no data for those of the user */
	List	   *connections;	/* of SmartcarListedConnection * */
} SmartcarOwnerList;

/* The arguments and the result of an item that deletes. */
typedef struct SmartcarOwnerDeletion
{
	const char *connection_id;	/* v3 */
	int			deleted;		/* number of deleted connections; -1 if it is
								 * unknown */
} SmartcarOwnerDeletion;

extern const SmartcarOperation smartcar_owner_list_operation;

/* Deletes one connection (v3). */
extern const SmartcarOperation smartcar_connection_deletion;

/* Deletes the connections of the item's user, or that of its vehicle (v2.0). */
extern const SmartcarOperation smartcar_managed_deletion;

#endif							/* SMARTCAR_OWNER_CONNECTIONS_H */
