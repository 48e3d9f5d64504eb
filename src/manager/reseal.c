/*-------------------------------------------------------------------------
 *
 * reseal.c
 *	  The procedure that seals all tokens with the newest key.
 *
 * When it has ended, nothing is sealed with an older one, whatever ran at the
 * same time, so that the older ones can be taken out of the file.
 *
 * src/manager/reseal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "manager/account.h"
#include "manager/key_ring.h"
#include "manager/spi.h"
#include "manager/progress.h"
#include "manager/seal.h"
#include "pg/fn_state.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_reseal_tokens);

/* How many accounts are read at a time. */
#define BATCH	100

/* The pause before what was left is looked at again, in microseconds. */
#define PAUSE	(500 * INT64CONST(1000))

typedef enum Outcome
{
	NOTHING_TO_DO,
	DONE,
	LEFT						/* for later */
} Outcome;

/* The token under the newest key; NULL if there is none, or it is that already. */
static bytea *
reseal(const SmartcarServer *server, const SmartcarKeyRing *ring, const char *user_id,
	   const char *kind, bytea *sealed)
{
	SmartcarSealedIdentity identity = {server->name, user_id, kind};
	char	   *token;
	bytea	   *result;

	if (sealed == NULL || smartcar_sealed_with_first_key(ring, sealed))
		return NULL;
	token = smartcar_unseal(ring, sealed, &identity);
	result = smartcar_seal(ring, smartcar_span_from_string(token), &identity);
	explicit_bzero(token, strlen(token));
	return result;
}

/*
 * Puts the tokens of one account under the newest key.  One that is being
 * refreshed is left, because its answer may be sealed with keys that were read
 * before these.  So is one that others have changed meanwhile.
 */
static Outcome
reseal_account(const SmartcarServer *server, const SmartcarKeyRing *ring, const char *user_id,
			   bytea *access_token, bytea *refresh_token)
{
	SmartcarParameters parameters = {0};
	bytea	   *new_access = reseal(server, ring, user_id, "access", access_token);
	bytea	   *new_refresh = reseal(server, ring, user_id, "refresh", refresh_token);
	uint64		rows;

	if (new_access == NULL && new_refresh == NULL)
		return NOTHING_TO_DO;
	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user_id);
	smartcar_parameter_bytea(&parameters, access_token);
	smartcar_parameter_bytea(&parameters, refresh_token);
	smartcar_parameter_bytea(&parameters, new_access);
	smartcar_parameter_bytea(&parameters, new_refresh);
	rows = smartcar_spi_run("UPDATE smartcar_tesla.account SET access_token = COALESCE($5, access_token), refresh_token = COALESCE($6, refresh_token) "
							"WHERE server = $1 AND user_id = $2 AND access_token IS NOT DISTINCT FROM $3 AND refresh_token IS NOT DISTINCT FROM $4 "
							"AND " SMARTCAR_NOT_LEASED,
							&parameters);

	/* with a lock on one account held, there would be an order to keep */
	smartcar_spi_commit();
	return rows > 0 ? DONE : LEFT;
}

/*
 * Waits for those who store tokens that they have sealed with keys that were
 * read before ours.  Whoever begins later reads the keys anew, and goes on: if
 * we took the lock ourselves, all who have tokens to store would wait behind us
 * for a vacuum to end.
 */
static void
wait_for_older_keys(void)
{
	SmartcarParameters none = {0};
	LOCKTAG		table;
	bool		is_null;

	smartcar_spi_run("SELECT typrelid FROM pg_catalog.pg_type WHERE oid = pg_catalog.pg_typeof(NULL::smartcar_tesla.account)",
					 &none);
	SET_LOCKTAG_RELATION(table, MyDatabaseId,
						 DatumGetObjectId(smartcar_result_datum(0, 0, &is_null)));
	WaitForLockers(table, ShareLock, false);
	smartcar_spi_commit();
}

/*
 * Goes through all accounts, and returns how many are left for later.
 */
static int64
reseal_accounts(const SmartcarServer *server, const SmartcarKeyRing *ring,
				SmartcarProgress *progress, MemoryContext batch)
{
	MemoryContext outer = CurrentMemoryContext;
	char	   *last = pstrdup("");
	int64		left = 0;
	int			count;

	do
	{
		MemoryContext old_context = MemoryContextSwitchTo(batch);
		SmartcarParameters parameters = {0};
		char	   *user_ids[BATCH];
		bytea	   *access_tokens[BATCH];
		bytea	   *refresh_tokens[BATCH];

		smartcar_parameter_string(&parameters, server->name);
		smartcar_parameter_string(&parameters, last);
		smartcar_parameter(&parameters, INT4OID, Int32GetDatum(BATCH), false);
		count = (int) smartcar_spi_run("SELECT user_id, access_token, refresh_token FROM smartcar_tesla.account "
									   "WHERE server = $1 AND user_id > $2 ORDER BY user_id LIMIT $3",
									   &parameters);
		for (int i = 0; i < count; i++)
		{
			user_ids[i] = smartcar_result_string(i, 0);
			access_tokens[i] = smartcar_result_bytea(i, 1);
			refresh_tokens[i] = smartcar_result_bytea(i, 2);
		}
		smartcar_spi_commit();
		for (int i = 0; i < count; i++)
		{
			switch (reseal_account(server, ring, user_ids[i], access_tokens[i],
								   refresh_tokens[i]))
			{
				case NOTHING_TO_DO:
					break;
				case DONE:
					smartcar_progress_add(progress, 1);
					break;
				case LEFT:
					left++;
					break;
			}
		}
		if (count > 0)
			last = MemoryContextStrdup(outer, user_ids[count - 1]);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(batch);
	} while (count == BATCH);
	return left;
}

Datum
smartcar_reseal_tokens(PG_FUNCTION_ARGS)
{
	SmartcarServer *server;
	SmartcarKeyRing ring;
	SmartcarProgress progress;
	MemoryContext batch;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_reseal_tokens()");
	server = smartcar_required_server(fcinfo, 0);
	smartcar_key_ring_read(&ring, server);
	smartcar_progress_begin(&progress, "smartcar_reseal_tokens()", "accounts", 0);
	batch = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla reseal",
								  ALLOCSET_DEFAULT_SIZES);

	wait_for_older_keys();
	while (reseal_accounts(server, &ring, &progress, batch) > 0)
		smartcar_spi_wait_until(GetCurrentTimestamp() + PAUSE);

	smartcar_key_ring_wipe(&ring);
	smartcar_progress_end(&progress);
	smartcar_spi_end();
	PG_RETURN_VOID();
}
