/*-------------------------------------------------------------------------
 *
 * sync_vehicles.c
 *	  Synchronizes the vehicles of users.
 *
 * No lock is held during a request.  A user or a vehicle that fails is reported by a
 * WARNING, and the others continue.
 *
 * src/manager/sync_vehicles.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_vehicles.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/sql_function.h"
#include "call/authorization.h"
#include "manager/forgotten_user.h"
#include "manager/owner.h"
#include "manager/spi.h"
#include "manager/sync_details.h"
#include "manager/sync_user_list.h"
#include "manager/usable_id.h"
#include "manager/user_outcome.h"
#include "pg/text.h"
#include "pg/text_array.h"

static const SmartcarTypedCall *const vehicle_requests[SMARTCAR_VEHICLE_REQUESTS] = {
	[SMARTCAR_REQUEST_VEHICLE] = &smartcar_vehicle_call,
	[SMARTCAR_REQUEST_PERMISSIONS] = &smartcar_permissions_call,
	[SMARTCAR_REQUEST_TESLA_ACCESS] = &smartcar_tesla_access_call,
	[SMARTCAR_REQUEST_VIRTUAL_KEY] = &smartcar_virtual_key_call
};

typedef struct VehicleReport
{
	SmartcarSpan id;
	const SmartcarItem *responses;
} VehicleReport;

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

/* Whether Smartcar could read from Tesla what the login allows. */
static bool
has_tesla_responded(const SmartcarItem *responses)
{
	const SmartcarItem *access = &responses[SMARTCAR_REQUEST_TESLA_ACCESS];

	return access->error == NULL && !(access->nulls[0] && access->nulls[1]);
}

/*
 * Stores a vehicle, whose row, if there is one, is locked.  A vehicle whose row was
 * deleted during the requests has been disconnected, and is not stored again.
 */
static void
store_vehicle(const SmartcarServer *server, const SmartcarUser *user,
			  const VehicleReport *vehicle, const SmartcarConnectionRow *row,
			  TimestampTz requested_at)
{
	SmartcarConnectionErrors errors = {.complete_at = DT_NOEND};
	const SmartcarFailure *failures[SMARTCAR_VEHICLE_REQUESTS];
	int			failure_count = 0;

	if (row == NULL && smartcar_user_had_vehicle(user, vehicle->id))
		return;
	if (row != NULL)
		errors = row->errors;
	for (int i = 0; i < SMARTCAR_VEHICLE_REQUESTS; i++)
	{
		if (vehicle->responses[i].error != NULL)
			failures[failure_count++] = vehicle->responses[i].error;
	}
	smartcar_connection_errors_replace(&errors, failures, failure_count,
									   has_tesla_responded(vehicle->responses), requested_at);
	smartcar_connection_store(server, user, vehicle->id, vehicle->responses, &errors, requested_at);
}

static int
count_vehicles(const SmartcarUser *user)
{
	return ArrayGetNItems(ARR_NDIM(user->vehicle_ids), ARR_DIMS(user->vehicle_ids));
}

/*
 * Removes the vehicles whose ids no request can contain.
 */
static void
keep_usable(SmartcarUser *user)
{
	SmartcarSpan *usable = palloc((count_vehicles(user) + 1) * sizeof(SmartcarSpan));
	int			count = 0;
	SmartcarTextArray reader;
	SmartcarSpan id;

	smartcar_text_array_begin(&reader, user->vehicle_ids, "vehicle_ids");
	while (smartcar_text_array_next(&reader, &id))
	{
		if (smartcar_vehicle_id_is_usable(id))
		{
			usable[count++] = id;
			continue;
		}
		user->has_failed = true;
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("skipping vehicle \"%s\" of user \"%s\"",
						smartcar_excerpt(id), user->user_id),
				 errdetail("Its id is not a valid part of a path.")));
	}
	if (user->has_failed)
		user->vehicle_ids = smartcar_build_text_array(usable, count);
}

