/*-------------------------------------------------------------------------
 *
 * receive_webhook.c
 *	  The SQL function that takes an event of a webhook.
 *
 * Anybody can call the address of a webhook, so what is not signed changes
 * nothing, raises nothing and logs nothing.  The one event that is not signed
 * is the challenge, whose answer is made with the very key and in the very way
 * of a signature; so a challenge is answered only if it cannot be the text of
 * an event, or everybody could have his events signed here.
 *
 * src/manager/receive_webhook.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "core/hex.h"
#include "core/utf8.h"
#include "manager/spi.h"
#include "manager/webhook_event.h"
#include "pg/api_error.h"
#include "pg/fn_state.h"
#include "pg/hmac.h"
#include "pg/json.h"
#include "pg/secret.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_receive_webhook);

#define CHANNEL					"smartcar_tesla"
#define MAX_CHALLENGE_LENGTH	256
#define MAX_STRANGE_LENGTH		(64 * 1024)
#define MAX_PAYLOAD_LENGTH		7900

typedef struct Event
{
	const SmartcarServer *server;
	SmartcarSpan id;
	SmartcarSpan type;
	SmartcarSpan user_id;		/* no data: every user of the vehicle */
	SmartcarSpan vehicle_id;
	JsonbContainer *data;
} Event;

static void
compute(SmartcarServer *server, SmartcarSpan message, unsigned char digest[SMARTCAR_HMAC_LENGTH])
{
	const char *token = smartcar_secret(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN, NULL);

	smartcar_hmac_compute(smartcar_hmac_create(CurrentMemoryContext,
											   smartcar_span_from_string(token)),
						  message, digest);
}

/*
 * No event is without quotes and braces.
 */
static bool
is_harmless(SmartcarSpan challenge)
{
	return challenge.length <= MAX_CHALLENGE_LENGTH && smartcar_span_is_visible(challenge) &&
		memchr(challenge.data, '"', challenge.length) == NULL &&
		memchr(challenge.data, '{', challenge.length) == NULL;
}

/*
 * A body that is not signed, as a text that can be parsed without an error; no
 * data if there may be one.  A challenge is short and ASCII, so nothing else is
 * looked at.
 */
static SmartcarSpan
harmless_text(SmartcarSpan body)
{
	char	   *copy;

	if (body.length > MAX_STRANGE_LENGTH)
		return smartcar_span(NULL, 0);
	if (GetDatabaseEncoding() == PG_UTF8)
		return body;
	if (memchr(body.data, '\\', body.length) != NULL)
		return smartcar_span(NULL, 0);
	copy = pnstrdup(body.data, body.length);
	for (size_t i = 0; i < body.length; i++)
	{
		if (IS_HIGHBIT_SET(copy[i]))
			copy[i] = '?';
	}
	return smartcar_span(copy, body.length);
}

/*
 * The challenge of an event, in either form; no data if it is none.
 */
static SmartcarSpan
challenge_of(JsonbContainer *event)
{
	JsonbContainer *content = NULL;

	if (smartcar_span_equal(smartcar_json_text_member(event, "eventType"),
							SMARTCAR_SPAN("VERIFY")))
		content = smartcar_json_object_member(event, "data");
	else if (smartcar_span_equal(smartcar_json_text_member(event, "eventName"),
								 SMARTCAR_SPAN("verify")))
		content = smartcar_json_object_member(event, "payload");
	return content ? smartcar_json_text_member(content, "challenge") : smartcar_span(NULL, 0);
}

static text *
answer_challenge(SmartcarServer *server, SmartcarSpan challenge)
{
	unsigned char digest[SMARTCAR_HMAC_LENGTH];
	char		digits[2 * SMARTCAR_HMAC_LENGTH + 1];

	compute(server, challenge, digest);
	smartcar_hex_encode(digest, SMARTCAR_HMAC_LENGTH, digits);
	digits[2 * SMARTCAR_HMAC_LENGTH] = '\0';
	return cstring_to_text(psprintf("{\"challenge\":\"%s\"}", digits));
}

static bool
is_genuine(SmartcarServer *server, SmartcarSpan body, SmartcarSpan signature)
{
	unsigned char claimed[SMARTCAR_HMAC_LENGTH];
	unsigned char digest[SMARTCAR_HMAC_LENGTH];

	if (!smartcar_hex_decode(signature, claimed, SMARTCAR_HMAC_LENGTH))
		return false;
	compute(server, body, digest);
	return CRYPTO_memcmp(digest, claimed, SMARTCAR_HMAC_LENGTH) == 0;
}

