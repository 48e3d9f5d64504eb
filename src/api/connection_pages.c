/*-------------------------------------------------------------------------
 *
 * connection_pages.c
 *	  Connections: which user has given the application which vehicle.
 *
 * src/api/connection_pages.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/connection_pages.h"

#include "call/request.h"
#include "pg/json.h"
#include "pg/text.h"
#include "pg/text_array.h"

/* The largest page that has been seen in use, and the default one. */
#define PAGE_SIZE			100
#define DEFAULT_PAGE_SIZE	10

/*
 * The connections of the vehicle and user that an item is about.  The API
 * lists live vehicles unless it is told otherwise.
 */
SmartcarConnectionFilter
smartcar_item_filter(const SmartcarCall *call, const SmartcarItem *item)
{
	SmartcarConnectionFilter filter = {0};

	filter.vehicle_id = item->id;
	filter.user_id = item->user_id;
	filter.mode = smartcar_server_span(call->server, SMARTCAR_OPTION_MODE);
	return filter;
}

/*
 * Describes the request for the next page.
 */
void
smartcar_connections_ask(SmartcarCall *call, SmartcarItem *item, SmartcarConnectionWalk *walk,
						 const SmartcarConnectionFilter *filter)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_CONNECTIONS, smartcar_span(NULL, 0));
	smartcar_request_query(item, "filter[vehicleId]", filter->vehicle_id);
	smartcar_request_query(item, "filter[userId]", filter->user_id);
	smartcar_request_query(item, "filter[user.externalId]", filter->external_id);
	smartcar_request_query(item, "filter[vehicle.mode]", filter->mode);
	smartcar_request_query_number(item, "page[number]", walk->page + 1);
	smartcar_request_query_number(item, "page[size]", PAGE_SIZE);
}

/* A member of a member, and so on; NULL where one of them is missing. */
static JsonbContainer *
object_at(JsonbContainer *object, const char *const *path)
{
	for (; *path != NULL && object != NULL; path++)
		object = smartcar_json_object_member(object, *path);
	return object;
}

static SmartcarSpan
text_of(JsonbContainer *object, const char *key)
{
	if (object == NULL)
		return smartcar_span(NULL, 0);
	return smartcar_json_text_member(object, key);
}

static void
read_vehicle(JsonbContainer *vehicle, SmartcarConnection *connection)
{
	if (vehicle == NULL)
		return;
	connection->make = smartcar_json_text_member(vehicle, "make");
	connection->model = smartcar_json_text_member(vehicle, "model");
	connection->mode = smartcar_json_text_member(vehicle, "mode");
	connection->powertrain_type = smartcar_json_text_member(vehicle, "powertrainType");
	if (!smartcar_json_integer_member(vehicle, "year", &connection->year))
		connection->year = 0;
}

/*
 * Where the external id stands is not documented, so these are looked at.
 */
static SmartcarSpan
external_id_of(JsonbContainer *object)
{
	static const char *const places[][4] = {
		{"attributes", NULL},
		{"attributes", "user", NULL},
		{"relationships", "user", "meta", NULL},
		{"relationships", "user", "data", NULL}
	};
	SmartcarSpan found = {NULL, 0};

	for (int i = 0; i < lengthof(places) && found.data == NULL; i++)
		found = text_of(object_at(object, places[i]), "externalId");
	return found;
}

static void
read_v3(JsonbContainer *object, SmartcarConnection *connection)
{
	static const char *const vehicle[] = {"relationships", "vehicle", "data", NULL};
	static const char *const user[] = {"relationships", "user", "data", NULL};
	JsonbContainer *attributes = smartcar_json_object_member(object, "attributes");
	JsonbContainer *meta = smartcar_json_object_member(object, "meta");

	connection->connection_id = smartcar_json_text_member(object, "id");
	connection->vehicle_id = text_of(object_at(object, vehicle), "id");
	connection->user_id = text_of(object_at(object, user), "id");
	connection->external_id = external_id_of(object);
	connection->connected_at = text_of(meta, "createdAt");
	connection->updated_at = text_of(meta, "updatedAt");
	if (attributes != NULL)
	{
		connection->permissions = smartcar_json_array_member(attributes, "permissions");
		read_vehicle(smartcar_json_object_member(attributes, "vehicle"), connection);
	}
}

/*
 * Describes the request of the v2.0 management API for a deletion: of the
 * connections of a vehicle, of a user, or of the one of both.
 */
