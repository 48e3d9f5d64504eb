/*-------------------------------------------------------------------------
 *
 * sync_vehicles.c
 *	  What Smartcar says about the vehicles of users, stored.
 *
 * src/manager/sync_vehicles.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_vehicles.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "api/sql_function.h"
#include "manager/spi.h"
#include "pg/text.h"
#include "pg/text_array.h"

/* The questions that are asked about each vehicle, side by side. */
enum
{
	VEHICLE,
	PERMISSIONS,
	TESLA_ACCESS,
	VIRTUAL_KEY,
	QUESTIONS
};

static const SmartcarTypedCall *const questions[QUESTIONS] = {
	[VEHICLE] = &smartcar_vehicle_call,
	[PERMISSIONS] = &smartcar_permissions_call,
	[TESLA_ACCESS] = &smartcar_tesla_access_call,
	[VIRTUAL_KEY] = &smartcar_virtual_key_call
};

static void
begin_call(SmartcarCall *call, SmartcarServer *server, const SmartcarTypedCall *typed,
		   int item_count)
{
	SmartcarApiVersion version = smartcar_server_api_version(server);

	smartcar_call_begin(call, server, typed->operations[version], item_count);
	call->authorization = typed->authorizations[version];
}

static void
set_user(SmartcarItem *item, const SmartcarUser *user)
{
	smartcar_item_set_user_id(item, smartcar_span_from_string(user->user_id));
	if (user->access_token != NULL)
		smartcar_item_set_access_token(item, smartcar_span_from_string(user->access_token));
}

/* A column of an answer as a parameter; NULL if the question was not answered. */
static void
pass_column(SmartcarParameters *parameters, const SmartcarItem *item, int column, Oid type)
{
	smartcar_parameter(parameters, type, item->values[column],
					   item->error != NULL || item->nulls[column]);
}

/*
 * What is wrong with a vehicle is the first of its errors that tells somebody
 * to do something.  A permission that we lack for one of our questions is no
 * such thing: the application may never have wanted it, and those that it wants
 * are compared with what it has.
 */
static const SmartcarApiError *
error_of(const SmartcarItem *answers)
{
	for (int i = 0; i < QUESTIONS; i++)
	{
		const SmartcarFailure *error = answers[i].error;

		if (error != NULL && error->api_error.status != 403 &&
			error->api_error.action != SMARTCAR_ACTION_NONE &&
			error->api_error.action != SMARTCAR_ACTION_UNKNOWN)
			return &error->api_error;
	}
	return NULL;
}

static void
pass_error(SmartcarParameters *parameters, const SmartcarApiError *error)
{
	static const SmartcarApiError none = {.action = SMARTCAR_ACTION_UNKNOWN};

	if (error == NULL)
		error = &none;
	smartcar_parameter_text(parameters, error->type);
	smartcar_parameter_text(parameters, error->code);
	smartcar_parameter_text(parameters, error->description);
	smartcar_parameter_string(parameters, error->action == SMARTCAR_ACTION_UNKNOWN ? NULL :
							  smartcar_action_label(error->action));
	smartcar_parameter_text(parameters, error->resolution_url);
}

/* A row that was brought up to date after Smartcar was asked knows better. */
#define NOT_SINCE(table, parameter) \
	"(" table ".synced_at IS NULL OR " table ".synced_at <= " parameter ") "

/*
 * An error that stands and needs somebody is kept if the new one goes away by
 * itself, and if there is no new one but Tesla was not heard.  So is one that
 * came after Smartcar was asked, from a webhook or from a token that was
 * refused, unless it goes away by itself and the new one does not.
 */
#define KEEP_OR_SET(column) \
	column " = CASE WHEN c.error_action <> 'retry' AND (EXCLUDED.error_action = 'retry' OR (EXCLUDED.error_action IS NULL AND NOT $19)) " \
	"OR c.error_at > $20 AND (c.error_action <> 'retry' OR COALESCE(EXCLUDED.error_action, 'retry') = 'retry') " \
	"THEN c." column " ELSE EXCLUDED." column " END, "

/*
 * What webhooks tell, too: if one has come after Smartcar was asked, it knows
 * better.
 */
#define TOLD_OR_SET(column) \
	column " = COALESCE(CASE WHEN c.updated_at > $20 THEN c." column " END, EXCLUDED." column ", c." column "), "

/*
 * A vehicle that was there before Smartcar was asked, and is not any more, has
 * been taken away meanwhile, and does not come back.
 */