static void
pass_vehicle(const Event *event, SmartcarParameters *parameters)
{
	smartcar_parameter_string(parameters, event->server->name);
	smartcar_parameter_text(parameters, event->vehicle_id);
	smartcar_parameter_text(parameters, event->user_id);
}

#define OF_THIS_VEHICLE	"WHERE server = $1 AND vehicle_id = $2 AND (user_id = $3 OR $3 IS NULL)"

/*
 * An error that began or ended.  One without a state has begun.  One that goes
 * away by itself does not take the place of one that needs somebody.  That a
 * permission is missing is told by the permissions themselves, and Smartcar
 * tells it of signals, too, that nobody asked for.
 */
static void
apply_error(const Event *event, JsonbContainer *object)
{
	SmartcarApiError error = {0};
	SmartcarParameters parameters = {0};

	smartcar_error_read_object(&error, object);
	if (error.status == 0)
		error.status = smartcar_status_for_error_type(error.type);
	error.action = smartcar_error_decide(&error);
	if (error.action == SMARTCAR_ACTION_UNKNOWN || error.action == SMARTCAR_ACTION_NONE ||
		smartcar_span_equal(error.type, SMARTCAR_SPAN("PERMISSION")))
		return;

	pass_vehicle(event, &parameters);
	smartcar_parameter_text(&parameters, error.type);
	smartcar_parameter_text(&parameters, error.code);
	if (smartcar_span_equal(smartcar_json_text_member(object, "state"), SMARTCAR_SPAN("RESOLVED")))
	{
		smartcar_spi_run("UPDATE smartcar_tesla.connection SET error_type = NULL, error_code = NULL, error_description = NULL, "
						 "error_action = NULL, error_url = NULL, error_at = NULL, updated_at = @now "
						 OF_THIS_VEHICLE " AND error_type = $4 AND error_code IS NOT DISTINCT FROM $5",
						 &parameters);
		return;
	}
	smartcar_parameter_text(&parameters, error.description);
	smartcar_parameter_string(&parameters, smartcar_action_label(error.action));
	smartcar_parameter_text(&parameters, error.resolution_url);
	smartcar_spi_run("UPDATE smartcar_tesla.connection SET error_type = $4, error_code = $5, error_description = $6, "
					 "error_action = $7::@.smartcar_action, error_url = $8, error_at = @now, updated_at = @now "
					 OF_THIS_VEHICLE " AND NOT ($7 = 'retry' AND error_action IS NOT NULL AND error_action <> 'retry')",
					 &parameters);
}

static void
set_column(const Event *event, const char *column, Oid type, Datum value)
{
	SmartcarParameters parameters = {0};

	pass_vehicle(event, &parameters);
	smartcar_parameter(&parameters, type, value, false);
	smartcar_spi_run(psprintf("UPDATE smartcar_tesla.connection SET %s = $4, updated_at = @now "
							  OF_THIS_VEHICLE, column),
					 &parameters);
}

/*
 * A signal that tells about access or the virtual key.
 */
static void
apply_signal(const Event *event, JsonbContainer *object)
{
	SmartcarSpan code = smartcar_json_text_member(object, "code");
	JsonbContainer *body = smartcar_json_object_member(object, "body");
	JsonbContainer *values;
	SmartcarTextList list = {0};
	SmartcarSpan value;
	bool		is_paired;

	if (body == NULL)
		return;
	if (smartcar_span_equal(code, SMARTCAR_SPAN("vehicleuseraccount-permissions")))
	{
		values = smartcar_json_array_member(body, "values");
		if (values == NULL)
			return;
		smartcar_text_list_add_all(&list, CurrentMemoryContext, values);
		set_column(event, "tesla_scopes", TEXTARRAYOID, smartcar_text_list_datum(&list));
	}
	else if (smartcar_span_equal(code, SMARTCAR_SPAN("vehicleuseraccount-role")))
	{
		value = smartcar_json_text_member(body, "value");
		if (value.data != NULL)
			set_column(event, "access_type", TEXTOID,
					   PointerGetDatum(cstring_to_text_with_len(value.data, (int) value.length)));
	}
	else if (smartcar_span_equal(code, SMARTCAR_SPAN("connectivitystatus-isdigitalkeypaired")))
	{
		if (smartcar_json_boolean_member(body, "value", &is_paired))
			set_column(event, "virtual_key_paired", BOOLOID, BoolGetDatum(is_paired));
	}
}

