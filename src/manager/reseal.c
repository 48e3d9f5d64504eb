/*-------------------------------------------------------------------------
 *
 * reseal.c
 *	  The procedure that seals all tokens with the newest key.
 *
 * If it ends without an error, no token is sealed with an older key, whatever other
 * sessions did meanwhile, and the older keys can be removed from the key file.
 *
 * src/manager/reseal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "manager/account.h"
#include "manager/job_run.h"
#include "manager/key_ring.h"
#include "manager/spi.h"
#include "pg/fn_state.h"
#include "manager/progress.h"
#include "manager/seal.h"

PG_FUNCTION_INFO_V1(smartcar_reseal_tokens);

/* How many accounts are read at a time. */
#define BATCH	100

/* The pause before the accounts that were left are tried again, in microseconds. */
#define PAUSE	(500 * INT64CONST(1000))

/* How long one attempt waits for a lock on an account, in milliseconds. */
#define LOCK_TIMEOUT	100

typedef enum ResealOutcome
{
	RESEAL_NOTHING_TO_DO,
	RESEAL_DONE,
	RESEAL_LEFT,				/* to be tried again */
	RESEAL_FAILED
} ResealOutcome;

typedef struct Reseal
{
	SmartcarServer *server;
	SmartcarKeyRing ring;
	SmartcarProgress progress;
	int64		left;
	int64		failed;
	bool		has_warned;		/* of the accounts that have failed */
} Reseal;

typedef struct Account
{
	const Reseal *reseal;
	const SmartcarSealedTokens *tokens;
	ResealOutcome outcome;
} Account;

/* A token under the newest key; NULL if there is none, or it has that key already. */
static bytea *
reseal_token(const Reseal *reseal, const char *user_id, const char *kind, bytea *sealed)
{
	SmartcarSealedIdentity identity = {reseal->server->name, user_id, kind};
	char	   *token;
	bytea	   *result;

	if (sealed == NULL || smartcar_sealed_with_first_key(&reseal->ring, sealed))
		return NULL;
	token = smartcar_unseal(&reseal->ring, sealed, &identity);
	result = smartcar_seal(&reseal->ring, smartcar_span_from_string(token), &identity);
	explicit_bzero(token, strlen(token));
	return result;
}

/*
 * Seals the tokens of an account with the newest key.  A leased account is left for
 * later: the response may be sealed with keys that were read before ours.  So is an
 * account that has changed since it was read.
 */
static void
reseal_account(void *argument)
{
	Account    *account = (Account *) argument;
	const SmartcarSealedTokens *old = account->tokens;
	const Reseal *reseal = account->reseal;
	bytea	   *access = reseal_token(reseal, old->user_id, "access", old->access_token);
	bytea	   *refresh = reseal_token(reseal, old->user_id, "refresh", old->refresh_token);

	if (access == NULL && refresh == NULL)
		account->outcome = RESEAL_NOTHING_TO_DO;
	else if (smartcar_account_replace_tokens(reseal->server, old, access, refresh))
		account->outcome = RESEAL_DONE;
	else
		account->outcome = RESEAL_LEFT;
}

/*
 * Reseals one account.  One that is locked is left for later, and one that cannot be
 * resealed does not stop the others.
 */
static ResealOutcome
try_account(Reseal *reseal, const SmartcarSealedTokens *tokens)
{
	Account		account = {reseal, tokens, RESEAL_NOTHING_TO_DO};
	ErrorData  *error;

	if (smartcar_spi_try(reseal_account, &account, LOCK_TIMEOUT, &error))
	{
		/* a second lock could deadlock */
		smartcar_spi_commit();
		return account.outcome;
	}
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	if (smartcar_error_is_transient(error))
		return RESEAL_LEFT;
	if (!reseal->has_warned)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg_internal("%s", error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0));
	return RESEAL_FAILED;
}

/*
 * Waits for transactions that may store tokens under keys that were read before ours.  A
 * transaction that begins later reads the keys again, and need not be waited for.  If we
 * took the lock ourselves and had to wait for a vacuum, all sessions with tokens to
 * store would queue behind us.
 */
static void
wait_for_older_keys(void)
{
	LOCKTAG		table;

	SET_LOCKTAG_RELATION(table, MyDatabaseId, smartcar_account_table());
	WaitForLockers(table, ShareLock, false);
	smartcar_spi_commit();
}

