/*-------------------------------------------------------------------------
 *
 * details.c
 *	  The operation that reads details of a vehicle (v3): its access type, Tesla
 *	  scopes and virtual key.
 *
 * src/api/details.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/details.h"

#include "pg/json.h"

/* Parses the body of a signal, which is not NULL. */
typedef void (*SignalParser) (SmartcarItem *item, SmartcarDetails *details, JsonbContainer *body);

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
	SignalParser parse;
}			signals[SMARTCAR_DETAIL_SIGNALS] = {
	{SMARTCAR_SPAN("vehicleuseraccount-permissions"), read_tesla_scopes},
	{SMARTCAR_SPAN("vehicleuseraccount-role"), read_access_type},
	{SMARTCAR_SPAN("connectivitystatus-isdigitalkeypaired"), read_virtual_key}
};

static void
prepare(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_signals_prepare(call, item, &((SmartcarDetails *) item->operation_state)->pages);
}

/*
 * Parses a signal, if it is one of the three.  A signal with an error does not
 * fail the others.
 */
static void
parse_signal(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response,
			 const SmartcarSignal *signal)
{
	SmartcarDetails *details = (SmartcarDetails *) item->operation_state;

	for (int i = 0; i < lengthof(signals); i++)
	{
		if (!smartcar_span_equal(signal->code, signals[i].code))
			continue;
		details->found++;
		if (signal->error != NULL && details->error_count < lengthof(details->errors))
			details->errors[details->error_count++] =
				smartcar_signal_failure(call, item, response, signal);
		else if (signal->error == NULL && signal->body != NULL)
			signals[i].parse(item, details, signal->body);
	}
}

static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SmartcarDetails *details = (SmartcarDetails *) item->operation_state;

	return smartcar_signals_parse(call, item, &details->pages, response, parse_signal) &&
		details->found < lengthof(signals);
}

const SmartcarOperation smartcar_details_operation = {
	.accepts_no_value = true,
	.prepare = prepare,
	.parse = parse
};
