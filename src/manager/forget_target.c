/*-------------------------------------------------------------------------
 *
 * forget_target.c
 *	  Finds the connections at Smartcar of an owner who is to be forgotten.
 *
 * Version 3 lists the connections of an external_id, also those that are not stored
 * here.  Connections of the owner's users whom Smartcar knows under no or another
 * external_id are listed by user.  A connection that belongs to another owner, here or
 * at Smartcar, is not disconnected, nor is one without a known owner.
 *
 * Version 2.0 has no such list.  The management API disconnects all vehicles of a user;
 * without a management token, the user's access token lists and disconnects them.
 *
 * src/manager/forget_target.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/forget_target.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/sql_function.h"
#include "call/authorization.h"
#include "manager/account.h"
#include "manager/seal.h"
#include "manager/spi.h"
#include "manager/usable_id.h"
#include "pg/text.h"
#include "pg/text_array.h"

/*
 * Records why a user or a vehicle could not be disconnected; user is NULL if it concerns
 * no single user.  A rate limit concerns all users, so it is not reported for each.
 */
void
smartcar_forget_fail(SmartcarForget *forget, SmartcarOwnerUser *user, const char *vehicle_id,
					 const SmartcarFailure *failure)
{
	MemoryContext old_context = MemoryContextSwitchTo(forget->run.context);

	if (user != NULL)
		user->has_failed = true;
	if (forget->failure == NULL)
		forget->failure = smartcar_failure_copy(failure);
	MemoryContextSwitchTo(old_context);
	if (smartcar_sync_check_rate_limit(&forget->run, failure))
		return;
	if (vehicle_id != NULL)
		ereport(WARNING,
				(errcode(failure->sqlstate),
				 errmsg("could not disconnect vehicle \"%s\" of user \"%s\": %s",
						vehicle_id, user->user_id, failure->message)));
	else if (user != NULL)
		ereport(WARNING,
				(errcode(failure->sqlstate),
				 errmsg("could not disconnect user \"%s\": %s",
						user->user_id, failure->message)));
}

static SmartcarForgetTarget *
add_target(SmartcarForget *forget, SmartcarOwnerUser *user, const SmartcarOperation *operation,
		   const char *vehicle_id)
{
	SmartcarOwnerVehicle *stored = smartcar_owner_vehicle_find(user, vehicle_id);
	SmartcarForgetTarget *target;

	if (stored != NULL)
		stored->is_target = true;
	if ((forget->target_count & (forget->target_count - 1)) == 0)
	{
		Size		size = 2 * Max(forget->target_count, 1) * sizeof(SmartcarForgetTarget);

		forget->targets = forget->targets == NULL ? palloc(size) :
			repalloc_huge(forget->targets, size);
	}
	target = &forget->targets[forget->target_count++];
	memset(target, 0, sizeof(*target));
	target->deletion.deleted = -1;
	target->user = user;
	target->operation = operation;
	target->vehicle_id = vehicle_id;
	target->vehicle_count = 1;
	return target;
}

/* Version 3 */

/*
 * The owner of a connection according to the tables; NULL if none is known.
 */
static const char *
stored_owner(const SmartcarForget *forget, const SmartcarOwnerUser *user, const char *vehicle_id)
{
	const SmartcarOwnerVehicle *vehicle = smartcar_owner_vehicle_find(user, vehicle_id);

	if (vehicle != NULL && vehicle->external_id != NULL)
		return vehicle->external_id;
	if (user->external_id != NULL)
		return user->external_id;
	return user->is_own && !user->is_shared ? forget->external_id : NULL;
}

static bool
is_other_owner(const SmartcarForget *forget, const char *external_id)
{
	return external_id != NULL && strcmp(external_id, forget->external_id) != 0;
}

/*
 * Adds the owner's connections of a list as targets.  A connection without an owner at
 * Smartcar and in the tables is never disconnected: if Smartcar ignored the filter, it
 * could be anybody's.  Nor is one whose id would change the path of the request.
 */
