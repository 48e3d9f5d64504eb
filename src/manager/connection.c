/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  Statements on the table smartcar_tesla.connection.
 *
 * src/manager/connection.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/connection.h"

#include "manager/spi.h"

#define CLEAR_ERROR \
	"UPDATE smartcar_tesla.connection " \
	"SET error_type = NULL, error_code = NULL, error_description = NULL, " \
	"error_action = NULL, error_url = NULL, error_at = NULL, updated_at = @now "

/*
 * Records that the refresh token of a user was definitely refused: the owner has
 * to connect again, whatever the vehicle.
 */
void
smartcar_connections_record_refusal(const SmartcarServer *server, const char *user_id,
									const SmartcarApiError *error)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user_id);
	smartcar_parameter_text(&parameters, error->type);
	smartcar_parameter_text(&parameters, error->description);
	smartcar_spi_run("UPDATE smartcar_tesla.connection "
					 "SET error_type = $3, error_code = NULL, error_description = $4, "
					 "error_action = 'connect', error_url = NULL, "
					 "error_at = @now, updated_at = @now "
					 "WHERE server = $1 AND user_id = $2",
					 &parameters);
}

/*
 * Clears what smartcar_connections_record_refusal() has recorded.
 */
void
smartcar_connections_clear_refusal(const SmartcarServer *server, const char *user_id)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user_id);
	smartcar_spi_run(CLEAR_ERROR
					 "WHERE server = $1 AND user_id = $2 AND error_action = 'connect'",
					 &parameters);
}

/*
 * Clears a failed login, once the owner of a vehicle has logged in again.  Nothing
 * is known about another owner of the same vehicle.
 */
void
smartcar_connections_clear_login_error(const SmartcarServer *server, const char *vehicle_id,
									   const char *external_id)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, vehicle_id);
	smartcar_parameter_string(&parameters, external_id);
	smartcar_spi_run(CLEAR_ERROR
					 "WHERE server = $1 AND vehicle_id = $2 AND error_action = 'reauthenticate' "
					 "AND (external_id = $3 OR external_id IS NULL OR $3 IS NULL)",
					 &parameters);
}

/*
 * Deletes the connections of a vehicle, of one user or of all.  A row at a time in
 * the order of the key, in which every statement locks them; one statement for all
 * would need FOR UPDATE over many shards where the table is distributed.
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
	count = smartcar_spi_run("SELECT user_id FROM smartcar_tesla.connection "
							 "WHERE server = $1 AND vehicle_id = $2 "
							 "AND (user_id = $3 OR $3 IS NULL) ORDER BY user_id COLLATE \"C\"",
							 &parameters);
	user_ids = palloc(Max(count, 1) * sizeof(char *));
	for (uint64 i = 0; i < count; i++)
		user_ids[i] = smartcar_row_string(i, "user_id");
	for (uint64 i = 0; i < count; i++)
	{
		parameters.count = 2;
		smartcar_parameter_string(&parameters, user_ids[i]);
		smartcar_spi_run("DELETE FROM smartcar_tesla.connection "
						 "WHERE server = $1 AND vehicle_id = $2 AND user_id = $3",
						 &parameters);
	}
}
