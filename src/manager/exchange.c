/*-------------------------------------------------------------------------
 *
 * exchange.c
 *	  Exchanges the code of a callback for tokens, and stores them.
 *
 * A code is single-use, so nothing may interrupt the exchange from the moment at which
 * the code is sent until the tokens are committed.  A cancel, also by statement_timeout,
 * and the end of the session wait for the response, at most as long as the option
 * "timeout", and then until the tokens are stored, at most STORE_TIMEOUT if another
 * session has a lock.  After a crash in that time the session stays "exchanging", and
 * the owner has to connect again.
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

/* How long to wait for locks after a cancel, in microseconds. */
#define STORE_TIMEOUT		(60 * USECS_PER_SEC)

/* How long one attempt to store waits for a lock, in milliseconds. */
#define STORE_LOCK_TIMEOUT	200

/* How many bytes of the hash of a state a provisional id has. */
#define PROVISIONAL_BYTES	16

typedef struct Exchange
{
	SmartcarServer *server;
	SmartcarKeyRing *ring;
	const SmartcarSession *session;
	const char *provisional_id;
	SmartcarTokenRequest request;
	const SmartcarFailure *failure; /* NULL: the request has the tokens */
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
	smartcar_session_record_success(exchange->server, exchange->session);
}

/*
 * Stores the tokens as soon as it gets the locks, and commits.  Returns the error, or
 * NULL.  A cancel ends an attempt but not the exchange; it is returned in *cancel.
 */
static ErrorData *
store_when_possible(Exchange *exchange, ErrorData **cancel)
{
	TimestampTz deadline = GetCurrentTimestamp() + STORE_TIMEOUT;
	ErrorData  *error;

	while (!smartcar_spi_try(store_tokens, exchange, STORE_LOCK_TIMEOUT, &error))
	{
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			*cancel = error;
		else if (!smartcar_error_is_transient(error))
			return error;
		if ((*cancel != NULL || ProcDiePending) && GetCurrentTimestamp() > deadline)
			return error;
	}
	smartcar_spi_commit();
	return NULL;
}

typedef struct Closing
{
	const Exchange *exchange;
	const SmartcarSessionResult *result;
	const char *detail;
} Closing;

static void
close_session(void *argument)
{
	const Closing *closing = (const Closing *) argument;

	smartcar_session_close(closing->exchange->server, closing->exchange->session,
						   closing->result, closing->detail);
}

/*
 * Closes the session as failed.  The code is used up, so the owner has to connect again,
 * whatever else must be fixed first.  It waits for locks without a limit; after a cancel,
 * it tries only once more.
 */
static void
fail_session(const Exchange *exchange, SmartcarSessionResult *result, const char *message,
			 const char *detail, SmartcarAction action)
{
	Closing		closing = {exchange, result, detail};
	ErrorData  *error;
	ErrorData  *cancel = NULL;

	result->status = "failed";
	result->error = message;
	result->action = action == SMARTCAR_ACTION_FIX_SETUP ? action : SMARTCAR_ACTION_CONNECT;

	while (!smartcar_spi_try(close_session, &closing, STORE_LOCK_TIMEOUT, &error))
	{
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && cancel == NULL)
			cancel = error;
		else if (!smartcar_error_is_transient(error))
			ReThrowError(error);
		else if (cancel != NULL)
			ReThrowError(cancel);
		else
			CHECK_FOR_INTERRUPTS();
	}
	smartcar_spi_commit();
}

/*
 * Exchanges the code of a callback, and stores the tokens in a provisional account,
 * whose id is then result->user_id.  If that fails, closes the session and raises the
 * error.  Returns the access token.
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
