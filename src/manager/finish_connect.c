/*-------------------------------------------------------------------------
 *
 * finish_connect.c
 *	  The procedure that finishes a session with its callback.
 *
 * src/manager/finish_connect.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "api/callback_user.h"
#include "call/application_token.h"
#include "manager/account.h"
#include "manager/connection.h"
#include "manager/exchange.h"
#include "manager/key_ring.h"
#include "manager/owner.h"
#include "manager/session.h"
#include "manager/settle.h"
#include "manager/spi.h"
#include "manager/subscribe.h"
#include "manager/sync_vehicles.h"
#include "pg/api_error.h"
#include "pg/datum.h"
#include "pg/fn_state.h"
#include "pg/parse_callback.h"
#include "pg/secret.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_finish_connect);

/* What the procedure returns. */
enum
{
	STATUS,
	EXTERNAL_ID,
	USER_ID,
	VEHICLE_IDS,
	ERROR_COLUMN,
	ACTION,
	PREVIOUS_EXTERNAL_ID,
	REQUESTS,
	COLUMNS
};

/* A field of the callback in the encoding of the database; NULL if absent. */
static const char *
callback_field(const SmartcarCallback *callback, SmartcarCallbackField number)
{
	SmartcarSpan value;

	if ((callback->present & SMARTCAR_CALLBACK_BIT(number)) == 0)
		return NULL;
	value = smartcar_text_from_utf8(callback->fields[number]);
	return pnstrdup(value.data, value.length);
}

typedef enum CallbackKind
{
	CALLBACK_ERROR,
	CALLBACK_LOGIN,				/* the owner of a vehicle has logged in again */
	CALLBACK_CODE,				/* v2.0 */
	CALLBACK_USER,				/* v3 */
	CALLBACK_EMPTY
} CallbackKind;

static bool
has_field(const SmartcarCallback *callback, SmartcarCallbackField number)
{
	return (callback->present & SMARTCAR_CALLBACK_BIT(number)) != 0;
}

/*
 * A callback of the other version of the API will fail however often the owner connects:
 * the configuration is wrong.
 */
static void
raise_wrong_version(const SmartcarServer *server, const char *version, const char *other,
					const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("callback is one of api_version \"%s\", but server \"%s\" has api_version \"%s\"",
					other, server->name, version),
			 errdetail("%s Nothing was sent, and the session is still open.", detail),
			 errhint("If the application has credentials of that version, run %s and use the callback again.",
					 smartcar_server_version_command(server, other))));
}

static CallbackKind
classify_callback(const SmartcarServer *server, const SmartcarCallback *callback,
				  const SmartcarSession *session)
{
	bool		has_code = has_field(callback, SMARTCAR_CALLBACK_CODE);
	bool		has_user = has_field(callback, SMARTCAR_CALLBACK_USER_ID);

	if (has_field(callback, SMARTCAR_CALLBACK_ERROR))
		return CALLBACK_ERROR;
	if (strcmp(session->link, SMARTCAR_SESSION_REAUTHENTICATE) == 0)
		return CALLBACK_LOGIN;
	if (!has_code && !has_user)
		return CALLBACK_EMPTY;
	if (smartcar_server_api_version(server) == SMARTCAR_API_V3)
	{
		if (!has_user)
			raise_wrong_version(server, "3", "2.0", "The callback has a code and no user_id.");
		return CALLBACK_USER;
	}
	if (!has_code)
		raise_wrong_version(server, "2.0", "3", "The callback has a user_id and no code.");
	return CALLBACK_CODE;
}

/*
 * Raises an error for missing configuration before the callback is used up.
 */
static void
check_configuration(SmartcarServer *server, CallbackKind kind, SmartcarKeyRing *ring)
{
	if (kind == CALLBACK_CODE)
	{
		(void) smartcar_required_option(server, SMARTCAR_OPTION_CLIENT_ID, NULL);
		smartcar_key_ring_read(ring, server);
		(void) smartcar_secret(server, SMARTCAR_OPTION_CLIENT_SECRET, NULL);
	}
	else if (kind == CALLBACK_USER)
		(void) smartcar_application_access_token(server,
												 smartcar_application_credentials(server));
}

/*
 * v2.0: exchanges the code, and asks Smartcar for the user once the tokens are stored.
 * If that fails, smartcar_sync() asks again.  The callback names a user, too, but it
 * came through a browser, in which anybody could have named another user.
 */
