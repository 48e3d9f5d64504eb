/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Statements on the table smartcar_tesla.session.
 *
 * A session is a link that was given out, until its callback has come.  Its state
 * is what protects the owner from CSRF.  Only the SHA-256 of it is stored, so that
 * nobody who reads the table can make a callback that is accepted.
 *
 * src/manager/session.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/session.h"

#include <openssl/evp.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "manager/spi.h"
#include "pg/api_error.h"
#include "pg/compat.h"

#define HASH_BYTES		32

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

static void
bind_session(SmartcarParameters *parameters, const SmartcarServer *server, bytea *state_hash)
{
	smartcar_parameter_string(parameters, server->name);
	smartcar_parameter_bytea(parameters, state_hash);
}

/*
 * Stores a new session.  scope is NULL where no argument named one.
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
 * Refuses a callback whose state belongs to no open session, and says why.
 */
static void
refuse_state(const SmartcarServer *server, bytea *hash)
{
	SmartcarParameters parameters = {0};
	const char *reason = "This state was never given out for this server.";

	bind_session(&parameters, server, hash);
	if (smartcar_spi_run("SELECT status FROM smartcar_tesla.session " THIS_SESSION,
						 &parameters) > 0)
	{
		const char *status = smartcar_row_string(0, "status");

		if (strcmp(status, "exchanging") == 0)
			reason = "Its code is being exchanged, or was when the server went down; then the owner has to connect again.";
		else if (strcmp(status, "open") == 0)
			reason = "The state has expired.";
		else
			reason = "The state was already used.";
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("invalid callback state"),
			 errdetail("%s", reason)));
}

/*
 * Finds the session of a callback.
 */
void
smartcar_session_find(const SmartcarServer *server, const SmartcarCallback *callback,
					  SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	if ((callback->present & SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_STATE)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("callback has no state")));
	session->state_hash = smartcar_state_hash(callback->fields[SMARTCAR_CALLBACK_STATE]);
	bind_session(&parameters, server, session->state_hash);
	if (smartcar_spi_run("SELECT link, external_id, vehicle_id, redirect_uri "
						 "FROM smartcar_tesla.session "
						 THIS_SESSION "AND status = 'open' AND expires_at > @now",
						 &parameters) == 0)
		refuse_state(server, session->state_hash);
	session->link = smartcar_row_string(0, "link");
	session->external_id = smartcar_row_string(0, "external_id");
	session->vehicle_id = smartcar_row_string(0, "vehicle_id");
	session->redirect_uri = smartcar_row_string(0, "redirect_uri");
}

/*
 * The defence against login CSRF: a callback comes through a browser, and the state
 * does not tell whose.  Somebody may have sent their own link to another owner, to
 * get hold of that owner's vehicle.  An application that knows who is logged in
 * passes the external_id.
 */
void
smartcar_session_check_owner(const SmartcarSession *session, SmartcarSpan external_id)
{
	if (external_id.data != NULL &&
		(session->external_id == NULL ||
		 !smartcar_span_equal(external_id, smartcar_span_from_string(session->external_id))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("callback belongs to a session of another owner"),
				 errdetail("Nothing was sent, and the session is still open.")));
}

/*
 * Claims the session, unless another backend has by now.
 */
void
smartcar_session_claim(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	bind_session(&parameters, server, session->state_hash);
	if (smartcar_spi_run("UPDATE smartcar_tesla.session SET status = 'exchanging' "
						 THIS_SESSION "AND status = 'open' AND expires_at > @now",
						 &parameters) == 0)
		refuse_state(server, session->state_hash);
}

/*
 * Records that the tokens are stored.  With them the session is finished, whatever
 * else can be found out.
 */
void
smartcar_session_record_tokens(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	bind_session(&parameters, server, session->state_hash);
	smartcar_spi_run("UPDATE smartcar_tesla.session SET status = 'finished', ended_at = @now "
					 THIS_SESSION,
					 &parameters);
}

/*
 * Closes the session with its result, and commits.
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
	smartcar_spi_run("UPDATE smartcar_tesla.session "
					 "SET status = $3, ended_at = @now, user_id = $4, "
					 "error = $5, error_description = $6, action = $7::@.smartcar_action "
					 THIS_SESSION,
					 &parameters);
	smartcar_spi_commit();
}

/*
 * Deletes sessions that expired long ago.
 */
void
smartcar_sessions_delete_expired(const SmartcarServer *server)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_spi_run_by_index("DELETE FROM smartcar_tesla.session "
							  "WHERE server = $1 AND expires_at < @now - interval '30 days'",
							  &parameters);
}
