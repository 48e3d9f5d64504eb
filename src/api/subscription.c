/*-------------------------------------------------------------------------
 *
 * subscription.c
 *	  Webhooks of the v3 API, and the vehicles that are subscribed to them.
 *
 * src/api/subscription.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/subscription.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/json.h"

#include "api/connection_pages.h"
#include "api/sql_function.h"
#include "call/request.h"
#include "pg/datum.h"
#include "pg/json.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_get_webhooks);
PG_FUNCTION_INFO_V1(smartcar_subscribe);
PG_FUNCTION_INFO_V1(smartcar_unsubscribe);

#define PAGE_SIZE	100

/* The arguments of smartcar_subscribe() and smartcar_unsubscribe(). */
enum
{
	VEHICLE_ID,
	USER_ID,
	WEBHOOK_ID,
	SERVER
};

/* The columns of the SQL type smartcar_webhook. */
enum
{
	ID,
	NAME,
	CALLBACK_URI,
	IS_ENABLED,
	AUTO_SUBSCRIBE,
	SIGNALS,
	TRIGGERS,
	COLUMNS
};

/* How far an item has come in the pages of a list. */
typedef struct ListWalk
{
	int			page;			/* the one that came last */
	SmartcarPageTrail trail;
} ListWalk;

/* The progress of smartcar_get_webhooks(). */
typedef struct WebhookList
{
	ListWalk	walk;
	ArrayBuildState *rows;		/* of the call */
} WebhookList;

/* That of smartcar_unsubscribe(). */
typedef struct Unsubscription
{
	ListWalk	walk;
	SmartcarTextList ids;
	int			deleted;
} Unsubscription;

typedef bool (*ElementVisitor) (SmartcarCall *call, SmartcarItem *item, JsonbContainer *object);

static void
ask_page(SmartcarItem *item, const ListWalk *walk)
{
	smartcar_request_query_number(item, "page[number]", walk->page + 1);
	smartcar_request_query_number(item, "page[size]", PAGE_SIZE);
}

/*
 * Parses a page; returns whether there is another.
 */
static bool
parse_page(SmartcarCall *call, SmartcarItem *item, ListWalk *walk,
		   const SmartcarApiResponse *response, ElementVisitor visit)
{
	JsonbContainer *data = smartcar_json_array_member(response->json, "data");
	JsonbContainer *links = smartcar_json_object_member(response->json, "links");
	int			count;

	if (data == NULL)
	{
		smartcar_item_fail(call, item, "It has no list \"data\".");
		return false;
	}
	walk->page++;
	count = JsonContainerSize(data);
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(data, i);
		SmartcarSpan id = {NULL, 0};

		if (object != NULL)
			id = smartcar_json_text_member(object, "id");
		if (id.length == 0 || id.length > SMARTCAR_MAX_ID_LENGTH)
		{
			smartcar_item_fail(call, item, "It lists something without an id.");
			return false;
		}
		if ((i == 0 && !smartcar_page_is_new(call, item, &walk->trail, item->context, id)) ||
			!visit(call, item, object))
			return false;
	}
	return count > 0 && links != NULL && smartcar_json_text_member(links, "next").length > 0;
}

/* smartcar_get_webhooks() */

static WebhookList *
webhook_list(SmartcarItem *item)
{
	return (WebhookList *) smartcar_item_state(item, sizeof(WebhookList));
}

static ArrayBuildState *
webhook_rows(SmartcarCall *call, WebhookList *list)
{
	if (list->rows == NULL)
		list->rows = initArrayResult(((TupleDesc) call->arguments)->tdtypeid, call->context, true);
	return list->rows;
}

static void
set_text(Datum *values, bool *nulls, int column, SmartcarSpan value)
{
	values[column] = smartcar_span_text_datum_or_null(value, &nulls[column]);
}

static void
set_boolean(Datum *values, bool *nulls, int column, JsonbContainer *attributes, const char *key)
{
	bool		value;

	if (!smartcar_json_boolean_member(attributes, key, &value))
		return;
	values[column] = BoolGetDatum(value);
	nulls[column] = false;
}

/* The codes of a list of signals. */
static void
set_codes(Datum *values, bool *nulls, int column, JsonbContainer *attributes, const char *key)
{
	JsonbContainer *list = smartcar_json_array_member(attributes, key);
	SmartcarTextList codes = {0};
	int			count;

	if (list == NULL)
		return;
	count = JsonContainerSize(list);
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *signal = smartcar_json_object_element(list, i);
		SmartcarSpan code = {NULL, 0};

		if (signal != NULL)
			code = smartcar_json_text_member(signal, "code");
		if (code.length > 0)
			smartcar_text_list_add(&codes, CurrentMemoryContext, code);
	}
	values[column] = smartcar_text_list_datum(&codes);
	nulls[column] = false;
}

