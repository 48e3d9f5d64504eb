/*-------------------------------------------------------------------------
 *
 * event.c
 *	  Applies an event of a webhook to the connections that it is about.
 *
 * Smartcar delivers events in any order, and repeats one whose delivery failed.  So each
 * part of an event has the time that the event states for it, and does not replace what
 * was known later.
 *
 * src/manager/event.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/event.h"

#include "manager/connection.h"
#include "manager/forgotten_user.h"
#include "manager/known_time.h"
#include "manager/notify.h"
#include "manager/usable_id.h"
#include "manager/webhook_event.h"
#include "pg/api_error.h"
#include "pg/datum.h"
#include "pg/json.h"
#include "pg/text_array.h"

typedef struct Event
{
	const SmartcarServer *server;
	SmartcarSpan id;
	SmartcarSpan type;
	SmartcarSpan user_id;		/* no data: every user of the vehicle */
	SmartcarSpan external_id;
	SmartcarConnectionVehicle vehicle;
	JsonbContainer *data;
	JsonbContainer *meta;		/* NULL: none */
	SmartcarKnownTime time;		/* of parts without a time */
	bool		is_test;
} Event;

/* Applies a part of an event to a row.  Returns whether it changes the row. */
typedef bool (*Applier) (const Event *event, JsonbContainer *part,
						 SmartcarConnectionRow *connection);

/*
 * Reads the first time that an object has under one of the keys.
 */
static bool
read_first_time(JsonbContainer *object, const char *const *keys, SmartcarKnownTime *known)
{
	TimestampTz time;

	for (; *keys != NULL; keys++)
	{
		if (object != NULL && smartcar_json_time_member(object, *keys, &time))
		{
			*known = smartcar_reported_time(time);
			return true;
		}
	}
	return false;
}

static SmartcarKnownTime
event_time(JsonbContainer *meta)
{
	static const char *const keys[] = {"sequence", "deliveredAt", NULL};
	SmartcarKnownTime time;

	return read_first_time(meta, keys, &time) ? time : smartcar_arrival_time();
}

/*
 * The time at which Smartcar retrieved a signal from Tesla.  The time that Tesla has for
 * an unchanged value may be older than a stored report of the same value.
 */
static SmartcarKnownTime
signal_time(const Event *event, JsonbContainer *signal)
{
	static const char *const keys[] = {"retrievedAt", "oemUpdatedAt", NULL};
	SmartcarKnownTime time;

	return read_first_time(smartcar_json_object_member(signal, "meta"), keys, &time) ?
		time : event->time;
}

/*
 * Applies an error, which has begun unless its state is RESOLVED.  A missing permission
 * is not stored: the granted scopes show it, and Smartcar also reports it for signals
 * that nobody has requested.
 */
static bool
apply_error(const Event *event, JsonbContainer *part, SmartcarConnectionRow *connection)
{
	SmartcarApiError error = {0};

	smartcar_error_parse_object(&error, part);
	if (error.status == 0)
		error.status = smartcar_status_for_error_type(error.type);
	error.action = smartcar_error_choose_action(&error);
	if (error.action == SMARTCAR_ACTION_UNKNOWN || error.action == SMARTCAR_ACTION_NONE ||
		smartcar_span_equal(error.type, SMARTCAR_SPAN("PERMISSION")))
		return false;
	if (smartcar_span_equal(smartcar_json_text_member(part, "state"), SMARTCAR_SPAN("RESOLVED")))
		return smartcar_connection_errors_end(&connection->errors, error.type, error.code,
											  &event->time);
	return smartcar_connection_errors_begin(&connection->errors, &error, &event->time);
}

/*
 * Whether a value is to be stored with its time.  The time is stored even if the value
 * is the same, because an older value may still arrive.
 */
static bool
is_newer(const SmartcarKnownTime *time, TimestampTz *known_at, bool is_same)
{
	if (!smartcar_replaces(time, *known_at) ||
		(is_same && (time->is_arrival || *known_at == time->at)))
		return false;
	*known_at = time->at;
	return true;
}

static bool
apply_access_type(const Event *event, JsonbContainer *signal, JsonbContainer *body,
				  SmartcarConnectionRow *connection)
{
	SmartcarKnownTime time = signal_time(event, signal);
	SmartcarSpan value = smartcar_json_text_member(body, "value");
	SmartcarSpan stored = smartcar_span_from_string(connection->access_type);

	if (value.data == NULL ||
		!is_newer(&time, &connection->access_type_known_at, smartcar_span_equal(value, stored)))
		return false;
	connection->access_type = pnstrdup(value.data, value.length);
	return true;
}

