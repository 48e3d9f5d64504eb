/*-------------------------------------------------------------------------
 *
 * subscription.c
 *	  Webhooks of the v3 API, and their subscriptions.
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
	ARGUMENT_VEHICLE_ID,
	ARGUMENT_USER_ID,
	ARGUMENT_WEBHOOK_ID,
	ARGUMENT_SERVER
};

/* The columns of the SQL type smartcar_webhook. */
enum
{
	COLUMN_ID,
	COLUMN_NAME,
	COLUMN_CALLBACK_URI,
	COLUMN_IS_ENABLED,
	COLUMN_AUTO_SUBSCRIBE,
	COLUMN_SIGNALS,
	COLUMN_TRIGGERS,
	COLUMN_COUNT
};

/* The progress of an item in the pages of a list. */
typedef struct ListPages
{
	int			page;			/* the last one that was parsed */
	SmartcarPageCycle cycle;
} ListPages;

/* The progress of smartcar_get_webhooks(). */
typedef struct WebhookList
{
	ListPages	pages;
	ArrayBuildState *rows;		/* in the context of the call */
} WebhookList;

/* The progress of smartcar_unsubscribe(). */
typedef struct Unsubscription
{
	ListPages	pages;
	SmartcarTextList ids;
	int			deleted;
} Unsubscription;

typedef bool (*ElementVisitor) (SmartcarCall *call, SmartcarItem *item, JsonbContainer *object);

static void
add_page_parameters(SmartcarItem *item, const ListPages *pages)
{
	smartcar_request_query_number(item, "page[number]", pages->page + 1);
	smartcar_request_query_number(item, "page[size]", PAGE_SIZE);
}

/*
 * Parses a page, and calls visit() for each element.  Returns whether there is
 * another page.
 */
static bool
parse_page(SmartcarCall *call, SmartcarItem *item, ListPages *pages,
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
	pages->page++;
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
		if ((i == 0 && !smartcar_page_is_new(call, item, &pages->cycle, item->context, id)) ||
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
set_boolean(Datum *values, bool *nulls, int column, JsonbContainer *attributes, const char *key)
{
	bool		value;

	if (!smartcar_json_boolean_member(attributes, key, &value))
		return;
	values[column] = BoolGetDatum(value);
	nulls[column] = false;
}

/* Sets a column to the codes of a list of signals. */
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
	Datum		values[COLUMN_COUNT] = {0};
	bool		nulls[COLUMN_COUNT];

	memset(nulls, true, sizeof(nulls));
	smartcar_set_text_column(values, nulls, COLUMN_ID, smartcar_json_text_member(object, "id"));
	if (attributes != NULL)
	{
		smartcar_set_text_column(values, nulls, COLUMN_NAME, smartcar_json_text_member(attributes, "name"));
		smartcar_set_text_column(values, nulls, COLUMN_CALLBACK_URI, smartcar_json_text_member(attributes, "callbackUri"));
		set_boolean(values, nulls, COLUMN_IS_ENABLED, attributes, "isEnabled");
		set_boolean(values, nulls, COLUMN_AUTO_SUBSCRIBE, attributes, "autoSubscribe");
		set_codes(values, nulls, COLUMN_SIGNALS, attributes, "data");
		set_codes(values, nulls, COLUMN_TRIGGERS, attributes, "triggers");
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
	add_page_parameters(item, &webhook_list(item)->pages);
}

static bool
parse_webhooks(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	WebhookList *list = webhook_list(item);

	if (parse_page(call, item, &list->pages, response, add_webhook))
		return true;
	smartcar_item_set_datum(item, 0, makeArrayResult(webhook_rows(call, list), call->context));
	return false;
}

static void
begin_webhooks(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	call->arguments = smartcar_row_descriptor(fcinfo, COLUMN_COUNT);
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
	.authorizations = {SMARTCAR_AUTHORIZE_NONE, SMARTCAR_AUTHORIZE_APPLICATION},
	.begin = begin_webhooks
};

/* smartcar_subscribe() */

/* The only argument of the call: the id of the webhook, in UTF-8. */
static SmartcarSpan
webhook_id_argument(const SmartcarCall *call)
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
 * Subscribing a vehicle again changes nothing, so the request is repeatable.
 */
static void
prepare_subscribe(SmartcarCall *call, SmartcarItem *item)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"data\":{\"attributes\":{");
	append_member(&json, "webhookId", webhook_id_argument(call));
	appendStringInfoChar(&json, ',');
	append_member(&json, "userId", item->user_id);
	appendStringInfoChar(&json, ',');
	append_member(&json, "vehicleId", item->id);
	appendStringInfoString(&json, "}}}");

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_SUBSCRIBE, smartcar_span(NULL, 0));
	smartcar_request_body(item, "application/json", smartcar_span(json.data, json.len));
	item->request.kind = SMARTCAR_REQUEST_REPEATABLE;
}

/* Status 409 means that the vehicle is subscribed already. */
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

	if (PG_ARGISNULL(ARGUMENT_USER_ID))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id must not be null")));
	*webhook_id = smartcar_argument_span(fcinfo, ARGUMENT_WEBHOOK_ID);
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
	.id_argument = ARGUMENT_VEHICLE_ID, \
	.access_token_argument = SMARTCAR_NO_ARGUMENT, \
	.user_id_argument = ARGUMENT_USER_ID, \
	.server_argument = ARGUMENT_SERVER, \
	.columns = 1, \
	.authorizations = {SMARTCAR_AUTHORIZE_NONE, SMARTCAR_AUTHORIZE_APPLICATION}, \
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
	smartcar_request_query(item, "filter[webhookId]", webhook_id_argument(call));
	add_page_parameters(item, &state->pages);
}

/* Whether a subscription has a relationship of a kind to an id. */
static bool
has_relationship(JsonbContainer *object, const char *kind, SmartcarSpan id)
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
 * A subscription without these relationships is an error: if Smartcar ignored a
 * filter, the list would have all subscriptions of the application.
 */
static bool
add_subscription(SmartcarCall *call, SmartcarItem *item, JsonbContainer *object)
{
	if (!has_relationship(object, "vehicle", item->id) ||
		!has_relationship(object, "user", item->user_id) ||
		!has_relationship(object, "webhook", webhook_id_argument(call)))
	{
		smartcar_item_fail(call, item, "It lists a subscription that was not asked for.");
		return false;
	}
	smartcar_text_list_add(&unsubscription(item)->ids, item->context,
						   smartcar_json_text_member(object, "id"));
	return true;
}

/*
 * Parses a page, or the response to a deletion.  Returns whether there is another
 * request.
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
		if (parse_page(call, item, &state->pages, response, add_subscription))
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
