/*-------------------------------------------------------------------------
 *
 * vehicle.c
 *	  The SQL functions for users and their vehicles.
 *
 * src/api/vehicle.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "call/request.h"
#include "api/sql_function.h"
#include "api/connection_pages.h"
#include "pg/json.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_get_user);
PG_FUNCTION_INFO_V1(smartcar_get_vehicles);
PG_FUNCTION_INFO_V1(smartcar_get_vehicle);
PG_FUNCTION_INFO_V1(smartcar_get_vehicle_many);
PG_FUNCTION_INFO_V1(smartcar_get_permissions);
PG_FUNCTION_INFO_V1(smartcar_get_permissions_many);

/* The largest page of the API. */
#define VEHICLES_LIMIT	50

/* The progress of an item that returns a list of text. */
typedef struct ListProgress
{
	SmartcarTextList texts;
	SmartcarPageCycle cycle;	/* of the v2.0 API */
	SmartcarConnectionPages pages;	/* of the v3 API */
	int			matches;		/* number of connections (v3) */
} ListProgress;

static ListProgress *
list_state(SmartcarItem *item)
{
	return (ListProgress *) smartcar_item_state(item, sizeof(ListProgress));
}

static void
set_list(SmartcarCall *call, SmartcarItem *item)
{
	MemoryContext old_context = MemoryContextSwitchTo(call->context);

	smartcar_item_set_datum(item, 0, smartcar_text_list_datum(&list_state(item)->texts));
	MemoryContextSwitchTo(old_context);
}

/* Whether all elements are strings that are not empty. */
static bool
every_element_is_text(JsonbContainer *elements)
{
	int			count = JsonContainerSize(elements);

	for (int i = 0; i < count; i++)
	{
		if (smartcar_json_text_element(elements, i).length == 0)
			return false;
	}
	return true;
}

/*
 * Parses a page of the v2.0 API.  Returns whether there is another.  paging.count
 * is the number of elements on all pages.
 */
static bool
parse_page(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response,
		   const char *member)
{
	ListProgress *list = list_state(item);
	JsonbContainer *elements = smartcar_json_array_member(response->json, member);
	JsonbContainer *paging = smartcar_json_object_member(response->json, "paging");
	int			before = list->texts.count;
	int32		count = 0;

	if (elements == NULL)
	{
		smartcar_item_fail(call, item, psprintf("It has no list \"%s\".", member));
		return false;
	}
	if (!every_element_is_text(elements))
	{
		smartcar_item_fail(call, item,
						   psprintf("Its list \"%s\" has an element that is not text.", member));
		return false;
	}
	smartcar_text_list_add_all(&list->texts, item->context, elements);
	if (list->texts.count > before &&
		!smartcar_page_is_new(call, item, &list->cycle, item->context,
							  list->texts.elements[before]))
		return false;
	if (paging != NULL)
		smartcar_json_integer_member(paging, "count", &count);
	if (list->texts.count < count && list->texts.count > before)
		return true;
	set_list(call, item);
	return false;
}

/* smartcar_get_user() */

enum
{
	USER_ACCESS_TOKEN,
	USER_SERVER
};

static void
prepare_user(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_USER, item->id);
}

static bool
parse_user(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SmartcarSpan id = smartcar_json_text_member(response->json, "id");

	if (id.length == 0)
		smartcar_item_fail(call, item, "It has no \"id\".");
	else
		smartcar_item_set_text(call, item, 0, id);
	return false;
}

static const SmartcarOperation user_v2 = {
	.prepare = prepare_user,
	.parse = parse_user
};

const SmartcarTypedCall smartcar_user_call = {
	.name = "smartcar_get_user",
	.id_argument = SMARTCAR_NO_ARGUMENT,
	.access_token_argument = USER_ACCESS_TOKEN,
	.user_id_argument = SMARTCAR_NO_ARGUMENT,
	.server_argument = USER_SERVER,
	.columns = 1,
	.operations = {&user_v2, NULL},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER, SMARTCAR_AUTHORIZE_NONE}
};

