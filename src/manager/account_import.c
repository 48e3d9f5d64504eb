/*-------------------------------------------------------------------------
 *
 * account_import.c
 *	  Statements that store tokens which the application has kept itself.
 *
 * A refresh token is replaced by each refresh, and the old one then opens nothing.
 * Two tokens do not say which is newer, but the account says where its own come
 * from: refreshed_at is NULL as long as they are imported ones.  What Smartcar has
 * given here is never replaced by a list, whose age is only what somebody says,
 * unless Smartcar has refused it.  Nor does a list take a user from the owner who has
 * connected here, or bring back one who was forgotten.
 *
 * An account that stays as it is is not locked, because the transaction is the
 * caller's and may be long, and a refresh may be about to store its tokens.
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

/* The tokens of an account, as far as an import looks at them. */
typedef struct StoredTokens
{
	bool		is_leased;
	bool		is_refused;
	bool		were_given_here;	/* by Smartcar, and not by an import */
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
 * The account with sealed tokens: seven parameters.  Without an access token it is
 * due at once.  created_at, which tells in what order an owner has connected, is
 * when Smartcar gave the tokens; nothing can have been given in the future.
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
 * Stores the tokens of a user who has no account, and was not forgotten since they
 * were given.  Returns whether that was done.
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
	smartcar_spi_run_in_order("UPDATE smartcar_tesla.account "
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
	"refreshed_at IS NOT NULL AS were_given_here, external_id IS NOT NULL AS has_owner, " \
	"refresh_token, refresh_expires_at " \
	"FROM smartcar_tesla.account " \
	"WHERE server = $1 AND user_id = $2"

/*
 * Reads the tokens of an account with one of the statements.  Returns whether there
 * is one.  A plan of a small table must not be kept for a large one: which index has
 * fewer rows cannot be seen yet.
 */
static bool
read_tokens(const char *statement, const SmartcarServer *server,
			const SmartcarTokensToImport *tokens, StoredTokens *stored)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, tokens->user_id);
	if (smartcar_spi_run_by_index(statement, &parameters) == 0)
		return false;
	stored->is_leased = !smartcar_row_bool(0, "is_free");
	stored->is_refused = smartcar_row_bool(0, "is_refused");
	stored->were_given_here = smartcar_row_bool(0, "were_given_here");
	stored->has_owner = smartcar_row_bool(0, "has_owner");
	stored->refresh_token = smartcar_row_bytea(0, "refresh_token");
	stored->refresh_expires_at = smartcar_row_time(0, "refresh_expires_at");
	return true;
}

/* What cannot be opened is no longer known to be anything. */
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
 * Whether an account is to have the tokens of the list.  The times of two imports
 * can be compared, because both were computed from what the list says.
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
		(stored->were_given_here || refresh_expiry(tokens) <= stored->refresh_expires_at))
		return false;
	return !is_same_token(server, ring, tokens, stored);
}

/*
 * Begins to store tokens.  A smartcar_forget() that has not recorded yet whom it forgets
 * waits for the end of this transaction.
 */
void
smartcar_account_import_begin(const SmartcarServer *server, SmartcarKeyRing *ring)
{
	smartcar_forgotten_users_lock();
	smartcar_account_begin_storing(server, ring);
}

/*
 * Whether a list says who the owner of an account is, as it does where its tokens are
 * newer than those of an earlier one.  Tokens that were refused, or are not there, say
 * nothing about the time of the list.
 */
static bool
tells_owner(const SmartcarTokensToImport *tokens, const StoredTokens *stored)
{
	if (tokens->external_id == NULL)
		return false;
	return !stored->has_owner || (!stored->is_refused && stored->refresh_token != NULL);
}

/*
 * Stores the tokens of a user, unless the account must stay as it is.
 */
SmartcarImport
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
	if (tells_owner(tokens, &stored))
		(void) smartcar_owner_adopt(server, tokens->user_id, tokens->external_id);
	return stored.refresh_token == NULL ? SMARTCAR_IMPORT_FIRST : SMARTCAR_IMPORT_REPLACED;
}
