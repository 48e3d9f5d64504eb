/*-------------------------------------------------------------------------
 *
 * sent_token.c
 *	  What a code or token was exchanged for within one statement.
 *
 * PostgreSQL expands (f(x)).* to a call of the function for each column.  A code
 * that were sent for each of them would be spent by the first, and the error of
 * the second would lose the tokens.  So the result is kept until the statement
 * ends, and the other calls get it without a request.
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

/* More than a statement has such expressions in its list of columns. */
#define MAX_RESULTS		8

typedef struct SentToken
{
	unsigned char digest[DIGEST_SIZE];
	FmgrInfo   *sender;			/* the expression whose call was sent */
	Datum		result;			/* a composite; 0: this place is free */
} SentToken;

/* What the expressions of one statement have sent; it lives in their context. */
typedef struct Statement
{
	struct Statement *next;
	MemoryContext context;
	MemoryContextCallback callback;
	int			next_place;
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

/* Called when the context of a statement goes away. */
static void
forget_statement(void *argument)
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
 * All expressions of a statement are initialized in the memory context of its
 * execution, and those of another one are not.
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
	statement->callback.func = forget_statement;
	statement->callback.arg = statement;
	statement->next = statements;
	statements = statement;
	MemoryContextRegisterResetCallback(context, &statement->callback);
	return statement;
}

/* The function, the server and the credential, so that this is not kept. */
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
 * The result that the statement already has for a credential.  One that is good
 * more than once is sent again if it is the same expression that is evaluated
 * again, for instance in a loop.
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
 * Keeps a result for the other calls of the statement.
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
	sent = &statement->sent[statement->next_place];
	statement->next_place = (statement->next_place + 1) % MAX_RESULTS;

	release(sent);
	compute_digest(fcinfo, server, credential, sent->digest);
	sent->sender = fcinfo->flinfo;
	old_context = MemoryContextSwitchTo(statement->context);
	sent->result = datumCopy(result, false, -1);
	MemoryContextSwitchTo(old_context);
}
