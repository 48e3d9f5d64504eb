/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  Statements on the table smartcar_tesla.connection.
 *
 * Those of a synchronization are in connection_sync.c.
 *
 * src/manager/connection.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/connection.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "func/status.h"

#define THIS_ROW	"WHERE server = $1 AND user_id = $2 AND vehicle_id = $3 "

static ArrayType *
read_array(uint64 row, const char *column)
{
	bool		is_null;
	Datum		value = smartcar_row_datum(row, column, &is_null);

	return is_null ? NULL : DatumGetArrayTypePCopy(value);
}

/*
 * Reads a row of the last result.
 */
void
smartcar_connection_read(uint64 row, SmartcarConnectionRow *connection)
{
	bool		is_null;
	Datum		value;

	memset(connection, 0, sizeof(*connection));
	connection->user_id = smartcar_row_string(row, "user_id");
	connection->vehicle_id = smartcar_row_string(row, "vehicle_id");
	connection->external_id = smartcar_row_string(row, "external_id");
	connection->previous_external_id = smartcar_row_string(row, "previous_external_id");
	connection->is_disconnected = strcmp(smartcar_row_string(row, "status"), "connected") != 0;
	connection->make = smartcar_row_string(row, "make");
	connection->model = smartcar_row_string(row, "model");
	connection->year = smartcar_row_int32(row, "year");
	connection->mode = smartcar_row_string(row, "mode");
	connection->granted_scopes = read_array(row, "granted_scopes");
	connection->access_type = smartcar_row_string(row, "access_type");
	connection->access_type_known_at = smartcar_row_time(row, "access_type_known_at");
	connection->tesla_scopes = read_array(row, "tesla_scopes");
	connection->tesla_scopes_known_at = smartcar_row_time(row, "tesla_scopes_known_at");
	value = smartcar_row_datum(row, "virtual_key_paired", &is_null);
	connection->is_paired_known = !is_null;
	connection->is_paired = !is_null && DatumGetBool(value);
	connection->virtual_key_known_at = smartcar_row_time(row, "virtual_key_known_at");
	connection->details_at = smartcar_row_time(row, "details_at");
	value = smartcar_row_datum(row, "errors", &is_null);
	smartcar_connection_errors_read(&connection->errors,
									is_null ? NULL : DatumGetJsonbPCopy(value));
	connection->errors.complete_at = smartcar_row_time(row, "errors_known_at");
}

/*
 * Returns the action of a connection.  It is not computed by a statement, because the
 * owner of the extension may not be allowed to see the options of the server.
 */
SmartcarAction
smartcar_connection_next_action(const SmartcarServer *server,
								const SmartcarConnectionRow *connection)
{
	const SmartcarConnectionError *error = smartcar_connection_errors_first(&connection->errors);
	SmartcarConnectionFacts facts = {
		.is_disconnected = connection->is_disconnected,
		.error_action = error ? error->action : SMARTCAR_ACTION_UNKNOWN,
		.granted_scopes = (struct varlena *) connection->granted_scopes,
		.tesla_scopes = (struct varlena *) connection->tesla_scopes,
		.access_type = smartcar_span_from_string(connection->access_type),
		.make = smartcar_span_from_string(connection->make),
		.model = smartcar_span_from_string(connection->model),
		.year = connection->year,
		.is_unpaired = connection->is_paired_known && !connection->is_paired
	};

	return smartcar_connection_action(server, &facts);
}

static void
bind_row(SmartcarParameters *parameters, const SmartcarServer *server, const char *user_id,
		 const char *vehicle_id)
{
	smartcar_parameter_string(parameters, server->name);
	smartcar_parameter_string(parameters, user_id);
	smartcar_parameter_string(parameters, vehicle_id);
}

/*
 * Inserts a connection.  Returns false if it already exists.
 */
bool
smartcar_connection_insert(const SmartcarServer *server, SmartcarSpan user_id,
						   SmartcarSpan external_id, const SmartcarConnectionVehicle *vehicle)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_text(&parameters, user_id);
	smartcar_parameter_text(&parameters, vehicle->id);
	smartcar_parameter_text(&parameters, external_id);
	smartcar_parameter_text(&parameters, vehicle->make);
	smartcar_parameter_text(&parameters, vehicle->model);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(vehicle->year), vehicle->year == 0);
	smartcar_parameter_text(&parameters, vehicle->mode);
	smartcar_parameter_text(&parameters, vehicle->powertrain_type);
	return smartcar_spi_run("INSERT INTO smartcar_tesla.connection "
							"(server, user_id, vehicle_id, external_id, "
							"make, model, year, mode, powertrain_type) "
							"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
							"ON CONFLICT DO NOTHING",
							&parameters) > 0;
}

