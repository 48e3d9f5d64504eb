/*-------------------------------------------------------------------------
 *
 * connection_pages.c
 *	  Lists and deletes connections, page by page.
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

/* The largest page that others are known to use, and the default of the API. */
#define PAGE_SIZE			100
#define DEFAULT_PAGE_SIZE	10

/*
 * No application has as many pages.  The limit ends a list if a faulty server
 * returns new pages without end.
 */
#define MAX_PAGES			20000

/* The most ids that an error names. */
#define MAX_NAMED_IDS		10

/*
 * The filter for the connections of an item: its vehicle and its user.  Without a
 * mode, the API lists live vehicles.
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
 * Prepares the request for the next page.
 */
void
smartcar_connections_prepare(SmartcarCall *call, SmartcarItem *item, SmartcarConnectionPages *pages,
							 const SmartcarConnectionFilter *filter)
{
	pages->filter = *filter;
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_CONNECTIONS, smartcar_span(NULL, 0));
	smartcar_request_query(item, "filter[vehicleId]", filter->vehicle_id);
	smartcar_request_query(item, "filter[userId]", filter->user_id);
	smartcar_request_query(item, "filter[user.externalId]", filter->external_id);
	smartcar_request_query(item, "filter[vehicle.mode]", filter->mode);
	smartcar_request_query_number(item, "page[number]", pages->page + 1);
	smartcar_request_query_number(item, "page[size]", PAGE_SIZE);
}

/* The object at a path of members, or NULL. */
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
parse_vehicle(JsonbContainer *vehicle, SmartcarConnection *connection)
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
 * The external_id.  Its place is not documented, so several are tried.
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
parse_connection_v3(JsonbContainer *object, SmartcarConnection *connection)
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
		parse_vehicle(smartcar_json_object_member(attributes, "vehicle"), connection);
	}
}

/*
 * Prepares a deletion with the v2.0 management API: of the connections of the
 * item's vehicle, of its user, or of both.
 */
void
smartcar_managed_deletion_prepare(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DELETE_MANAGED_CONNECTIONS,
							  smartcar_span(NULL, 0));
	smartcar_request_query(item, "vehicle_id", item->id);
	smartcar_request_query(item, "user_id", item->user_id);
}

/*
 * Parses a connection of the v2.0 management API.  An older page of its
 * documentation has createdAt instead of connectedAt.
 */
void
smartcar_connection_parse_v2(JsonbContainer *object, SmartcarConnection *connection)
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
 * Records a page by its mark, which must be unique.  If the page is a repeated one
 * or exceeds the limit, fails the item and returns false.  context must live as
 * long as *cycle.
 */
bool
smartcar_page_is_new(SmartcarCall *call, SmartcarItem *item, SmartcarPageCycle *cycle,
					 MemoryContext context, SmartcarSpan mark)
{
	char	   *copy;

	if (cycle->mark.data != NULL && smartcar_span_equal(mark, cycle->mark))
	{
		smartcar_item_fail(call, item, "It repeats an earlier page.");
		return false;
	}
	if (cycle->pages >= MAX_PAGES)
	{
		smartcar_item_fail(call, item,
						   psprintf("It exceeds the limit of %d pages.", MAX_PAGES));
		return false;
	}
	if (cycle->pages++ < cycle->renewal)
		return true;

	copy = MemoryContextAlloc(context, Max(mark.length, 1));
	memcpy(copy, mark.data, mark.length);
	cycle->mark = smartcar_span(copy, mark.length);
	cycle->renewal = cycle->pages * 2;
	return true;
}

/* Whether an id differs from that of the filter.  A missing one does not. */
static bool
differs(SmartcarSpan id, SmartcarSpan filter)
{
	if (id.data == NULL || filter.data == NULL)
		return false;
	return !smartcar_span_equal(smartcar_utf8_from_bytes(id.data, (int) id.length), filter);
}

/*
 * Whether a connection matches a filter.  Ids that it lacks match.
 */
bool
smartcar_connection_matches(const SmartcarConnection *connection,
							const SmartcarConnectionFilter *filter)
{
	return !differs(connection->vehicle_id, filter->vehicle_id) &&
		!differs(connection->user_id, filter->user_id) &&
		!differs(connection->external_id, filter->external_id);
}

/* Whether a connection has the ids of the filter, except the external_id. */
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
 * What is wrong with a connection of a list, or NULL.  It needs an id, by which
 * repeated pages are detected and connections deleted.
 */