static void
list_vehicles(SmartcarSyncRun *run, SmartcarUser *users, int count)
{
	SmartcarCall call;

	begin_call(&call, run->server, &smartcar_vehicles_call, count);
	for (int i = 0; i < count; i++)
		set_user(&call.items[i], &users[i]);
	smartcar_call_authorize(&call, call.authorization);
	smartcar_call_run(&call);

	for (int i = 0; i < count; i++)
	{
		SmartcarItem *item = &call.items[i];

		users[i].error = item->error;
		if (item->error != NULL)
		{
			users[i].is_deferred = smartcar_sync_check_rate_limit(run, item->error);
			continue;
		}
		users[i].vehicle_ids = DatumGetArrayTypeP(item->values[0]);
		keep_usable(&users[i]);
	}
}

/*
 * Whether this run makes requests about the vehicles of a user.  Nothing is stored of
 * other users.
 */
static bool
is_included(const SmartcarUser *user)
{
	return user->vehicle_ids != NULL && !user->is_deferred;
}

/*
 * Skips a user whose vehicles need more requests than max_requests.  Otherwise, every
 * run would stop here, and the users after this one would never be synchronized.
 */
static void
skip_user(const SmartcarSyncRun *run, SmartcarUser *user, int vehicles)
{
	user->vehicle_ids = NULL;
	user->has_failed = true;
	ereport(WARNING,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("skipping user \"%s\" because max_requests is too small", user->user_id),
			 errdetail("The %d vehicles of this user need %d requests.",
					   vehicles, 1 + vehicles * SMARTCAR_VEHICLE_REQUESTS),
			 errhint("Run CALL smartcar_sync(user_id => %s, server => %s).",
					 quote_literal_cstr(user->user_id),
					 quote_literal_cstr(run->server->name))));
}

/*
 * Defers users to the next run, beginning with the first one whose vehicles need more
 * requests than are left.  Returns the number of vehicles of the other users.
 */