/*
 * Locks and reads a row.  Returns false if it does not exist.
 */
bool
smartcar_connection_lock(const SmartcarServer *server, const char *user_id,
						 const char *vehicle_id, SmartcarConnectionRow *connection)
{
	SmartcarParameters parameters = {0};

	bind_row(&parameters, server, user_id, vehicle_id);
	if (smartcar_spi_run_kept("SELECT " SMARTCAR_CONNECTION_COLUMNS
							  "FROM smartcar_tesla.connection " THIS_ROW
							  "FOR UPDATE",
							  &parameters) == 0)
		return false;
	smartcar_connection_read(0, connection);
	return true;
}

/*
 * Reads the rows of the last result.
 */
SmartcarConnectionRow *
smartcar_connections_read(int count)
{
	SmartcarConnectionRow *rows = palloc((count + 1) * sizeof(SmartcarConnectionRow));

	for (int i = 0; i < count; i++)
		smartcar_connection_read(i, &rows[i]);
	return rows;
}

/*
 * Locks and reads the connections of a user.
 */
SmartcarConnectionRow *
smartcar_connections_lock(const SmartcarServer *server, const char *user_id, int *count)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user_id);
	*count = (int) smartcar_spi_run_kept("SELECT " SMARTCAR_CONNECTION_COLUMNS
										 "FROM smartcar_tesla.connection "
										 "WHERE server = $1 AND user_id = $2 "
										 "ORDER BY vehicle_id COLLATE \"C\" "
										 "FOR UPDATE",
										 &parameters);
	return smartcar_connections_read(*count);
}

/*
 * Binds eight parameters: all errors, and the columns of the error to fix first.
 */
void
smartcar_parameter_errors(SmartcarParameters *parameters, const SmartcarConnectionErrors *errors)
{
	static const SmartcarConnectionError none = {
		.action = SMARTCAR_ACTION_UNKNOWN, .known_at = DT_NOEND
	};
	const SmartcarConnectionError *first = smartcar_connection_errors_first(errors);

	if (first == NULL)
		first = &none;
	smartcar_parameter_string(parameters, smartcar_connection_errors_text(errors));
	smartcar_parameter_time(parameters, errors->complete_at);
	smartcar_parameter_text(parameters, first->type);
	smartcar_parameter_text(parameters, first->code);
	smartcar_parameter_text(parameters, first->description);
	smartcar_parameter_string(parameters, smartcar_action_label(first->action));
	smartcar_parameter_text(parameters, first->url);
	smartcar_parameter_time(parameters, first->known_at);
}

/*
 * Updates a row, which must be locked.
 */
void
smartcar_connection_update(const SmartcarServer *server, const SmartcarConnectionRow *connection)
{
	SmartcarParameters parameters = {0};

	bind_row(&parameters, server, connection->user_id, connection->vehicle_id);
	smartcar_parameter_errors(&parameters, &connection->errors);
	smartcar_parameter_string(&parameters, connection->access_type);
	smartcar_parameter_time(&parameters, connection->access_type_known_at);
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(connection->tesla_scopes),
					   connection->tesla_scopes == NULL);
	smartcar_parameter_time(&parameters, connection->tesla_scopes_known_at);
	smartcar_parameter(&parameters, BOOLOID, BoolGetDatum(connection->is_paired),
					   !connection->is_paired_known);
	smartcar_parameter_time(&parameters, connection->virtual_key_known_at);
	smartcar_parameter_time(&parameters, connection->details_at);
	smartcar_spi_run_kept("UPDATE smartcar_tesla.connection SET "
						  "errors = $4::jsonb, errors_known_at = $5, "
						  "error_type = $6, error_code = $7, error_description = $8, "
						  "error_action = $9::@.smartcar_action, error_url = $10, error_at = $11, "
						  "access_type = $12, access_type_known_at = $13, "
						  "tesla_scopes = $14, tesla_scopes_known_at = $15, "
						  "virtual_key_paired = $16, virtual_key_known_at = $17, "
						  "details_at = $18, "
						  "updated_at = @now "
						  THIS_ROW,
						  &parameters);
}

/*
 * Records that Smartcar has definitely refused the refresh token of a user, who has to
 * connect all vehicles again.
 */
void
smartcar_connections_record_refusal(const SmartcarServer *server, const char *user_id,
									const SmartcarApiError *error)
{
	SmartcarKnownTime time = smartcar_arrival_time();
	SmartcarApiError refusal = {
		.type = error->type,
		.description = error->description,
		.action = SMARTCAR_ACTION_CONNECT
	};
	int			count;
	SmartcarConnectionRow *rows = smartcar_connections_lock(server, user_id, &count);

	for (int i = 0; i < count; i++)
	{
		if (smartcar_connection_errors_begin(&rows[i].errors, &refusal, &time))
			smartcar_connection_update(server, &rows[i]);
	}
}