static void
add_listed_connections(SmartcarForget *forget, const List *connections)
{
	static const SmartcarFailure unidentified = {
		.sqlstate = SMARTCAR_SQLSTATE_UNUSABLE,
		.message = "Smartcar lists a connection that cannot be identified",
		.hint = "smartcar_get_connections() lists them; CALL smartcar_disconnect_vehicle() disconnects one."
	};
	ListCell   *cell;

	foreach(cell, connections)
	{
		const SmartcarListedConnection *connection = lfirst(cell);
		SmartcarOwnerUser *user = connection->user_id == NULL ? NULL :
			smartcar_owner_user_find(forget->users, forget->user_count, connection->user_id);
		const char *stored = user == NULL ? NULL :
			stored_owner(forget, user, connection->vehicle_id);

		if (user != NULL)
			user->is_listed = true;
		if (is_other_owner(forget, stored) || is_other_owner(forget, connection->external_id))
			continue;
		if (user == NULL || (stored == NULL && connection->external_id == NULL) ||
			!smartcar_vehicle_id_is_usable(smartcar_span_from_string(connection->connection_id)))
		{
			if (user != NULL)
				user->has_failed = true;
			forget->left++;
			smartcar_forget_fail(forget, NULL, NULL, &unidentified);
			continue;
		}
		add_target(forget, user, &smartcar_connection_deletion,
				   connection->vehicle_id)->deletion.connection_id = connection->connection_id;
	}
}

static List *
listed_user_ids(const List *connections)
{
	List	   *user_ids = NIL;
	ListCell   *cell;

	foreach(cell, connections)
	{
		const SmartcarListedConnection *connection = lfirst(cell);

		if (connection->user_id != NULL &&
			smartcar_user_id_is_usable(smartcar_span_from_string(connection->user_id)))
			user_ids = lappend(user_ids, unconstify(char *, connection->user_id));
	}
	return user_ids;
}

/*
 * Whether Smartcar may have connections of a user that belong to the owner.  A user who
 * has a new owner may have only rows here.
 */
static bool
may_have_connections(const SmartcarForget *forget, const SmartcarOwnerUser *user)
{
	if (!user->is_own)
		return false;
	if (!is_other_owner(forget, user->external_id))
		return true;
	for (int i = 0; i < user->vehicle_count; i++)
	{
		const SmartcarOwnerVehicle *vehicle = &user->vehicles[i];

		if (vehicle->is_connected && vehicle->external_id != NULL &&
			!is_other_owner(forget, vehicle->external_id))
			return true;
	}
	return false;
}

static const SmartcarFailure unusable_id = {
	.sqlstate = ERRCODE_INVALID_PARAMETER_VALUE,
	.message = "an id cannot be part of a request"
};

/* Whether the stored id of a user can be part of a request. */
static bool
is_usable(SmartcarForget *forget, SmartcarOwnerUser *user)
{
	if (smartcar_user_id_is_usable(smartcar_span_from_string(user->user_id)))
		return true;
	smartcar_forget_fail(forget, user, NULL, &unusable_id);
	return false;
}

static List *
list_owner(SmartcarForget *forget)
{
	SmartcarOwnerList *list = palloc0(sizeof(SmartcarOwnerList));
	SmartcarCall call;

	list->external_id = smartcar_utf8_from_bytes(forget->external_id,
												 (int) strlen(forget->external_id));
	smartcar_call_begin(&call, forget->run.server, &smartcar_owner_list_operation, 1);
	call.items[0].operation_state = list;
	smartcar_call_authorize(&call, SMARTCAR_AUTHORIZE_APPLICATION);
	smartcar_call_run(&call);
	if (call.items[0].error == NULL)
		return list->connections;
	smartcar_forget_fail(forget, NULL, NULL, call.items[0].error);
	return NIL;
}

/*
 * Lists the connections of users who are not in the list of the owner.
 */
