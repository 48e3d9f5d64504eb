/*-------------------------------------------------------------------------
 *
 * owner_connections.c
 *	  Operations that list the connections of an owner, and delete them.
 *
 * The caller decides which of the listed connections are the owner's, because it
 * knows the tables.
 *
 * src/api/owner_connections.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/owner_connections.h"

#include "call/request.h"
#include "pg/json.h"
#include "pg/text.h"

static void
prepare_list(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarOwnerList *list = (SmartcarOwnerList *) item->operation_state;
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	filter.external_id = list->external_id;
	list->pages.must_identify = true;
	smartcar_connections_prepare(call, item, &list->pages, &filter);
}

/* A copy of a text, or NULL if it is empty or missing. */
static const char *
copy_text(SmartcarSpan text)
{
	return text.length == 0 ? NULL : pnstrdup(text.data, text.length);
}

static void
add_connection(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	SmartcarOwnerList *list = (SmartcarOwnerList *) item->operation_state;
	MemoryContext old_context = MemoryContextSwitchTo(call->context);
	SmartcarListedConnection *copy = palloc(sizeof(SmartcarListedConnection));

	copy->connection_id = copy_text(connection->connection_id);
	copy->user_id = copy_text(connection->user_id);
	copy->vehicle_id = copy_text(connection->vehicle_id);
	copy->external_id = copy_text(connection->external_id);
	list->connections = lappend(list->connections, copy);
	MemoryContextSwitchTo(old_context);
}

static bool
parse_list(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	return smartcar_connections_parse(call, item, &((SmartcarOwnerList *) item->operation_state)->pages,
									  response, add_connection);
}

const SmartcarOperation smartcar_owner_list_operation = {
	.prepare = prepare_list,
	.parse = parse_list
};

static void
prepare_deletion(SmartcarCall *call, SmartcarItem *item)
{
	const SmartcarOwnerDeletion *deletion = (SmartcarOwnerDeletion *) item->arguments;

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DELETE_CONNECTION,
							  smartcar_span_from_string(deletion->connection_id));
}

static bool
parse_deletion(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	return false;
}

const SmartcarOperation smartcar_connection_deletion = {
	.accepts_empty = true,
	.accepts_missing = true,
	.prepare = prepare_deletion,
	.parse = parse_deletion
};

static bool
parse_managed(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SmartcarOwnerDeletion *deletion = (SmartcarOwnerDeletion *) item->arguments;
	JsonbContainer *connections = response->json == NULL ? NULL :
		smartcar_json_array_member(response->json, "connections");

	if (connections != NULL)
		deletion->deleted = JsonContainerSize(connections);
	return false;
}

const SmartcarOperation smartcar_managed_deletion = {
	.accepts_empty = true,
	.accepts_missing = true,
	.prepare = smartcar_managed_deletion_prepare,
	.parse = parse_managed
};