static const char *
connect_by_code(SmartcarServer *server, SmartcarKeyRing *ring, const SmartcarCallback *callback,
				const SmartcarSession *session, SmartcarSessionResult *result)
{
	const char *access_token =
		smartcar_exchange_and_store(server, ring, session,
									callback->fields[SMARTCAR_CALLBACK_CODE], result);
	const char *provisional_id = result->user_id;
	const SmartcarFailure *failure;

	result->user_id = NULL;
	failure = smartcar_account_settle(server, ring, provisional_id,
									  smartcar_span_from_string(access_token), true,
									  &result->user_id);
	if (failure != NULL)
		ereport(WARNING,
				(errcode(failure->sqlstate),
				 errmsg("owner is connected, but could not get the user id: %s",
						failure->message),
				 failure->detail ? errdetail_internal("%s", failure->detail) : 0,
				 errhint("Run CALL smartcar_sync(server => %s) to try again.",
						 quote_literal_cstr(server->name))));
	smartcar_spi_commit();
	return access_token;
}

/*
 * v3: only the callback names the user, and it came through a browser.  The user is
 * accepted if they belong to the owner of the link already, or if Smartcar has
 * connections of this user under the external_id of the link.  That request uses nothing
 * up, so the session is claimed after it: if Smartcar cannot be reached, the callback
 * can be used again.
 */
static void
connect_by_user_id(SmartcarServer *server, const SmartcarCallback *callback,
				   const SmartcarSession *session, SmartcarSessionResult *result)
{
	const char *user_id = callback_field(callback, SMARTCAR_CALLBACK_USER_ID);
	bool		is_known = session->external_id != NULL &&
		(smartcar_owner_has_user(server, session->external_id, user_id) ||
		 smartcar_is_known_user(server, user_id, session->external_id));

	smartcar_session_claim(server, session);
	if (!is_known)
	{
		result->status = "failed";
		result->error = "the user of the callback is not the owner of the link";
		result->action = SMARTCAR_ACTION_CONNECT;
		return;
	}
	result->user_id = user_id;
	smartcar_account_record_user(server, user_id, session->external_id);
	smartcar_session_record_success(server, session);
	smartcar_spi_commit();
}

/*
 * Lists the vehicles, and asks about each.  A failure is only a WARNING, because
 * smartcar_sync() asks again.
 */
static void
sync_vehicles(SmartcarSyncRun *run, const SmartcarSession *session, const char *access_token,
			  SmartcarSessionResult *result)
{
	SmartcarUser user = {
		.user_id = result->user_id,
		.external_id = session->external_id,
		.access_token = access_token,
		.has_just_connected = true
	};
	const SmartcarFailure *error;

	smartcar_sync_users(run, &user, 1);
	result->vehicle_ids = user.vehicle_ids;
	error = user.error;
	if (error != NULL)
		ereport(WARNING,
				(errcode(error->sqlstate),
				 errmsg("owner is connected, but could not list the vehicles: %s",
						error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0,
				 errhint("Run CALL smartcar_sync(server => %s) to try again.",
						 quote_literal_cstr(run->server->name))));
}

static void
subscribe_vehicles(SmartcarSyncRun *run, const char *user_id)
{
	SmartcarUserFilter filter = {.server = run->server, .user_id = user_id};

	smartcar_subscribe_vehicles(run, &filter, true);
}

static void
set_text(Datum *values, bool *nulls, int column, const char *value)
{
	nulls[column] = value == NULL;
	if (value != NULL)
		values[column] = CStringGetTextDatum(value);
}

static Datum
form_result(FunctionCallInfo fcinfo, const SmartcarServer *server,
			const SmartcarSessionResult *result)
{
	TupleDesc	descriptor = smartcar_row_descriptor(fcinfo, COLUMNS);
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];

	set_text(values, nulls, STATUS, result->status);
	set_text(values, nulls, EXTERNAL_ID, result->external_id);
	set_text(values, nulls, USER_ID, result->user_id);
	set_text(values, nulls, ERROR_COLUMN, result->error);
	set_text(values, nulls, PREVIOUS_EXTERNAL_ID, result->previous_external_id);
	nulls[VEHICLE_IDS] = result->vehicle_ids == NULL;
	values[VEHICLE_IDS] = PointerGetDatum(result->vehicle_ids);
	nulls[REQUESTS] = false;
	values[REQUESTS] = Int64GetDatum(server->requests);
	nulls[ACTION] = result->action == SMARTCAR_ACTION_UNKNOWN;
	if (!nulls[ACTION])
		values[ACTION] = smartcar_action_datum(result->action,
											   TupleDescAttr(descriptor, ACTION)->atttypid);
	return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}

