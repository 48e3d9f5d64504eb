/*-------------------------------------------------------------------------
 *
 * account.c
 *	  The tokens of an owner in the table smartcar_tesla.account.
 *
 * src/manager/account.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/account.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "call/authorization.h"
#include "api/sql_function.h"
#include "manager/connection.h"
#include "manager/seal.h"
#include "manager/spi.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_access_token);

/* How often an account is looked at that somebody refreshes. */
#define LEASE_POLL	(100 * INT64CONST(1000))

static bytea *
seal(const SmartcarServer *server, const SmartcarKeyRing *ring, const char *user_id,
	 const char *kind, SmartcarSpan token)
{
	SmartcarSealedIdentity identity = {server->name, user_id, kind};

	return token.data ? smartcar_seal(ring, token, &identity) : NULL;
}

static void
pass_account(SmartcarParameters *parameters, const SmartcarServer *server, const char *user_id)
{
	smartcar_parameter_string(parameters, server->name);
	smartcar_parameter_string(parameters, user_id);
}

/*
 * Begins to store tokens, which are sealed with the keys as they are now.  As
 * long as this transaction lasts, a smartcar_reseal_tokens() that has read them
 * before does not begin.  So the lock comes first, and then the keys.
 */
static void
begin_storing(const SmartcarServer *server, SmartcarKeyRing *ring)
{
	SmartcarParameters none = {0};

	smartcar_spi_run("LOCK TABLE smartcar_tesla.account IN ROW EXCLUSIVE MODE", &none);
	smartcar_key_ring_reread(ring, server);
}

/*
 * For a caller who must not wait: an error if somebody else has a lock that is in
 * the way of begin_storing().
 */
void
smartcar_account_lock_table_nowait(void)
{
	SmartcarParameters none = {0};

	smartcar_spi_run("LOCK TABLE smartcar_tesla.account IN ROW EXCLUSIVE MODE NOWAIT", &none);
}

/* The tokens of an answer, sealed before they are part of any statement. */
static void
pass_tokens(SmartcarParameters *parameters, const SmartcarServer *server,
			const SmartcarKeyRing *ring, const char *user_id,
			const SmartcarTokenRequest *answer)
{
	TimestampTz access_end = DT_NOEND;
	TimestampTz refresh_end = DT_NOEND;

	if (answer->expires_in != SMARTCAR_NO_EXPIRY)
		access_end = answer->asked_at + answer->expires_in * USECS_PER_SEC;
	if (answer->refresh_token.data != NULL)
		refresh_end = answer->asked_at + SMARTCAR_REFRESH_LIFETIME;
	smartcar_parameter_bytea(parameters,
							 seal(server, ring, user_id, "access", answer->access_token));
	smartcar_parameter_time(parameters, access_end);
	smartcar_parameter_bytea(parameters,
							 seal(server, ring, user_id, "refresh", answer->refresh_token));
	smartcar_parameter_time(parameters, refresh_end);
}

/*
 * Stores the tokens that a code was exchanged for, under an id that is not that
 * of a user yet.
 */
void
smartcar_account_store(const SmartcarServer *server, SmartcarKeyRing *ring,
					   const char *provisional_id, const char *external_id,
					   const SmartcarTokenRequest *answer)
{
	SmartcarParameters parameters = {0};

	begin_storing(server, ring);
	pass_account(&parameters, server, provisional_id);
	smartcar_parameter_string(&parameters, external_id);
	pass_tokens(&parameters, server, ring, provisional_id, answer);
	smartcar_spi_run("INSERT INTO smartcar_tesla.account (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at) "
					 "VALUES ($1, $2, $3, $4, $5, $6, $7, @now)",
					 &parameters);
}

/*
 * Stores the tokens of a refresh, unless the account is gone, or has others by
 * now because its owner has connected again.  That ends the lease, so where the
 * lease still stands the tokens are ours to replace, even if they were sealed
 * again meanwhile; where it does not, they are if they are the old ones.  An
 * answer without a refresh token leaves the old one in its place.
 */
bool
smartcar_account_renew(const SmartcarServer *server, const SmartcarKeyRing *ring,
					   const char *user_id, Datum lease, bytea *old_refresh_token,
					   const SmartcarTokenRequest *answer)
{
	SmartcarParameters parameters = {0};

	pass_account(&parameters, server, user_id);
	pass_tokens(&parameters, server, ring, user_id, answer);
	smartcar_parameter_bytea(&parameters, old_refresh_token);
	smartcar_parameter(&parameters, UUIDOID, lease, false);
	if (smartcar_spi_run("UPDATE smartcar_tesla.account SET status = 'active', access_token = $3, access_expires_at = $4, "
						 "refresh_token = COALESCE($5, refresh_token), refresh_expires_at = COALESCE($6, refresh_expires_at), "
						 "refreshed_at = @now, lease = NULL, leased_until = NULL, attempts = 0, next_attempt_at = NULL, "
						 "error_sqlstate = NULL, error_description = NULL, error_at = NULL, updated_at = @now "
						 "WHERE server = $1 AND user_id = $2 AND (lease = $8 OR refresh_token = $7)",
						 &parameters) == 0)
		return false;
	smartcar_connections_clear_refusal(server, user_id);
	return true;
}

