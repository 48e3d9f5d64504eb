/*-------------------------------------------------------------------------
 *
 * connection_details.h
 *	  Statements on the table smartcar_tesla.connection about the details of a
 *	  connection, which only the signals of its vehicle contain (v3).
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

typedef struct SmartcarStaleFilter
{
	const SmartcarServer *server;
	const char *user_id;		/* NULL: all */
	TimestampTz due_before;		/* whose details are older */
	bool		skips_reported; /* leave out those that webhooks report on */
	const SmartcarStaleConnection *after;	/* NULL: from the first */
} SmartcarStaleFilter;

extern SmartcarStaleConnection *smartcar_connections_read_stale(const SmartcarStaleFilter *filter,
																int limit, int *count);
extern void smartcar_connection_store_details(const SmartcarServer *server, const char *user_id,
											  const char *vehicle_id,
											  const SmartcarDetails *details,
											  const SmartcarFailure *const *errors,
											  int error_count, TimestampTz requested_at);

#endif							/* SMARTCAR_CONNECTION_DETAILS_H */
