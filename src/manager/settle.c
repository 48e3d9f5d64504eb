/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  Finds out the users of provisional accounts.
 *
 * Tokens are stored in a provisional account before Smartcar is asked whose they are.
 * Settling an account means to ask Smartcar, and to move the tokens to the account of
 * the user.  Until then, the application sees no vehicles.  If that fails when the
 * owner connects, smartcar_refresh() tries again, because it runs more often than
 * anything else.
 *
 * src/manager/settle.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/settle.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/sql_function.h"
#include "call/authorization.h"
#include "manager/account.h"
#include "manager/connection.h"
#include "manager/seal.h"
#include "manager/spi.h"
#include "manager/sync_vehicles.h"
#include "manager/user_outcome.h"

/* How many accounts a run settles at most.  The next run is soon. */
#define MAX_ACCOUNTS	10

/* How often a leased account is tried again. */
#define LEASE_POLL	(100 * INT64CONST(1000))

/*
 * How long one attempt to settle an account waits for a lock, in milliseconds, and all
 * attempts together, in microseconds.  The owner waits for the page meanwhile, and
 * smartcar_refresh() can try again.
 */
#define MOVE_LOCK_TIMEOUT	200
#define SETTLE_TIMEOUT		(5 * USECS_PER_SEC)

typedef struct ProvisionalAccount
{
	const char *user_id;
	const char *external_id;
	bytea	   *access_token;	/* sealed */
} ProvisionalAccount;

typedef enum SettleResult
{
	SETTLE_DONE,				/* by us or by another session */
	SETTLE_LEASED,
	SETTLE_UNREADABLE,
	SETTLE_FAILED
} SettleResult;

/* An account that this transaction has locked. */
typedef struct LockedAccount
{
	bool		is_leased;
	bytea	   *access_token;
	bytea	   *refresh_token;
} LockedAccount;

/*
 * Locks an account, and reads it.  Returns whether it exists.
 */
static bool
lock_account(const SmartcarServer *server, const char *user_id, LockedAccount *account)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user_id);
	if (smartcar_spi_run("SELECT " SMARTCAR_NOT_LEASED " AS is_free, access_token, refresh_token "
						 "FROM smartcar_tesla.account "
						 "WHERE server = $1 AND user_id = $2 FOR UPDATE",
						 &parameters) == 0)
		return false;
	account->is_leased = !smartcar_row_bool(0, "is_free");
	account->access_token = smartcar_row_bytea(0, "access_token");
	account->refresh_token = smartcar_row_bytea(0, "refresh_token");
	return true;
}

/*
 * Locks a provisional account and that of its user, in the order in which a refresh
 * claims them.  Returns whether the first still exists.
 */
static bool
lock_accounts(const SmartcarServer *server, const char *provisional_id, const char *user_id,
			  LockedAccount *provisional)
{
	LockedAccount ignored;

	if (strcmp(user_id, provisional_id) < 0)
		(void) lock_account(server, user_id, &ignored);
	if (!lock_account(server, provisional_id, provisional))
		return false;
	if (strcmp(user_id, provisional_id) > 0)
		(void) lock_account(server, user_id, &ignored);
	return true;
}

/*
 * Asks Smartcar for the user of an access token.
 */
static const SmartcarFailure *
find_user(SmartcarServer *server, SmartcarSpan access_token, const char **user_id)
{
	SmartcarCall call;

	smartcar_call_begin(&call, server, smartcar_user_call.operations[SMARTCAR_API_V2], 1);
	smartcar_item_set_access_token(&call.items[0], access_token);
	smartcar_call_authorize(&call, SMARTCAR_AUTHORIZE_OWNER);
	smartcar_call_run(&call);
	if (call.items[0].error == NULL)
		*user_id = TextDatumGetCString(call.items[0].values[0]);
	return call.items[0].error;
}

/*
 * Seals a token of one account for another.  Returns false if it cannot be unsealed.
 */
static bool
reseal_for(const SmartcarServer *server, const SmartcarKeyRing *ring, const char *kind,
		   bytea **sealed, const char *old_user_id, const char *new_user_id)
{
	SmartcarSealedIdentity identity = {server->name, old_user_id, kind};
	char	   *token;
	int			sqlstate;

	if (*sealed == NULL)
		return true;
	token = smartcar_try_unseal(ring, *sealed, &identity, &sqlstate);
	if (token == NULL)
		return false;
	*sealed = smartcar_account_seal(server, ring, new_user_id, kind,
									smartcar_span_from_string(token));
	explicit_bzero(token, strlen(token));
	return true;
}

/*
 * In a distributed table, an INSERT ... SELECT can have no parameter after ON CONFLICT.
 */
