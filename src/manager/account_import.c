/*-------------------------------------------------------------------------
 *
 * account_import.c
 *	  Statements on the table smartcar_tesla.account that store tokens which the
 *	  application has kept itself.
 *
 * Smartcar replaces the refresh token with each refresh, and the old one becomes
 * invalid.  Two tokens do not tell which is newer, but refreshed_at of the account is
 * NULL as long as its tokens are imported ones.  An import replaces imported tokens by
 * newer ones.  It replaces tokens that Smartcar has issued to this database only if
 * Smartcar has refused them, because nothing but the list itself says how old its
 * tokens are.  Nor does an import give a user who has connected here to another owner,
 * or bring back a user who was forgotten.
 *
 * An account that is not changed is not locked: the transaction is the caller's and may
 * be long, and a refresh may be about to store tokens.
 *
 * src/manager/account_import.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/account_import.h"

#include "utils/timestamp.h"

#include "manager/account.h"
#include "manager/connection.h"
#include "manager/forgotten_user.h"
#include "manager/owner.h"
#include "manager/seal.h"
#include "manager/spi.h"

/* What an import has to know about a stored account. */
typedef struct StoredTokens
{
	bool		is_leased;
	bool		is_refused;
	bool		are_from_smartcar;	/* issued by Smartcar, not imported */
	bool		has_owner;
	bytea	   *refresh_token;	/* sealed; NULL: none */
	TimestampTz refresh_expires_at;
} StoredTokens;

static TimestampTz
refresh_expiry(const SmartcarTokensToImport *tokens)
{
	return tokens->expires_at + (SMARTCAR_REFRESH_LIFETIME - SMARTCAR_ACCESS_LIFETIME);
}

/*
 * Binds the account and its sealed tokens: seven parameters.  Without an access token,
 * the account is due at once.  created_at, which says in what order owners connected,
 * becomes the time at which Smartcar issued the tokens, at most the current time.
 */
static void
bind_tokens(SmartcarParameters *parameters, const SmartcarServer *server,
			const SmartcarKeyRing *ring, const SmartcarTokensToImport *tokens)
{
	bytea	   *access_token = smartcar_account_seal(server, ring, tokens->user_id, "access",
													 tokens->access_token);
	bytea	   *refresh_token = smartcar_account_seal(server, ring, tokens->user_id, "refresh",
													  tokens->refresh_token);

	smartcar_parameters_begin(parameters, server, tokens->user_id);
	smartcar_parameter_bytea(parameters, access_token);
	smartcar_parameter_time(parameters, access_token ? tokens->expires_at : DT_NOEND);
	smartcar_parameter_bytea(parameters, refresh_token);
	smartcar_parameter_time(parameters, refresh_expiry(tokens));
	smartcar_parameter_time(parameters, Min(tokens->expires_at - SMARTCAR_ACCESS_LIFETIME,
											GetCurrentTimestamp()));
}

/*
 * Inserts an account for a new user, unless the user was forgotten after the tokens were
 * issued.  Returns whether it was inserted.
 */
static bool
insert_account(const SmartcarServer *server, const SmartcarKeyRing *ring,
			   const SmartcarTokensToImport *tokens)
{
	SmartcarParameters parameters;

	bind_tokens(&parameters, server, ring, tokens);
	smartcar_parameter_string(&parameters, tokens->external_id);
	return smartcar_spi_run_kept("INSERT INTO smartcar_tesla.account "
								 "(server, user_id, access_token, access_expires_at, "
								 "refresh_token, refresh_expires_at, created_at, external_id) "
								 "SELECT $1, $2, $3, $4, $5, $6, $7, $8 "
								 "WHERE " SMARTCAR_IS_NOT_FORGOTTEN("$2", "$7")
								 "ON CONFLICT (server, user_id) DO NOTHING",
								 &parameters) > 0;
}

static void
replace_tokens(const SmartcarServer *server, const SmartcarKeyRing *ring,
			   const SmartcarTokensToImport *tokens)
{
	SmartcarParameters parameters;

	bind_tokens(&parameters, server, ring, tokens);
	smartcar_spi_run("UPDATE smartcar_tesla.account "
					 "SET status = 'active', "
					 "access_token = $3, access_expires_at = $4, "
					 "refresh_token = $5, refresh_expires_at = $6, created_at = $7, "
					 "refreshed_at = NULL, lease = NULL, leased_until = NULL, "
					 "attempts = 0, next_attempt_at = NULL, "
					 "error_sqlstate = NULL, error_description = NULL, error_at = NULL, "
					 "updated_at = @now "
					 "WHERE server = $1 AND user_id = $2",
					 &parameters);
}

