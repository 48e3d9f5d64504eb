/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Statements on the table smartcar_tesla.session.
 *
 * A session begins with a link and ends with its callback.  Its state protects the
 * owner from CSRF.  Only the SHA-256 of the state is stored, so that a reader of the
 * table cannot forge a callback.
 *
 * src/manager/session.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/session.h"

#include <openssl/evp.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "manager/spi.h"
#include "pg/api_error.h"
#include "pg/compat.h"

PG_FUNCTION_INFO_V1(smartcar_is_being_finished);

#define HASH_BYTES		32

/* How long to wait for a callback that is being finished, and how often to look. */
#define FINISH_TIMEOUT	(10 * USECS_PER_SEC)
#define FINISH_POLL		(100 * INT64CONST(1000))

#define MAKE_LINK \
	"Links for smartcar_finish_connect() are made by smartcar_begin_connect() or smartcar_begin_reauth(), in a transaction that is committed."

#define THIS_SESSION	"WHERE server = $1 AND state_hash = $2 "

bytea *
smartcar_state_hash(SmartcarSpan state)
{
	bytea	   *hash = palloc(VARHDRSZ + HASH_BYTES);

	SET_VARSIZE(hash, VARHDRSZ + HASH_BYTES);
	if (!EVP_Digest(state.data, state.length, (unsigned char *) VARDATA(hash), NULL,
					EVP_sha256(), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a digest")));
	return hash;
}

/*
 * The hash of all fields of a callback, which shows whether it is used again.
 */
static bytea *
hash_callback(const SmartcarCallback *callback)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < SMARTCAR_CALLBACK_FIELD_COUNT; i++)
	{
		SmartcarSpan value = callback->fields[i];

		if ((callback->present & SMARTCAR_CALLBACK_BIT(i)) == 0)
			continue;
		appendStringInfo(&text, "%d %zu ", i, value.length);
		appendBinaryStringInfo(&text, value.data, (int) value.length);
	}
	return smartcar_state_hash(smartcar_span(text.data, text.len));
}

static void
bind_session(SmartcarParameters *parameters, const SmartcarServer *server, bytea *state_hash)
{
	smartcar_parameter_string(parameters, server->name);
	smartcar_parameter_bytea(parameters, state_hash);
}

/*
 * Inserts a session.  scope is NULL if the argument is.
 */
void
smartcar_session_insert(const SmartcarServer *server, const SmartcarSession *session,
						ArrayType *scope, const Interval *lifetime)
{
	SmartcarParameters parameters = {0};

	bind_session(&parameters, server, session->state_hash);
	smartcar_parameter_string(&parameters, session->link);
	smartcar_parameter_string(&parameters, session->external_id);
	smartcar_parameter_string(&parameters, session->vehicle_id);
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(scope), scope == NULL);
	smartcar_parameter_string(&parameters, session->redirect_uri);
	smartcar_parameter(&parameters, INTERVALOID, IntervalPGetDatum(lifetime), false);
	smartcar_spi_run("INSERT INTO smartcar_tesla.session "
					 "(server, state_hash, link, external_id, vehicle_id, scope, redirect_uri, "
					 "expires_at) "
					 "VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8)",
					 &parameters);
}

/*
 * The key of the advisory lock of a session: the first bytes of its hash.  The backend
 * that finishes a callback holds the lock across commits.  The lock ends with the
 * backend, so a session that is "exchanging" without a lock was interrupted.
 */
static int64
lock_key(const bytea *state_hash)
{
	uint64		key;

	memcpy(&key, VARDATA_ANY(state_hash), sizeof(key));
	return (int64) pg_ntoh64(key);
}

static bool
try_lock(const SmartcarSession *session)
{
	return DatumGetBool(DirectFunctionCall1(pg_try_advisory_lock_int8,
											Int64GetDatum(lock_key(session->state_hash))));
}

/*
 * Locks the session of a callback, even if it does not exist.
 */
void
smartcar_session_lock(const SmartcarCallback *callback, SmartcarSession *session)
{
	if ((callback->present & SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_STATE)) == 0)
		ereport(ERROR,
				(errcode(SMARTCAR_SQLSTATE_STATE_UNKNOWN),
				 errmsg("callback has no state"),
				 errhint(MAKE_LINK)));
	session->state_hash = smartcar_state_hash(callback->fields[SMARTCAR_CALLBACK_STATE]);
	session->callback_hash = hash_callback(callback);
	if (!try_lock(session))
		ereport(ERROR,
				(errcode(SMARTCAR_SQLSTATE_STATE_BUSY),
				 errmsg("callback is being finished by another session"),
				 errhint("Use the callback again in a few seconds to get the result.")));
}

void
smartcar_session_unlock(const SmartcarSession *session)
{
	(void) DirectFunctionCall1(pg_advisory_unlock_int8,
							   Int64GetDatum(lock_key(session->state_hash)));
}

