/*-------------------------------------------------------------------------
 *
 * exchange.c
 *	  The exchange of the code of a callback for tokens, which are stored.
 *
 * A code is single-use.  From the moment at which it is sent until the commit of
 * what Smartcar gives for it, nothing else is done.  A cancel, of which a
 * statement_timeout is one, and the end of the session wait for the response, at
 * most as long as the option "timeout", and until the tokens are stored, at most
 * STORE_PATIENCE where somebody else has a lock.  A crash in that time leaves the
 * session "exchanging", and the owner has to connect again.
 *
 * src/manager/exchange.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/exchange.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "call/token_request.h"
#include "core/hex.h"
#include "manager/account.h"
#include "manager/spi.h"

/* How long locks are waited for when the statement was canceled, in microseconds. */
#define STORE_PATIENCE		(60 * USECS_PER_SEC)

/* How long one attempt to store waits for a lock, in milliseconds. */
#define STORE_LOCK_TIMEOUT	200

/* How much of the hash of a state an id has that is used until the user is known. */
#define PROVISIONAL_BYTES	16

typedef struct Exchange
{
	SmartcarServer *server;
	SmartcarKeyRing *ring;
	const SmartcarSession *session;
	const char *provisional_id;
	SmartcarTokenRequest request;
	const SmartcarFailure *failure; /* NULL: there are tokens */
} Exchange;

static void
send_code(void *argument)
{
	Exchange   *exchange = (Exchange *) argument;

	exchange->failure = smartcar_try_token_request(exchange->server, &exchange->request);
}

static void
store_tokens(void *argument)
{
	Exchange   *exchange = (Exchange *) argument;

	smartcar_account_insert(exchange->server, exchange->ring, exchange->provisional_id,
							exchange->session->external_id, &exchange->request);
	smartcar_session_record_tokens(exchange->server, exchange->session);
}

/*
 * Stores the tokens, as soon as the locks can be had, and commits.  Returns what
 * went wrong, or NULL.  A cancel ends an attempt, but not the work; it is returned
 * in *cancel.
 */
static ErrorData *
store_when_possible(Exchange *exchange, ErrorData **cancel)
{
	TimestampTz patience = GetCurrentTimestamp() + STORE_PATIENCE;
	ErrorData  *error;

	while (!smartcar_spi_try(store_tokens, exchange, STORE_LOCK_TIMEOUT, &error))
	{
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			*cancel = error;
		else if (!smartcar_error_is_transient(error))
			return error;
		if ((*cancel != NULL || ProcDiePending) && GetCurrentTimestamp() > patience)
			return error;
	}
	smartcar_spi_commit();
	return NULL;
}

/*
 * Closes the session as failed.  The code is spent, so whatever else is to be done,
 * the owner has to connect again.
 */
static void
fail_session(const Exchange *exchange, SmartcarSessionResult *result, const char *message,
			 const char *detail, SmartcarAction action)
{
	result->status = "failed";
	result->error = message;
	result->action = action == SMARTCAR_ACTION_FIX_SETUP ? action : SMARTCAR_ACTION_CONNECT;

	/* a cancel that had to wait would leave the session without a word */
	HOLD_CANCEL_INTERRUPTS();
	smartcar_session_close(exchange->server, exchange->session, result, detail);
	RESUME_CANCEL_INTERRUPTS();
}

/*
 * Exchanges the code of a callback and stores the tokens under an id that is not
 * that of a user yet, which is result->user_id.  Whatever goes wrong closes the
 * session and is raised.  Returns the access token.
 */
const char *
smartcar_exchange_and_store(SmartcarServer *server, SmartcarKeyRing *ring,
							const SmartcarSession *session, SmartcarSpan code,
							SmartcarSessionResult *result)
{
	char		digits[2 * PROVISIONAL_BYTES + 1] = {0};
	Exchange	exchange = {.server = server, .ring = ring, .session = session};
	ErrorData  *error;
	ErrorData  *cancel = NULL;

	smartcar_hex_encode((const unsigned char *) VARDATA(session->state_hash), PROVISIONAL_BYTES,
						digits);
	exchange.provisional_id = psprintf("%s%s", SMARTCAR_PROVISIONAL_PREFIX, digits);
	smartcar_code_request(&exchange.request, code,
						  smartcar_span_from_string(session->redirect_uri));

	HOLD_CANCEL_INTERRUPTS();
	(void) smartcar_spi_try(send_code, &exchange, STORE_LOCK_TIMEOUT, &error);
	RESUME_CANCEL_INTERRUPTS();
	if (error == NULL && exchange.failure == NULL)
		error = store_when_possible(&exchange, &cancel);

	if (error != NULL)
	{
		fail_session(&exchange, result, error->message, error->detail, SMARTCAR_ACTION_CONNECT);
		ReThrowError(error);
	}
	if (exchange.failure != NULL)
	{
		fail_session(&exchange, result, exchange.failure->message, exchange.failure->detail,
					 exchange.failure->api_error.action);
		smartcar_failure_raise(exchange.failure);
	}
	if (cancel != NULL)
		ReThrowError(cancel);
	result->user_id = exchange.provisional_id;
	return exchange.request.access_token.data;
}