/*
 * Clears the error of smartcar_connections_record_refusal().  It is always the error to
 * fix first, so error_action finds it.  Most refreshes find none.
 */
void
smartcar_connections_clear_refusal(const SmartcarServer *server, const char *user_id)
{
	SmartcarKnownTime time = smartcar_arrival_time();
	SmartcarParameters parameters;
	SmartcarConnectionRow *rows;
	int			count;

	smartcar_parameters_begin(&parameters, server, user_id);
	count = (int) smartcar_spi_run_kept("SELECT " SMARTCAR_CONNECTION_COLUMNS
										"FROM smartcar_tesla.connection "
										"WHERE server = $1 AND user_id = $2 AND error_action = 'connect' "
										"ORDER BY vehicle_id COLLATE \"C\" "
										"FOR UPDATE",
										&parameters);
	rows = smartcar_connections_read(count);
	for (int i = 0; i < count; i++)
	{
		if (smartcar_connection_errors_end_action(&rows[i].errors, SMARTCAR_ACTION_CONNECT, &time))
			smartcar_connection_update(server, &rows[i]);
	}
}

/*
 * Reads the users of a vehicle, in the order of the key.  Their rows are locked one by
 * one afterwards: if the table is distributed, the rows are on several shards, and a
 * single FOR UPDATE cannot lock them.
 */
static char **
read_users(const SmartcarParameters *vehicle, const char *statement, uint64 *count)
{
	char	  **user_ids;

	*count = smartcar_spi_run(statement, vehicle);
	user_ids = palloc((*count + 1) * sizeof(char *));
	for (uint64 i = 0; i < *count; i++)
		user_ids[i] = smartcar_row_string(i, "user_id");
	return user_ids;
}

/*
 * Clears the error of a failed login, once the owner of a vehicle has logged in again.
 * Another owner of the vehicle keeps it.
 */
void
smartcar_connections_clear_login_error(const SmartcarServer *server, const char *vehicle_id,
									   const char *external_id)
{
	static const SmartcarSpan type = SMARTCAR_SPAN("CONNECTED_SERVICES_ACCOUNT");
	static const SmartcarSpan code = SMARTCAR_SPAN("AUTHENTICATION_FAILED");
	SmartcarKnownTime time = smartcar_arrival_time();
	SmartcarParameters parameters;
	uint64		count;
	char	  **user_ids;

	smartcar_parameters_begin(&parameters, server, vehicle_id);
	smartcar_parameter_string(&parameters, external_id);
	user_ids = read_users(&parameters,
						  "SELECT user_id FROM smartcar_tesla.connection "
						  "WHERE server = $1 AND vehicle_id = $2 "
						  "AND (external_id = $3 OR external_id IS NULL OR $3 IS NULL) "
						  "ORDER BY user_id COLLATE \"C\"",
						  &count);
	for (uint64 i = 0; i < count; i++)
	{
		SmartcarConnectionRow row;
		bool		changed;

		if (!smartcar_connection_lock(server, user_ids[i], vehicle_id, &row))
			continue;

		/* recorded even without an error: a sync under way may still store it */
		changed = smartcar_connection_errors_end(&row.errors, type, code, &time);
		changed |= smartcar_connection_errors_end_action(&row.errors,
														 SMARTCAR_ACTION_REAUTHENTICATE, &time);
		if (changed)
			smartcar_connection_update(server, &row);
	}
}

/*
 * Deletes the connections of a vehicle, of one user or of all.
 */
void
smartcar_connections_delete(const SmartcarServer *server, SmartcarSpan vehicle_id,
							SmartcarSpan user_id)
{
	SmartcarParameters parameters = {0};
	uint64		count;
	char	  **user_ids;

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_text(&parameters, vehicle_id);
	smartcar_parameter_text(&parameters, user_id);
	user_ids = read_users(&parameters,
						  "SELECT user_id FROM smartcar_tesla.connection "
						  "WHERE server = $1 AND vehicle_id = $2 "
						  "AND (user_id = $3 OR $3 IS NULL) "
						  "ORDER BY user_id COLLATE \"C\"",
						  &count);
	for (uint64 i = 0; i < count; i++)
	{
		parameters.count = 2;
		smartcar_parameter_string(&parameters, user_ids[i]);
		smartcar_spi_run("DELETE FROM smartcar_tesla.connection "
						 "WHERE server = $1 AND vehicle_id = $2 AND user_id = $3",
						 &parameters);
	}
}