/*
 * Locks an account.  Returns whether it is there, with its tokens, and whether
 * somebody refreshes it.
 */
static bool
lock_account(const SmartcarServer *server, const char *user_id, bool *is_leased,
			 bytea **access_token, bytea **refresh_token)
{
	SmartcarParameters parameters = {0};

	pass_account(&parameters, server, user_id);
	if (smartcar_spi_run("SELECT " SMARTCAR_NOT_LEASED ", access_token, refresh_token "
						 "FROM smartcar_tesla.account WHERE server = $1 AND user_id = $2 FOR UPDATE",
						 &parameters) == 0)
		return false;
	*is_leased = strcmp(smartcar_result_string(0, 0), "t") != 0;
	*access_token = smartcar_result_bytea(0, 1);
	*refresh_token = smartcar_result_bytea(0, 2);
	return true;
}

/*
 * Locks an account with a provisional id, and that of its user, in the order in
 * which a refresh claims them.  While somebody refreshes the first, what comes
 * back belongs there, so that is waited for.  Returns whether it is still there,
 * with its tokens.
 */
static bool
lock_accounts(const SmartcarServer *server, const char *provisional_id, const char *user_id,
			  bytea **access_token, bytea **refresh_token)
{
	bool		user_first = strcmp(user_id, provisional_id) < 0;
	bool		is_leased;

	for (;;)
	{
		bool		ignored;
		bytea	   *not_needed;

		if (user_first)
			(void) lock_account(server, user_id, &ignored, &not_needed, &not_needed);
		if (!lock_account(server, provisional_id, &is_leased, access_token, refresh_token))
			return false;
		if (!user_first)
			(void) lock_account(server, user_id, &ignored, &not_needed, &not_needed);
		if (!is_leased)
			return true;
		smartcar_spi_commit();
		smartcar_spi_wait_until(GetCurrentTimestamp() + LEASE_POLL);
	}
}

/*
 * Asks whose tokens an account with a provisional id has, and gives it the id
 * of the user.  Returns what went wrong, in which case nothing was changed.
 */
const SmartcarFailure *
smartcar_account_settle(SmartcarServer *server, SmartcarKeyRing *ring,
						const char *provisional_id, SmartcarSpan access_token,
						const char **user_id)
{
	static const char *const kinds[] = {"access", "refresh"};
	SmartcarParameters parameters = {0};
	SmartcarCall call;
	bytea	   *sealed[lengthof(kinds)];

	smartcar_call_begin(&call, server, smartcar_user_call.operations[SMARTCAR_API_V2], 1);
	smartcar_item_set_access_token(&call.items[0], access_token);
	smartcar_call_authorize(&call, SMARTCAR_AUTHORIZE_OWNER);
	smartcar_call_run(&call);
	if (call.items[0].error != NULL)
		return call.items[0].error;
	*user_id = TextDatumGetCString(call.items[0].values[0]);

	if (!lock_accounts(server, provisional_id, *user_id, &sealed[0], &sealed[1]))
		return NULL;
	begin_storing(server, ring);
	for (int i = 0; i < lengthof(kinds); i++)
	{
		SmartcarSealedIdentity identity = {server->name, provisional_id, kinds[i]};
		char	   *token;

		if (sealed[i] == NULL)
			continue;
		token = smartcar_unseal(ring, sealed[i], &identity);
		sealed[i] = seal(server, ring, *user_id, kinds[i], smartcar_span_from_string(token));
		explicit_bzero(token, strlen(token));
	}

	/*
	 * These take the place of older tokens of this user.  But the user may
	 * have been asked for so late that his owner has connected again
	 * meanwhile.
	 */
	parameters.count = 0;
	pass_account(&parameters, server, provisional_id);
	smartcar_parameter_string(&parameters, *user_id);
	smartcar_parameter_bytea(&parameters, sealed[0]);
	smartcar_parameter_bytea(&parameters, sealed[1]);
	if (smartcar_spi_run("INSERT INTO smartcar_tesla.account AS a (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at, created_at) "
						 "SELECT server, $3, external_id, $4, access_expires_at, $5, refresh_expires_at, refreshed_at, created_at "
						 "FROM smartcar_tesla.account WHERE server = $1 AND user_id = $2 "
						 "ON CONFLICT (server, user_id) DO UPDATE SET "
						 "external_id = COALESCE(EXCLUDED.external_id, a.external_id), status = 'active', "
						 "access_token = EXCLUDED.access_token, access_expires_at = EXCLUDED.access_expires_at, "
						 "refresh_token = EXCLUDED.refresh_token, refresh_expires_at = EXCLUDED.refresh_expires_at, refreshed_at = EXCLUDED.refreshed_at, "
						 "lease = NULL, leased_until = NULL, attempts = 0, next_attempt_at = NULL, "
						 "error_sqlstate = NULL, error_description = NULL, error_at = NULL, created_at = EXCLUDED.created_at, updated_at = @now "
						 "WHERE a.created_at <= EXCLUDED.created_at OR a.status <> 'active'",
						 &parameters) > 0)
		smartcar_connections_clear_refusal(server, *user_id);
	parameters.count = 0;
	pass_account(&parameters, server, provisional_id);
	smartcar_spi_run("DELETE FROM smartcar_tesla.account WHERE server = $1 AND user_id = $2",
					 &parameters);
	return NULL;
}

