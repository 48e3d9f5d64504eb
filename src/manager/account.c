/*-------------------------------------------------------------------------
 *
 * account.c
 *	  Statements on the table smartcar_tesla.account, but for claims
 *	  (claim.c), imports (account_import.c) and unknown users (settle.c).
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

#include "manager/seal.h"
#include "manager/spi.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_access_token);

/*
 * Seals a token of an account; NULL if there is none.
 */
bytea *
smartcar_account_seal(const SmartcarServer *server, const SmartcarKeyRing *ring,
					  const char *user_id, const char *kind, SmartcarSpan token)
{
	SmartcarSealedIdentity identity = {server->name, user_id, kind};

	return token.data ? smartcar_seal(ring, token, &identity) : NULL;
}

/*
 * Locks the table, and then reads the keys again, before tokens are sealed and stored.
 * smartcar_reseal_tokens() reads the keys and then waits for these locks, so that no
 * transaction stores a token under an older key afterwards.
 */
void
smartcar_account_begin_storing(const SmartcarServer *server, SmartcarKeyRing *ring)
{
	SmartcarParameters none = {0};

	smartcar_spi_run("LOCK TABLE smartcar_tesla.account IN ROW EXCLUSIVE MODE", &none);
	smartcar_key_ring_reread(ring, server);
}

/*
 * Binds the tokens of a response, and when they expire.  Tokens are sealed before they
 * become part of a statement.
 */
static void
bind_tokens(SmartcarParameters *parameters, const SmartcarServer *server,
			const SmartcarKeyRing *ring, const char *user_id,
			const SmartcarTokenRequest *response)
{
	int64		access_lifetime = response->expires_in == SMARTCAR_NO_EXPIRY ?
		SMARTCAR_ACCESS_LIFETIME : response->expires_in * USECS_PER_SEC;
	TimestampTz refresh_expires_at = DT_NOEND;
	bytea	   *access_token;
	bytea	   *refresh_token;

	if (response->refresh_token.data != NULL)
		refresh_expires_at = response->requested_at + SMARTCAR_REFRESH_LIFETIME;
	access_token = smartcar_account_seal(server, ring, user_id, "access", response->access_token);
	refresh_token = smartcar_account_seal(server, ring, user_id, "refresh",
										  response->refresh_token);
	smartcar_parameter_bytea(parameters, access_token);
	smartcar_parameter_time(parameters, response->requested_at + access_lifetime);
	smartcar_parameter_bytea(parameters, refresh_token);
	smartcar_parameter_time(parameters, refresh_expires_at);
}

/*
 * Inserts a provisional account with the tokens for which a code was exchanged.
 */
void
smartcar_account_insert(const SmartcarServer *server, SmartcarKeyRing *ring,
						const char *provisional_id, const char *external_id,
						const SmartcarTokenRequest *response)
{
	SmartcarParameters parameters;

	smartcar_account_begin_storing(server, ring);
	smartcar_parameters_begin(&parameters, server, provisional_id);
	smartcar_parameter_string(&parameters, external_id);
	bind_tokens(&parameters, server, ring, provisional_id, response);
	smartcar_spi_run("INSERT INTO smartcar_tesla.account "
					 "(server, user_id, external_id, access_token, access_expires_at, "
					 "refresh_token, refresh_expires_at, refreshed_at) "
					 "VALUES ($1, $2, $3, $4, $5, $6, $7, @now)",
					 &parameters);
}

/* A refresh clears the lease and what failed attempts have recorded. */
#define STORE_REFRESHED \
	"UPDATE smartcar_tesla.account " \
	"SET status = 'active', " \
	"access_token = $3, access_expires_at = $4, " \
	"refresh_token = COALESCE($5, refresh_token), " \
	"refresh_expires_at = COALESCE($6, refresh_expires_at), " \
	"refreshed_at = @now, lease = NULL, leased_until = NULL, " \
	"attempts = 0, next_attempt_at = NULL, " \
	"error_sqlstate = NULL, error_description = NULL, error_at = NULL, updated_at = @now " \
	"WHERE server = $1 AND user_id = $2 "

/*
 * Stores the tokens of a refresh, and returns whether it did.  They replace the refresh
 * token that was sent, whoever has the lease.  That token is no longer stored if the
 * account was deleted or the owner has connected again.  A response without a refresh
 * token keeps the old one.
 *
 * smartcar_reseal_tokens() may have sealed the old token again, which then differs from
 * what was read.  The lease proves that it is still the one that was sent.  The new
 * tokens are sealed with the newer keys.
 */
bool
smartcar_account_store_refreshed(const SmartcarServer *server, SmartcarKeyRing *ring,
								 const char *user_id, Datum lease, bytea *old_refresh_token,
								 const SmartcarTokenRequest *response)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user_id);
	bind_tokens(&parameters, server, ring, user_id, response);
	smartcar_parameter_bytea(&parameters, old_refresh_token);
	if (smartcar_spi_run_kept(STORE_REFRESHED "AND refresh_token = $7", &parameters) > 0)
		return true;

	smartcar_account_begin_storing(server, ring);
	smartcar_parameters_begin(&parameters, server, user_id);
	bind_tokens(&parameters, server, ring, user_id, response);
	smartcar_parameter(&parameters, UUIDOID, lease, false);
	return smartcar_spi_run(STORE_REFRESHED "AND lease = $7", &parameters) > 0;
}

