/*-------------------------------------------------------------------------
 *
 * connection_details.h
 *	  Statements on the table smartcar_tesla.connection about what only the signals
 *	  of a vehicle say (v3).
 *
 * src/manager/connection_details.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_DETAILS_H
#define SMARTCAR_CONNECTION_DETAILS_H

#include "postgres.h"

#include "api/details.h"
#include "manager/connection.h"

typedef struct SmartcarStaleConnection
{
	const char *user_id;
	const char *vehicle_id;
	TimestampTz details_at;		/* DT_NOBEGIN: never */
} SmartcarStaleConnection;

/* Which connections are asked about. */
typedef struct SmartcarStaleFilter
{
	const SmartcarServer *server;
	const char *user_id;		/* NULL: all */
	TimestampTz due_before;		/* those not asked about since */
	bool		is_told_enough; /* leave out what webhooks have told */
	const SmartcarStaleConnection *after;	/* NULL: from the first */
} SmartcarStaleFilter;

extern SmartcarStaleConnection *smartcar_connections_read_stale(const SmartcarStaleFilter *filter,
																int limit, int *count);
extern void smartcar_connection_store_details(const SmartcarServer *server, const char *user_id,
											  const char *vehicle_id,
											  const SmartcarDetails *details,
											  const SmartcarFailure *const *errors,
											  int error_count, TimestampTz asked_at);

#endif							/* SMARTCAR_CONNECTION_DETAILS_H */
