/*-------------------------------------------------------------------------
 *
 * exchange.c
 *	  The exchange of the code of a callback for tokens, which are stored.
 *
 * A code is single-use.  From the moment at which it is sent until the commit of
 * what Smartcar gives for it, nothing else is done, and a cancel, of which a
 * statement_timeout is one, has to wait: at most as long as the option "timeout"
 * for the response, and STORE_PATIENCE for the locks that storing needs.  A crash
 * in that time leaves the session "exchanging", and the owner has to connect again.
 *
 * src/manager/exchange.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/exchange.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "call/token_request.h"
#include "core/hex.h"
#include "manager/account.h"
#include "manager/spi.h"

/* How long locks are waited for when the statement was canceled, in microseconds. */
#define STORE_PATIENCE		(60 * USECS_PER_SEC)

/* How often they are tried. */
#define STORE_DELAY			(50 * INT64CONST(1000))

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
send_code(Exchange *exchange)
{
	exchange->failure = smartcar_try_token_request(exchange->server, &exchange->request);
}

/*
 * Stores the tokens, and records that the session has them.  A lock that cannot be
 * had at once is an error: a wait for it could not be ended.
 */
static void
store_tokens(Exchange *exchange)
{
	smartcar_account_lock_table_nowait();
	smartcar_session_lock_nowait(exchange->server, exchange->session);
	smartcar_account_store(exchange->server, exchange->ring, exchange->provisional_id,
						   exchange->session->external_id, &exchange->request);
	smartcar_session_record_tokens(exchange->server, exchange->session);
}

/*
 * Runs a step in a subtransaction.  Returns the error that it ended with, or NULL.
 * An error forgets which interrupts are held, so that is restored.
 */
static ErrorData *
try_step(void (*step) (Exchange *exchange), Exchange *exchange)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	uint32		interrupts_held = InterruptHoldoffCount;
	uint32		cancels_held = QueryCancelHoldoffCount;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		step(exchange);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		InterruptHoldoffCount = interrupts_held;
		QueryCancelHoldoffCount = cancels_held;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * Stores the tokens as soon as the locks can be had.
 */
static ErrorData *
store_when_possible(Exchange *exchange)
{
	TimestampTz patience = GetCurrentTimestamp() + STORE_PATIENCE;
	ErrorData  *error;

	while ((error = try_step(store_tokens, exchange)) != NULL &&
		   error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE &&
		   !((QueryCancelPending || ProcDiePending) && GetCurrentTimestamp() > patience))
	{
		/* nobody else should wait for what this transaction still holds */
		smartcar_spi_commit();
		smartcar_spi_wait_until(GetCurrentTimestamp() + STORE_DELAY);
	}
	return error;
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
	smartcar_session_close(exchange->server, exchange->session, result, detail);
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

	smartcar_hex_encode((const unsigned char *) VARDATA(session->state_hash), PROVISIONAL_BYTES,
						digits);
	exchange.provisional_id = psprintf("%s%s", SMARTCAR_PROVISIONAL_PREFIX, digits);
	smartcar_code_request(&exchange.request, code,
						  smartcar_span_from_string(session->redirect_uri));

	HOLD_CANCEL_INTERRUPTS();
	error = try_step(send_code, &exchange);
	if (error == NULL && exchange.failure == NULL)
	{
		HOLD_INTERRUPTS();
		error = store_when_possible(&exchange);
		if (error == NULL)
			smartcar_spi_commit();
		RESUME_INTERRUPTS();
	}
	if (error != NULL)
		fail_session(&exchange, result, error->message, error->detail, SMARTCAR_ACTION_CONNECT);
	else if (exchange.failure != NULL)
		fail_session(&exchange, result, exchange.failure->message, exchange.failure->detail,
					 exchange.failure->api_error.action);
	RESUME_CANCEL_INTERRUPTS();

	if (error != NULL)
		ReThrowError(error);
	if (exchange.failure != NULL)
		smartcar_failure_raise(exchange.failure);
	result->user_id = exchange.provisional_id;
	return exchange.request.access_token.data;
}