static void
store_vehicle(const SmartcarServer *server, const SmartcarUser *user, SmartcarSpan vehicle_id,
			  const SmartcarItem *answers, TimestampTz asked_at)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user->user_id);
	smartcar_parameter_text(&parameters, vehicle_id);
	smartcar_parameter_string(&parameters, user->external_id);
	pass_column(&parameters, &answers[VEHICLE], 1, TEXTOID);
	pass_column(&parameters, &answers[VEHICLE], 2, TEXTOID);
	pass_column(&parameters, &answers[VEHICLE], 3, INT4OID);
	pass_column(&parameters, &answers[VEHICLE], 4, TEXTOID);
	pass_column(&parameters, &answers[VEHICLE], 5, TEXTOID);
	pass_column(&parameters, &answers[PERMISSIONS], 0, TEXTARRAYOID);
	pass_column(&parameters, &answers[TESLA_ACCESS], 0, TEXTOID);
	pass_column(&parameters, &answers[TESLA_ACCESS], 1, TEXTARRAYOID);
	pass_column(&parameters, &answers[VIRTUAL_KEY], 0, BOOLOID);
	pass_error(&parameters, error_of(answers));
	smartcar_parameter(&parameters, BOOLOID, BoolGetDatum(answers[TESLA_ACCESS].error == NULL),
					   false);
	smartcar_parameter_time(&parameters, asked_at);
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(user->known_vehicle_ids),
					   false);
	smartcar_spi_run("INSERT INTO smartcar_tesla.connection AS c (server, user_id, vehicle_id, external_id, make, model, year, mode, powertrain_type, "
					 "granted_scopes, access_type, tesla_scopes, virtual_key_paired, error_type, error_code, error_description, error_action, error_url, error_at, connected_at, synced_at) "
					 "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::@.smartcar_action, $18, "
					 "CASE WHEN $17 IS NOT NULL THEN @now END, @now, @now "
					 "WHERE $3 <> ALL ($21) OR EXISTS (SELECT FROM smartcar_tesla.connection WHERE server = $1 AND user_id = $2 AND vehicle_id = $3) "
					 "ON CONFLICT (server, user_id, vehicle_id) DO UPDATE SET status = 'connected', "
					 "external_id = COALESCE(EXCLUDED.external_id, c.external_id), "
					 "make = COALESCE(EXCLUDED.make, c.make), model = COALESCE(EXCLUDED.model, c.model), year = COALESCE(EXCLUDED.year, c.year), "
					 "mode = COALESCE(EXCLUDED.mode, c.mode), powertrain_type = COALESCE(EXCLUDED.powertrain_type, c.powertrain_type), "
					 "granted_scopes = COALESCE(EXCLUDED.granted_scopes, c.granted_scopes), "
					 TOLD_OR_SET("access_type") TOLD_OR_SET("tesla_scopes") TOLD_OR_SET("virtual_key_paired")
					 KEEP_OR_SET("error_type") KEEP_OR_SET("error_code") KEEP_OR_SET("error_description")
					 KEEP_OR_SET("error_url") KEEP_OR_SET("error_at") KEEP_OR_SET("error_action")
					 "connected_at = CASE WHEN c.status = 'connected' THEN c.connected_at ELSE EXCLUDED.connected_at END, "
					 "synced_at = EXCLUDED.synced_at, updated_at = @now WHERE " NOT_SINCE("c", "$20"),
					 &parameters);
}

/* A connection of another user who has the same external id. */
typedef struct OtherConnection
{
	const char *user_id;
	const char *vehicle_id;
} OtherConnection;

/*
 * Takes away a connection, and the account if nothing is left of it.  The account
 * is locked first, as by everybody, and nothing of another user is locked then.
 */
static void
remove_connection(const SmartcarServer *server, const SmartcarUser *user,
				  const OtherConnection *other, TimestampTz asked_at)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, other->user_id);
	smartcar_spi_run("SELECT FROM smartcar_tesla.account WHERE server = $1 AND user_id = $2 FOR UPDATE",
					 &parameters);
	smartcar_parameter_string(&parameters, other->vehicle_id);
	smartcar_parameter_time(&parameters, asked_at);
	smartcar_spi_run("DELETE FROM smartcar_tesla.connection AS c WHERE server = $1 AND user_id = $2 AND vehicle_id = $3 AND " NOT_SINCE("c", "$4"),
					 &parameters);
	parameters.count = 2;
	smartcar_parameter_string(&parameters, user->external_id);
	smartcar_parameter(&parameters, BOOLOID, BoolGetDatum(user->has_just_connected), false);
	smartcar_spi_run("DELETE FROM smartcar_tesla.account WHERE server = $1 AND user_id = $2 AND external_id = $3 AND ($4 OR status <> 'active') "
					 "AND NOT EXISTS (SELECT FROM smartcar_tesla.connection WHERE server = $1 AND user_id = $2 AND status = 'connected')",
					 &parameters);
	smartcar_spi_commit();
}