static bool
add_webhook(SmartcarCall *call, SmartcarItem *item, JsonbContainer *object)
{
	TupleDesc	row = (TupleDesc) call->arguments;
	JsonbContainer *attributes = smartcar_json_object_member(object, "attributes");
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];

	memset(nulls, true, sizeof(nulls));
	set_text(values, nulls, ID, smartcar_json_text_member(object, "id"));
	if (attributes != NULL)
	{
		set_text(values, nulls, NAME, smartcar_json_text_member(attributes, "name"));
		set_text(values, nulls, CALLBACK_URI, smartcar_json_text_member(attributes, "callbackUri"));
		set_boolean(values, nulls, IS_ENABLED, attributes, "isEnabled");
		set_boolean(values, nulls, AUTO_SUBSCRIBE, attributes, "autoSubscribe");
		set_codes(values, nulls, SIGNALS, attributes, "data");
		set_codes(values, nulls, TRIGGERS, attributes, "triggers");
	}
	accumArrayResult(webhook_rows(call, webhook_list(item)),
					 HeapTupleGetDatum(heap_form_tuple(row, values, nulls)), false,
					 row->tdtypeid, call->context);
	return true;
}

static void
prepare_webhooks(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_WEBHOOKS, smartcar_span(NULL, 0));
	ask_page(item, &webhook_list(item)->walk);
}

static bool
parse_webhooks(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	WebhookList *list = webhook_list(item);

	if (parse_page(call, item, &list->walk, response, add_webhook))
		return true;
	smartcar_item_set_datum(item, 0, makeArrayResult(webhook_rows(call, list), call->context));
	return false;
}

static void
begin_webhooks(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	call->arguments = smartcar_row_descriptor(fcinfo, COLUMNS);
}

static const SmartcarOperation webhooks_operation = {
	.prepare = prepare_webhooks,
	.parse = parse_webhooks
};

static const SmartcarTypedCall webhooks_call = {
	.name = "smartcar_get_webhooks",
	.id_argument = SMARTCAR_NO_ARGUMENT,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = SMARTCAR_NO_ARGUMENT,
	.server_argument = 0,
	.columns = 1,
	.operations = {NULL, &webhooks_operation},
	.authorizations = {SMARTCAR_AUTHORIZE_NOT, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin_webhooks
};

/* smartcar_subscribe() */

/* Its only argument is the id of the webhook, in UTF-8. */
static SmartcarSpan
webhook_id_of(const SmartcarCall *call)
{
	return *(const SmartcarSpan *) call->arguments;
}

static void
append_member(StringInfo json, const char *name, SmartcarSpan value)
{
	appendStringInfo(json, "\"%s\":", name);
	escape_json(json, pnstrdup(value.data, value.length));
}

/*
 * To subscribe what is subscribed changes nothing, so the request may be repeated.
 */
static void
prepare_subscribe(SmartcarCall *call, SmartcarItem *item)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"data\":{\"attributes\":{");
	append_member(&json, "webhookId", webhook_id_of(call));
	appendStringInfoChar(&json, ',');
	append_member(&json, "userId", item->user_id);
	appendStringInfoChar(&json, ',');
	append_member(&json, "vehicleId", item->id);
	appendStringInfoString(&json, "}}}");

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_SUBSCRIBE, smartcar_span(NULL, 0));
	smartcar_request_body(item, "application/json", smartcar_span(json.data, json.len));
	item->request.kind = SMARTCAR_REQUEST_REPEATABLE;
}

/* 409: the vehicle is subscribed already. */
static bool
parse_subscribe(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	smartcar_item_set_datum(item, 0, BoolGetDatum(response->status != 409));
	return false;
}

static const SmartcarOperation subscribe_operation = {
	.accepts_empty = true,
	.accepts_existing = true,
	.prepare = prepare_subscribe,
	.parse = parse_subscribe
};

/*
 * Begins a call that subscribes vehicles; each item needs an id and a user_id.
 */
void
smartcar_subscriptions_begin(SmartcarCall *call, SmartcarServer *server, SmartcarSpan webhook_id,
							 int count)
{
	SmartcarSpan *argument = palloc(sizeof(SmartcarSpan));

	*argument = webhook_id;
	smartcar_call_begin(call, server, &subscribe_operation, count);
	call->arguments = argument;
}

