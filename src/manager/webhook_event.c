/*-------------------------------------------------------------------------
 *
 * webhook_event.c
 *	  Statements on the table smartcar_tesla.webhook_event.
 *
 * src/manager/webhook_event.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/webhook_event.h"

#include "manager/spi.h"

#define INSERT_AND_READ \
	"WITH event AS (" \
	"INSERT INTO smartcar_tesla.webhook_event (server, event_id) " \
	"SELECT $1, $2 " \
	"WHERE $2 IS NOT NULL " \
	"ON CONFLICT DO NOTHING " \
	"RETURNING event_id) " \
	"SELECT is_new, " SMARTCAR_CONNECTION_COLUMNS \
	"FROM (SELECT $2 IS NULL OR EXISTS (SELECT FROM event) AS is_new) AS e " \
	"LEFT JOIN smartcar_tesla.connection " \
	"ON server = $1 AND vehicle_id = $3 "

/*
 * Inserts the id of an event, if it has one, and reads the connections that the event is
 * about, in the order of the key: those of one user, or of all users of the vehicle.
 * Most events change nothing, so this is a single statement that locks no connection.
 */
SmartcarConnectionRow *
smartcar_webhook_event_insert(const SmartcarServer *server, SmartcarSpan event_id,
							  SmartcarSpan vehicle_id, SmartcarSpan user_id, bool *is_new,
							  int *count)
{
	SmartcarParameters parameters = {0};
	SmartcarConnectionRow *rows;
	uint64		found;

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_text(&parameters, event_id.length > 0 ? event_id : smartcar_span(NULL, 0));
	smartcar_parameter_text(&parameters, vehicle_id);
	smartcar_parameter_text(&parameters, user_id);
	if (user_id.data != NULL)
		found = smartcar_spi_run_kept(INSERT_AND_READ "AND user_id = $4", &parameters);
	else
		found = smartcar_spi_run_kept(INSERT_AND_READ "AND $4 IS NULL ORDER BY user_id COLLATE \"C\"",
									  &parameters);
	*is_new = smartcar_row_bool(0, "is_new");
	*count = 0;
	rows = palloc(found * sizeof(SmartcarConnectionRow));
	for (uint64 i = 0; i < found; i++)
	{
		if (smartcar_row_string(i, "user_id") != NULL)
			smartcar_connection_read(i, &rows[(*count)++]);
	}
	return rows;
}