/*
 * Takes away what is left of other ids of an owner: connections of vehicles that
 * he has under his present id, and accounts of which nothing is left then.
 *
 * But two ids may as well be two logins, one of the car's owner and another one
 * of a driver.  So what works is given up only for what has just been connected
 * with access that is known to be of the same kind; otherwise it is left until it
 * works no longer.
 */
static void
settle_other_ids(const SmartcarServer *server, const SmartcarUser *user, TimestampTz asked_at)
{
	bool		by_account = smartcar_server_api_version(server) == SMARTCAR_API_V2;
	SmartcarParameters parameters = {0};
	OtherConnection *others;
	int			count;

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user->user_id);
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(user->vehicle_ids), false);
	smartcar_parameter_string(&parameters, user->external_id);
	smartcar_parameter_time(&parameters, asked_at);
	smartcar_parameter(&parameters, BOOLOID, BoolGetDatum(user->has_just_connected), false);
	smartcar_parameter(&parameters, BOOLOID, BoolGetDatum(by_account), false);
	count = (int) smartcar_spi_run("WITH c AS (SELECT user_id, vehicle_id, access_type, synced_at FROM smartcar_tesla.connection "
								   "WHERE server = $1 AND external_id = $4 AND vehicle_id = ANY ($3)), "
								   "a AS (SELECT user_id FROM smartcar_tesla.account WHERE server = $1 AND status = 'active' AND user_id IN (SELECT user_id FROM c)) "
								   "SELECT other.user_id, other.vehicle_id FROM c AS other JOIN c USING (vehicle_id) "
								   "WHERE c.user_id = $2 AND other.user_id <> $2 AND " NOT_SINCE("other", "$5")
								   "AND ($6 AND other.access_type = c.access_type OR $7 AND other.user_id NOT IN (TABLE a))",
								   &parameters);
	others = palloc(Max(count, 1) * sizeof(OtherConnection));
	for (int i = 0; i < count; i++)
	{
		others[i].user_id = smartcar_result_string(i, 0);
		others[i].vehicle_id = smartcar_result_string(i, 1);
	}
	smartcar_spi_commit();
	for (int i = 0; i < count; i++)
		remove_connection(server, user, &others[i], asked_at);
}

/*
 * Marks the vehicles that the user's authorization no longer holds.  Somebody who
 * has asked before must not bring them back.
 */
static void
mark_others(const SmartcarServer *server, const SmartcarUser *user, TimestampTz asked_at)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user->user_id);
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(user->vehicle_ids), false);
	smartcar_parameter_time(&parameters, asked_at);
	smartcar_spi_run("UPDATE smartcar_tesla.connection AS c SET status = 'disconnected', synced_at = @now, updated_at = @now "
					 "WHERE server = $1 AND user_id = $2 AND status = 'connected' AND vehicle_id <> ALL ($3) AND " NOT_SINCE("c", "$4"),
					 &parameters);
}

/*
 * Locks what is stored of a user's vehicles, in one order for everybody.
 */
static void
lock_vehicles(const SmartcarServer *server, const SmartcarUser *user)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user->user_id);
	smartcar_spi_run("SELECT FROM smartcar_tesla.connection WHERE server = $1 AND user_id = $2 "
					 "ORDER BY vehicle_id COLLATE \"C\" FOR UPDATE",
					 &parameters);
}

/*
 * Reads which vehicles of these users are stored.
 */
static void
read_known_vehicles(const SmartcarServer *server, SmartcarUser *users, int count)
{
	SmartcarParameters parameters = {0};
	Datum	   *user_ids = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		user_ids[i] = CStringGetTextDatum(users[i].user_id);
	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter(&parameters, TEXTARRAYOID,
					   PointerGetDatum(construct_array(user_ids, count, TEXTOID, -1, false,
													   TYPALIGN_INT)), false);
	smartcar_spi_run("SELECT ARRAY (SELECT c.vehicle_id FROM smartcar_tesla.connection c WHERE c.server = $1 AND c.user_id = u.user_id) "
					 "FROM unnest($2) WITH ORDINALITY AS u (user_id, place) ORDER BY u.place",
					 &parameters);
	for (int i = 0; i < count; i++)
	{
		bool		is_null;

		users[i].known_vehicle_ids =
			DatumGetArrayTypePCopy(smartcar_result_datum(i, 0, &is_null));
	}
	smartcar_spi_commit();
}

/*
 * Asks for the lists of vehicles, and returns how many there are in all.
 */