/*
 * Reseals all accounts once, and counts those that were left and those that failed.
 */
static void
reseal_accounts(Reseal *reseal, MemoryContext batch)
{
	MemoryContext outer = CurrentMemoryContext;
	char	   *last = pstrdup("");
	int			count;

	reseal->left = reseal->failed = 0;
	do
	{
		MemoryContext old_context = MemoryContextSwitchTo(batch);
		SmartcarSealedTokens tokens[BATCH];

		count = smartcar_account_read_tokens(reseal->server, last, tokens, BATCH);
		smartcar_spi_commit();
		for (int i = 0; i < count; i++)
		{
			switch (try_account(reseal, &tokens[i]))
			{
				case RESEAL_NOTHING_TO_DO:
					break;
				case RESEAL_DONE:
					smartcar_progress_add(&reseal->progress, 1);
					break;
				case RESEAL_LEFT:
					reseal->left++;
					break;
				case RESEAL_FAILED:
					reseal->failed++;
					break;
			}
		}
		if (count > 0)
			last = MemoryContextStrdup(outer, tokens[count - 1].user_id);
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(batch);
	} while (count == BATCH);
	reseal->has_warned = true;
}

/*
 * Reseals until no account is left, and raises an error if some have failed.
 */
static void
reseal_all(Reseal *reseal)
{
	MemoryContext batch;
	const char *key_id;

	smartcar_key_ring_read(&reseal->ring, reseal->server);
	smartcar_progress_begin(&reseal->progress, "smartcar_reseal_tokens()", "accounts", 0);
	batch = AllocSetContextCreate(CurrentMemoryContext, "smartcar_tesla reseal",
								  ALLOCSET_DEFAULT_SIZES);

	wait_for_older_keys();
	for (;;)
	{
		reseal_accounts(reseal, batch);
		if (reseal->left == 0)
			break;
		smartcar_spi_wait_until(GetCurrentTimestamp() + PAUSE);
	}

	key_id = pstrdup(reseal->ring.keys[0].id);
	smartcar_key_ring_wipe(&reseal->ring);
	smartcar_progress_end(&reseal->progress);
	if (reseal->failed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_plural("tokens of " INT64_FORMAT " account are not sealed with key \"%s\"",
							   "tokens of " INT64_FORMAT " accounts are not sealed with key \"%s\"",
							   (unsigned long) reseal->failed, reseal->failed,
							   key_id),
				 errdetail("The warnings say why. All others are sealed with it."),
				 errhint("Keep the older keys in the file \"%s\" until the owners of these accounts have connected again.",
						 reseal->ring.path)));
}

static SmartcarJobCounts
count_accounts(const Reseal *reseal)
{
	return (SmartcarJobCounts)
	{
		.done = reseal->progress.done,
			.failed = reseal->failed,
			.refused = SMARTCAR_NO_COUNT,
			.disconnected = SMARTCAR_NO_COUNT
	};
}

Datum
smartcar_reseal_tokens(PG_FUNCTION_ARGS)
{
	Reseal	   *reseal;
	SmartcarJobRun *job;
	SmartcarJobCounts counts;

	smartcar_spi_begin_procedure(fcinfo, "smartcar_reseal_tokens()");
	reseal = palloc0(sizeof(Reseal));
	job = palloc(sizeof(SmartcarJobRun));
	reseal->server = smartcar_required_server(fcinfo, 0);
	if (smartcar_server_api_version(reseal->server) == SMARTCAR_API_V3)
	{
		smartcar_account_report_no_tokens(reseal->server);
		smartcar_spi_end();
		PG_RETURN_VOID();
	}

	reseal->server->requests = 0;
	smartcar_job_run_begin(job, reseal->server, "smartcar_reseal_tokens");
	PG_TRY();
	{
		smartcar_job_run_insert(job);
		reseal_all(reseal);
	}
	PG_CATCH();
	{
		counts = count_accounts(reseal);
		smartcar_job_run_fail(job, &counts);
	}
	PG_END_TRY();
	counts = count_accounts(reseal);
	smartcar_job_run_end(job, &counts);
	smartcar_spi_end();
	PG_RETURN_VOID();
}
