/*-------------------------------------------------------------------------
 *
 * user_outcome.c
 *	  Ends the synchronization of a user, in both versions of the API.
 *
 * src/manager/user_outcome.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/user_outcome.h"

#include "manager/spi.h"
#include "pg/text.h"
#include "pg/text_array.h"

static bool
contains(ArrayType *array, SmartcarSpan element)
{
	SmartcarTextArray elements;
	SmartcarSpan next;

	smartcar_text_array_begin(&elements, array, "vehicle_ids");
	while (smartcar_text_array_next(&elements, &next))
	{
		if (smartcar_span_equal(next, element))
			return true;
	}
	return false;
}

/* Whether a vehicle of a user was stored before the request. */
bool
smartcar_user_had_vehicle(const SmartcarUser *user, SmartcarSpan vehicle_id)
{
	return contains(user->known_vehicle_ids, vehicle_id);
}

const SmartcarConnectionRow *
smartcar_find_row(const SmartcarConnectionRow *rows, int count, SmartcarSpan vehicle_id)
{
	for (int i = 0; i < count; i++)
	{
		if (smartcar_span_equal(smartcar_span_from_string(rows[i].vehicle_id), vehicle_id))
			return &rows[i];
	}
	return NULL;
}

/*
 * Marks the vehicles that Smartcar no longer lists as disconnected, unless they are too
 * many for one run.  Their rows must be locked.
 */
void
smartcar_user_mark_disconnected(const SmartcarSyncRun *run, SmartcarUser *user,
								const SmartcarConnectionRow *rows, int row_count,
								TimestampTz requested_at)
{
	int64		gone = 0;

	for (int i = 0; i < row_count; i++)
	{
		if (!rows[i].is_disconnected &&
			!contains(user->vehicle_ids, smartcar_span_from_string(rows[i].vehicle_id)))
			gone++;
	}
	user->refused = smartcar_sync_may_disconnect(run, gone) ? 0 : gone;
	user->disconnected = gone == 0 || user->refused > 0 ? 0 :
		smartcar_connections_mark_disconnected(run->server, user, requested_at);
}

/*
 * Removes connections to the same vehicles that the owner has as another user.
 */
static void
remove_other_ids(const SmartcarServer *server, const SmartcarUser *user, TimestampTz requested_at)
{
	int			count;
	SmartcarOtherConnection *others =
		smartcar_connections_find_others(server, user, requested_at, &count);

	smartcar_spi_commit();
	for (int i = 0; i < count; i++)
	{
		smartcar_connection_remove_other(server, user, &others[i], requested_at);
		smartcar_spi_commit();
	}
}

/*
 * Ends the synchronization of a user, and commits; error: why the vehicles could not be
 * stored.
 */
void
smartcar_user_finish(SmartcarSyncRun *run, SmartcarUser *user, bool is_stored,
					 const ErrorData *error, TimestampTz requested_at)
{
	if (!is_stored)
	{
		user->has_failed = true;
		user->disconnected = user->refused = 0;
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not store the vehicles of user \"%s\": %s",
						user->user_id, error->message)));
	}
	smartcar_spi_commit();
	if (user->refused > 0)
		smartcar_sync_refuse_disconnects(run, user->refused);
	run->disconnected += user->disconnected;
	if (user->external_id != NULL && !user->has_failed)
		remove_other_ids(run->server, user, requested_at);
}

/*
 * Warns of users whose vehicles could not be listed.  Returns how many users have
 * failed, including those of whom not everything was stored.  Deferred users have not
 * failed.
 */
int
smartcar_warn_of_users(const SmartcarUser *users, int count)
{
	int			failed = 0;

	for (int i = 0; i < count; i++)
	{
		const SmartcarFailure *error = users[i].error;

		if (users[i].is_deferred)
			continue;
		if (error != NULL || users[i].has_failed)
			failed++;
		if (error != NULL)
			ereport(WARNING,
					(errcode(error->sqlstate),
					 errmsg("could not list the vehicles of user \"%s\": %s",
							users[i].user_id, error->message),
					 error->detail ? errdetail_internal("%s", error->detail) : 0));
	}
	return failed;
}