static bool
apply_tesla_scopes(const Event *event, JsonbContainer *signal, JsonbContainer *body,
				   SmartcarConnectionRow *connection)
{
	SmartcarKnownTime time = signal_time(event, signal);
	JsonbContainer *values = smartcar_json_array_member(body, "values");
	SmartcarTextList list = {0};
	ArrayType  *scopes;
	bool		is_same;

	if (values == NULL)
		return false;
	smartcar_text_list_add_all(&list, CurrentMemoryContext, values);
	scopes = DatumGetArrayTypeP(smartcar_text_list_datum(&list));
	is_same = connection->tesla_scopes != NULL &&
		VARSIZE(scopes) == VARSIZE(connection->tesla_scopes) &&
		memcmp(scopes, connection->tesla_scopes, VARSIZE(scopes)) == 0;
	if (!is_newer(&time, &connection->tesla_scopes_known_at, is_same))
		return false;
	connection->tesla_scopes = scopes;
	return true;
}

static bool
apply_virtual_key(const Event *event, JsonbContainer *signal, JsonbContainer *body,
				  SmartcarConnectionRow *connection)
{
	SmartcarKnownTime time = signal_time(event, signal);
	bool		is_paired;

	if (!smartcar_json_boolean_member(body, "value", &is_paired) ||
		!is_newer(&time, &connection->virtual_key_known_at,
				  connection->is_paired_known && connection->is_paired == is_paired))
		return false;
	connection->is_paired_known = true;
	connection->is_paired = is_paired;
	return true;
}

/*
 * Applies a signal about the access type, the Tesla scopes or the virtual key.
 */
static bool
apply_signal(const Event *event, JsonbContainer *part, SmartcarConnectionRow *connection)
{
	SmartcarSpan code = smartcar_json_text_member(part, "code");
	JsonbContainer *body = smartcar_json_object_member(part, "body");

	if (body == NULL)
		return false;
	if (smartcar_span_equal(code, SMARTCAR_SPAN("vehicleuseraccount-permissions")))
		return apply_tesla_scopes(event, part, body, connection);
	if (smartcar_span_equal(code, SMARTCAR_SPAN("vehicleuseraccount-role")))
		return apply_access_type(event, part, body, connection);
	if (smartcar_span_equal(code, SMARTCAR_SPAN("connectivitystatus-isdigitalkeypaired")))
		return apply_virtual_key(event, part, body, connection);
	return false;
}

/*
 * Applies an event to a row.  Returns whether it changes the row.
 */
static bool
apply_event(const Event *event, SmartcarConnectionRow *connection)
{
	bool		is_error = smartcar_span_equal(event->type, SMARTCAR_SPAN("VEHICLE_ERROR"));
	Applier		apply = is_error ? apply_error : apply_signal;
	JsonbContainer *list;
	int			count;
	bool		changed = false;

	if (!is_error && !smartcar_span_equal(event->type, SMARTCAR_SPAN("VEHICLE_STATE")))
		return false;
	list = smartcar_json_array_member(event->data, is_error ? "errors" : "signals");
	count = list ? JsonContainerSize(list) : 0;
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *part = smartcar_json_object_element(list, i);

		if (part != NULL)
			changed |= apply(event, part, connection);
	}
	return changed;
}

static bool
is_same_error(const SmartcarConnectionError *one, const SmartcarConnectionError *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return smartcar_span_equal(one->type, other->type) &&
		smartcar_span_equal(one->code, other->code);
}

/*
 * Applies an event to a connection after locking it, and notifies if that changes the
 * action or the error to fix first.
 */
static void
lock_and_apply(const Event *event, const char *user_id, const char *vehicle_id)
{
	SmartcarConnectionRow connection;
	const SmartcarConnectionError *stored;
	SmartcarConnectionError copy;
	SmartcarAction before;
	SmartcarAction after;

	if (!smartcar_connection_lock(event->server, user_id, vehicle_id, &connection))
		return;
	before = smartcar_connection_next_action(event->server, &connection);
	stored = smartcar_connection_errors_first(&connection.errors);
	if (stored != NULL)
	{
		copy = *stored;
		stored = &copy;
	}
	if (!apply_event(event, &connection))
		return;
	smartcar_connection_update(event->server, &connection);
	after = smartcar_connection_next_action(event->server, &connection);
	if (before != after ||
		!is_same_error(stored, smartcar_connection_errors_first(&connection.errors)))
		smartcar_notify(event->server, event->type, &connection);
}

/*
 * Whether an event may change a connection.  A test event of Smartcar's dashboard must
 * not change a live one.
 */
