/*-------------------------------------------------------------------------
 *
 * finish_connect.c
 *	  The procedure that takes the callback at the end of a round trip.
 *
 * A code is good once.  Between the moment at which Smartcar takes it and the
 * commit of what it gave for it nothing is done but sealing and storing; a
 * crash in that moment leaves the session "exchanging", and its owner has to
 * connect again.
 *
 * src/manager/finish_connect.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/resowner.h"

#include "call/application_token.h"
#include "core/hex.h"
#include "manager/account.h"
#include "api/callback_user.h"
#include "manager/key_ring.h"
#include "manager/spi.h"
#include "manager/session.h"
#include "manager/sync_vehicles.h"
#include "pg/api_error.h"
#include "pg/fn_state.h"
#include "pg/parse_callback.h"
#include "pg/secret.h"
#include "pg/text.h"
#include "pg/datum.h"

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
	COLUMNS
};

/* How much of a state's hash an id has that is used until the user is known. */
#define PROVISIONAL_BYTES	16

/* A field of the callback in the encoding of the database; NULL if absent. */
static const char *
field(const SmartcarCallback *callback, SmartcarCallbackField number)
{
	SmartcarSpan value;

	if ((callback->present & SMARTCAR_CALLBACK_BIT(number)) == 0)
		return NULL;
	value = smartcar_text_from_utf8(callback->fields[number]);
	return pnstrdup(value.data, value.length);
}

/*
 * What a callback asks for.
 */
typedef enum Errand
{
	NOTE_ERROR,
	CLEAR_ERROR,				/* of the vehicle whose owner logged in again */
	NOTHING_TO_TAKE,
	TAKE_CODE,
	TAKE_USER
} Errand;

static Errand
errand_of(const SmartcarServer *server, const SmartcarCallback *callback,
		  const SmartcarSession *session)
{
	bool		is_v2 = smartcar_server_api_version(server) == SMARTCAR_API_V2;
	SmartcarCallbackField needed = is_v2 ? SMARTCAR_CALLBACK_CODE : SMARTCAR_CALLBACK_USER_ID;

	if (callback->present & SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_ERROR))
		return NOTE_ERROR;
	if (strcmp(session->link, "reauthenticate") == 0)
		return CLEAR_ERROR;
	if ((callback->present & SMARTCAR_CALLBACK_BIT(needed)) == 0)
		return NOTHING_TO_TAKE;
	return is_v2 ? TAKE_CODE : TAKE_USER;
}

/*
 * What is missing for an errand must be missed before the callback is spent.
 */
static void
prepare_errand(SmartcarServer *server, Errand errand, SmartcarKeyRing *ring)
{
	if (errand == TAKE_CODE)
	{
		(void) smartcar_required_option(server, SMARTCAR_OPTION_CLIENT_ID, NULL);
		smartcar_key_ring_read(ring, server);
		(void) smartcar_secret(server, SMARTCAR_OPTION_CLIENT_SECRET, NULL);
	}
	else if (errand == TAKE_USER)
		(void) smartcar_application_access_token(server);
}

/*
 * Something went wrong in the request; the session ends with it, and then it is
 * raised.  The callback is spent, so whatever else is to be done, the owner has
 * to connect again.
 */
static void
fail_session(const SmartcarServer *server, const SmartcarSession *session,
			 SmartcarSessionResult *outcome, const SmartcarFailure *error)
{
	outcome->status = "failed";
	outcome->error = error->message;
	outcome->action = error->answer.action == SMARTCAR_ACTION_FIX_SETUP ?
		SMARTCAR_ACTION_FIX_SETUP : SMARTCAR_ACTION_CONNECT;
	smartcar_session_end(server, session, outcome, error->detail);
	smartcar_failure_raise(error);
}

/*
 * Stores what a code was exchanged for.  Nobody can ask for it again, so this is
 * not interrupted, not even while it waits for a lock.  What cannot be stored
 * ends the session.
 */