static void
raise_expired(void)
{
	ereport(ERROR,
			(errcode(SMARTCAR_SQLSTATE_STATE_EXPIRED),
			 errmsg("state of the callback has expired"),
			 errdetail("Nothing was changed."),
			 errhint("Make a new link with smartcar_begin_connect() or smartcar_begin_reauth().")));
}

/*
 * The defence against login CSRF.  A callback comes through a browser, and the state
 * does not say whose: an attacker may have sent their own link to another owner, to get
 * hold of that owner's vehicle.  An application that knows who is logged in passes the
 * external_id.
 */
static void
check_owner(const SmartcarSession *session, SmartcarSpan external_id)
{
	if (external_id.data != NULL &&
		(session->external_id == NULL ||
		 !smartcar_span_equal(external_id, smartcar_span_from_string(session->external_id))))
		ereport(ERROR,
				(errcode(SMARTCAR_SQLSTATE_STATE_OWNER),
				 errmsg("callback belongs to a session of another owner"),
				 errdetail("Nothing was sent, and nothing was changed.")));
}

/*
 * Reads the result that the callback had the first time.
 */
static void
read_result(const SmartcarSession *session, SmartcarSessionResult *result)
{
	const char *action = smartcar_row_string(0, "action");
	Datum		vehicle_ids;
	bool		is_null;

	result->status = smartcar_row_string(0, "status");
	result->external_id = session->external_id;
	result->user_id = smartcar_row_string(0, "user_id");
	result->previous_external_id = smartcar_row_string(0, "previous_external_id");
	result->error = smartcar_row_string(0, "error");
	vehicle_ids = smartcar_row_datum(0, "vehicle_ids", &is_null);
	if (!is_null)
		result->vehicle_ids = DatumGetArrayTypePCopy(vehicle_ids);
	for (int i = 0; action != NULL && i < SMARTCAR_ACTION_COUNT; i++)
	{
		if (strcmp(action, smartcar_action_label((SmartcarAction) i)) == 0)
			result->action = (SmartcarAction) i;
	}
}

/*
 * Finds the session of a callback.  Returns false if the session is open, and true with
 * the stored result if this callback has closed it.
 */
bool
smartcar_session_find(const SmartcarServer *server, SmartcarSession *session,
					  SmartcarSpan external_id, SmartcarSessionResult *result)
{
	SmartcarParameters parameters = {0};
	const char *status;

	bind_session(&parameters, server, session->state_hash);
	smartcar_parameter_bytea(&parameters, session->callback_hash);
	if (smartcar_spi_run("SELECT link, external_id, vehicle_id, redirect_uri, created_at, status, "
						 "user_id, vehicle_ids, previous_external_id, error, action::text, "
						 "expires_at <= @now AS is_expired, "
						 "coalesce(callback_hash = $3, false) AS is_same "
						 "FROM smartcar_tesla.session " THIS_SESSION,
						 &parameters) == 0)
		ereport(ERROR,
				(errcode(SMARTCAR_SQLSTATE_STATE_UNKNOWN),
				 errmsg("state of the callback was never issued for server \"%s\"", server->name),
				 errdetail("Nothing was sent, and nothing was changed."),
				 errhint(MAKE_LINK)));
	session->link = smartcar_row_string(0, "link");
	session->external_id = smartcar_row_string(0, "external_id");
	session->vehicle_id = smartcar_row_string(0, "vehicle_id");
	session->redirect_uri = smartcar_row_string(0, "redirect_uri");
	session->created_at = smartcar_row_time(0, "created_at");
	check_owner(session, external_id);

	status = smartcar_row_string(0, "status");
	if (strcmp(status, "open") == 0)
	{
		if (smartcar_row_bool(0, "is_expired"))
			raise_expired();
		return false;
	}
	if (strcmp(status, "exchanging") == 0)
		ereport(ERROR,
				(errcode(SMARTCAR_SQLSTATE_STATE_CUT_OFF),
				 errmsg("state of the callback was used, but the result was not stored"),
				 errdetail("The server or the session ended too early."),
				 errhint("The owner has to connect again, with a link of smartcar_begin_connect().")));
	if (!smartcar_row_bool(0, "is_same"))
		ereport(ERROR,
				(errcode(SMARTCAR_SQLSTATE_STATE_USED),
				 errmsg("state of the callback was already used"),
				 errdetail("Another callback has used it. Nothing was sent, and nothing was changed.")));
	read_result(session, result);
	return true;
}

/*
 * Claims the session for its callback, unless it has expired since it was read.
 */
void
smartcar_session_claim(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	bind_session(&parameters, server, session->state_hash);
	smartcar_parameter_bytea(&parameters, session->callback_hash);
	if (smartcar_spi_run("UPDATE smartcar_tesla.session "
						 "SET status = 'exchanging', callback_hash = $3 "
						 THIS_SESSION "AND status = 'open' AND expires_at > @now",
						 &parameters) == 0)
		raise_expired();
}