static void
apply_all(const Event *event, const char *member,
		  void (*apply) (const Event *event, JsonbContainer *object))
{
	JsonbContainer *list = smartcar_json_array_member(event->data, member);
	int			count = list ? JsonContainerSize(list) : 0;

	for (int i = 0; i < count; i++)
	{
		JsonbContainer *object = smartcar_json_object_element(list, i);

		if (object != NULL)
			apply(event, object);
	}
}

/*
 * Tells whoever listens what the vehicle now needs.
 */
static void
notify(const Event *event)
{
	SmartcarParameters parameters = {0};
	uint64		rows;

	pass_vehicle(event, &parameters);
	smartcar_parameter_text(&parameters, event->type);
	rows = smartcar_spi_run("SELECT json_build_object('server', server, 'event', $4, 'user_id', user_id, 'vehicle_id', vehicle_id, 'external_id', external_id, "
							"'action', smartcar_tesla.next_action(status, error_action, granted_scopes, tesla_scopes, access_type, make, model, year, virtual_key_paired, server))::text "
							"FROM smartcar_tesla.connection " OF_THIS_VEHICLE, &parameters);
	for (uint64 i = 0; i < rows; i++)
	{
		char	   *payload = smartcar_result_string(i, 0);

		/* the server takes no longer ones */
		if (strlen(payload) < MAX_PAYLOAD_LENGTH)
			Async_Notify(CHANNEL, payload);
	}
}

static void
apply_event(Event *event, JsonbContainer *body)
{
	JsonbContainer *user;
	JsonbContainer *vehicle;

	event->id = smartcar_json_text_member(body, "eventId");
	event->type = smartcar_json_text_member(body, "eventType");
	event->data = smartcar_json_object_member(body, "data");
	if (event->data == NULL ||
		(event->id.length > 0 && !smartcar_webhook_event_insert(event->server, event->id)))
		return;
	user = smartcar_json_object_member(event->data, "user");
	vehicle = smartcar_json_object_member(event->data, "vehicle");
	if (vehicle == NULL)
		return;
	event->vehicle_id = smartcar_json_text_member(vehicle, "id");
	if (user != NULL)
		event->user_id = smartcar_json_text_member(user, "id");

	if (smartcar_span_equal(event->type, SMARTCAR_SPAN("VEHICLE_ERROR")))
		apply_all(event, "errors", apply_error);
	else if (smartcar_span_equal(event->type, SMARTCAR_SPAN("VEHICLE_STATE")))
		apply_all(event, "signals", apply_signal);
	notify(event);
}

Datum
smartcar_receive_webhook(PG_FUNCTION_ARGS)
{
	SmartcarServer *server =
		&smartcar_fn_state(fcinfo, 2, sizeof(SmartcarFnState))->server;
	SmartcarSpan body = smartcar_argument_span(fcinfo, 0);
	SmartcarSpan challenge;
	Event		event = {.server = server};
	Jsonb	   *json;
	bool		is_signed;

	if (!OidIsValid(server->serverid))
		smartcar_missing_value(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN, "management_token");
	if (body.length == 0)
		PG_RETURN_NULL();

	/* what comes from strangers is parsed only if parsing it cannot fail */
	is_signed = is_genuine(server, body, smartcar_argument_span(fcinfo, 1));
	if (!smartcar_utf8_valid(body) || memchr(body.data, '\0', body.length) != NULL)
		PG_RETURN_NULL();
	body = is_signed ? smartcar_text_from_utf8(body) : harmless_text(body);
	if (body.data == NULL)
		PG_RETURN_NULL();
	json = smartcar_json_parse(body);
	if (json == NULL || !JB_ROOT_IS_OBJECT(json))
		PG_RETURN_NULL();

	challenge = challenge_of(&json->root);
	if (challenge.data != NULL)
	{
		if (!is_harmless(challenge))
			PG_RETURN_NULL();
		PG_RETURN_TEXT_P(answer_challenge(server, challenge));
	}
	if (!is_signed)
		PG_RETURN_NULL();

	smartcar_spi_begin();
	apply_event(&event, &json->root);
	smartcar_spi_end();
	PG_RETURN_TEXT_P(cstring_to_text(""));
}