static void
store_tokens(const SmartcarServer *server, SmartcarKeyRing *ring, const SmartcarSession *session,
			 const char *provisional_id, const SmartcarTokenRequest *request,
			 SmartcarSessionResult *outcome)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	HOLD_INTERRUPTS();
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		smartcar_account_store(server, ring, provisional_id, session->external_id, request);
		smartcar_session_record_tokens(server, session);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		outcome->status = "failed";
		outcome->error = error->message;
		outcome->action = SMARTCAR_ACTION_CONNECT;
		smartcar_session_end(server, session, outcome, error->detail);
		ReThrowError(error);
	}
	PG_END_TRY();
	smartcar_spi_commit();
	RESUME_INTERRUPTS();
}

/*
 * v2.0: exchanges the code, and stores what comes back at once.  Whose tokens
 * they are is asked for when they are safe; if that fails, smartcar_sync() makes
 * it good.  The callback tells, too, but it came through the owner's browser,
 * who could have named another user.
 */
static const char *
take_code(SmartcarServer *server, SmartcarKeyRing *ring, const SmartcarCallback *callback,
		  const SmartcarSession *session, SmartcarSessionResult *outcome)
{
	char		digits[2 * PROVISIONAL_BYTES + 1] = {0};
	const char *provisional_id;
	SmartcarTokenRequest request;
	const SmartcarFailure *error;

	smartcar_hex_encode((const unsigned char *) VARDATA(session->state_hash), PROVISIONAL_BYTES,
						digits);
	provisional_id = psprintf("%s%s", SMARTCAR_PROVISIONAL_PREFIX, digits);
	smartcar_code_request(&request, callback->fields[SMARTCAR_CALLBACK_CODE],
						  smartcar_span_from_string(session->redirect_uri));
	error = smartcar_try_token_request(server, &request);
	if (error != NULL)
		fail_session(server, session, outcome, error);
	store_tokens(server, ring, session, provisional_id, &request, outcome);

	error = smartcar_account_settle(server, ring, provisional_id, request.access_token,
									&outcome->user_id);
	if (error != NULL)
		ereport(WARNING,
				(errcode(error->sqlstate),
				 errmsg("the owner is connected, but the user could not be asked for: %s",
						error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0,
				 errhint("CALL smartcar_sync() asks again.")));
	smartcar_spi_commit();
	return request.access_token.data;
}

/*
 * v3: the callback is all that tells who the user is, and it came through the
 * owner's browser.  That Smartcar has connections of this user under the id
 * that our link carried is the proof that he is the one.  To ask for that spends
 * nothing, so the session is taken only then, and if Smartcar cannot be asked,
 * the callback can come again.
 */
static void
take_user(SmartcarServer *server, const SmartcarCallback *callback,
		  const SmartcarSession *session, SmartcarSessionResult *outcome)
{
	const char *user_id = field(callback, SMARTCAR_CALLBACK_USER_ID);
	bool		is_known = session->external_id != NULL &&
		smartcar_is_known_user(server, user_id, session->external_id);

	smartcar_session_claim(server, session);
	if (!is_known)
	{
		outcome->status = "failed";
		outcome->error = "the user of the callback is not the owner of the link";
		outcome->action = SMARTCAR_ACTION_CONNECT;
		return;
	}
	outcome->user_id = user_id;
	smartcar_account_note(server, user_id, session->external_id);
	smartcar_spi_commit();
}

/*
 * Asks about the vehicles.  What goes wrong here can be made good by
 * smartcar_sync(), so it is a warning.
 */
static void
sync_vehicles(SmartcarServer *server, const SmartcarSession *session, const char *access_token,
			  SmartcarSessionResult *outcome)
{
	SmartcarUser user = {
		.user_id = outcome->user_id,
		.external_id = session->external_id,
		.access_token = access_token,
		.has_just_connected = true
	};
	const SmartcarFailure *error;

	smartcar_sync_users(server, &user, 1);
	outcome->vehicle_ids = user.vehicle_ids;
	error = user.error;
	if (error != NULL)
		ereport(WARNING,
				(errcode(error->sqlstate),
				 errmsg("the owner is connected, but the vehicles could not be listed: %s",
						error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0,
				 errhint("CALL smartcar_sync() asks again.")));
}

/*
 * A vehicle's owner has logged in again: what was wrong with that login is over,
 * and nothing is known about another one who has the same vehicle.
 */
static void
clear_error(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, session->vehicle_id);
	smartcar_parameter_string(&parameters, session->external_id);
	smartcar_spi_run("UPDATE smartcar_tesla.connection SET error_type = NULL, error_code = NULL, error_description = NULL, "
						 "error_action = NULL, error_url = NULL, error_at = NULL, updated_at = @now "
						 "WHERE server = $1 AND vehicle_id = $2 AND error_action = 'reauthenticate' "
						 "AND (external_id = $3 OR external_id IS NULL OR $3 IS NULL)",
						 &parameters);
	smartcar_spi_commit();
}

static void
set_text(Datum *values, bool *nulls, int column, const char *value)
{
	nulls[column] = value == NULL;
	if (value != NULL)
		values[column] = CStringGetTextDatum(value);
}

static Datum
form_outcome(FunctionCallInfo fcinfo, const SmartcarSessionResult *outcome)
{
	TupleDesc	descriptor = smartcar_row_descriptor(fcinfo, COLUMNS);
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];

	set_text(values, nulls, STATUS, outcome->status);
	set_text(values, nulls, EXTERNAL_ID, outcome->external_id);
	set_text(values, nulls, USER_ID, outcome->user_id);
	set_text(values, nulls, ERROR_COLUMN, outcome->error);
	nulls[VEHICLE_IDS] = outcome->vehicle_ids == NULL;
	values[VEHICLE_IDS] = PointerGetDatum(outcome->vehicle_ids);
	nulls[ACTION] = outcome->action == SMARTCAR_ACTION_UNKNOWN;
	if (!nulls[ACTION])
		values[ACTION] = smartcar_action_datum(outcome->action,
											   TupleDescAttr(descriptor, ACTION)->atttypid);
	return HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
}