/* smartcar_get_vehicles() */

enum
{
	VEHICLES_ACCESS_TOKEN,
	VEHICLES_USER_ID,
	VEHICLES_SERVER
};

static void
prepare_vehicles_v2(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_VEHICLES, item->id);
	smartcar_request_query_number(item, "limit", VEHICLES_LIMIT);
	smartcar_request_query_number(item, "offset", list_state(item)->texts.count);
}

static bool
parse_vehicles_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	return parse_page(call, item, response, "vehicles");
}

static const SmartcarOperation vehicles_v2 = {
	.prepare = prepare_vehicles_v2,
	.parse = parse_vehicles_v2
};

static void
prepare_connections(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionFilter filter = smartcar_item_filter(call, item);

	smartcar_connections_prepare(call, item, &list_state(item)->pages, &filter);
}

static void
add_vehicle(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	if (connection->vehicle_id.length > 0)
		smartcar_text_list_add(&list_state(item)->texts, item->context, connection->vehicle_id);
}

static bool
parse_vehicles_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	if (smartcar_connections_parse(call, item, &list_state(item)->pages, response, add_vehicle))
		return true;
	set_list(call, item);
	return false;
}

static const SmartcarOperation vehicles_v3 = {
	.prepare = prepare_connections,
	.parse = parse_vehicles_v3
};

/*
 * Without a user, the v3 API would list the vehicles of all users.
 */
static void
begin_vehicles(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	if (call->version == SMARTCAR_API_V3 && PG_ARGISNULL(VEHICLES_USER_ID))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id must not be null"),
				 errdetail("Version 3 of the API lists the vehicles of one user."),
				 errhint("smartcar_get_connections() lists those of all users.")));
}

const SmartcarTypedCall smartcar_vehicles_call = {
	.name = "smartcar_get_vehicles",
	.id_argument = SMARTCAR_NO_ARGUMENT,
	.access_token_argument = VEHICLES_ACCESS_TOKEN,
	.user_id_argument = VEHICLES_USER_ID,
	.server_argument = VEHICLES_SERVER,
	.columns = 1,
	.operations = {&vehicles_v2, &vehicles_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin_vehicles
};

/* smartcar_get_vehicle() */

enum
{
	COLUMN_VEHICLE_ID,
	COLUMN_MAKE,
	COLUMN_MODEL,
	COLUMN_YEAR,
	COLUMN_MODE,
	COLUMN_POWERTRAIN_TYPE,
	VEHICLE_COLUMN_COUNT
};

static void
prepare_vehicle(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item,
							  call->version == SMARTCAR_API_V3 ?
							  SMARTCAR_ENDPOINT_V3_VEHICLE : SMARTCAR_ENDPOINT_VEHICLE,
							  item->id);
}

/*
 * Sets the columns of a vehicle.  If the response has another id, a proxy has
 * mixed up responses, and it must not be shown.
 */
static void
set_vehicle(SmartcarCall *call, SmartcarItem *item, SmartcarSpan id, JsonbContainer *vehicle)
{
	int32		year;

	if (id.data != NULL &&
		!smartcar_span_equal(smartcar_utf8_from_bytes(id.data, (int) id.length), item->id))
	{
		smartcar_item_fail(call, item, "It is about another vehicle.");
		return;
	}
	smartcar_item_set_text(call, item, COLUMN_VEHICLE_ID, id);
	smartcar_item_set_text(call, item, COLUMN_MAKE, smartcar_json_text_member(vehicle, "make"));
	smartcar_item_set_text(call, item, COLUMN_MODEL, smartcar_json_text_member(vehicle, "model"));
	smartcar_item_set_text(call, item, COLUMN_MODE, smartcar_json_text_member(vehicle, "mode"));
	smartcar_item_set_text(call, item, COLUMN_POWERTRAIN_TYPE,
						   smartcar_json_text_member(vehicle, "powertrainType"));
	if (smartcar_json_integer_member(vehicle, "year", &year))
		smartcar_item_set_datum(item, COLUMN_YEAR, Int32GetDatum(year));
}

