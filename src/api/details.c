/*-------------------------------------------------------------------------
 *
 * details.c
 *	  What the list of connections does not say about a vehicle (v3).
 *
 * src/api/details.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/details.h"

#include "call/request.h"
#include "pg/api_error.h"
#include "pg/json.h"
#include "pg/text.h"

/* The largest page that has been seen in use. */
#define PAGE_SIZE	100

/* A server that makes up new pages is not followed further. */
#define MAX_PAGES	10

/*
 * Whether a response says that a signal has no value yet, as it is with a vehicle
 * that no webhook is subscribed to.  A vehicle that is not found is an error.
 */
bool
smartcar_has_no_value(const SmartcarApiResponse *response)
{
	SmartcarApiError error = {0};

	if (response->status != 404)
		return false;
	smartcar_error_read_body(&error, response->body);
	return (error.type.length == 0 ||
			smartcar_span_equal(error.type, SMARTCAR_SPAN("RESOURCE_NOT_FOUND"))) &&
		!smartcar_span_equal(error.code, SMARTCAR_SPAN("VEHICLE_NOT_FOUND")) &&
		!smartcar_span_equal(error.code, SMARTCAR_SPAN("INVALID_PATH"));
}

/* Reads the value of a signal.  Its body is never NULL. */
typedef void (*Reader) (SmartcarItem *item, SmartcarDetails *details, JsonbContainer *body);

static void
read_access_type(SmartcarItem *item, SmartcarDetails *details, JsonbContainer *body)
{
	details->access_type = smartcar_item_copy(item, smartcar_json_text_member(body, "value"));
}

static void
read_tesla_scopes(SmartcarItem *item, SmartcarDetails *details, JsonbContainer *body)
{
	JsonbContainer *values = smartcar_json_array_member(body, "values");
	SmartcarTextList list = {0};
	MemoryContext old_context;

	if (values == NULL)
		return;
	old_context = MemoryContextSwitchTo(item->context);
	smartcar_text_list_add_all(&list, item->context, values);
	details->tesla_scopes = DatumGetArrayTypeP(smartcar_text_list_datum(&list));
	MemoryContextSwitchTo(old_context);
}

static void
read_virtual_key(SmartcarItem *item, SmartcarDetails *details, JsonbContainer *body)
{
	details->is_paired_known = smartcar_json_boolean_member(body, "value", &details->is_paired);
}

static const struct
{
	SmartcarSpan code;
	Reader		read;
}			signals[SMARTCAR_DETAIL_SIGNALS] = {
	{SMARTCAR_SPAN("vehicleuseraccount-permissions"), read_tesla_scopes},
	{SMARTCAR_SPAN("vehicleuseraccount-role"), read_access_type},
	{SMARTCAR_SPAN("connectivitystatus-isdigitalkeypaired"), read_virtual_key}
};

static void
prepare(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarDetails *details = (SmartcarDetails *) item->gathered;

	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_SIGNALS, item->id);
	smartcar_request_query_number(item, "page[number]", ++details->pages);
	smartcar_request_query_number(item, "page[size]", PAGE_SIZE);
}

/*
 * Reads a signal, if it is one of ours.  One that could not be read has an error of
 * its own, which does not fail the others.
 */
static void
read_signal(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response,
			JsonbContainer *attributes)
{
	SmartcarDetails *details = (SmartcarDetails *) item->gathered;
	SmartcarSpan code = smartcar_json_text_member(attributes, "code");
	JsonbContainer *body = smartcar_json_object_member(attributes, "body");
	JsonbContainer *status = smartcar_json_object_member(attributes, "status");
	JsonbContainer *error = status ? smartcar_json_object_member(status, "error") : NULL;

	for (int i = 0; i < lengthof(signals); i++)
	{
		if (!smartcar_span_equal(code, signals[i].code))
			continue;
		details->found++;
		if (error != NULL && details->error_count < lengthof(details->errors))
		{
			smartcar_item_refuse(call, item, response, error);
			details->errors[details->error_count++] = item->error;
			item->error = NULL;
		}
		else if (error == NULL && body != NULL)
			signals[i].read(item, details, body);
	}
}

/* Whether a list says that it is about another vehicle, as a proxy may mix up. */
static bool
is_of_another(const SmartcarItem *item, const SmartcarApiResponse *response)
{
	JsonbContainer *included = smartcar_json_object_member(response->json, "included");
	JsonbContainer *vehicle = included ? smartcar_json_object_member(included, "vehicle") : NULL;
	SmartcarSpan id = vehicle ? smartcar_json_text_member(vehicle, "id") : smartcar_span(NULL, 0);

	return id.data != NULL &&
		!smartcar_span_equal(smartcar_utf8_from_bytes(id.data, (int) id.length), item->id);
}

/*
 * Parses a page.  A vehicle has fewer signals than a page can hold, so another one
 * is requested only if Smartcar has sent less than it was asked for.
 */
static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SmartcarDetails *details = (SmartcarDetails *) item->gathered;
	JsonbContainer *data;
	JsonbContainer *meta;
	int32		total = 0;
	int			count;

	if (response->status == 404)
	{
		if (!smartcar_has_no_value(response))
			smartcar_item_refuse(call, item, response, NULL);
		return false;
	}
	data = smartcar_json_array_member(response->json, "data");
	meta = smartcar_json_object_member(response->json, "meta");
	if (data == NULL)
	{
		smartcar_item_fail(call, item, "It has no list \"data\".");
		return false;
	}
	if (is_of_another(item, response))
	{
		smartcar_item_fail(call, item, "It is about another vehicle.");
		return false;
	}
	count = JsonContainerSize(data);
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(data, i);
		JsonbContainer *attributes = object ?
			smartcar_json_object_member(object, "attributes") : NULL;

		if (attributes != NULL)
			read_signal(call, item, response, attributes);
	}
	details->listed += count;
	if (meta != NULL)
		(void) smartcar_json_integer_member(meta, "totalCount", &total);
	return count > 0 && details->found < lengthof(signals) && details->listed < total &&
		details->pages < MAX_PAGES;
}

const SmartcarOperation smartcar_details_operation = {
	.accepts_no_value = true,
	.prepare = prepare,
	.parse = parse
};