static void
list_users(SmartcarForget *forget, SmartcarOwnerUser **users, int count)
{
	SmartcarCall call;

	if (count == 0 || forget->run.is_rate_limited)
	{
		for (int i = 0; i < count; i++)
			users[i]->has_failed = true;
		return;
	}
	smartcar_call_begin(&call, forget->run.server, &smartcar_owner_list_operation, count);
	for (int i = 0; i < count; i++)
	{
		call.items[i].operation_state = palloc0(sizeof(SmartcarOwnerList));
		smartcar_item_set_user_id(&call.items[i], smartcar_span_from_string(users[i]->user_id));
	}
	smartcar_call_authorize(&call, SMARTCAR_AUTHORIZE_APPLICATION);
	smartcar_call_run(&call);
	for (int i = 0; i < count; i++)
	{
		if (call.items[i].error != NULL)
			smartcar_forget_fail(forget, users[i], NULL, call.items[i].error);
		else
			add_listed_connections(forget, ((SmartcarOwnerList *) call.items[i].operation_state)->connections);
	}
}

static void
find_targets_v3(SmartcarForget *forget)
{
	List	   *listed = list_owner(forget);
	SmartcarOwnerUser **others;
	int			count = 0;

	forget->authorization = SMARTCAR_AUTHORIZE_APPLICATION;
	forget->users = smartcar_owner_users_read(forget->run.server, forget->external_id,
											  listed_user_ids(listed), &forget->user_count);
	smartcar_spi_commit();
	add_listed_connections(forget, listed);
	others = palloc((forget->user_count + 1) * sizeof(SmartcarOwnerUser *));
	for (int i = 0; i < forget->user_count; i++)
	{
		SmartcarOwnerUser *user = &forget->users[i];

		if (may_have_connections(forget, user) && !user->is_listed &&
			is_usable(forget, user))
			others[count++] = user;
	}
	list_users(forget, others, count);
}

/* Version 2.0 */

static bool
has_management_token(SmartcarServer *server)
{
	smartcar_server_load_mapping(server);
	return smartcar_server_has(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN) ||
		smartcar_server_has(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN_FILE);
}

/*
 * Adds a user with all vehicles, which needs no token; or only some vehicles, if others
 * belong to another owner.
 */
static void
add_user(SmartcarForget *forget, SmartcarOwnerUser *user)
{
	int			connected = 0;
	bool		is_mixed = false;

	if (!is_usable(forget, user))
		return;
	for (int i = 0; i < user->vehicle_count; i++)
	{
		connected += user->vehicles[i].is_connected;
		is_mixed |= user->vehicles[i].is_connected &&
			is_other_owner(forget, user->vehicles[i].external_id);
	}
	if (!is_mixed)
	{
		add_target(forget, user, &smartcar_managed_deletion, NULL)->vehicle_count = connected;
		return;
	}
	for (int i = 0; i < user->vehicle_count; i++)
	{
		const SmartcarOwnerVehicle *vehicle = &user->vehicles[i];

		if (vehicle->is_connected && !is_other_owner(forget, vehicle->external_id))
			add_target(forget, user, &smartcar_managed_deletion, vehicle->vehicle_id);
	}
}

/*
 * Whether an account can never disconnect anything: Smartcar has refused its refresh
 * token before it said whose the tokens are, so a management token does not help,
 * either.
 */
static bool
is_useless(const SmartcarForget *forget, const SmartcarOwnerUser *user)
{
	if (!user->is_refused || user->access_token != NULL ||
		!smartcar_account_is_provisional(user->user_id))
		return false;
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("deleting unusable tokens of owner \"%s\"",
					smartcar_excerpt(smartcar_span_from_string(forget->external_id))),
			 errdetail("Smartcar refused to refresh them before their user was known. No vehicle is disconnected with them.")));
	return true;
}

/*
 * Unseals the access token of a user; NULL if there is no valid one.
 */
static const char *
unseal_token(SmartcarForget *forget, const SmartcarKeyRing *ring, SmartcarOwnerUser *user)
{
	SmartcarSealedIdentity identity = {forget->run.server->name, user->user_id, "access"};
	SmartcarFailure failure = {
		.sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
	};
	const char *token;

	if (user->access_token != NULL)
	{
		token = smartcar_try_unseal(ring, user->access_token, &identity, &failure.sqlstate);
		if (token != NULL)
			return token;
		failure.message = "a stored token cannot be opened";
	}
	else if (user->is_refused || !user->has_account)
	{
		failure.message = user->has_account ? "Smartcar has refused the refresh token" :
			"no token is stored";
		failure.hint = "A management_token in the user mapping disconnects a user without a token.";
	}
	else
	{
		failure.message = "the access token has expired";
		failure.hint = psprintf("Run CALL smartcar_refresh(server => %s) first, or add a management_token to the user mapping.",
								quote_literal_cstr(forget->run.server->name));
	}
	smartcar_forget_fail(forget, user, NULL, &failure);
	return NULL;
}

