/*-------------------------------------------------------------------------
 *
 * webhook_event.c
 *	  Statements on the table smartcar_tesla.webhook_event.
 *
 * Smartcar delivers an event at least once, so the ids of events are kept as long
 * as it may repeat them.
 *
 * src/manager/webhook_event.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/webhook_event.h"

#include "manager/spi.h"

/*
 * Returns false if the event was there before.
 */
bool
smartcar_webhook_event_insert(const SmartcarServer *server, SmartcarSpan event_id)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_text(&parameters, event_id);
	return smartcar_spi_run("INSERT INTO smartcar_tesla.webhook_event (server, event_id) "
							"VALUES ($1, $2) ON CONFLICT DO NOTHING",
							&parameters) > 0;
}

void
smartcar_webhook_events_delete_expired(const SmartcarServer *server)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_spi_run_by_index("DELETE FROM smartcar_tesla.webhook_event "
							  "WHERE server = $1 AND received_at < @now - interval '1 day'",
							  &parameters);
}