/*
 * Notes a user of the v3 API, who has no tokens of his own.
 */
void
smartcar_account_note(const SmartcarServer *server, const char *user_id,
					  const char *external_id)
{
	SmartcarParameters parameters = {0};

	pass_account(&parameters, server, user_id);
	smartcar_parameter_string(&parameters, external_id);
	smartcar_spi_run("INSERT INTO smartcar_tesla.account AS a (server, user_id, external_id) VALUES ($1, $2, $3) "
					 "ON CONFLICT (server, user_id) DO UPDATE SET "
					 "external_id = COALESCE(EXCLUDED.external_id, a.external_id), status = 'active', updated_at = @now",
					 &parameters);
}

/*
 * A good access token of an owner.  It is never got here: what spends a refresh
 * token must be able to commit.
 */
Datum
smartcar_access_token(PG_FUNCTION_ARGS)
{
	enum
	{
		EXTERNAL_ID, USER_ID, SERVER
	};
	SmartcarServer *server;
	SmartcarKeyRing ring;
	SmartcarParameters parameters = {0};
	SmartcarSealedIdentity identity;
	MemoryContext result_context = CurrentMemoryContext;
	bytea	   *sealed;
	uint64		rows;
	char	   *token;
	text	   *result;

	server = smartcar_required_server(fcinfo, SERVER);
	if (smartcar_server_api_version(server) != SMARTCAR_API_V2)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("owners have no tokens in version 3 of Smartcar's API"),
				 errhint("smartcar_get_application_token() has the one of the application.")));
	if (PG_ARGISNULL(EXTERNAL_ID) && PG_ARGISNULL(USER_ID))
		PG_RETURN_NULL();

	smartcar_spi_begin();
	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter(&parameters, TEXTOID, PG_GETARG_DATUM(EXTERNAL_ID),
					   PG_ARGISNULL(EXTERNAL_ID));
	smartcar_parameter(&parameters, TEXTOID, PG_GETARG_DATUM(USER_ID), PG_ARGISNULL(USER_ID));
	rows = smartcar_spi_run("SELECT user_id, access_token, status, access_expires_at > @now + interval '10 seconds' "
							"FROM smartcar_tesla.account WHERE server = $1 AND (external_id = $2 OR $2 IS NULL) AND (user_id = $3 OR $3 IS NULL)",
							&parameters);
	if (rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there is no such account"),
				 errhint("smartcar_begin_connect() makes the link that connects an owner.")));
	if (rows > 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("the owner has several accounts"),
				 errhint("Pass user_id.")));
	if (strcmp(smartcar_result_string(0, 2), "active") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the owner has to connect again"),
				 errdetail("Smartcar has refused the refresh token.")));

	identity.server = server->name;
	identity.user_id = smartcar_result_string(0, 0);
	identity.kind = "access";
	sealed = smartcar_result_bytea(0, 1);
	if (sealed == NULL || smartcar_result_string(0, 3) == NULL ||
		strcmp(smartcar_result_string(0, 3), "t") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the access token has expired"),
				 errhint("CALL smartcar_refresh() gets a new one.")));

	smartcar_key_ring_read(&ring, server);
	token = smartcar_unseal(&ring, sealed, &identity);
	smartcar_key_ring_wipe(&ring);
	MemoryContextSwitchTo(result_context);
	result = cstring_to_text(token);
	explicit_bzero(token, strlen(token));
	smartcar_spi_end();
	PG_RETURN_TEXT_P(result);
}
