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
 * So many pages hold more connections than an application has.  A server that
 * makes up new ones for ever is not followed further.
 */
#define MAX_PAGES			20000

/* How many ids an error names. */
#define MAX_NAMED_IDS		10

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
	walk->filter = *filter;
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
text_member(JsonbContainer *object, const char *key)
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
find_external_id(JsonbContainer *object)
{
	static const char *const places[][4] = {
		{"attributes", NULL},
		{"attributes", "user", NULL},
		{"relationships", "user", "meta", NULL},
		{"relationships", "user", "data", NULL}
	};
	SmartcarSpan found = {NULL, 0};

	for (int i = 0; i < lengthof(places) && found.data == NULL; i++)
		found = text_member(object_at(object, places[i]), "externalId");
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
	connection->vehicle_id = text_member(object_at(object, vehicle), "id");
	connection->user_id = text_member(object_at(object, user), "id");
	connection->external_id = find_external_id(object);
	connection->connected_at = text_member(meta, "createdAt");
	connection->updated_at = text_member(meta, "updatedAt");
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
 * Records a page by its mark, which no other page has; context must last as long
 * as the trail.  Returns false, and fails the item, if the page has come before
 * or is one too many.
 */
bool
smartcar_page_is_new(SmartcarCall *call, SmartcarItem *item, SmartcarPageTrail *trail,
					 MemoryContext context, SmartcarSpan mark)
{
	char	   *copy;

	if (trail->mark.data != NULL && smartcar_span_equal(mark, trail->mark))
	{
		smartcar_item_fail(call, item, "It repeats an earlier page.");
		return false;
	}
	if (trail->pages >= MAX_PAGES)
	{
		smartcar_item_fail(call, item,
						   psprintf("It exceeds the limit of %d pages.", MAX_PAGES));
		return false;
	}
	if (trail->pages++ < trail->renewal)
		return true;

	copy = MemoryContextAlloc(context, Max(mark.length, 1));
	memcpy(copy, mark.data, mark.length);
	trail->mark = smartcar_span(copy, mark.length);
	trail->renewal = trail->pages * 2;
	return true;
}

/* Whether an id is not the one that was asked for, if any was. */
static bool
is_another(SmartcarSpan found, SmartcarSpan asked)
{
	if (found.data == NULL || asked.data == NULL)
		return false;
	return !smartcar_span_equal(smartcar_utf8_from_bytes(found.data, (int) found.length), asked);
}

/*
 * Whether a connection is one that was asked for, as far as it says so.
 */
bool
smartcar_connection_matches(const SmartcarConnection *connection,
							const SmartcarConnectionFilter *filter)
{
	return !is_another(connection->vehicle_id, filter->vehicle_id) &&
		!is_another(connection->user_id, filter->user_id) &&
		!is_another(connection->external_id, filter->external_id);
}

/* Whether a connection says everything that it was asked for by. */
static bool
is_identified(const SmartcarConnection *connection, const SmartcarConnectionFilter *filter)
{
	return (filter->vehicle_id.data == NULL || connection->vehicle_id.length > 0) &&
		(filter->user_id.data == NULL || connection->user_id.length > 0);
}

static bool
is_usable_id(SmartcarSpan id)
{
	return id.length > 0 && id.length <= SMARTCAR_MAX_ID_LENGTH;
}

/*
 * What is wrong with an entry of a list, or NULL.  Pages are told apart by ids,
 * and one that is deleted must have an id that a path can hold.
 */
static const char *
find_fault(const SmartcarConnectionWalk *walk, const SmartcarConnection *connection)
{
	if (connection->connection_id.data == NULL && !walk->is_lenient)
		return "It lists a connection without an id.";
	if (!smartcar_connection_matches(connection, &walk->filter) ||
		(walk->must_identify && !is_identified(connection, &walk->filter)))
		return "It lists a connection that was not asked for.";
	return NULL;
}

/*
 * Reads what a page says about the others.
 */
static void
read_outlook(SmartcarConnectionWalk *walk, const SmartcarApiResponse *response)
{
	JsonbContainer *links = smartcar_json_object_member(response->json, "links");
	JsonbContainer *meta = smartcar_json_object_member(response->json, "meta");

	walk->has_next = text_member(links, "next").length > 0;
	if (meta == NULL)
		return;
	if (!smartcar_json_integer_member(meta, "totalCount", &walk->total))
		walk->total = 0;
	if (!smartcar_json_integer_member(meta, "pageSize", &walk->page_size))
		walk->page_size = 0;
}

/*
 * Whether there may be another page.  One with a link to the next has one, and so
 * has one that comes before all connections were listed.  If Smartcar says nothing,
 * only a page that is smaller than the first, or than the default size, is certainly
 * the last: the API does not promise to keep to the size that it was asked for.
 */
static bool
may_go_on(const SmartcarConnectionWalk *walk)
{
	if (walk->count == 0 || walk->has_next)
		return walk->count > 0;
	if (walk->total > 0)
		return walk->listed < walk->total;
	return walk->count >= DEFAULT_PAGE_SIZE && walk->count >= walk->first_count;
}

/*
 * Parses a page; returns whether to ask for another.
 */
bool
smartcar_connections_parse(SmartcarCall *call, SmartcarItem *item, SmartcarConnectionWalk *walk,
						   const SmartcarApiResponse *response,
						   SmartcarConnectionVisitor visit)
{
	JsonbContainer *data = smartcar_json_array_member(response->json, "data");
	SmartcarSpan first_id = {NULL, 0};
	int			count;

	if (data == NULL)
	{
		smartcar_item_fail(call, item, "It has no list \"data\".");
		return false;
	}
	count = JsonContainerSize(data);
	walk->page++;
	walk->count = count;
	walk->listed += count;
	if (walk->page == 1)
		walk->first_count = count;
	read_outlook(walk, response);

	for (int i = 0; i < count && item->error == NULL; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(data, i);
		SmartcarConnection connection = {0};
		const char *fault;

		if (object != NULL)
			read_v3(object, &connection);
		if (!is_usable_id(connection.connection_id))
			connection.connection_id = smartcar_span(NULL, 0);
		fault = find_fault(walk, &connection);
		if (fault != NULL)
		{
			smartcar_item_fail(call, item, fault);
			return false;
		}
		if (first_id.data == NULL && connection.connection_id.data != NULL)
		{
			first_id = connection.connection_id;
			if (!smartcar_page_is_new(call, item, &walk->trail, item->context, first_id))
				return false;
		}
		visit(call, item, &connection);
	}

	/* nothing by which to notice that the page comes again */
	if (count > 0 && first_id.data == NULL && item->error == NULL)
	{
		smartcar_item_fail(call, item, "It lists no connection with an id.");
		return false;
	}
	walk->first_id = smartcar_item_copy(item, first_id);
	return may_go_on(walk);
}

/*
 * Describes the next request of a deletion: a page, or one connection.  A
 * connection that does not say whose it is counts as somebody else's.
 */
void
smartcar_deletion_ask(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->gathered;
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	deletion->walk.must_identify = true;
	if (item->step == 0)
		smartcar_connections_ask(call, item, &deletion->walk, &filter);
	else
		smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DELETE_CONNECTION,
								  deletion->ids.elements[deletion->deleted]);
}

