/*-------------------------------------------------------------------------
 *
 * signal.c
 *	  Signals of a vehicle, as the v3 API and webhooks write them.
 *
 * A list of signals is good even if a signal in it could not be read; that signal
 * has an error of its own.
 *
 * src/api/signal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/signal.h"

#include "call/request.h"
#include "pg/api_error.h"
#include "pg/json.h"
#include "pg/text.h"

/* The largest page that has been seen in use. */
#define PAGE_SIZE	100

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
	smartcar_error_parse_body(&error, response->body);
	return (error.type.length == 0 ||
			smartcar_span_equal(error.type, SMARTCAR_SPAN("RESOURCE_NOT_FOUND"))) &&
		!smartcar_span_equal(error.code, SMARTCAR_SPAN("VEHICLE_NOT_FOUND")) &&
		!smartcar_span_equal(error.code, SMARTCAR_SPAN("INVALID_PATH"));
}

/*
 * Reads a signal.  Returns false for an object that is none.  A status of ERROR
 * without an error is an error of which nothing is known.
 */
bool
smartcar_signal_read(JsonbContainer *object, SmartcarSignal *signal)
{
	JsonbContainer *status;

	memset(signal, 0, sizeof(*signal));
	signal->attributes = smartcar_json_object_member(object, "attributes");
	if (signal->attributes == NULL)
		return false;
	signal->code = smartcar_json_text_member(signal->attributes, "code");
	signal->body = smartcar_json_object_member(signal->attributes, "body");
	signal->meta = smartcar_json_object_member(object, "meta");
	status = smartcar_json_object_member(signal->attributes, "status");
	if (status != NULL)
	{
		signal->status = smartcar_json_text_member(status, "value");
		signal->error = smartcar_json_object_member(status, "error");
		if (signal->error == NULL && smartcar_span_equal(signal->status, SMARTCAR_SPAN("ERROR")))
			signal->error = status;
	}
	return true;
}

/*
 * The error of a signal, which is not one of the item.
 */
const SmartcarFailure *
smartcar_signal_failure(SmartcarCall *call, SmartcarItem *item,
						const SmartcarApiResponse *response, const SmartcarSignal *signal)
{
	const SmartcarFailure *failure;

	smartcar_item_refuse(call, item, response, signal->error);
	failure = item->error;
	item->error = NULL;
	return failure;
}

/*
 * Describes the request for the next page, which is made again if the token was
 * refused.  Smartcar documents no filter by code.
 */
void
smartcar_signals_ask(SmartcarCall *call, SmartcarItem *item, SmartcarSignalWalk *walk)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_SIGNALS, item->id);
	smartcar_request_query_number(item, "page[number]", walk->page + 1);
	smartcar_request_query_number(item, "page[size]", PAGE_SIZE);
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
 * Parses a page; returns whether to ask for another.  A vehicle has fewer signals
 * than a page can hold, so another one is requested only if Smartcar has sent less
 * than it says there are.
 */
bool
smartcar_signals_parse(SmartcarCall *call, SmartcarItem *item, SmartcarSignalWalk *walk,
					   const SmartcarApiResponse *response, SmartcarSignalVisitor visit)
{
	JsonbContainer *data;
	JsonbContainer *meta;
	bool		is_marked = false;
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
		SmartcarSignal signal;

		if (object == NULL || !smartcar_signal_read(object, &signal) || signal.code.length == 0)
			continue;
		if (!is_marked &&
			!smartcar_page_is_new(call, item, &walk->trail, item->context, signal.code))
			return false;
		is_marked = true;
		visit(call, item, response, &signal);
	}
	walk->page++;
	walk->listed += count;
	if (meta != NULL)
		(void) smartcar_json_integer_member(meta, "totalCount", &total);
	return count > 0 && walk->listed < total;
}