/*
 * Records that a refresh has failed, and returns whether it did.  If another session has
 * the lease, nothing is recorded, because it may have refreshed the account.  After a
 * definite refusal, the owner has to connect again.
 */
bool
smartcar_account_record_failure(const SmartcarServer *server, const char *user_id, Datum lease,
								const SmartcarRefreshFailure *failure)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user_id);
	smartcar_parameter(&parameters, UUIDOID, lease, false);
	smartcar_parameter_string(&parameters, failure->is_refusal ? "reauthenticate" : "active");
	smartcar_parameter_string(&parameters, failure->sqlstate);
	smartcar_parameter_string(&parameters, failure->description);
	smartcar_parameter_int32(&parameters, failure->delay);
	return smartcar_spi_run("UPDATE smartcar_tesla.account "
							"SET status = $4, lease = NULL, leased_until = NULL, "
							"attempts = attempts + 1, "
							"next_attempt_at = @now + $7 * interval '1 ms', "
							"error_sqlstate = $5, error_description = $6, "
							"error_at = @now, updated_at = @now "
							"WHERE server = $1 AND user_id = $2 AND lease = $3",
							&parameters) > 0;
}

/*
 * Locks the accounts that no other session has locked; is_locked says which could not be
 * locked.  Citus refuses this for a distributed table.
 */
void
smartcar_accounts_lock_available(const SmartcarServer *server, const char *const *user_ids, int count,
								 bool *is_locked)
{
	SmartcarParameters parameters = {0};
	Datum	   *texts = palloc(count * sizeof(Datum));
	uint64		rows;

	for (int i = 0; i < count; i++)
		texts[i] = CStringGetTextDatum(user_ids[i]);
	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_text_array(&parameters, texts, count);
	rows = smartcar_spi_run("SELECT array_position($2, user_id) AS place "
							"FROM smartcar_tesla.account "
							"WHERE server = $1 AND user_id = ANY ($2) "
							"FOR NO KEY UPDATE SKIP LOCKED",
							&parameters);
	memset(is_locked, true, count * sizeof(bool));
	for (uint64 row = 0; row < rows; row++)
		is_locked[smartcar_row_int32(row, "place") - 1] = false;
}

/*
 * Locks an account whose refresh token Smartcar has refused.  Returns whether it has.
 */
bool
smartcar_account_lock_if_refused(const SmartcarServer *server, const char *user_id)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user_id);
	return smartcar_spi_run("SELECT FROM smartcar_tesla.account "
							"WHERE server = $1 AND user_id = $2 AND status = 'reauthenticate' "
							"FOR UPDATE",
							&parameters) > 0;
}

/*
 * Says why a procedure for tokens does nothing for a server of version 3.
 */
void
smartcar_account_report_no_tokens(const SmartcarServer *server)
{
	ereport(NOTICE,
			(errmsg("nothing to do for server \"%s\"", server->name),
			 errdetail("It has api_version \"3\", in which owners have no tokens.")));
}

bool
smartcar_account_is_provisional(const char *user_id)
{
	return strncmp(user_id, SMARTCAR_PROVISIONAL_PREFIX,
				   strlen(SMARTCAR_PROVISIONAL_PREFIX)) == 0;
}

/*
 * Records a user of version 3 of the API, in which owners have no tokens.
 */
void
smartcar_account_record_user(const SmartcarServer *server, const char *user_id,
							 const char *external_id)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user_id);
	smartcar_parameter_string(&parameters, external_id);
	smartcar_spi_run("INSERT INTO smartcar_tesla.account AS a (server, user_id, external_id) "
					 "VALUES ($1, $2, $3) "
					 "ON CONFLICT (server, user_id) DO UPDATE "
					 "SET external_id = COALESCE(EXCLUDED.external_id, a.external_id), "
					 "status = 'active', updated_at = @now",
					 &parameters);
}

/*
 * Reads the tokens of up to limit accounts, in the order of their user_id, from the
 * first one after the given id.  Returns the number of accounts.
 */
int
smartcar_account_read_tokens(const SmartcarServer *server, const char *after,
							 SmartcarSealedTokens *tokens, int limit)
{
	SmartcarParameters parameters;
	int			count;

	smartcar_parameters_begin(&parameters, server, after);
	smartcar_parameter_int32(&parameters, limit);
	count = (int) smartcar_spi_run_in_order("SELECT user_id, access_token, refresh_token "
											"FROM smartcar_tesla.account "
											"WHERE server = $1 AND user_id > $2 "
											"ORDER BY user_id LIMIT $3",
											&parameters);
	for (int i = 0; i < count; i++)
	{
		tokens[i].user_id = smartcar_row_string(i, "user_id");
		tokens[i].access_token = smartcar_row_bytea(i, "access_token");
		tokens[i].refresh_token = smartcar_row_bytea(i, "refresh_token");
	}
	return count;
}

