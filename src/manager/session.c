/*-------------------------------------------------------------------------
 *
 * session.c
 *	  The session of a callback: found by its state, taken once, and ended.
 *
 * src/manager/session.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/session.h"

#include "manager/spi.h"
#include "manager/begin_connect.h"
#include "pg/api_error.h"

/*
 * A callback whose state opens no session: the error says why, and nothing is
 * changed.
 */
static void
refuse_state(const SmartcarServer *server, bytea *hash)
{
	SmartcarParameters parameters = {0};
	const char *reason = "This state was never given out for this server.";

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_bytea(&parameters, hash);
	if (smartcar_spi_run("SELECT status, expires_at <= @now FROM smartcar_tesla.session WHERE server = $1 AND state_hash = $2",
							 &parameters) > 0)
	{
		if (strcmp(smartcar_result_string(0, 0), "exchanging") == 0)
			reason = "Its code is being exchanged, or was when the server went down; then the owner has to connect again.";
		else if (strcmp(smartcar_result_string(0, 0), "open") != 0)
			reason = "It has come before.";
		else
			reason = "Its time is over.";
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("the state of the callback opens no session"),
			 errdetail("%s", reason)));
}

static void
pass_session(SmartcarParameters *parameters, const SmartcarServer *server,
			 const SmartcarSession *session)
{
	smartcar_parameter_string(parameters, server->name);
	smartcar_parameter_bytea(parameters, session->state_hash);
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
				 errmsg("the callback has no state")));
	session->state_hash = smartcar_state_hash(callback->fields[SMARTCAR_CALLBACK_STATE]);
	pass_session(&parameters, server, session);
	if (smartcar_spi_run("SELECT link, external_id, vehicle_id, redirect_uri FROM smartcar_tesla.session "
							 "WHERE server = $1 AND state_hash = $2 AND status = 'open' AND expires_at > @now",
							 &parameters) == 0)
		refuse_state(server, session->state_hash);
	session->link = smartcar_result_string(0, 0);
	session->external_id = smartcar_result_string(0, 1);
	session->vehicle_id = smartcar_result_string(0, 2);
	session->redirect_uri = smartcar_result_string(0, 3);
}

/*
 * A callback comes through a browser, and the state in it does not tell whose:
 * somebody may have sent his link to another owner, to get hold of that one's
 * vehicle.  Whoever knows who is logged in says so.
 */
void
smartcar_session_check_owner(const SmartcarSession *session, SmartcarSpan external_id)
{
	if (external_id.data != NULL &&
		(session->external_id == NULL ||
		 !smartcar_span_equal(external_id, smartcar_span_from_string(session->external_id))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the session of the callback was begun for another owner"),
				 errdetail("Nothing was sent, and the session is still open.")));
}

/*
 * Takes the session for ourselves, unless somebody else has by now.
 */
void
smartcar_session_claim(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	pass_session(&parameters, server, session);
	if (smartcar_spi_run("UPDATE smartcar_tesla.session SET status = 'exchanging' "
							 "WHERE server = $1 AND state_hash = $2 AND status = 'open' AND expires_at > @now",
							 &parameters) == 0)
		refuse_state(server, session->state_hash);
}

/*
 * The tokens are safe, and with them the session is finished, whatever else can
 * be found out.
 */
void
smartcar_session_record_tokens(const SmartcarServer *server, const SmartcarSession *session)
{
	SmartcarParameters parameters = {0};

	pass_session(&parameters, server, session);
	smartcar_spi_run("UPDATE smartcar_tesla.session SET status = 'finished', ended_at = @now "
						 "WHERE server = $1 AND state_hash = $2",
						 &parameters);
}

/*
 * Ends the session with what has come of it, and commits.
 */
void
smartcar_session_end(const SmartcarServer *server, const SmartcarSession *session,
						const SmartcarSessionResult *outcome, const char *description)
{
	SmartcarParameters parameters = {0};

	pass_session(&parameters, server, session);
	smartcar_parameter_string(&parameters, outcome->status);
	smartcar_parameter_string(&parameters, outcome->user_id);
	smartcar_parameter_string(&parameters, outcome->error);
	smartcar_parameter_string(&parameters, description);
	smartcar_parameter_string(&parameters, outcome->action == SMARTCAR_ACTION_UNKNOWN ? NULL :
							  smartcar_action_label(outcome->action));
	smartcar_spi_run("UPDATE smartcar_tesla.session SET status = $3, ended_at = @now, user_id = $4, "
						 "error = $5, error_description = $6, action = $7::@.smartcar_action "
						 "WHERE server = $1 AND state_hash = $2",
						 &parameters);
	smartcar_spi_commit();
}
