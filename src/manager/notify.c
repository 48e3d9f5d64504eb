/*-------------------------------------------------------------------------
 *
 * notify.c
 *	  Notifications on the channel smartcar_tesla.
 *
 * src/manager/notify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/notify.h"

#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#define CHANNEL					"smartcar_tesla"

/* NOTIFY refuses longer payloads. */
#define MAX_PAYLOAD_LENGTH		7900

static void
add_member(StringInfo payload, const char *name, const char *value)
{
	appendStringInfo(payload, "%s\"%s\" : ", payload->len == 0 ? "{" : ", ", name);
	if (value == NULL)
		appendStringInfoString(payload, "null");
	else
		escape_json(payload, value);
}

static void
notify(const SmartcarServer *server, const char *event, const SmartcarConnectionRow *connection,
	   bool has_previous_owner)
{
	StringInfoData payload;

	initStringInfo(&payload);
	add_member(&payload, "server", server->name);
	add_member(&payload, "event", event);
	add_member(&payload, "user_id", connection->user_id);
	add_member(&payload, "vehicle_id", connection->vehicle_id);
	add_member(&payload, "external_id", connection->external_id);
	if (has_previous_owner)
		add_member(&payload, "previous_external_id", connection->previous_external_id);
	add_member(&payload, "action",
			   smartcar_action_label(smartcar_connection_next_action(server, connection)));
	appendStringInfoChar(&payload, '}');
	if (payload.len < MAX_PAYLOAD_LENGTH)
		Async_Notify(CHANNEL, payload.data);
}

/*
 * Sends the action that a connection now needs.
 */
void
smartcar_notify(const SmartcarServer *server, SmartcarSpan event,
				const SmartcarConnectionRow *connection)
{
	notify(server, event.data ? pnstrdup(event.data, event.length) : NULL, connection, false);
}

void
smartcar_notify_owner_changed(const SmartcarServer *server,
							  const SmartcarConnectionRow *connection)
{
	notify(server, "OWNER_CHANGED", connection, true);
}