static const char *
find_fault(const SmartcarConnectionPages *pages, const SmartcarConnection *connection)
{
	if (connection->connection_id.data == NULL && !pages->is_lenient)
		return "It lists a connection without an id.";
	if (!smartcar_connection_matches(connection, &pages->filter) ||
		(pages->must_identify && !is_identified(connection, &pages->filter)))
		return "It lists a connection that was not asked for.";
	return NULL;
}

/*
 * Parses the information about other pages.
 */
static void
parse_paging(SmartcarConnectionPages *pages, const SmartcarApiResponse *response)
{
	JsonbContainer *links = smartcar_json_object_member(response->json, "links");
	JsonbContainer *meta = smartcar_json_object_member(response->json, "meta");

	pages->has_next = text_member(links, "next").length > 0;
	if (meta == NULL)
		return;
	if (!smartcar_json_integer_member(meta, "totalCount", &pages->total))
		pages->total = 0;
	if (!smartcar_json_integer_member(meta, "pageSize", &pages->page_size))
		pages->page_size = 0;
}

/*
 * Whether there may be another page: if there is a link to it, or if the list has
 * fewer connections than Smartcar's total.  Without either, a page is the last one
 * only if it is smaller than the first, or than the default size: the API may
 * return smaller pages than requested.
 */
static bool
may_have_next(const SmartcarConnectionPages *pages)
{
	if (pages->count == 0 || pages->has_next)
		return pages->count > 0;
	if (pages->total > 0)
		return pages->listed < pages->total;
	return pages->count >= DEFAULT_PAGE_SIZE && pages->count >= pages->first_count;
}

/*
 * Parses a page, and calls visit() for each connection.  Returns whether to
 * request another page.
 */
bool
smartcar_connections_parse(SmartcarCall *call, SmartcarItem *item, SmartcarConnectionPages *pages,
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
	pages->page++;
	pages->count = count;
	pages->listed += count;
	if (pages->page == 1)
		pages->first_count = count;
	parse_paging(pages, response);

	for (int i = 0; i < count && item->error == NULL; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(data, i);
		SmartcarConnection connection = {0};
		const char *fault;

		if (object != NULL)
			parse_connection_v3(object, &connection);
		if (!is_usable_id(connection.connection_id))
			connection.connection_id = smartcar_span(NULL, 0);
		fault = find_fault(pages, &connection);
		if (fault != NULL)
		{
			smartcar_item_fail(call, item, fault);
			return false;
		}
		if (first_id.data == NULL && connection.connection_id.data != NULL)
		{
			first_id = connection.connection_id;
			if (!smartcar_page_is_new(call, item, &pages->cycle, item->context, first_id))
				return false;
		}
		visit(call, item, &connection);
	}

	/* without an id, a repeated page cannot be detected */
	if (count > 0 && first_id.data == NULL && item->error == NULL)
	{
		smartcar_item_fail(call, item, "It lists no connection with an id.");
		return false;
	}
	pages->first_id = smartcar_item_copy(item, first_id);
	return may_have_next(pages);
}

/*
 * Prepares the next request of a deletion: a page, or one connection.  A
 * connection without the ids of the filter may be another user's, so it is an
 * error.
 */
void
smartcar_deletion_prepare(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->operation_state;
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	deletion->pages.must_identify = true;
	if (item->step == 0)
		smartcar_connections_prepare(call, item, &deletion->pages, &filter);
	else
		smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DELETE_CONNECTION,
								  deletion->ids.elements[deletion->deleted]);
}

static void
add_id(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->operation_state;

	smartcar_text_list_add(&deletion->ids, item->context, connection->connection_id);
	if (deletion->visit != NULL)
		deletion->visit(call, item, connection);
}

/*
 * Parses a page, or the response to a deletion.  Returns whether there is another
 * request.
 *
 * Nothing is deleted before all pages were checked: if Smartcar ignored a filter,
 * the list would have all connections of the application.  A connection that was
 * deleted by somebody else after it was listed is not an error, because an error
 * would end the deletion before the other connections are deleted.
 */
bool
smartcar_deletion_parse(SmartcarCall *call, SmartcarItem *item,
						const SmartcarApiResponse *response)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->operation_state;

	if (item->step == 0)
	{
		if (response->json == NULL)
			smartcar_item_fail(call, item, "It is empty.");
		else if (smartcar_connections_parse(call, item, &deletion->pages, response, add_id))
			return true;
		item->step++;
	}
	else
		deletion->deleted++;
	return deletion->deleted < deletion->ids.count;
}

/*
 * Adds the deleted connections to the error of a deletion.
 */
void
smartcar_deletion_failed(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionDeletion *deletion = (SmartcarConnectionDeletion *) item->operation_state;
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
