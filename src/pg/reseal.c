/*-------------------------------------------------------------------------
 *
 * reseal.c
 *	  The procedure that seals all tokens with the newest key.
 *
 * src/pg/reseal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "pg/account.h"
#include "pg/key_ring.h"
#include "pg/manager.h"
#include "pg/progress.h"
#include "pg/seal.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_reseal_tokens);

/* Committed together. */
#define BATCH	100

/* Milliseconds before accounts are looked at again that were in use. */
#define PAUSE	500

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

/* What came of one account. */
typedef enum ResealResult
{
	NOTHING_TO_DO,
	RESEALED,
	IN_USE
} ResealResult;

/*
 * Puts the tokens of one account under the newest key.  One that is being
 * refreshed is left alone: its new tokens are stored in place of the very bytes
 * that were read, and would not find them.
 */
static ResealResult
reseal_account(const SmartcarServer *server, const SmartcarKeyRing *ring, const char *user_id,
			   bytea *access_token, bytea *refresh_token)
{
	SmartcarParameters parameters = {0};
	bytea	   *new_access = reseal(server, ring, user_id, "access", access_token);
	bytea	   *new_refresh = reseal(server, ring, user_id, "refresh", refresh_token);

	if (new_access == NULL && new_refresh == NULL)
		return NOTHING_TO_DO;
	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_string(&parameters, user_id);
	smartcar_parameter_bytea(&parameters, access_token);
	smartcar_parameter_bytea(&parameters, refresh_token);
	smartcar_parameter_bytea(&parameters, new_access);
	smartcar_parameter_bytea(&parameters, new_refresh);
	return smartcar_manager_run("UPDATE @.smartcar_account SET access_token = COALESCE($5, access_token), refresh_token = COALESCE($6, refresh_token) "
								"WHERE server = $1 AND user_id = $2 AND access_token IS NOT DISTINCT FROM $3 AND refresh_token IS NOT DISTINCT FROM $4 "
								"AND " SMARTCAR_NOT_LEASED,
								&parameters) > 0 ? RESEALED : IN_USE;
}

static void
pause_before_next_pass(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, PAUSE,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Goes through all accounts once.  Returns whether there was one in use.
 */
static bool
reseal_all(const SmartcarServer *server, const SmartcarKeyRing *ring, SmartcarProgress *progress)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext batch = AllocSetContextCreate(outer, "smartcar_tesla reseal",
												ALLOCSET_DEFAULT_SIZES);
	char	   *last = pstrdup("");
	bool		found_in_use = false;
	int			count;

	do
	{
		MemoryContext old_context = MemoryContextSwitchTo(batch);
		SmartcarParameters parameters = {0};
		char	   *user_ids[BATCH];
		bytea	   *access_tokens[BATCH];
		bytea	   *refresh_tokens[BATCH];
		int			changed = 0;

		smartcar_parameter_string(&parameters, server->name);
		smartcar_parameter_string(&parameters, last);
		smartcar_parameter(&parameters, INT4OID, Int32GetDatum(BATCH), false);
		count = (int) smartcar_manager_run("SELECT user_id, access_token, refresh_token FROM @.smartcar_account "
										   "WHERE server = $1 AND user_id > $2 ORDER BY user_id LIMIT $3",
										   &parameters);
		for (int i = 0; i < count; i++)
		{
			user_ids[i] = smartcar_result_string(i, 0);
			access_tokens[i] = smartcar_result_bytea(i, 1);
			refresh_tokens[i] = smartcar_result_bytea(i, 2);
		}
		for (int i = 0; i < count; i++)
		{
			ResealResult result = reseal_account(server, ring, user_ids[i], access_tokens[i],
												 refresh_tokens[i]);

			changed += result == RESEALED;
			found_in_use = found_in_use || result == IN_USE;
		}
		smartcar_manager_commit();
		smartcar_progress_add(progress, changed);
		if (count > 0)
			last = MemoryContextStrdup(outer, user_ids[count - 1]);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(batch);
	} while (count == BATCH);
	MemoryContextDelete(batch);
	return found_in_use;
}

Datum
smartcar_reseal_tokens(PG_FUNCTION_ARGS)
{
	SmartcarServer *server;
	SmartcarKeyRing ring;
	SmartcarProgress progress;

	smartcar_manager_begin_procedure(fcinfo, "smartcar_reseal_tokens()");
	server = smartcar_required_server(fcinfo, 0);
	smartcar_key_ring_read(&ring, server);
	smartcar_progress_begin(&progress, "smartcar_reseal_tokens()", "accounts", 0);
	while (reseal_all(server, &ring, &progress))
		pause_before_next_pass();
	smartcar_key_ring_wipe(&ring);
	smartcar_progress_end(&progress);
	smartcar_manager_end();
	PG_RETURN_VOID();
}