static void
begin_subscription(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	SmartcarSpan *webhook_id = palloc(sizeof(SmartcarSpan));

	if (PG_ARGISNULL(USER_ID))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id must not be null")));
	*webhook_id = smartcar_argument_span(fcinfo, WEBHOOK_ID);
	if (webhook_id->data == NULL)
		*webhook_id = smartcar_required_option(call->server, SMARTCAR_OPTION_WEBHOOK_ID,
											   "webhook_id");
	else if (!smartcar_span_is_visible(*webhook_id) ||
			 webhook_id->length > SMARTCAR_MAX_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid webhook_id: \"%s\"", smartcar_excerpt(*webhook_id))));
	call->arguments = webhook_id;
}

#define SUBSCRIPTION_ARGUMENTS \
	.id_name = "vehicle_id", \
	.id_argument = VEHICLE_ID, \
	.access_token_argument = SMARTCAR_NO_ARGUMENT, \
	.user_id_argument = USER_ID, \
	.server_argument = SERVER, \
	.columns = 1, \
	.authorizations = {SMARTCAR_AUTHORIZE_NOT, SMARTCAR_AUTHORIZE_APPLICATION}, \
	.begin = begin_subscription

static const SmartcarTypedCall subscribe_call = {
	.name = "smartcar_subscribe",
	SUBSCRIPTION_ARGUMENTS,
	.operations = {NULL, &subscribe_operation}
};

/* smartcar_unsubscribe() */

static Unsubscription *
unsubscription(SmartcarItem *item)
{
	return (Unsubscription *) smartcar_item_state(item, sizeof(Unsubscription));
}

static void
prepare_unsubscribe(SmartcarCall *call, SmartcarItem *item)
{
	Unsubscription *state = unsubscription(item);

	if (item->step > 0)
	{
		smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_UNSUBSCRIBE,
								  state->ids.elements[state->deleted]);
		return;
	}
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_SUBSCRIPTIONS, smartcar_span(NULL, 0));
	smartcar_request_query(item, "filter[vehicleId]", item->id);
	smartcar_request_query(item, "filter[userId]", item->user_id);
	smartcar_request_query(item, "filter[webhookId]", webhook_id_of(call));
	ask_page(item, &state->walk);
}

/* Whether a subscription says that it is about something with this id. */
static bool
is_about(JsonbContainer *object, const char *kind, SmartcarSpan id)
{
	const char *const path[] = {"relationships", kind, "data"};
	SmartcarSpan found;

	for (int i = 0; i < lengthof(path) && object != NULL; i++)
		object = smartcar_json_object_member(object, path[i]);
	if (object == NULL)
		return false;
	found = smartcar_json_text_member(object, "id");
	return found.length > 0 &&
		smartcar_span_equal(smartcar_utf8_from_bytes(found.data, (int) found.length), id);
}

/*
 * A subscription that does not say what it is about counts as another one: were a
 * filter ignored, these would be all subscriptions of the application.
 */
static bool
add_subscription(SmartcarCall *call, SmartcarItem *item, JsonbContainer *object)
{
	if (!is_about(object, "vehicle", item->id) || !is_about(object, "user", item->user_id) ||
		!is_about(object, "webhook", webhook_id_of(call)))
	{
		smartcar_item_fail(call, item, "It lists a subscription that was not asked for.");
		return false;
	}
	smartcar_text_list_add(&unsubscription(item)->ids, item->context,
						   smartcar_json_text_member(object, "id"));
	return true;
}

/*
 * Parses a page, or the response to a deletion; returns whether there is more to
 * do.
 */
static bool
parse_unsubscribe(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	Unsubscription *state = unsubscription(item);

	if (item->step > 0)
		state->deleted++;
	else if (response->json == NULL)
	{
		smartcar_item_fail(call, item, "It is empty.");
		return false;
	}
	else
	{
		if (parse_page(call, item, &state->walk, response, add_subscription))
			return true;
		if (item->error != NULL)
			return false;
		item->step++;
	}
	if (state->deleted < state->ids.count)
		return true;
	smartcar_item_set_datum(item, 0, BoolGetDatum(state->deleted > 0));
	return false;
}

static const SmartcarOperation unsubscribe_operation = {
	.accepts_empty = true,
	.accepts_missing = true,
	.prepare = prepare_unsubscribe,
	.parse = parse_unsubscribe
};

static const SmartcarTypedCall unsubscribe_call = {
	.name = "smartcar_unsubscribe",
	SUBSCRIPTION_ARGUMENTS,
	.operations = {NULL, &unsubscribe_operation}
};

Datum
smartcar_get_webhooks(PG_FUNCTION_ARGS)
{
	return smartcar_call_list(fcinfo, &webhooks_call);
}

Datum
smartcar_subscribe(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &subscribe_call);
}

Datum
smartcar_unsubscribe(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &unsubscribe_call);
}