#define MOVE_TOKENS \
	"INSERT INTO smartcar_tesla.account AS a " \
	"(server, user_id, external_id, access_token, access_expires_at, " \
	"refresh_token, refresh_expires_at, refreshed_at, created_at, updated_at) " \
	"SELECT server, $3, external_id, $4, access_expires_at, " \
	"$5, refresh_expires_at, refreshed_at, created_at, @now " \
	"FROM smartcar_tesla.account " \
	"WHERE server = $1 AND user_id = $2 " \
	"ON CONFLICT (server, user_id) DO UPDATE " \
	"SET external_id = COALESCE(EXCLUDED.external_id, a.external_id), " \
	"status = 'active', " \
	"access_token = EXCLUDED.access_token, " \
	"access_expires_at = EXCLUDED.access_expires_at, " \
	"refresh_token = EXCLUDED.refresh_token, " \
	"refresh_expires_at = EXCLUDED.refresh_expires_at, " \
	"refreshed_at = EXCLUDED.refreshed_at, " \
	"lease = NULL, leased_until = NULL, " \
	"attempts = 0, next_attempt_at = NULL, " \
	"error_sqlstate = NULL, error_description = NULL, error_at = NULL, " \
	"created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at"

/*
 * Moves the tokens of a provisional account to the account of its user, where they
 * replace older ones.  If that happens late, the owner may have connected again
 * meanwhile: then the times at which the accounts were created say which tokens are
 * newer.  A time in the future comes from a clock that was ahead.  Imported tokens are
 * always replaced, because nothing but a list says how old they are.
 */
static void
move_tokens(const SmartcarServer *server, const char *provisional_id, const char *user_id,
			bytea *access_token, bytea *refresh_token, bool is_latest)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, provisional_id);
	smartcar_parameter_string(&parameters, user_id);
	smartcar_parameter_bytea(&parameters, access_token);
	smartcar_parameter_bytea(&parameters, refresh_token);
	if (smartcar_spi_run(is_latest ? MOVE_TOKENS :
						 MOVE_TOKENS
						 " WHERE a.created_at <= EXCLUDED.created_at "
						 "OR a.created_at > EXCLUDED.updated_at OR a.status <> 'active' "
						 "OR a.refreshed_at IS NULL",
						 &parameters) > 0)
		smartcar_connections_clear_refusal(server, user_id);
	smartcar_parameters_begin(&parameters, server, provisional_id);
	smartcar_spi_run("DELETE FROM smartcar_tesla.account "
					 "WHERE server = $1 AND user_id = $2",
					 &parameters);
}

typedef struct Move
{
	const SmartcarServer *server;
	SmartcarKeyRing *ring;
	const char *provisional_id;
	const char *user_id;
	bool		is_latest;
	SettleResult outcome;
} Move;

static void
move_account(void *argument)
{
	Move	   *move = (Move *) argument;
	LockedAccount account;

	move->outcome = SETTLE_DONE;
	if (!lock_accounts(move->server, move->provisional_id, move->user_id, &account))
		return;
	if (account.is_leased)
	{
		move->outcome = SETTLE_LEASED;
		return;
	}
	smartcar_account_begin_storing(move->server, move->ring);
	if (!reseal_for(move->server, move->ring, "access", &account.access_token,
					move->provisional_id, move->user_id) ||
		!reseal_for(move->server, move->ring, "refresh", &account.refresh_token,
					move->provisional_id, move->user_id))
	{
		move->outcome = SETTLE_UNREADABLE;
		return;
	}
	move_tokens(move->server, move->provisional_id, move->user_id, account.access_token,
				account.refresh_token, move->is_latest);
}

/*
 * Moves a provisional account to its user, unless it is leased: the response to that
 * refresh is for the provisional id.  Tokens that cannot be unsealed stay where they
 * are.  After SETTLE_FAILED, *error says why.
 */