static void
add_id(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->gathered;

	smartcar_text_list_add(&deletion->ids, item->context, connection->connection_id);
	if (deletion->visit != NULL)
		deletion->visit(call, item, connection);
}

/*
 * Parses a page, or the response to a deletion; returns whether there is more to
 * do.  Nothing is deleted before all pages were found to be about what was asked
 * for: were a filter ignored, these would be all connections of the application.
 * A connection that somebody else has deleted since it was listed must not end
 * the deletion: the others would stay, and the owners believe that they are gone.
 */
bool
smartcar_deletion_parse(SmartcarCall *call, SmartcarItem *item,
						const SmartcarApiResponse *response)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->gathered;

	if (item->step == 0)
	{
		if (response->json == NULL)
			smartcar_item_fail(call, item, "It is empty.");
		else if (smartcar_connections_parse(call, item, &deletion->walk, response, add_id))
			return true;
		item->step++;
	}
	else
		deletion->deleted++;
	return deletion->deleted < deletion->ids.count;
}

/*
 * A deletion that failed in its middle tells what it has deleted.
 */
void
smartcar_deletion_failed(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->gathered;
	MemoryContext old_context;
	StringInfoData sentence;

	if (deletion == NULL || deletion->deleted == 0)
		return;
	old_context = MemoryContextSwitchTo(smartcar_item_error_context(call, item));
	initStringInfo(&sentence);
	appendStringInfo(&sentence, "%d of %d connections were deleted before that: ",
					 deletion->deleted, deletion->ids.count);
	for (int i = 0; i < Min(deletion->deleted, MAX_NAMED_IDS); i++)
		appendStringInfo(&sentence, "%s%s", i > 0 ? ", " : "",
						 smartcar_excerpt(deletion->ids.elements[i]));
	appendStringInfoString(&sentence, deletion->deleted > MAX_NAMED_IDS ? ", and others." : ".");
	smartcar_failure_add_detail(item->error, sentence.data);
	MemoryContextSwitchTo(old_context);
}