static int
defer_users(SmartcarSyncRun *run, SmartcarUser *users, int count)
{
	int64		left = smartcar_sync_requests_left(run);
	int			total = 0;
	bool		is_exhausted = run->is_rate_limited;

	for (int i = 0; i < count; i++)
	{
		int			vehicles;

		if (!is_included(&users[i]))
			continue;
		vehicles = count_vehicles(&users[i]);
		if ((int64) vehicles * SMARTCAR_VEHICLE_REQUESTS > run->max_requests - 1)
		{
			skip_user(run, &users[i], vehicles);
			continue;
		}
		is_exhausted |= left < (int64) (total + vehicles) * SMARTCAR_VEHICLE_REQUESTS;
		if (is_exhausted)
			users[i].is_deferred = run->is_stopped = true;
		else
			total += vehicles;
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

/* The argument of store_report(). */
typedef struct UserReport
{
	const SmartcarSyncRun *run;
	SmartcarUser *user;
	VehicleReport *vehicles;
	int			count;
	TimestampTz requested_at;
} UserReport;

static void
store_report(void *argument)
{
	const UserReport *report = argument;
	const SmartcarServer *server = report->run->server;
	int			row_count;
	SmartcarConnectionRow *rows;

	if (smartcar_user_is_forgotten(server, report->user->user_id, report->requested_at))
		return;
	rows = smartcar_connections_lock(server, report->user->user_id, &row_count);
	for (int i = 0; i < report->count; i++)
		store_vehicle(server, report->user, &report->vehicles[i],
					  smartcar_find_row(rows, row_count, report->vehicles[i].id),
					  report->requested_at);
	smartcar_user_mark_disconnected(report->run, report->user, rows, row_count,
									report->requested_at);
	smartcar_owners_report_changes(server, report->user->user_id, report->requested_at);
}

/*
 * Checks the responses about a user's vehicles.  The application's rate limit defers the
 * user.
 */
static void
check_responses(SmartcarSyncRun *run, SmartcarUser *user, const SmartcarItem *responses, int count)
{
	for (int i = 0; i < count; i++)
	{
		const SmartcarFailure *error = responses[i].error;

		if (error == NULL)
			continue;
		if (smartcar_sync_check_rate_limit(run, error))
			user->is_deferred = true;
		else if (smartcar_sync_is_failure(error))
			user->has_failed = true;
	}
}

/*
 * Stores the vehicles of a user, whose responses begin at an item, in the order of
 * the key, and commits.  Returns the item after them.
 */
static SmartcarItem *
store_vehicles(SmartcarSyncRun *run, SmartcarUser *user, SmartcarItem *item,
			   TimestampTz requested_at)
{
	int			count = count_vehicles(user);
	VehicleReport *vehicles = palloc((count + 1) * sizeof(VehicleReport));
	UserReport	report = {run, user, vehicles, count, requested_at};
	SmartcarTextArray reader;
	ErrorData  *error;
	bool		is_stored;

	check_responses(run, user, item, count * SMARTCAR_VEHICLE_REQUESTS);
	smartcar_text_array_begin(&reader, user->vehicle_ids, "vehicle_ids");
	for (int i = 0; smartcar_text_array_next(&reader, &report.vehicles[i].id); i++)
	{
		report.vehicles[i].responses = item;
		item += SMARTCAR_VEHICLE_REQUESTS;
	}
	if (user->is_deferred)
		return item;
	qsort(report.vehicles, count, sizeof(VehicleReport), compare_vehicles);
	is_stored = smartcar_sync_store(store_report, &report, SMARTCAR_SYNC_ATTEMPTS, &error);
	smartcar_user_finish(run, user, is_stored, error, requested_at);
	pfree(report.vehicles);
	return item;
}

/*
 * Version 2.0: lists the vehicles of users, makes the requests about each vehicle, and
 * stores the responses, in a transaction for each user.
 */
static void
sync_by_token(SmartcarSyncRun *run, SmartcarUser *users, int count)
{
	TimestampTz requested_at = GetCurrentTimestamp();
	int64		affordable = smartcar_sync_requests_left(run) / SMARTCAR_REQUESTS_PER_USER;
	int			listed = (int) Min(count, affordable);
	int			vehicles;
	SmartcarCall call;
	SmartcarTextArray reader;
	SmartcarSpan id;
	SmartcarItem *item;

	smartcar_connections_read_known(run->server, users, count);
	smartcar_spi_commit();
	for (int i = listed; i < count; i++)
		users[i].is_deferred = run->is_stopped = true;
	if (listed == 0)
		return;
	list_vehicles(run, users, listed);

	vehicles = defer_users(run, users, listed);
	begin_call(&call, run->server, &smartcar_vehicle_call, vehicles * SMARTCAR_VEHICLE_REQUESTS);
	item = call.items;
	for (int i = 0; i < listed; i++)
	{
		if (!is_included(&users[i]))
			continue;
		smartcar_text_array_begin(&reader, users[i].vehicle_ids, "vehicle_ids");
		while (smartcar_text_array_next(&reader, &id))
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
	for (int i = 0; i < listed; i++)
	{
		if (is_included(&users[i]))
			item = store_vehicles(run, &users[i], item, requested_at);
	}
}

/*
 * Synchronizes the vehicles of users.  The rows of a user whose vehicles could not be
 * listed do not change.
 */
void
smartcar_sync_users(SmartcarSyncRun *run, SmartcarUser *users, int count)
{
	if (smartcar_server_api_version(run->server) == SMARTCAR_API_V2)
	{
		sync_by_token(run, users, count);
		return;
	}
	smartcar_list_users(run, users, count);
	for (int i = 0; i < count; i++)
	{
		if (users[i].vehicle_ids != NULL &&
			smartcar_sync_details_of_user(run, users[i].user_id) > 0)
			users[i].has_failed = true;
	}
	smartcar_relist_users(run);
}