static SettleResult
try_move(SmartcarServer *server, SmartcarKeyRing *ring, const char *provisional_id,
		 const char *user_id, bool is_latest, ErrorData **error)
{
	Move		move = {server, ring, provisional_id, user_id, is_latest, SETTLE_DONE};

	if (smartcar_spi_try(move_account, &move, MOVE_LOCK_TIMEOUT, error))
		return move.outcome;
	if ((*error)->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(*error);
	return SETTLE_FAILED;
}

/*
 * Settles a provisional account.  is_latest: its code was exchanged last, so its tokens
 * replace those that the user has.  Returns NULL, or the reason why nothing was changed.
 */
const SmartcarFailure *
smartcar_account_settle(SmartcarServer *server, SmartcarKeyRing *ring,
						const char *provisional_id, SmartcarSpan access_token, bool is_latest,
						const char **user_id)
{
	static const SmartcarFailure unreadable = {
		.sqlstate = ERRCODE_DATA_CORRUPTED,
		.message = "a stored token cannot be opened"
	};
	const char *found;
	const SmartcarFailure *failure = find_user(server, access_token, &found);
	TimestampTz deadline = GetCurrentTimestamp() + SETTLE_TIMEOUT;

	while (failure == NULL)
	{
		ErrorData  *error;

		switch (try_move(server, ring, provisional_id, found, is_latest, &error))
		{
			case SETTLE_DONE:
				*user_id = found;
				return NULL;
			case SETTLE_UNREADABLE:
				failure = &unreadable;
				break;
			case SETTLE_FAILED:
				if (!smartcar_error_is_transient(error) || GetCurrentTimestamp() > deadline)
					failure = smartcar_failure_from_error(error);
				break;
			case SETTLE_LEASED:
				smartcar_spi_commit();
				smartcar_spi_wait_until(GetCurrentTimestamp() + LEASE_POLL);
				break;
		}
	}
	return failure;
}

/*
 * Reads provisional accounts with a valid access token.  One that could not be settled
 * is left out for some minutes.
 */
static int
read_provisional(const SmartcarServer *server, ProvisionalAccount *accounts, int limit)
{
	SmartcarParameters parameters = {0};
	int			count;

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_int32(&parameters, limit);
	count = (int) smartcar_spi_run_in_order("SELECT user_id, external_id, access_token "
											"FROM smartcar_tesla.account "
											"WHERE server = $1 "
											"AND starts_with(user_id, '" SMARTCAR_PROVISIONAL_PREFIX "') "
											"AND status = 'active' AND access_expires_at > @now "
											"AND (updated_at = created_at OR updated_at > @now "
											"OR updated_at <= @now - interval '5 minutes') "
											"AND " SMARTCAR_NOT_LEASED " "
											"ORDER BY user_id LIMIT $2",
											&parameters);
	for (int i = 0; i < count; i++)
	{
		accounts[i].user_id = smartcar_row_string(i, "user_id");
		accounts[i].external_id = smartcar_row_string(i, "external_id");
		accounts[i].access_token = smartcar_row_bytea(i, "access_token");
	}
	return count;
}

static void
record_unsettled(void *argument)
{
	const Move *move = (const Move *) argument;
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, move->server, move->provisional_id);
	smartcar_spi_run("UPDATE smartcar_tesla.account "
					 "SET updated_at = @now "
					 "WHERE server = $1 AND user_id = $2",
					 &parameters);
}

/*
 * Settles an account, and returns whether it did.  A failure is ignored: the next run
 * tries again.
 */
static bool
settle_account(SmartcarServer *server, SmartcarKeyRing *ring,
			   const ProvisionalAccount *account, const char *access_token,
			   const char **user_id, bool *has_no_response)
{
	const SmartcarFailure *failure;
	ErrorData  *error;

	failure = find_user(server, smartcar_span_from_string(access_token), user_id);
	*has_no_response = failure != NULL && failure->api_error.status == 0;
	return failure == NULL &&
		try_move(server, ring, account->user_id, *user_id, false, &error) == SETTLE_DONE;
}

/*
 * Settles provisional accounts, and lists the vehicles of their users.  If Smartcar does
 * not respond, it stops after one request: the timeouts of all of them would delay the
 * next refresh.
 */
void
smartcar_settle_accounts(SmartcarServer *server, SmartcarKeyRing *ring)
{
	ProvisionalAccount accounts[MAX_ACCOUNTS];
	SmartcarUser users[MAX_ACCOUNTS];
	int			count = read_provisional(server, accounts, MAX_ACCOUNTS);
	int			settled = 0;
	bool		has_no_response = false;
	SmartcarSyncRun run;

	smartcar_spi_commit();
	for (int i = 0; i < count && !has_no_response; i++)
	{
		SmartcarSealedIdentity identity = {server->name, accounts[i].user_id, "access"};
		SmartcarUser *user = &users[settled];
		int			sqlstate;

		memset(user, 0, sizeof(*user));
		user->external_id = accounts[i].external_id;
		user->access_token = smartcar_try_unseal(ring, accounts[i].access_token, &identity,
												 &sqlstate);
		if (user->access_token != NULL &&
			settle_account(server, ring, &accounts[i], user->access_token, &user->user_id,
						   &has_no_response))
			settled++;
		else
		{
			Move		unsettled = {.server = server, .provisional_id = accounts[i].user_id};
			ErrorData  *error;

			/* if it is locked, the next run tries again */
			(void) smartcar_sync_store(record_unsettled, &unsettled, 1, &error);
		}
		smartcar_spi_commit();
	}
	if (settled == 0)
		return;
	smartcar_sync_run_begin(&run, server);
	smartcar_sync_users(&run, users, settled);
	(void) smartcar_warn_of_users(users, settled);
	smartcar_spi_commit();
}
