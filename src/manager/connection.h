/*-------------------------------------------------------------------------
 *
 * connection.h
 *	  Statements on the table smartcar_tesla.connection.
 *
 * src/manager/connection.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_H
#define SMARTCAR_CONNECTION_H

#include "postgres.h"

#include "pg/api_error.h"
#include "pg/server.h"

extern void smartcar_connections_record_refusal(const SmartcarServer *server, const char *user_id,
												const SmartcarApiError *error);
extern void smartcar_connections_clear_refusal(const SmartcarServer *server, const char *user_id);
extern void smartcar_connections_clear_login_error(const SmartcarServer *server,
												   const char *vehicle_id,
												   const char *external_id);
extern void smartcar_connections_delete(const SmartcarServer *server, SmartcarSpan vehicle_id,
										SmartcarSpan user_id);

#endif							/* SMARTCAR_CONNECTION_H */
