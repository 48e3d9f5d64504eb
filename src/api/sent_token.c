/*-------------------------------------------------------------------------
 *
 * sent_token.c
 *	  Caches the tokens that a statement has received, by their code or token.
 *
 * PostgreSQL expands (f(x)).* to a call of the function for each column.  The
 * first call would use up the code, and the error of the second call would lose
 * the tokens.  So the result is cached until the statement ends, and the other
 * calls make no request.
 *
 * src/api/sent_token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/sent_token.h"

#include <openssl/evp.h>

#include "utils/datum.h"
#include "utils/memutils.h"

#include "pg/text.h"

#define DIGEST_SIZE		32

/* More such expressions than a statement has. */
#define MAX_RESULTS		8

typedef struct SentToken
{
	unsigned char digest[DIGEST_SIZE];
	FmgrInfo   *sender;			/* the expression that made the request */
	Datum		result;			/* a composite; 0 if this entry is free */
} SentToken;

/* The cache of one statement, in the memory context of its expressions. */
typedef struct Statement
{
	struct Statement *next;
	MemoryContext context;
	MemoryContextCallback callback;
	int			next_entry;
	SentToken	sent[MAX_RESULTS];
} Statement;

static Statement *statements = NULL;

static void
wipe(SentToken *sent)
{
	if (sent->result != (Datum) 0)
		explicit_bzero(DatumGetPointer(sent->result),
					   VARSIZE(DatumGetPointer(sent->result)));
	sent->result = (Datum) 0;
}

static void
release(SentToken *sent)
{
	Pointer		old = DatumGetPointer(sent->result);

	wipe(sent);
	if (old != NULL)
		pfree(old);
}

/* Called when the memory context of a statement is reset or deleted. */
static void
remove_statement(void *argument)
{
	Statement  *statement = (Statement *) argument;
	Statement **link = &statements;

	while (*link != NULL && *link != statement)
		link = &(*link)->next;
	if (*link != NULL)
		*link = statement->next;
	for (int i = 0; i < MAX_RESULTS; i++)
		wipe(&statement->sent[i]);
}

/*
 * Finds the statement of an expression by its memory context, which all
 * expressions of a statement share, and no others do.
 */
static Statement *
find_statement(FunctionCallInfo fcinfo)
{
	Statement  *statement = statements;

	while (statement != NULL && statement->context != fcinfo->flinfo->fn_mcxt)
		statement = statement->next;
	return statement;
}

static Statement *
add_statement(MemoryContext context)
{
	Statement  *statement = MemoryContextAllocZero(context, sizeof(Statement));

	statement->context = context;
	statement->callback.func = remove_statement;
	statement->callback.arg = statement;
	statement->next = statements;
	statements = statement;
	MemoryContextRegisterResetCallback(context, &statement->callback);
	return statement;
}

/*
 * The key of the cache: a digest of the function, the server and the credential,
 * so that the credential itself is not kept.
 */
static void
compute_digest(FunctionCallInfo fcinfo, const SmartcarServer *server, SmartcarSpan credential,
			   unsigned char *digest)
{
	char	   *all = psprintf("%u\n%s\n%.*s", fcinfo->flinfo->fn_oid, server->name,
							   (int) credential.length, credential.data);

	if (!EVP_Digest(all, strlen(all), digest, NULL, EVP_sha256(), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a digest")));
	explicit_bzero(all, strlen(all));
	pfree(all);
}

/*
 * Finds the cached result for a credential.  A credential that is not single-use
 * is sent again if the expression that sent it is evaluated again, for instance
 * in a loop.
 */
bool
smartcar_sent_token_find(FunctionCallInfo fcinfo, const SmartcarServer *server,
						 SmartcarSpan credential, bool single_use, Datum *result)
{
	Statement  *statement = find_statement(fcinfo);
	unsigned char digest[DIGEST_SIZE];

	if (statement == NULL)
		return false;
	compute_digest(fcinfo, server, credential, digest);
	for (int i = 0; i < MAX_RESULTS; i++)
	{
		SentToken  *sent = &statement->sent[i];

		if (sent->result == (Datum) 0 || memcmp(sent->digest, digest, DIGEST_SIZE) != 0)
			continue;
		if (!single_use && sent->sender == fcinfo->flinfo)
		{
			release(sent);
			return false;
		}
		*result = datumCopy(sent->result, false, -1);
		return true;
	}
	return false;
}

/*
 * Caches a result for the other calls of the statement.
 */
void
smartcar_sent_token_store(FunctionCallInfo fcinfo, const SmartcarServer *server,
						  SmartcarSpan credential, Datum result)
{
	Statement  *statement = find_statement(fcinfo);
	MemoryContext old_context;
	SentToken  *sent;

	if (statement == NULL)
		statement = add_statement(fcinfo->flinfo->fn_mcxt);
	sent = &statement->sent[statement->next_entry];
	statement->next_entry = (statement->next_entry + 1) % MAX_RESULTS;

	release(sent);
	compute_digest(fcinfo, server, credential, sent->digest);
	sent->sender = fcinfo->flinfo;
	old_context = MemoryContextSwitchTo(statement->context);
	sent->result = datumCopy(result, false, -1);
	MemoryContextSwitchTo(old_context);
}
