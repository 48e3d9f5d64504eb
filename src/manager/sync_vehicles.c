/*-------------------------------------------------------------------------
 *
 * sync_vehicles.c
 *	  What Smartcar says about the vehicles of users, stored.
 *
 * Nothing is locked while Smartcar is asked.  A user whose vehicles could not be
 * listed, and a vehicle that cannot be asked about, are warned of and passed over.
 *
 * src/manager/sync_vehicles.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_vehicles.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "api/sql_function.h"
#include "manager/connection_sync.h"
#include "manager/notify.h"
#include "manager/usable_id.h"
#include "pg/text.h"
#include "pg/text_array.h"

static const SmartcarTypedCall *const vehicle_requests[SMARTCAR_VEHICLE_REQUESTS] = {
	[SMARTCAR_REQUEST_VEHICLE] = &smartcar_vehicle_call,
	[SMARTCAR_REQUEST_PERMISSIONS] = &smartcar_permissions_call,
	[SMARTCAR_REQUEST_TESLA_ACCESS] = &smartcar_tesla_access_call,
	[SMARTCAR_REQUEST_VIRTUAL_KEY] = &smartcar_virtual_key_call
};

/* How long a lock is waited for at a time, in milliseconds. */
#define LOCK_TIMEOUT	200

/* A vehicle, and the responses about it. */
typedef struct VehicleReport
{
	SmartcarSpan id;
	const SmartcarItem *responses;
} VehicleReport;

/*
 * Stores something in a subtransaction, so that a row that cannot be stored stops
 * nobody else.  Each attempt waits for a lock for a moment.  Returns whether it was
 * stored; if not, what went wrong is in *error.
 */
bool
smartcar_sync_store(void (*store) (void *argument), void *argument, int attempts,
					ErrorData **error)
{
	bool		is_stored = false;

	for (int i = 0; i < attempts && !is_stored; i++)
	{
		CHECK_FOR_INTERRUPTS();
		is_stored = smartcar_spi_try(store, argument, LOCK_TIMEOUT, error);
		if (!is_stored && (*error)->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(*error);
		if (!is_stored && !smartcar_error_is_transient(*error))
			break;
	}
	return is_stored;
}

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

/*
 * Adds the errors of the responses that tell somebody to do something.  A
 * permission that we lack for one of our requests is no such thing: the
 * application may never have wanted it, and those that it wants are compared with
 * what it has.  Returns whether one of them passes by itself.
 */
static bool
add_errors(SmartcarConnectionErrors *errors, const SmartcarItem *responses,
		   const SmartcarKnownTime *time)
{
	bool		has_transient = false;

	for (int i = 0; i < SMARTCAR_VEHICLE_REQUESTS; i++)
	{
		const SmartcarFailure *failure = responses[i].error;

		if (failure == NULL || failure->api_error.status == 403 ||
			failure->api_error.action == SMARTCAR_ACTION_NONE ||
			failure->api_error.action == SMARTCAR_ACTION_UNKNOWN)
			continue;
		if (failure->api_error.action == SMARTCAR_ACTION_RETRY)
			has_transient = true;
		(void) smartcar_connection_errors_begin(errors, &failure->api_error, time);
	}
	return has_transient;
}

/* Whether Smartcar has heard of Tesla what the login allows. */
static bool
was_tesla_heard(const SmartcarItem *responses)
{
	const SmartcarItem *access = &responses[SMARTCAR_REQUEST_TESLA_ACCESS];

	return access->error == NULL && !(access->nulls[0] && access->nulls[1]);
}

/*
 * The errors that stand once a vehicle was asked about.  Those from before stand no
 * longer if Tesla was heard and every request had its response; otherwise only
 * those end that pass by themselves.
 */
static void
update_errors(SmartcarConnectionErrors *errors, const SmartcarItem *responses,
			  TimestampTz asked_at)
{
	SmartcarKnownTime time = smartcar_known_time(asked_at);
	SmartcarConnectionErrors found = {.complete_at = DT_NOEND};
	bool		is_complete = !add_errors(&found, responses, &time) &&
		was_tesla_heard(responses);

	smartcar_connection_errors_remove(errors, &time, !is_complete);
	(void) add_errors(errors, responses, &time);
	if (is_complete && smartcar_replaces(&time, errors->complete_at))
		errors->complete_at = asked_at;
}

static const SmartcarConnectionRow *
find_row(const SmartcarConnectionRow *rows, int count, SmartcarSpan vehicle_id)
{
	for (int i = 0; i < count; i++)
	{
		if (smartcar_span_equal(smartcar_span_from_string(rows[i].vehicle_id), vehicle_id))
			return &rows[i];
	}
	return NULL;
}

static bool
was_known(const SmartcarUser *user, SmartcarSpan vehicle_id)
{
	SmartcarTextArray walk;
	SmartcarSpan known;

	smartcar_text_array_begin(&walk, user->known_vehicle_ids, "vehicle_ids");
	while (smartcar_text_array_next(&walk, &known))
	{
		if (smartcar_span_equal(known, vehicle_id))
			return true;
	}
	return false;
}

/*
 * One login at Tesla can serve two of the application's owners, of whom only the
 * last one has the vehicle then.  The other one must hear of it.
 */
static void
report_new_owner(const SmartcarServer *server, const SmartcarUser *user,
				 const SmartcarConnectionRow *row)
{
	SmartcarConnectionRow connection;

	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("vehicle \"%s\" has a new owner", row->vehicle_id),
			 errdetail("It belonged to owner \"%s\", and the same Smartcar user now belongs to owner \"%s\".",
					   smartcar_excerpt(smartcar_span_from_string(row->external_id)),
					   smartcar_excerpt(smartcar_span_from_string(user->external_id)))));
	if (smartcar_connection_lock(server, row->user_id, row->vehicle_id, &connection))
		smartcar_notify(server, SMARTCAR_SPAN("OWNER_CHANGED"), &connection);
}

