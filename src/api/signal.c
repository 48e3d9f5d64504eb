/*-------------------------------------------------------------------------
 *
 * signal.c
 *	  Parses the signals of a vehicle (v3).
 *
 * A list of signals is a success even if Smartcar could not read some of them:
 * each of those has its own error.
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

/* Smartcar does not document a maximum; others use pages of this size. */
#define PAGE_SIZE	100

/*
 * Whether a response 404 says that a signal has no value yet, as for a vehicle
 * without a webhook subscription, and not that the vehicle does not exist.
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
 * Parses a signal.  Returns false if the object is not a signal.  If its status is
 * ERROR and has no error, the status is the error.
 */
bool
smartcar_signal_parse(JsonbContainer *object, SmartcarSignal *signal)
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
 * The failure for the error of a signal.  It does not fail the item.
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
 * Prepares the request for the next page.  Smartcar documents no filter by code,
 * so all signals are requested.
 */
void
smartcar_signals_prepare(SmartcarCall *call, SmartcarItem *item, SmartcarSignalPages *pages)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_SIGNALS, item->id);
	smartcar_request_query_number(item, "page[number]", pages->page + 1);
	smartcar_request_query_number(item, "page[size]", PAGE_SIZE);
}

/* Whether a list is that of another vehicle, because a proxy mixed up responses. */
static bool
is_of_other_vehicle(const SmartcarItem *item, const SmartcarApiResponse *response)
{
	JsonbContainer *included = smartcar_json_object_member(response->json, "included");
	JsonbContainer *vehicle = included ? smartcar_json_object_member(included, "vehicle") : NULL;
	SmartcarSpan id = vehicle ? smartcar_json_text_member(vehicle, "id") : smartcar_span(NULL, 0);

	return id.data != NULL &&
		!smartcar_span_equal(smartcar_utf8_from_bytes(id.data, (int) id.length), item->id);
}

/*
 * Parses a page.  Returns whether to request another one: usually all signals are
 * on one page, so only if there are fewer than the total count that Smartcar
 * returned.
 */
bool
smartcar_signals_parse(SmartcarCall *call, SmartcarItem *item, SmartcarSignalPages *pages,
					   const SmartcarApiResponse *response, SmartcarSignalVisitor visit)
{
	JsonbContainer *data;
	JsonbContainer *meta;
	bool		is_checked = false;
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
	if (is_of_other_vehicle(item, response))
	{
		smartcar_item_fail(call, item, "It is about another vehicle.");
		return false;
	}
	count = JsonContainerSize(data);
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(data, i);
		SmartcarSignal signal;

		if (object == NULL || !smartcar_signal_parse(object, &signal) || signal.code.length == 0)
			continue;
		if (!is_checked &&
			!smartcar_page_is_new(call, item, &pages->cycle, item->context, signal.code))
			return false;
		is_checked = true;
		visit(call, item, response, &signal);
	}
	pages->page++;
	pages->listed += count;
	if (meta != NULL)
		(void) smartcar_json_integer_member(meta, "totalCount", &total);
	return count > 0 && pages->listed < total;
}
