/*-------------------------------------------------------------------------
 *
 * forget.c
 *	  The procedure that forgets an owner: first at Smartcar, then in the tables.
 *
 * It deletes the owner's sessions first, so that they cannot connect meanwhile.  Then it
 * finds the owner's connections at Smartcar (forget_target.c) and disconnects them.  A
 * row is deleted when nothing is left at Smartcar for which it is needed; after a
 * failure it stays, and the next call continues from there.  The procedure succeeds
 * only if nothing is left.
 *
 * src/manager/forget.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "call/authorization.h"
#include "manager/forget_target.h"
#include "manager/expired.h"
#include "manager/forgotten_user.h"
#include "manager/owner.h"
#include "manager/session.h"
#include "manager/spi.h"
#include "manager/usable_id.h"
#include "pg/datum.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_forget);

enum
{
	EXTERNAL_ID, SERVER
};

/* What the procedure returns. */
enum
{
	DISCONNECTED, ACCOUNTS, CONNECTIONS, SESSIONS, REQUESTS, COLUMNS
};

/*
 * Gives an item the next target, unless the rate limit is reached.
 */
static bool
refill(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarForget *forget = (SmartcarForget *) call;
	SmartcarForgetTarget *target;

	if (forget->next == forget->target_count || forget->run.is_rate_limited)
		return false;
	target = &forget->targets[forget->next++];
	item->operation = target->operation;
	item->arguments = target;
	item->id = target->vehicle_id == NULL ? smartcar_span(NULL, 0) :
		smartcar_utf8_from_bytes(target->vehicle_id, (int) strlen(target->vehicle_id));
	item->access_token = smartcar_span_from_string(target->access_token);

	/* a token identifies its user, whose id may not be known yet */
	item->user_id = smartcar_span_from_string(target->access_token != NULL ? NULL :
											  target->user->user_id);
	return true;
}

static void
finish(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarForget *forget = (SmartcarForget *) call;
	SmartcarForgetTarget *target = (SmartcarForgetTarget *) item->arguments;

	target->is_done = item->error == NULL;
	if (!target->is_done)
		smartcar_forget_fail(forget, target->user, target->vehicle_id, item->error);
	else if (target->deletion.deleted >= 0)
		forget->disconnected += target->deletion.deleted;
	else
		forget->disconnected += target->vehicle_count;
}

static void
disconnect(SmartcarForget *forget)
{
	SmartcarCall *call = &forget->call;

	if (forget->target_count == 0)
		return;
	smartcar_call_begin_refilled(call, forget->run.server, NULL, refill, finish);
	smartcar_call_authorize(call, forget->authorization);
	smartcar_call_run(call);
	for (int i = 0; i < forget->target_count; i++)
	{
		if (forget->targets[i].is_done)
			continue;
		forget->targets[i].user->has_failed = true;
		forget->left += forget->targets[i].vehicle_count;
	}
}

/*
 * Records the users of whom nothing is left at Smartcar, before their rows are deleted,
 * and waits for transactions that do not see the record.
 */
static void
record_forgotten(const SmartcarForget *forget)
{
	bool		is_any = false;

	for (int i = 0; i < forget->user_count; i++)
	{
		const SmartcarOwnerUser *user = &forget->users[i];

		if (user->has_failed || user->is_shared)
			continue;
		smartcar_user_record_forgotten(forget->run.server, user->user_id);
		is_any = true;
	}
	smartcar_spi_commit();
	if (is_any)
		smartcar_forgotten_users_wait();
}

/*
 * Warns of stored connections that no list of version 3 contains.  Most of them were
 * disconnected elsewhere.  With the credentials of another application, however, all
 * lists are empty, and Smartcar keeps the connections.
 */
static void
warn_of_unlisted(const SmartcarForget *forget)
{
	int64		unlisted = 0;

	if (smartcar_server_api_version(forget->run.server) == SMARTCAR_API_V2)
		return;
	for (int i = 0; i < forget->user_count; i++)
	{
		const SmartcarOwnerUser *user = &forget->users[i];

		for (int k = 0; !user->has_failed && k < user->vehicle_count; k++)
		{
			const SmartcarOwnerVehicle *vehicle = &user->vehicles[k];

			if (vehicle->is_connected && vehicle->external_id != NULL &&
				strcmp(vehicle->external_id, forget->external_id) == 0 &&
				!vehicle->is_target)
				unlisted++;
		}
	}
	if (unlisted > 0)
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("Smartcar does not list " INT64_FORMAT " connections of owner \"%s\" as theirs",
						unlisted, smartcar_excerpt(smartcar_span_from_string(forget->external_id))),
				 errdetail("They are deleted here, and nothing was sent for them."),
				 errhint("If the owner has not disconnected them, check the credentials and the option \"mode\" of the server.")));
}