#define SELECT_TOKENS \
	"SELECT " SMARTCAR_NOT_LEASED " AS is_free, status <> 'active' AS is_refused, " \
	"refreshed_at IS NOT NULL AS are_from_smartcar, external_id IS NOT NULL AS has_owner, " \
	"refresh_token, refresh_expires_at " \
	"FROM smartcar_tesla.account " \
	"WHERE server = $1 AND user_id = $2"

/*
 * Reads the tokens of an account with one of the statements above.  Returns whether
 * there is one.  The plan is not kept: one that was made for a small table may use the
 * wrong index once the table is large.
 */
static bool
read_tokens(const char *statement, const SmartcarServer *server,
			const SmartcarTokensToImport *tokens, StoredTokens *stored)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, tokens->user_id);
	if (smartcar_spi_run(statement, &parameters) == 0)
		return false;
	stored->is_leased = !smartcar_row_bool(0, "is_free");
	stored->is_refused = smartcar_row_bool(0, "is_refused");
	stored->are_from_smartcar = smartcar_row_bool(0, "are_from_smartcar");
	stored->has_owner = smartcar_row_bool(0, "has_owner");
	stored->refresh_token = smartcar_row_bytea(0, "refresh_token");
	stored->refresh_expires_at = smartcar_row_time(0, "refresh_expires_at");
	return true;
}

/* A stored token that cannot be unsealed counts as a different one. */
static bool
is_same_token(const SmartcarServer *server, const SmartcarKeyRing *ring,
			  const SmartcarTokensToImport *tokens, const StoredTokens *stored)
{
	SmartcarSealedIdentity identity = {server->name, tokens->user_id, "refresh"};
	int			sqlstate;
	char	   *token = smartcar_try_unseal(ring, stored->refresh_token, &identity, &sqlstate);
	bool		is_same;

	if (token == NULL)
		return false;
	is_same = smartcar_span_equal(smartcar_span_from_string(token), tokens->refresh_token);
	explicit_bzero(token, strlen(token));
	return is_same;
}

/*
 * Whether the tokens of the list replace the stored ones.  The expiry times of two
 * imports can be compared, because both were computed from a list.
 */
static bool
must_be_replaced(const SmartcarServer *server, const SmartcarKeyRing *ring,
				 const SmartcarTokensToImport *tokens, const StoredTokens *stored)
{
	if (stored->is_leased)
		return false;
	if (stored->refresh_token == NULL)
		return true;
	if (!stored->is_refused &&
		(stored->are_from_smartcar || refresh_expiry(tokens) <= stored->refresh_expires_at))
		return false;
	return !is_same_token(server, ring, tokens, stored);
}

/*
 * Takes the locks of an import.  A smartcar_forget() that has not yet recorded its users
 * waits for the end of this transaction.
 */
void
smartcar_account_import_begin(const SmartcarServer *server, SmartcarKeyRing *ring)
{
	smartcar_forgotten_users_lock();
	smartcar_account_begin_storing(server, ring);
}

/*
 * Whether the owner that the list names replaces the stored one.  It does if none is
 * stored, or if the tokens of an earlier import were replaced by newer ones.  Tokens
 * that are missing or were refused do not tell that the list is newer.
 */
static bool
replaces_owner(const SmartcarTokensToImport *tokens, const StoredTokens *stored)
{
	if (tokens->external_id == NULL)
		return false;
	return !stored->has_owner || (!stored->is_refused && stored->refresh_token != NULL);
}

/*
 * Imports the tokens of a user, unless the account must not be changed.
 */
SmartcarImportResult
smartcar_account_import(const SmartcarServer *server, const SmartcarKeyRing *ring,
						const SmartcarTokensToImport *tokens)
{
	bool		is_new = insert_account(server, ring, tokens);
	StoredTokens stored = {0};

	if (!is_new)
	{
		if (!read_tokens(SELECT_TOKENS, server, tokens, &stored))
			return SMARTCAR_IMPORT_FORGOTTEN;
		if (!must_be_replaced(server, ring, tokens, &stored) ||
			!read_tokens(SELECT_TOKENS " FOR UPDATE", server, tokens, &stored) ||
			!must_be_replaced(server, ring, tokens, &stored))
			return SMARTCAR_IMPORT_KEPT;
		replace_tokens(server, ring, tokens);
		if (stored.is_refused)
			smartcar_connections_clear_refusal(server, tokens->user_id);
	}
	if (replaces_owner(tokens, &stored))
		(void) smartcar_owner_adopt(server, tokens->user_id, tokens->external_id);
	return stored.refresh_token == NULL ? SMARTCAR_IMPORT_FIRST : SMARTCAR_IMPORT_REPLACED;
}