/*
 * Records that the tokens or the user are stored.  The session has succeeded then,
 * whatever fails later.
 */
void
smartcar_session_record_success(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	bind_session(&parameters, server, session->state_hash);
	smartcar_spi_run("UPDATE smartcar_tesla.session "
					 "SET status = 'finished', ended_at = @now "
					 THIS_SESSION,
					 &parameters);
}

/*
 * Closes the session with its result.
 */
void
smartcar_session_close(const SmartcarServer *server, const SmartcarSession *session,
					   const SmartcarSessionResult *result, const char *description)
{
	SmartcarParameters parameters = {0};

	bind_session(&parameters, server, session->state_hash);
	smartcar_parameter_string(&parameters, result->status);
	smartcar_parameter_string(&parameters, result->user_id);
	smartcar_parameter_string(&parameters, result->error);
	smartcar_parameter_string(&parameters, description);
	smartcar_parameter_string(&parameters, result->action == SMARTCAR_ACTION_UNKNOWN ? NULL :
							  smartcar_action_label(result->action));
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(result->vehicle_ids),
					   result->vehicle_ids == NULL);
	smartcar_parameter_string(&parameters, result->previous_external_id);
	smartcar_spi_run("UPDATE smartcar_tesla.session "
					 "SET status = $3, ended_at = @now, user_id = $4, "
					 "error = $5, error_description = $6, action = $7::@.smartcar_action, "
					 "vehicle_ids = $8, previous_external_id = $9 "
					 THIS_SESSION,
					 &parameters);
}

/*
 * Deletes a session, unless its callback is being finished, and commits.
 */
static bool
delete_session(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	if (!try_lock(session))
		return false;
	PG_TRY();
	{
		bind_session(&parameters, server, session->state_hash);
		smartcar_spi_run("DELETE FROM smartcar_tesla.session " THIS_SESSION, &parameters);
		smartcar_spi_commit();
	}
	PG_FINALLY();
	{
		smartcar_session_unlock(session);
	}
	PG_END_TRY();
	return true;
}

/*
 * Deletes the sessions of an owner, and commits, so that no callback of theirs is
 * accepted any more.  It waits for a callback that is being finished, because the caller
 * must see what that stores.  Returns the number of deleted sessions.
 */
int64
smartcar_sessions_delete_of_owner(const SmartcarServer *server, const char *external_id)
{
	TimestampTz end = GetCurrentTimestamp() + FINISH_TIMEOUT;
	int64		deleted = 0;

	for (;;)
	{
		SmartcarParameters parameters;
		int			count;
		int			left = 0;
		SmartcarSession *sessions;

		smartcar_parameters_begin(&parameters, server, external_id);
		count = (int) smartcar_spi_run("SELECT state_hash FROM smartcar_tesla.session "
									   "WHERE server = $1 AND external_id = $2",
									   &parameters);
		sessions = palloc0((count + 1) * sizeof(SmartcarSession));
		for (int i = 0; i < count; i++)
			sessions[i].state_hash = smartcar_row_bytea(i, "state_hash");
		smartcar_spi_commit();
		for (int i = 0; i < count; i++)
		{
			if (delete_session(server, &sessions[i]))
				deleted++;
			else
				left++;
		}
		if (left == 0)
			return deleted;
		if (GetCurrentTimestamp() > end)
			ereport(ERROR,
					(errcode(SMARTCAR_SQLSTATE_STATE_BUSY),
					 errmsg("a callback of the owner is being finished by another session"),
					 errdetail("Nothing was sent."),
					 errhint("Call the procedure again in a few seconds.")));
		smartcar_spi_wait_until(GetCurrentTimestamp() + FINISH_POLL);
	}
}

/*
 * Whether the callback of a session is being finished, which only its lock shows.  A
 * standby and the other nodes of Citus do not see the lock.
 */
Datum
smartcar_is_being_finished(PG_FUNCTION_ARGS)
{
	bytea	   *state_hash = PG_GETARG_BYTEA_PP(0);
	LOCKTAG		tag;
	LockData   *locks;
	bool		is_locked = false;

	if (VARSIZE_ANY_EXHDR(state_hash) != HASH_BYTES)
		PG_RETURN_BOOL(false);

	/* the tag that pg_try_advisory_lock(bigint) uses */
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (lock_key(state_hash) >> 32),
						 (uint32) lock_key(state_hash), 1);
	locks = GetLockStatusData();
	for (int i = 0; i < locks->nelements && !is_locked; i++)
		is_locked = locks->locks[i].holdMask != 0 &&
			memcmp(&locks->locks[i].locktag, &tag, sizeof(tag)) == 0;
	PG_RETURN_BOOL(is_locked);
}