/*
 * Deletes the rows for which nothing is left at Smartcar, in a transaction for each
 * user.
 */
static void
delete_rows(SmartcarForget *forget)
{
	const SmartcarServer *server = forget->run.server;

	for (int i = 0; i < forget->target_count; i++)
	{
		const SmartcarForgetTarget *target = &forget->targets[i];

		if (!target->is_done || !target->user->has_failed || target->vehicle_id == NULL)
			continue;
		smartcar_owner_vehicle_delete(server, forget->external_id, target->user,
									  target->vehicle_id, &forget->rows);
		smartcar_spi_commit();
	}
	for (int i = 0; i < forget->user_count; i++)
	{
		if (forget->users[i].has_failed)
			continue;
		smartcar_owner_user_delete(server, forget->external_id, &forget->users[i], &forget->rows);
		smartcar_spi_commit();
	}
}

/*
 * Fails if rows were stored during the requests, for instance because a provisional
 * account was settled.
 */
static void
check_nothing_left(SmartcarForget *forget)
{
	static const SmartcarFailure stored = {
		.sqlstate = ERRCODE_OBJECT_IN_USE,
		.message = "data of the owner was stored in the meantime"
	};

	if (smartcar_owner_is_known(forget->run.server, forget->external_id))
		smartcar_forget_fail(forget, NULL, NULL, &stored);
}

/*
 * Raises the first failure.  What could be done is committed by then.
 */
static void
raise_failure(const SmartcarForget *forget)
{
	const SmartcarFailure *failure = forget->failure;

	if (failure == NULL)
		return;
	ereport(ERROR,
			(errcode(failure->sqlstate),
			 errmsg("could not forget owner \"%s\": %s",
					smartcar_excerpt(smartcar_span_from_string(forget->external_id)),
					failure->message),
			 errdetail_internal("Connections disconnected: " INT64_FORMAT ", known to be left: " INT64_FORMAT ".%s%s",
								forget->disconnected, forget->left,
								failure->detail ? " " : "", failure->detail ? failure->detail : ""),
			 errhint("Run CALL smartcar_forget(%s, %s) again to continue from here.%s%s",
					 quote_literal_cstr(forget->external_id), quote_literal_cstr(forget->run.server->name),
					 failure->hint ? " " : "", failure->hint ? failure->hint : "")));
}

/*
 * With an empty id, Smartcar's list would have no filter.
 */
static const char *
external_id_argument(FunctionCallInfo fcinfo)
{
	SmartcarSpan external_id = smartcar_argument_span(fcinfo, EXTERNAL_ID);

	if (external_id.length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("external_id must not be null or empty")));
	if (external_id.length > SMARTCAR_MAX_EXTERNAL_ID_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_id must not be longer than %d bytes",
						SMARTCAR_MAX_EXTERNAL_ID_LENGTH)));
	return pnstrdup(external_id.data, external_id.length);
}

static Datum
form_result(FunctionCallInfo fcinfo, const SmartcarForget *forget)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	values[DISCONNECTED] = Int64GetDatum(forget->disconnected);
	values[ACCOUNTS] = Int64GetDatum(forget->rows.accounts);
	values[CONNECTIONS] = Int64GetDatum(forget->rows.connections);
	values[SESSIONS] = Int64GetDatum(forget->rows.sessions);
	values[REQUESTS] = Int64GetDatum(forget->run.server->requests);
	return smartcar_form_single_row(fcinfo, COLUMNS, values, nulls);
}

Datum
smartcar_forget(PG_FUNCTION_ARGS)
{
	MemoryContext result_context = CurrentMemoryContext;
	SmartcarServer *server;
	SmartcarForget *forget;
	Datum		result;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_forget()");
	server = smartcar_required_server(fcinfo, SERVER);
	server->requests = 0;
	forget = palloc0(sizeof(SmartcarForget));
	forget->external_id = external_id_argument(fcinfo);
	smartcar_sync_run_begin(&forget->run, server);

	forget->rows.sessions = smartcar_sessions_delete_of_owner(server, forget->external_id);

	/* an import of tokens may be about to commit a user of the owner */
	smartcar_forgotten_users_wait();
	smartcar_forget_find_targets(forget);
	disconnect(forget);
	warn_of_unlisted(forget);
	record_forgotten(forget);
	delete_rows(forget);
	check_nothing_left(forget);
	smartcar_owner_clear_previous(server, forget->external_id);
	smartcar_spi_commit();
	raise_failure(forget);
	smartcar_expired_rows_delete(server);

	MemoryContextSwitchTo(result_context);
	result = form_result(fcinfo, forget);
	smartcar_spi_end();
	PG_RETURN_DATUM(result);
}