void
smartcar_managed_deletion_ask(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DELETE_MANAGED_CONNECTIONS,
							  smartcar_span(NULL, 0));
	smartcar_request_query(item, "vehicle_id", item->id);
	smartcar_request_query(item, "user_id", item->user_id);
}

/*
 * Reads a connection of the v2.0 management API, where an older page calls the
 * time createdAt.
 */
void
smartcar_connection_read_v2(JsonbContainer *object, SmartcarConnection *connection)
{
	memset(connection, 0, sizeof(*connection));
	connection->user_id = smartcar_json_text_member(object, "userId");
	connection->vehicle_id = smartcar_json_text_member(object, "vehicleId");
	connection->mode = smartcar_json_text_member(object, "mode");
	connection->connected_at = smartcar_json_text_member(object, "connectedAt");
	if (connection->connected_at.data == NULL)
		connection->connected_at = smartcar_json_text_member(object, "createdAt");
}

/*
 * Whether there may be another page.  One with a link to the next has one.  As
 * for the others, the API does not promise to keep to the size that it was
 * asked for, so only a page that is smaller than the first, or than the default
 * size, is certainly the last.
 */
static bool
may_go_on(const SmartcarConnectionWalk *walk, const SmartcarApiResponse *answer, int count)
{
	JsonbContainer *links = smartcar_json_object_member(answer->json, "links");

	if (count == 0)
		return false;
	if (text_of(links, "next").length > 0)
		return true;
	return count >= DEFAULT_PAGE_SIZE && count >= walk->first_count;
}

/*
 * Takes a page; returns whether to ask for another.
 */
bool
smartcar_connections_parse(SmartcarCall *call, SmartcarItem *item, SmartcarConnectionWalk *walk,
						   const SmartcarApiResponse *answer, SmartcarConnectionVisitor take)
{
	JsonbContainer *data = smartcar_json_array_member(answer->json, "data");
	SmartcarSpan first_id = {NULL, 0};
	int			count;

	if (data == NULL)
	{
		smartcar_item_fail(call, item, "It has no list \"data\".");
		return false;
	}
	count = JsonContainerSize(data);
	walk->page++;
	if (walk->page == 1)
		walk->first_count = count;

	for (int i = 0; i < count && item->error == NULL; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(data, i);
		SmartcarConnection connection = {0};

		if (object == NULL)
			continue;
		read_v3(object, &connection);
		if (i == 0)
			first_id = connection.connection_id;
		if (i == 0 && smartcar_page_trail_returns(&walk->trail, item->context, first_id))
		{
			smartcar_item_fail(call, item, "It is the same page as one before.");
			return false;
		}
		take(call, item, &connection);
	}
	walk->first_id = smartcar_item_keep(item, first_id);
	return may_go_on(walk, answer, count);
}

/*
 * Describes the next request of a deletion: a page, or one connection.
 */
void
smartcar_deletion_ask(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->gathered;
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	if (item->step == 0)
		smartcar_connections_ask(call, item, &deletion->walk, &filter);
	else
		smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DELETE_CONNECTION,
								  deletion->ids.elements[deletion->deleted]);
}

/* Whether an id of a connection is not the one that was asked for, if any was. */
static bool
is_another(SmartcarSpan found, SmartcarSpan asked)
{
	if (found.data == NULL || asked.data == NULL)
		return false;
	return !smartcar_span_equal(smartcar_utf8_from_bytes(found.data, (int) found.length), asked);
}

/*
 * Notes a connection to be deleted.  Were a filter not heeded, these would be all
 * connections of the application, so nothing is deleted if one is of others.
 */
static void
note_id(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->gathered;

	if (is_another(connection->vehicle_id, item->id) ||
		is_another(connection->user_id, item->user_id))
	{
		smartcar_item_fail(call, item, "It lists a connection that was not asked for.");
		return;
	}
	if (connection->connection_id.length == 0)
		return;
	smartcar_text_list_add(&deletion->ids, item->context, connection->connection_id);
	if (deletion->note != NULL)
		deletion->note(call, item, connection);
}

/*
 * Takes a page, or the answer to a deletion; returns whether there is more to
 * do.  A connection that somebody else has deleted since it was listed must not
 * end the walk: the others would stay, and the owners believe that they are gone.
 */
bool
smartcar_deletion_parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->gathered;

	if (item->step == 0)
	{
		if (answer->json == NULL)
			smartcar_item_fail(call, item, "It is empty.");
		else if (smartcar_connections_parse(call, item, &deletion->walk, answer, note_id))
			return true;
		item->step++;
	}
	else
		deletion->deleted++;
	return deletion->deleted < deletion->ids.count;
}