static bool
may_change(const Event *event, const SmartcarConnectionRow *connection)
{
	return !event->is_test ||
		(connection->mode != NULL && strcmp(connection->mode, "live") != 0);
}

/*
 * Whether the id of an event may have been deleted, so that a repeat would not be
 * recognized.
 */
static bool
is_too_old(const Event *event)
{
	TimestampTz delivered_at;

	return event->meta != NULL &&
		smartcar_json_time_member(event->meta, "deliveredAt", &delivered_at) &&
		delivered_at < event->time.now - SMARTCAR_MAX_EVENT_AGE;
}

static void
parse_vehicle(JsonbContainer *object, SmartcarConnectionVehicle *vehicle)
{
	vehicle->id = smartcar_json_text_member(object, "id");
	vehicle->make = smartcar_json_text_member(object, "make");
	vehicle->model = smartcar_json_text_member(object, "model");
	vehicle->mode = smartcar_json_text_member(object, "mode");
	vehicle->powertrain_type = smartcar_json_text_member(object, "powertrainType");
	if (!smartcar_json_integer_member(object, "year", &vehicle->year))
		vehicle->year = 0;
}

static void
parse_event(Event *event, JsonbContainer *body)
{
	JsonbContainer *user;
	JsonbContainer *vehicle;

	event->id = smartcar_json_text_member(body, "eventId");
	event->type = smartcar_json_text_member(body, "eventType");
	event->data = smartcar_json_object_member(body, "data");
	event->meta = smartcar_json_object_member(body, "meta");
	event->time = event_time(event->meta);
	event->is_test = event->meta != NULL &&
		smartcar_span_equal(smartcar_json_text_member(event->meta, "mode"), SMARTCAR_SPAN("TEST"));
	if (event->data == NULL)
		return;
	user = smartcar_json_object_member(event->data, "user");
	vehicle = smartcar_json_object_member(event->data, "vehicle");
	if (user != NULL)
	{
		event->user_id = smartcar_json_text_member(user, "id");
		event->external_id = smartcar_json_text_member(user, "externalId");
	}
	if (vehicle != NULL)
		parse_vehicle(vehicle, &event->vehicle);
}

/*
 * Stores the connection of an event about an unknown vehicle, if the event names its
 * owner: an owner who connects without a callback is first seen here.  In version 2.0 of
 * the API, no request could be made about the vehicle without a token.  After an owner
 * was forgotten, the event may be a repeat.
 */
static void
store_connection(const Event *event)
{
	SmartcarConnectionRow connection;
	const char *user_id;
	const char *vehicle_id;

	if (event->is_test || event->external_id.length == 0 ||
		event->external_id.length > SMARTCAR_MAX_EXTERNAL_ID_LENGTH ||
		!smartcar_user_id_is_usable(event->user_id) ||
		!smartcar_vehicle_id_is_usable(event->vehicle.id) ||
		smartcar_server_api_version(event->server) != SMARTCAR_API_V3)
		return;
	user_id = pnstrdup(event->user_id.data, event->user_id.length);
	if (smartcar_user_is_forgotten(event->server, user_id, SMARTCAR_AT_ANY_TIME) ||
		!smartcar_connection_insert(event->server, event->user_id, event->external_id,
									&event->vehicle))
		return;
	vehicle_id = pnstrdup(event->vehicle.id.data, event->vehicle.id.length);
	if (!smartcar_connection_lock(event->server, user_id, vehicle_id, &connection))
		return;
	if (apply_event(event, &connection))
		smartcar_connection_update(event->server, &connection);
	smartcar_notify(event->server, event->type, &connection);
}

/*
 * Applies an event whose signature was verified.  Returns false if it is too old.
 */
bool
smartcar_event_apply(const SmartcarServer *server, JsonbContainer *body)
{
	Event		event = {.server = server};
	SmartcarConnectionRow *connections;
	bool		is_new;
	int			count;

	parse_event(&event, body);
	if (is_too_old(&event))
		return false;
	if (event.data == NULL)
		return true;
	connections = smartcar_webhook_event_insert(server, event.id, event.vehicle.id,
												event.user_id, &is_new, &count);
	if (is_new && count == 0)
		store_connection(&event);
	for (int i = 0; is_new && i < count; i++)
	{
		const char *user_id = connections[i].user_id;
		const char *vehicle_id = connections[i].vehicle_id;

		if (may_change(&event, &connections[i]) && apply_event(&event, &connections[i]))
			lock_and_apply(&event, user_id, vehicle_id);
	}
	return true;
}