static void
finish_session(SmartcarServer *server, const SmartcarCallback *callback,
			   const SmartcarSession *session, SmartcarSessionResult *result)
{
	SmartcarKeyRing ring = {0};
	const char *access_token = NULL;
	CallbackKind kind = classify_callback(server, callback, session);

	/* raises an error for invalid text before the callback is used up */
	const char *error = callback_field(callback, SMARTCAR_CALLBACK_ERROR);
	const char *error_description = callback_field(callback, SMARTCAR_CALLBACK_ERROR_DESCRIPTION);

	check_configuration(server, kind, &ring);
	if (kind != CALLBACK_USER)
	{
		smartcar_session_claim(server, session);

		/* the others use nothing up, so they can be repeated after an error */
		if (kind == CALLBACK_CODE)
			smartcar_spi_commit();
	}

	result->status = "finished";
	result->external_id = session->external_id;
	switch (kind)
	{
		case CALLBACK_ERROR:
			result->status = "failed";
			result->error = error;
			result->action = smartcar_action_for(smartcar_span_from_string(error),
												 smartcar_span(NULL, 0));
			break;
		case CALLBACK_LOGIN:
			smartcar_connections_clear_login_error(server, session->vehicle_id,
												   session->external_id);
			break;
		case CALLBACK_CODE:
			access_token = connect_by_code(server, &ring, callback, session, result);
			break;
		case CALLBACK_USER:
			connect_by_user_id(server, callback, session, result);
			break;
		case CALLBACK_EMPTY:
			result->status = "failed";
			result->error = "the callback has neither a code nor a user_id";
			result->action = SMARTCAR_ACTION_CONNECT;
			break;
	}
	if (result->user_id != NULL)
	{
		SmartcarSyncRun run;

		smartcar_sync_run_begin(&run, server);
		sync_vehicles(&run, session, access_token, result);

		/* a concurrent synchronization may have reported the change already */
		result->previous_external_id =
			smartcar_owner_previous(server, session->external_id, result->user_id,
									session->created_at);
		smartcar_spi_commit();
		subscribe_vehicles(&run, result->user_id);
	}
	smartcar_key_ring_wipe(&ring);
	smartcar_session_close(server, session, result, error_description);
	smartcar_spi_commit();
}

Datum
smartcar_finish_connect(PG_FUNCTION_ARGS)
{
	enum
	{
		ARG_CALLBACK, ARG_EXPECTED_EXTERNAL_ID, ARG_SERVER, ARG_STATUS, ARG_EXTERNAL_ID
	};
	MemoryContext result_context = CurrentMemoryContext;
	SmartcarServer *server;
	SmartcarSpan input = smartcar_argument_utf8(fcinfo, ARG_CALLBACK);
	SmartcarCallback callback;
	SmartcarSession session = {0};
	SmartcarSessionResult result = {.action = SMARTCAR_ACTION_UNKNOWN};
	Datum		row;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_finish_connect()");
	server = smartcar_required_server(fcinfo, ARG_SERVER);
	server->requests = 0;
	if (input.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("callback must not be null")));

	/* smartcar_begin_connect() has an argument of this name */
	if (!PG_ARGISNULL(ARG_EXTERNAL_ID) && PG_ARGISNULL(ARG_EXPECTED_EXTERNAL_ID))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external_id is a result of smartcar_finish_connect()"),
				 errdetail("Nothing was checked, and nothing was sent."),
				 errhint("Pass the owner who is logged in as expected_external_id. Without one, external_id must be NULL.")));
	smartcar_parse_callback_text(input, palloc(Max(input.length, 1)), &callback);

	smartcar_session_lock(&callback, &session);
	PG_TRY();
	{
		if (!smartcar_session_find(server, &session,
								   smartcar_argument_span(fcinfo, ARG_EXPECTED_EXTERNAL_ID),
								   &result))
			finish_session(server, &callback, &session, &result);
	}
	PG_FINALLY();
	{
		smartcar_session_unlock(&session);
	}
	PG_END_TRY();

	MemoryContextSwitchTo(result_context);
	row = form_result(fcinfo, server, &result);
	smartcar_spi_end();
	PG_RETURN_DATUM(row);
}
