/*-------------------------------------------------------------------------
 *
 * tesla.c
 *	  The SQL functions for what a Tesla account allows.
 *
 * The v3 API has signals instead of the Tesla endpoints of v2.0.
 *
 * src/api/tesla.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "api/signal.h"
#include "api/sql_function.h"
#include "call/request.h"
#include "pg/json.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_get_tesla_access);
PG_FUNCTION_INFO_V1(smartcar_get_tesla_access_many);
PG_FUNCTION_INFO_V1(smartcar_get_virtual_key);
PG_FUNCTION_INFO_V1(smartcar_get_virtual_key_many);
PG_FUNCTION_INFO_V1(smartcar_get_tesla_migration);

/*
 * The body of a signal, or NULL if it has no value.  If Smartcar could not read
 * the signal, the response is a success, but the item fails with the error of the
 * signal.
 */
static JsonbContainer *
signal_body(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	JsonbContainer *data;
	SmartcarSignal signal = {0};

	if (smartcar_has_no_value(response))
		return NULL;
	if (response->status == 404)
	{
		smartcar_item_refuse(call, item, response, NULL);
		return NULL;
	}
	data = smartcar_json_object_member(response->json, "data");
	if (data != NULL)
		(void) smartcar_signal_parse(data, &signal);
	if (signal.error != NULL)
		smartcar_item_refuse(call, item, response, signal.error);
	else if (signal.body == NULL &&
			 !smartcar_span_equal(signal.status, SMARTCAR_SPAN("UNAVAILABLE")))
		smartcar_item_fail(call, item, "It has no signal with a body.");
	return signal.body;
}

static void
set_texts(SmartcarCall *call, SmartcarItem *item, int column, JsonbContainer *array)
{
	SmartcarTextList list = {0};
	MemoryContext old_context = MemoryContextSwitchTo(call->context);

	if (array != NULL)
	{
		smartcar_text_list_add_all(&list, item->context, array);
		smartcar_item_set_datum(item, column, smartcar_text_list_datum(&list));
	}
	MemoryContextSwitchTo(old_context);
}

/* smartcar_get_tesla_access() */

enum
{
	COLUMN_ACCESS_TYPE,
	COLUMN_TESLA_SCOPES,
	ACCESS_COLUMN_COUNT
};

static void
prepare_access_v2(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_TESLA_ACCESS, item->id);
}

static bool
parse_access_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	smartcar_item_set_text(call, item, COLUMN_ACCESS_TYPE,
						   smartcar_json_text_member(response->json, "accessType"));
	set_texts(call, item, COLUMN_TESLA_SCOPES, smartcar_json_array_member(response->json, "permissions"));
	return false;
}

static const SmartcarOperation access_v2 = {
	.prepare = prepare_access_v2,
	.parse = parse_access_v2
};

/* Two requests: the Tesla scopes, then the access type. */
static void
prepare_access_v3(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item,
							  item->step == 0 ? SMARTCAR_ENDPOINT_ACCOUNT_PERMISSIONS :
							  SMARTCAR_ENDPOINT_ACCOUNT_ROLE, item->id);
}

static bool
parse_access_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	JsonbContainer *body = signal_body(call, item, response);

	if (item->error != NULL)
		return false;
	if (item->step == 0)
	{
		if (body != NULL)
			set_texts(call, item, COLUMN_TESLA_SCOPES, smartcar_json_array_member(body, "values"));
		item->step++;
		return true;
	}
	if (body != NULL)
		smartcar_item_set_text(call, item, COLUMN_ACCESS_TYPE, smartcar_json_text_member(body, "value"));
	return false;
}

static const SmartcarOperation access_v3 = {
	.accepts_no_value = true,
	.prepare = prepare_access_v3,
	.parse = parse_access_v3
};

const SmartcarTypedCall smartcar_tesla_access_call = {
	.name = "smartcar_get_tesla_access",
	SMARTCAR_VEHICLE_ARGUMENTS,
	.columns = ACCESS_COLUMN_COUNT,
	.operations = {&access_v2, &access_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER, SMARTCAR_AUTHORIZE_APPLICATION}
};

/* smartcar_get_virtual_key() and smartcar_get_tesla_migration() */

static void
parse_boolean(SmartcarCall *call, SmartcarItem *item, JsonbContainer *object, const char *name)
{
	bool		value;

	if (smartcar_json_boolean_member(object, name, &value))
		smartcar_item_set_datum(item, 0, BoolGetDatum(value));
	else
		smartcar_item_fail(call, item, psprintf("Its member \"%s\" is not a boolean.", name));
}

static void
prepare_virtual_key(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item,
							  call->version == SMARTCAR_API_V3 ?
							  SMARTCAR_ENDPOINT_DIGITAL_KEY :
							  SMARTCAR_ENDPOINT_TESLA_VIRTUAL_KEY, item->id);
}

static bool
parse_virtual_key_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	parse_boolean(call, item, response->json, "isPaired");
	return false;
}

static bool
parse_virtual_key_v3(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	JsonbContainer *body = signal_body(call, item, response);

	if (body != NULL)
		parse_boolean(call, item, body, "value");
	return false;
}

static const SmartcarOperation virtual_key_v2 = {
	.prepare = prepare_virtual_key,
	.parse = parse_virtual_key_v2
};

static const SmartcarOperation virtual_key_v3 = {
	.accepts_no_value = true,
	.prepare = prepare_virtual_key,
	.parse = parse_virtual_key_v3
};

const SmartcarTypedCall smartcar_virtual_key_call = {
	.name = "smartcar_get_virtual_key",
	SMARTCAR_VEHICLE_ARGUMENTS,
	.columns = 1,
	.operations = {&virtual_key_v2, &virtual_key_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER, SMARTCAR_AUTHORIZE_APPLICATION}
};

static void
prepare_migration(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_TESLA_MIGRATION, item->id);
}

static bool
parse_migration(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	parse_boolean(call, item, response->json, "requiresMigration");
	return false;
}

static const SmartcarOperation migration_v2 = {
	.prepare = prepare_migration,
	.parse = parse_migration
};

static const SmartcarTypedCall migration_call = {
	.name = "smartcar_get_tesla_migration",
	SMARTCAR_VEHICLE_ARGUMENTS,
	.columns = 1,
	.operations = {&migration_v2, NULL},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER, SMARTCAR_AUTHORIZE_NONE}
};

Datum
smartcar_get_tesla_access(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &smartcar_tesla_access_call);
}

Datum
smartcar_get_tesla_access_many(PG_FUNCTION_ARGS)
{
	return smartcar_call_many(fcinfo, &smartcar_tesla_access_call);
}

Datum
smartcar_get_virtual_key(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &smartcar_virtual_key_call);
}

Datum
smartcar_get_virtual_key_many(PG_FUNCTION_ARGS)
{
	return smartcar_call_many(fcinfo, &smartcar_virtual_key_call);
}

Datum
smartcar_get_tesla_migration(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &migration_call);
}
