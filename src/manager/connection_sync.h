/*-------------------------------------------------------------------------
 *
 * connection_sync.h
 *	  Statements of a synchronization on the table smartcar_tesla.connection.
 *
 * A value is stored with the time of its request, not with the time at which it is
 * stored.  So of two responses, the one with the later request stays.
 *
 * src/manager/connection_sync.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_SYNC_H
#define SMARTCAR_CONNECTION_SYNC_H

#include "postgres.h"

#include "call/call.h"
#include "manager/connection.h"

/* The columns of a page of the list of connections, each an array. */
typedef enum SmartcarPageColumn
{
	SMARTCAR_PAGE_CONNECTION_ID,
	SMARTCAR_PAGE_USER_ID,
	SMARTCAR_PAGE_VEHICLE_ID,
	SMARTCAR_PAGE_EXTERNAL_ID,
	SMARTCAR_PAGE_MODE,
	SMARTCAR_PAGE_PERMISSIONS,	/* separated by spaces */
	SMARTCAR_PAGE_MAKE,
	SMARTCAR_PAGE_MODEL,
	SMARTCAR_PAGE_YEAR,
	SMARTCAR_PAGE_POWERTRAIN_TYPE,
	SMARTCAR_PAGE_CONNECTED_AT,
	SMARTCAR_PAGE_COLUMNS
} SmartcarPageColumn;

extern const Oid smartcar_page_types[SMARTCAR_PAGE_COLUMNS];

/* The requests about a vehicle (v2.0), which are made concurrently. */
typedef enum SmartcarVehicleRequest
{
	SMARTCAR_REQUEST_VEHICLE,
	SMARTCAR_REQUEST_PERMISSIONS,
	SMARTCAR_REQUEST_TESLA_ACCESS,
	SMARTCAR_REQUEST_VIRTUAL_KEY,
	SMARTCAR_VEHICLE_REQUESTS
} SmartcarVehicleRequest;

/* A user to synchronize. */
typedef struct SmartcarUser
{
	const char *user_id;
	const char *account_id;		/* differs from user_id if the account was
								 * provisional */
	const char *external_id;	/* NULL: not known */
	const char *access_token;	/* NULL: the application's own */
	bool		has_just_connected;

	/* the vehicles that were stored before the request */
	ArrayType  *known_vehicle_ids;

	/* the result */
	ArrayType  *vehicle_ids;	/* NULL: they could not be listed */
	bool		has_failed;		/* not everything was stored */
	bool		is_deferred;	/* to the next run */
	int64		disconnected;	/* how many were marked as disconnected */
	int64		refused;		/* how many were not, because they are too
								 * many */
	const SmartcarFailure *error;
} SmartcarUser;

/* A connection of another user with the same owner. */
typedef struct SmartcarOtherConnection
{
	const char *user_id;
	const char *vehicle_id;
} SmartcarOtherConnection;

extern void smartcar_connections_store_page(const SmartcarServer *server, const Datum *columns,
											TimestampTz requested_at);
extern void smartcar_connection_store(const SmartcarServer *server, const SmartcarUser *user,
									  SmartcarSpan vehicle_id, const SmartcarItem *responses,
									  const SmartcarConnectionErrors *errors,
									  TimestampTz requested_at);
extern int64 smartcar_connections_mark_disconnected(const SmartcarServer *server,
													const SmartcarUser *user,
													TimestampTz requested_at);
extern void smartcar_connections_read_known(const SmartcarServer *server, SmartcarUser *users,
											int count);
extern SmartcarOtherConnection *smartcar_connections_find_others(const SmartcarServer *server,
																 const SmartcarUser *user,
																 TimestampTz requested_at,
																 int *count);
extern void smartcar_connection_remove_other(const SmartcarServer *server,
											 const SmartcarUser *user,
											 const SmartcarOtherConnection *other,
											 TimestampTz requested_at);
extern int64 smartcar_connections_count(const SmartcarServer *server);
extern int64 smartcar_connections_count_missing(const SmartcarServer *server,
												TimestampTz list_began_at);
extern void smartcar_connections_remove_listed(const SmartcarServer *server,
											   TimestampTz list_began_at);
extern char **smartcar_connections_read_users(const SmartcarServer *server, const char *last,
											  TimestampTz list_began_at, int limit, int *count);

#endif							/* SMARTCAR_CONNECTION_SYNC_H */