/*
 * Stores a vehicle, whose row, if there is one, is locked.  One that was there
 * before Smartcar was asked, and is not any more, has been disconnected meanwhile,
 * and does not come back.
 */
static void
store_vehicle(const SmartcarServer *server, const SmartcarUser *user,
			  const VehicleReport *vehicle, const SmartcarConnectionRow *row,
			  TimestampTz asked_at)
{
	SmartcarConnectionErrors errors = {.complete_at = DT_NOEND};

	if (row == NULL && was_known(user, vehicle->id))
		return;
	if (row != NULL)
		errors = row->errors;
	update_errors(&errors, vehicle->responses, asked_at);
	if (smartcar_connection_store(server, user, vehicle->id, vehicle->responses, &errors,
								  asked_at) &&
		row != NULL && row->external_id != NULL && user->external_id != NULL &&
		strcmp(row->external_id, user->external_id) != 0)
		report_new_owner(server, user, row);
}

/*
 * Removes what is left of other ids of an owner.
 */
static void
remove_other_ids(const SmartcarServer *server, const SmartcarUser *user, TimestampTz asked_at)
{
	int			count;
	SmartcarOtherConnection *others =
		smartcar_connections_find_others(server, user, asked_at, &count);

	smartcar_spi_commit();
	for (int i = 0; i < count; i++)
	{
		smartcar_connection_remove_other(server, user, &others[i], asked_at);
		smartcar_spi_commit();
	}
}

static int
count_vehicles(const SmartcarUser *user)
{
	return ArrayGetNItems(ARR_NDIM(user->vehicle_ids), ARR_DIMS(user->vehicle_ids));
}

/*
 * Keeps the vehicles that can be asked about.
 */
