/*-------------------------------------------------------------------------
 *
 * connection.h
 *	  Statements on the table smartcar_tesla.connection.
 *
 * Statements on several rows lock them in the order of the key, so that two such
 * statements cannot deadlock.
 *
 * src/manager/connection.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_H
#define SMARTCAR_CONNECTION_H

#include "postgres.h"

#include "utils/array.h"

#include "manager/connection_error.h"
#include "manager/spi.h"
#include "pg/api_error.h"
#include "pg/server.h"

/*
 * A stored row, without the columns that only the list of connections fills.
 */
typedef struct SmartcarConnectionRow
{
	const char *user_id;
	const char *vehicle_id;
	const char *external_id;
	const char *previous_external_id;
	bool		is_disconnected;
	const char *make;
	const char *model;
	int			year;			/* 0: not known */
	const char *mode;
	ArrayType  *granted_scopes;
	const char *access_type;
	TimestampTz access_type_known_at;
	ArrayType  *tesla_scopes;
	TimestampTz tesla_scopes_known_at;
	bool		is_paired_known;
	bool		is_paired;
	TimestampTz virtual_key_known_at;
	TimestampTz details_at;
	SmartcarConnectionErrors errors;
} SmartcarConnectionRow;

/* A vehicle in an event; no data for missing members. */
typedef struct SmartcarConnectionVehicle
{
	SmartcarSpan id;
	SmartcarSpan make;
	SmartcarSpan model;
	int32		year;			/* 0: not known */
	SmartcarSpan mode;
	SmartcarSpan powertrain_type;
} SmartcarConnectionVehicle;

/* The columns that smartcar_connection_read() reads. */
#define SMARTCAR_CONNECTION_COLUMNS \
	"user_id, vehicle_id, external_id, previous_external_id, status, mode, make, model, year, " \
	"granted_scopes, access_type, access_type_known_at, tesla_scopes, tesla_scopes_known_at, " \
	"virtual_key_paired, virtual_key_known_at, details_at, errors, errors_known_at "

extern void smartcar_connection_read(uint64 row, SmartcarConnectionRow *connection);
extern void smartcar_parameter_errors(SmartcarParameters *parameters,
									  const SmartcarConnectionErrors *errors);

extern bool smartcar_connection_insert(const SmartcarServer *server, SmartcarSpan user_id,
									   SmartcarSpan external_id,
									   const SmartcarConnectionVehicle *vehicle);
extern bool smartcar_connection_lock(const SmartcarServer *server, const char *user_id,
									 const char *vehicle_id, SmartcarConnectionRow *connection);
extern void smartcar_connection_update(const SmartcarServer *server,
									   const SmartcarConnectionRow *connection);
extern SmartcarAction smartcar_connection_next_action(const SmartcarServer *server,
													  const SmartcarConnectionRow *connection);
extern SmartcarConnectionRow *smartcar_connections_read(int count);
extern SmartcarConnectionRow *smartcar_connections_lock(const SmartcarServer *server,
														const char *user_id, int *count);

extern void smartcar_connections_record_refusal(const SmartcarServer *server, const char *user_id,
												const SmartcarApiError *error);
extern void smartcar_connections_clear_refusal(const SmartcarServer *server, const char *user_id);
extern void smartcar_connections_clear_login_error(const SmartcarServer *server,
												   const char *vehicle_id,
												   const char *external_id);
extern void smartcar_connections_delete(const SmartcarServer *server, SmartcarSpan vehicle_id,
										SmartcarSpan user_id);

#endif							/* SMARTCAR_CONNECTION_H */
