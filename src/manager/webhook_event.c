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

/*
 * Inserts the id of an event, if it has one, and reads the connections that it
 * is about, in the order of the key: of a user, or of all users of the vehicle.
 * Most events change nothing, so this is one statement, and locks nothing.
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
	smartcar_parameter_text(&parameters, event_id);
	smartcar_parameter_text(&parameters, vehicle_id);
	smartcar_parameter_text(&parameters, user_id);
	found = smartcar_spi_run(psprintf("WITH event AS (%s) "
									  "SELECT is_new, " SMARTCAR_CONNECTION_COLUMNS
									  "FROM (SELECT EXISTS (SELECT FROM event) AS is_new) AS e "
									  "LEFT JOIN smartcar_tesla.connection "
									  "ON server = $1 AND vehicle_id = $3 "
									  "AND (user_id = $4 OR $4 IS NULL) "
									  "ORDER BY user_id COLLATE \"C\"",
									  event_id.length == 0 ? "SELECT" :
									  "INSERT INTO smartcar_tesla.webhook_event (server, event_id) "
									  "VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING event_id"),
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

/*
 * Deletes the ids of events that are too old to be accepted again.
 */
void
smartcar_webhook_events_delete_expired(const SmartcarServer *server)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_spi_run_by_index("DELETE FROM smartcar_tesla.webhook_event "
							  "WHERE server = $1 AND received_at < @now - interval '25 hours'",
							  &parameters);
}