static void
keep_usable(SmartcarUser *user)
{
	SmartcarSpan *usable = palloc((count_vehicles(user) + 1) * sizeof(SmartcarSpan));
	int			count = 0;
	SmartcarTextArray walk;
	SmartcarSpan id;

	smartcar_text_array_begin(&walk, user->vehicle_ids, "vehicle_ids");
	while (smartcar_text_array_next(&walk, &id))
	{
		if (smartcar_vehicle_id_is_usable(id))
		{
			usable[count++] = id;
			continue;
		}
		user->has_failed = true;
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("vehicle \"%s\" of user \"%s\" is left out",
						smartcar_excerpt(id), user->user_id),
				 errdetail("Its id cannot be part of a path.")));
	}
	if (user->has_failed)
		user->vehicle_ids = smartcar_build_text_array(usable, count);
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
		keep_usable(&users[i]);
		total += count_vehicles(&users[i]);
	}
	return total;
}

static int
compare_vehicles(const void *a, const void *b)
{
	const SmartcarSpan *left = &((const VehicleReport *) a)->id;
	const SmartcarSpan *right = &((const VehicleReport *) b)->id;
	int			order = memcmp(left->data, right->data, Min(left->length, right->length));

	return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

/* The vehicles of a user, as they are to be stored. */
typedef struct UserReport
{
	const SmartcarServer *server;
	SmartcarUser *user;
	VehicleReport *vehicles;
	int			count;
	TimestampTz asked_at;
} UserReport;

static void
store_report(void *argument)
{
	UserReport *report = argument;
	int			row_count;
	SmartcarConnectionRow *rows = smartcar_connections_lock(report->server,
															report->user->user_id, &row_count);

	for (int i = 0; i < report->count; i++)
		store_vehicle(report->server, report->user, &report->vehicles[i],
					  find_row(rows, row_count, report->vehicles[i].id), report->asked_at);
	report->user->disconnected =
		smartcar_connections_mark_gone(report->server, report->user, report->asked_at);
}

/*
 * Stores the vehicles of a user, whose responses begin at an item, in the order of
 * the key, and commits.  Returns the item after them.
 */
static SmartcarItem *
store_vehicles(const SmartcarServer *server, SmartcarUser *user, SmartcarItem *item,
			   TimestampTz asked_at)
{
	int			count = count_vehicles(user);
	UserReport	report = {server, user, palloc((count + 1) * sizeof(VehicleReport)), count, asked_at};
	SmartcarTextArray walk;
	ErrorData  *error;

	smartcar_text_array_begin(&walk, user->vehicle_ids, "vehicle_ids");
	for (int i = 0; smartcar_text_array_next(&walk, &report.vehicles[i].id); i++)
	{
		report.vehicles[i].responses = item;
		item += SMARTCAR_VEHICLE_REQUESTS;
	}
	qsort(report.vehicles, count, sizeof(VehicleReport), compare_vehicles);
	if (!smartcar_sync_store(store_report, &report, SMARTCAR_SYNC_ATTEMPTS, &error))
	{
		user->has_failed = true;
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("the vehicles of user \"%s\" could not be stored: %s",
						user->user_id, error->message)));
	}
	smartcar_spi_commit();
	if (user->external_id != NULL && !user->has_failed)
		remove_other_ids(server, user, asked_at);
	pfree(report.vehicles);
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

	smartcar_connections_read_known(server, users, count);
	smartcar_spi_commit();
	vehicles = list_vehicles(server, users, count);

	begin_call(&call, server, &smartcar_vehicle_call, vehicles * SMARTCAR_VEHICLE_REQUESTS);
	item = call.items;
	for (int i = 0; i < count; i++)
	{
		if (users[i].vehicle_ids == NULL)
			continue;
		smartcar_text_array_begin(&walk, users[i].vehicle_ids, "vehicle_ids");
		while (smartcar_text_array_next(&walk, &id))
		{
			for (int request = 0; request < SMARTCAR_VEHICLE_REQUESTS; request++, item++)
			{
				item->operation = vehicle_requests[request]->operations[call.version];
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
 * Warns of those whose vehicles could not be listed, and returns how many failed:
 * they, and those of whom not everything was stored.
 */
int
smartcar_warn_of_users(const SmartcarUser *users, int count)
{
	int			failed = 0;

	for (int i = 0; i < count; i++)
	{
		const SmartcarFailure *error = users[i].error;

		if (users[i].has_failed)
			failed++;
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