Datum
smartcar_finish_connect(PG_FUNCTION_ARGS)
{
	MemoryContext result_context = CurrentMemoryContext;
	SmartcarServer *server;
	SmartcarKeyRing ring = {0};
	SmartcarSpan input = smartcar_argument_utf8(fcinfo, 0);
	SmartcarCallback callback;
	const char *error;
	const char *error_description;
	SmartcarSession session = {0};
	SmartcarSessionResult outcome = {.action = SMARTCAR_ACTION_UNKNOWN};
	const char *access_token = NULL;
	Errand		errand;
	Datum		result;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_finish_connect()");
	server = smartcar_required_server(fcinfo, 1);
	if (input.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("callback must not be null")));
	smartcar_parse_callback_text(input, palloc(Max(input.length, 1)), &callback);

	/* what the database cannot hold is refused before anything is spent */
	error = field(&callback, SMARTCAR_CALLBACK_ERROR);
	error_description = field(&callback, SMARTCAR_CALLBACK_ERROR_DESCRIPTION);
	smartcar_session_find(server, &callback, &session);
	smartcar_session_check_owner(&session, smartcar_argument_span(fcinfo, 3));
	errand = errand_of(server, &callback, &session);
	prepare_errand(server, errand, &ring);
	if (errand != TAKE_USER)
	{
		smartcar_session_claim(server, &session);
		smartcar_spi_commit();
	}

	outcome.status = "finished";
	outcome.external_id = session.external_id;
	switch (errand)
	{
		case NOTE_ERROR:
			outcome.status = "failed";
			outcome.error = error;
			outcome.action = smartcar_action_for(smartcar_span_from_string(error),
												 smartcar_span(NULL, 0));
			break;
		case CLEAR_ERROR:
			clear_error(server, &session);
			break;
		case NOTHING_TO_TAKE:
			outcome.status = "failed";
			outcome.error = smartcar_server_api_version(server) == SMARTCAR_API_V2 ?
				"the callback has no code" : "the callback has no user_id";
			outcome.action = SMARTCAR_ACTION_CONNECT;
			break;
		case TAKE_CODE:
			access_token = take_code(server, &ring, &callback, &session, &outcome);
			break;
		case TAKE_USER:
			take_user(server, &callback, &session, &outcome);
			break;
	}
	if (outcome.user_id != NULL)
	{
		sync_vehicles(server, &session, access_token, &outcome);
		smartcar_spi_commit();
	}
	smartcar_key_ring_wipe(&ring);
	smartcar_session_end(server, &session, &outcome, error_description);

	MemoryContextSwitchTo(result_context);
	result = form_outcome(fcinfo, &outcome);
	smartcar_spi_end();
	PG_RETURN_DATUM(result);
}
