/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  Accounts whose user is not known yet.
 *
 * When an owner has connected and Smartcar could not say who it is, the tokens stay
 * under a provisional id, and the application sees no vehicles.  smartcar_refresh()
 * runs more often than anything else, so it asks again.
 *
 * src/manager/settle.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/settle.h"

#include "manager/account.h"
#include "manager/seal.h"
#include "manager/spi.h"
#include "manager/sync_vehicles.h"
#include "manager/user_outcome.h"

/* How many accounts of a run are asked about.  The next run is soon. */
#define MAX_ACCOUNTS	10

/*
 * Finds out whose an account is.  Returns whether it has the id of its user now;
 * what went wrong is left for later.
 */
static bool
settle_account(SmartcarServer *server, SmartcarKeyRing *ring,
			   const SmartcarProvisionalAccount *account, const char *access_token,
			   const char **user_id, bool *is_silent)
{
	const SmartcarFailure *failure;
	ErrorData  *error;

	failure = smartcar_account_find_user(server, smartcar_span_from_string(access_token),
										 user_id);
	*is_silent = failure != NULL && failure->api_error.status == 0;
	return failure == NULL &&
		smartcar_account_move(server, ring, account->user_id, *user_id, false,
							  &error) == SMARTCAR_SETTLED;
}

/*
 * Settles the accounts whose user is not known, and lists their vehicles.  Where
 * Smartcar does not respond, one request is enough: what is due next must not wait
 * for the timeouts of all of them.
 */
void
smartcar_settle_accounts(SmartcarServer *server, SmartcarKeyRing *ring)
{
	SmartcarProvisionalAccount accounts[MAX_ACCOUNTS];
	SmartcarUser users[MAX_ACCOUNTS];
	int			count = smartcar_account_read_provisional(server, accounts, MAX_ACCOUNTS);
	int			settled = 0;
	bool		is_silent = false;
	SmartcarSyncRun run;

	smartcar_spi_commit();
	for (int i = 0; i < count && !is_silent; i++)
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
						   &is_silent))
			settled++;
		else
			smartcar_account_record_unsettled(server, accounts[i].user_id);
		smartcar_spi_commit();
	}
	if (settled == 0)
		return;
	smartcar_sync_run_begin(&run, server);
	smartcar_sync_users(&run, users, settled);
	(void) smartcar_warn_of_users(users, settled);
	smartcar_spi_commit();
}