static void
add_listed_vehicles(SmartcarForget *forget, SmartcarOwnerUser *user, const char *token,
					ArrayType *vehicle_ids)
{
	SmartcarTextArray ids;
	SmartcarSpan id;

	smartcar_text_array_begin(&ids, vehicle_ids, "vehicle_ids");
	while (smartcar_text_array_next(&ids, &id))
	{
		const char *vehicle_id = pnstrdup(id.data, id.length);

		if (is_other_owner(forget, stored_owner(forget, user, vehicle_id)))
			continue;
		if (!smartcar_vehicle_id_is_usable(id))
			smartcar_forget_fail(forget, user, NULL, &unusable_id);
		else
			add_target(forget, user, smartcar_disconnect_call.operations[SMARTCAR_API_V2],
					   vehicle_id)->access_token = token;
	}
}

/*
 * Lists the vehicles of users with their own tokens.
 */
static void
list_by_token(SmartcarForget *forget, SmartcarOwnerUser **users, int count)
{
	SmartcarServer *server = forget->run.server;
	SmartcarKeyRing ring = {0};
	SmartcarCall call;
	int			unsealed = 0;

	if (count == 0)
		return;
	smartcar_key_ring_read(&ring, server);
	smartcar_call_begin(&call, server, smartcar_vehicles_call.operations[SMARTCAR_API_V2], count);
	for (int i = 0; i < count; i++)
	{
		const char *token = unseal_token(forget, &ring, users[i]);

		if (token == NULL)
			continue;
		smartcar_item_set_access_token(&call.items[unsealed], smartcar_span_from_string(token));
		users[unsealed++] = users[i];
	}
	smartcar_key_ring_wipe(&ring);
	call.item_count = unsealed;
	smartcar_call_run(&call);
	for (int i = 0; i < unsealed; i++)
	{
		if (call.items[i].error != NULL)
			smartcar_forget_fail(forget, users[i], NULL, call.items[i].error);
		else
			add_listed_vehicles(forget, users[i], call.items[i].access_token.data,
								DatumGetArrayTypeP(call.items[i].values[0]));
	}
}

/*
 * A user has one authorization.  It belongs to the owner of the account, even if the
 * connections name another owner until they are listed again.  A provisional account has
 * tokens, but its user is not known.
 */
static void
find_targets_v2(SmartcarForget *forget)
{
	SmartcarServer *server = forget->run.server;
	bool		is_managed = has_management_token(server);
	SmartcarOwnerUser **by_token;
	int			count = 0;

	forget->authorization = is_managed ? SMARTCAR_AUTHORIZE_MANAGEMENT : SMARTCAR_AUTHORIZE_NONE;
	forget->users = smartcar_owner_users_read(server, forget->external_id, NIL,
											  &forget->user_count);
	smartcar_spi_commit();
	by_token = palloc((forget->user_count + 1) * sizeof(SmartcarOwnerUser *));
	for (int i = 0; i < forget->user_count; i++)
	{
		SmartcarOwnerUser *user = &forget->users[i];

		if (is_other_owner(forget, user->external_id) || !may_have_connections(forget, user))
			continue;
		if (is_managed && !smartcar_account_is_provisional(user->user_id))
			add_user(forget, user);
		else if (!is_useless(forget, user))
			by_token[count++] = user;
	}
	list_by_token(forget, by_token, count);
}

/*
 * Finds the targets, and reads the users of the owner.
 */
void
smartcar_forget_find_targets(SmartcarForget *forget)
{
	if (smartcar_server_api_version(forget->run.server) == SMARTCAR_API_V2)
		find_targets_v2(forget);
	else
		find_targets_v3(forget);
}
