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

/* How many accounts of a run are asked about. */
#define MAX_ACCOUNTS	100

/* How long they are waited for where they are locked, in milliseconds. */
#define LOCK_TIMEOUT	200

typedef struct Move
{
	SmartcarServer *server;
	SmartcarKeyRing *ring;
	const char *provisional_id;
	const char *user_id;
	SmartcarSettlement outcome;
} Move;

static void
move_account(void *argument)
{
	Move	   *move = (Move *) argument;

	move->outcome = smartcar_account_move(move->server, move->ring, move->provisional_id,
										  move->user_id, false);
}

/*
 * Finds out whose an account is.  Returns whether it has the id of its user now;
 * what went wrong is left for later.
 */
static bool
settle_account(SmartcarServer *server, SmartcarKeyRing *ring,
			   const SmartcarProvisionalAccount *account, const char *access_token,
			   const char **user_id)
{
	Move		move = {server, ring, account->user_id, NULL, SMARTCAR_SETTLE_LEASED};
	ErrorData  *error;

	if (smartcar_account_find_user(server, smartcar_span_from_string(access_token),
								   &move.user_id) != NULL)
		return false;
	*user_id = move.user_id;
	if (!smartcar_spi_try(move_account, &move, LOCK_TIMEOUT, &error))
	{
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		return false;
	}
	return move.outcome == SMARTCAR_SETTLED;
}

/*
 * Settles the accounts whose user is not known, and lists their vehicles.
 */
void
smartcar_settle_accounts(SmartcarServer *server, SmartcarKeyRing *ring)
{
	SmartcarProvisionalAccount accounts[MAX_ACCOUNTS];
	SmartcarUser users[MAX_ACCOUNTS];
	int			count = smartcar_account_read_provisional(server, accounts, MAX_ACCOUNTS);
	int			settled = 0;

	smartcar_spi_commit();
	for (int i = 0; i < count; i++)
	{
		SmartcarSealedIdentity identity = {server->name, accounts[i].user_id, "access"};
		SmartcarUser *user = &users[settled];
		int			sqlstate;

		memset(user, 0, sizeof(*user));
		user->external_id = accounts[i].external_id;
		user->access_token = smartcar_try_unseal(ring, accounts[i].access_token, &identity,
												 &sqlstate);
		if (user->access_token != NULL &&
			settle_account(server, ring, &accounts[i], user->access_token, &user->user_id))
			settled++;
		else
			smartcar_account_record_unsettled(server, accounts[i].user_id);
		smartcar_spi_commit();
	}
	if (settled == 0)
		return;
	smartcar_sync_users(server, users, settled);
	(void) smartcar_warn_of_users(users, settled);
	smartcar_spi_commit();
}