/*
 * Replaces tokens by the same tokens under a newer key; NULL keeps a token.  Returns
 * false if the account is leased, or other tokens are stored by now.
 */
bool
smartcar_account_replace_tokens(const SmartcarServer *server, const SmartcarSealedTokens *old,
								bytea *new_access_token, bytea *new_refresh_token)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, old->user_id);
	smartcar_parameter_bytea(&parameters, old->access_token);
	smartcar_parameter_bytea(&parameters, old->refresh_token);
	smartcar_parameter_bytea(&parameters, new_access_token);
	smartcar_parameter_bytea(&parameters, new_refresh_token);
	return smartcar_spi_run("UPDATE smartcar_tesla.account "
							"SET access_token = COALESCE($5, access_token), "
							"refresh_token = COALESCE($6, refresh_token) "
							"WHERE server = $1 AND user_id = $2 "
							"AND access_token IS NOT DISTINCT FROM $3 "
							"AND refresh_token IS NOT DISTINCT FROM $4 "
							"AND " SMARTCAR_NOT_LEASED,
							&parameters) > 0;
}

/*
 * The oid of the table, which each transaction that stores tokens has locked.
 */
Oid
smartcar_account_table(void)
{
	SmartcarParameters none = {0};
	bool		is_null;

	smartcar_spi_run("SELECT 'smartcar_tesla.account'::pg_catalog.regclass::pg_catalog.oid AS oid",
					 &none);
	return DatumGetObjectId(smartcar_row_datum(0, "oid", &is_null));
}

/*
 * Reads the account that the arguments name, and returns the number of its row.  A
 * provisional account is ignored if there is another one.
 */
static uint64
find_account(const SmartcarServer *server, FunctionCallInfo fcinfo, int external_id, int user_id)
{
	SmartcarParameters parameters = {0};
	uint64		rows;
	uint64		known = 0;
	uint64		result = 0;

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_argument(&parameters, fcinfo, external_id, TEXTOID);
	smartcar_parameter_argument(&parameters, fcinfo, user_id, TEXTOID);
	rows = smartcar_spi_run("SELECT user_id, access_token, status, "
							"access_expires_at > @now + interval '10 seconds' AS is_good "
							"FROM smartcar_tesla.account "
							"WHERE server = $1 "
							"AND (external_id = $2 OR $2 IS NULL) "
							"AND (user_id = $3 OR $3 IS NULL)",
							&parameters);
	for (uint64 i = 0; i < rows; i++)
	{
		if (smartcar_account_is_provisional(smartcar_row_string(i, "user_id")))
			continue;
		known++;
		result = i;
	}
	if (rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 PG_ARGISNULL(user_id) ?
				 errmsg("account for owner \"%s\" does not exist",
						TextDatumGetCString(PG_GETARG_DATUM(external_id))) :
				 errmsg("account for user \"%s\" does not exist",
						TextDatumGetCString(PG_GETARG_DATUM(user_id))),
				 errhint("smartcar_begin_connect() makes the link that connects an owner.")));
	if (known > 1 || (known == 0 && rows > 1))
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("owner \"%s\" has more than one account",
						TextDatumGetCString(PG_GETARG_DATUM(external_id))),
				 errhint("Pass user_id.")));
	return result;
}

/*
 * Returns a valid access token of an owner.  It does not refresh: new tokens must be
 * committed, which a function cannot do.
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
	SmartcarSealedIdentity identity;
	MemoryContext result_context = CurrentMemoryContext;
	bytea	   *sealed;
	uint64		row;
	char	   *token;
	text	   *result;

	server = smartcar_required_server(fcinfo, SERVER);
	if (smartcar_server_api_version(server) != SMARTCAR_API_V2)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("owners have no tokens in version 3 of Smartcar's API"),
				 errhint("Use smartcar_get_application_token() to get the application's token.")));
	if (PG_ARGISNULL(EXTERNAL_ID) && PG_ARGISNULL(USER_ID))
		PG_RETURN_NULL();

	smartcar_spi_begin();
	row = find_account(server, fcinfo, EXTERNAL_ID, USER_ID);
	if (strcmp(smartcar_row_string(row, "status"), "active") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("owner of user \"%s\" has to connect again",
						smartcar_row_string(row, "user_id")),
				 errdetail("Smartcar has refused the refresh token.")));

	identity.server = server->name;
	identity.user_id = smartcar_row_string(row, "user_id");
	identity.kind = "access";
	sealed = smartcar_row_bytea(row, "access_token");
	if (sealed == NULL || !smartcar_row_bool(row, "is_good"))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("access token of user \"%s\" has expired", identity.user_id),
				 errhint("Run CALL smartcar_refresh(server => %s) to get a new one.",
						 quote_literal_cstr(server->name))));

	smartcar_key_ring_read(&ring, server);
	token = smartcar_unseal(&ring, sealed, &identity);
	smartcar_key_ring_wipe(&ring);
	MemoryContextSwitchTo(result_context);
	result = cstring_to_text(token);
	explicit_bzero(token, strlen(token));
	smartcar_spi_end();
	PG_RETURN_TEXT_P(result);
}