static bool
parse_vehicle_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	set_vehicle(call, item, smartcar_json_text_member(response->json, "id"), response->json);
	return false;
}

static bool
parse_vehicle_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	JsonbContainer *data = smartcar_json_object_member(response->json, "data");
	JsonbContainer *attributes = data ? smartcar_json_object_member(data, "attributes") : NULL;

	if (attributes == NULL)
	{
		smartcar_item_fail(call, item, "It has no \"data\" with \"attributes\".");
		return false;
	}
	set_vehicle(call, item, smartcar_json_text_member(data, "id"), attributes);
	return false;
}

static const SmartcarOperation vehicle_v2 = {
	.prepare = prepare_vehicle,
	.parse = parse_vehicle_v2
};

static const SmartcarOperation vehicle_v3 = {
	.prepare = prepare_vehicle,
	.parse = parse_vehicle_v3
};

const SmartcarTypedCall smartcar_vehicle_call = {
	.name = "smartcar_get_vehicle",
	SMARTCAR_VEHICLE_ARGUMENTS,
	.columns = VEHICLE_COLUMN_COUNT,
	.operations = {&vehicle_v2, &vehicle_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER, SMARTCAR_AUTHORIZE_APPLICATION}
};

/* smartcar_get_permissions() */

/*
 * Smartcar documents no maximum for the size of a page, so its default is used.
 */
static void
prepare_permissions_v2(SmartcarCall *call, SmartcarItem *item)
{
	int			offset = list_state(item)->texts.count;

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_PERMISSIONS, item->id);
	if (offset > 0)
		smartcar_request_query_number(item, "offset", offset);
}

static bool
parse_permissions_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	return parse_page(call, item, response, "permissions");
}

static const SmartcarOperation permissions_v2 = {
	.prepare = prepare_permissions_v2,
	.parse = parse_permissions_v2
};

static void
add_permissions(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	ListProgress *list = list_state(item);

	if (list->matches++ == 0 && connection->permissions != NULL)
		smartcar_text_list_add_all(&list->texts, item->context, connection->permissions);
}

/*
 * Several users of a vehicle may have granted different permissions.  None of
 * their lists, nor all of them together, would be right.
 */
static bool
parse_permissions_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	ListProgress *list = list_state(item);

	if (smartcar_connections_parse(call, item, &list->pages, response, add_permissions))
		return true;
	if (list->matches > 1)
		smartcar_item_fail(call, item,
						   "It lists several connections of this vehicle. Pass the user_id of one of them.");
	else if (list->matches == 1)
		set_list(call, item);
	return false;
}

static const SmartcarOperation permissions_v3 = {
	.prepare = prepare_connections,
	.parse = parse_permissions_v3
};

const SmartcarTypedCall smartcar_permissions_call = {
	.name = "smartcar_get_permissions",
	SMARTCAR_VEHICLE_ARGUMENTS,
	.columns = 1,
	.operations = {&permissions_v2, &permissions_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER, SMARTCAR_AUTHORIZE_APPLICATION}
};

Datum
smartcar_get_user(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &smartcar_user_call);
}

Datum
smartcar_get_vehicles(PG_FUNCTION_ARGS)
{
	return smartcar_call_list(fcinfo, &smartcar_vehicles_call);
}

Datum
smartcar_get_vehicle(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &smartcar_vehicle_call);
}

Datum
smartcar_get_vehicle_many(PG_FUNCTION_ARGS)
{
	return smartcar_call_many(fcinfo, &smartcar_vehicle_call);
}

Datum
smartcar_get_permissions(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &smartcar_permissions_call);
}

Datum
smartcar_get_permissions_many(PG_FUNCTION_ARGS)
{
	return smartcar_call_many(fcinfo, &smartcar_permissions_call);
}