static int
list_vehicles(SmartcarServer *server, SmartcarUser *users, int count)
{
	SmartcarCall call;
	int			total = 0;

	begin_call(&call, server, &smartcar_vehicles_call, count);
	for (int i = 0; i < count; i++)
		set_user(&call.items[i], &users[i]);
	smartcar_call_authorize(&call, call.authorization);
	smartcar_call_run(&call);

	for (int i = 0; i < count; i++)
	{
		SmartcarItem *item = &call.items[i];

		users[i].error = item->error;
		if (item->error != NULL)
			continue;
		users[i].vehicle_ids = DatumGetArrayTypeP(item->values[0]);
		total += ArrayGetNItems(ARR_NDIM(users[i].vehicle_ids), ARR_DIMS(users[i].vehicle_ids));
	}
	return total;
}

/* A vehicle, and the first of the answers about it. */
typedef struct AnsweredVehicle
{
	SmartcarSpan id;
	const SmartcarItem *answers;
} AnsweredVehicle;

static int
compare_vehicles(const void *a, const void *b)
{
	const SmartcarSpan *left = &((const AnsweredVehicle *) a)->id;
	const SmartcarSpan *right = &((const AnsweredVehicle *) b)->id;
	int			order = memcmp(left->data, right->data, Min(left->length, right->length));

	return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

/*
 * Stores the vehicles of a user, whose answers begin at an item, and commits.
 * Returns the item after them.
 */
static SmartcarItem *
store_vehicles(const SmartcarServer *server, const SmartcarUser *user, SmartcarItem *item,
			   TimestampTz asked_at)
{
	int			count = ArrayGetNItems(ARR_NDIM(user->vehicle_ids), ARR_DIMS(user->vehicle_ids));
	AnsweredVehicle *vehicles = palloc((count + 1) * sizeof(AnsweredVehicle));
	SmartcarTextArray walk;

	smartcar_text_array_begin(&walk, user->vehicle_ids, "vehicle_ids");
	for (int i = 0; smartcar_text_array_next(&walk, &vehicles[i].id); i++, item += QUESTIONS)
		vehicles[i].answers = item;
	qsort(vehicles, count, sizeof(AnsweredVehicle), compare_vehicles);

	lock_vehicles(server, user);
	for (int i = 0; i < count; i++)
		store_vehicle(server, user, vehicles[i].id, vehicles[i].answers, asked_at);
	mark_others(server, user, asked_at);
	smartcar_spi_commit();
	if (user->external_id != NULL)
		settle_other_ids(server, user, asked_at);
	pfree(vehicles);
	return item;
}

/*
 * Asks for the vehicles of users and about each vehicle, and stores what comes
 * back, a transaction for each user.  What is known of a user whose vehicles
 * could not be listed stays as it is.
 */
void
smartcar_sync_users(SmartcarServer *server, SmartcarUser *users, int count)
{
	TimestampTz asked_at = GetCurrentTimestamp();
	int			vehicles;
	SmartcarCall call;
	SmartcarTextArray walk;
	SmartcarSpan id;
	SmartcarItem *item;

	read_known_vehicles(server, users, count);
	vehicles = list_vehicles(server, users, count);

	begin_call(&call, server, &smartcar_vehicle_call, vehicles * QUESTIONS);
	item = call.items;
	for (int i = 0; i < count; i++)
	{
		if (users[i].vehicle_ids == NULL)
			continue;
		smartcar_text_array_begin(&walk, users[i].vehicle_ids, "vehicle_ids");
		while (smartcar_text_array_next(&walk, &id))
		{
			for (int question = 0; question < QUESTIONS; question++, item++)
			{
				item->operation = questions[question]->operations[call.version];
				smartcar_item_set_id(item, id, "vehicle_id");
				set_user(item, &users[i]);
			}
		}
	}
	if (vehicles > 0)
	{
		smartcar_call_authorize(&call, call.authorization);
		smartcar_call_run(&call);
	}

	item = call.items;
	for (int i = 0; i < count; i++)
	{
		if (users[i].vehicle_ids == NULL)
			continue;
		item = store_vehicles(server, &users[i], item, asked_at);
	}
}

/*
 * Warns of those whose vehicles could not be listed, and returns how many they are.
 */
int
smartcar_warn_of_users(const SmartcarUser *users, int count)
{
	int			failed = 0;

	for (int i = 0; i < count; i++)
	{
		const SmartcarFailure *error = users[i].error;

		if (error == NULL)
			continue;
		failed++;
		ereport(WARNING,
				(errcode(error->sqlstate),
				 errmsg("the vehicles of user \"%s\" could not be listed: %s",
						users[i].user_id, error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0));
	}
	return failed;
}
