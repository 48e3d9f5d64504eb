/*-------------------------------------------------------------------------
 *
 * application_token.c
 *	  The access token of an application, which the v3 API takes.
 *
 * One is good for an hour and for every request, so a backend keeps it until
 * shortly before its end.  What it is kept under is a digest of the credentials
 * that it was got with: whoever changes these, or has others, gets another
 * token.
 *
 * src/call/application_token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/application_token.h"

#include <openssl/evp.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call/token_request.h"
#include "pg/fn_state.h"
#include "pg/secret.h"

PG_FUNCTION_INFO_V1(smartcar_get_application_token);

#define DIGEST_SIZE		32

/* Few backends work for more applications than this. */
#define MAX_TOKENS		8

/* A token is not used in its last minute, or in the last tenth of its life. */
#define MAX_MARGIN		60		/* seconds */
#define MARGIN_FRACTION	10

typedef struct KeptToken
{
	unsigned char digest[DIGEST_SIZE];
	char	   *access_token;	/* NULL: there is none here */
	TimestampTz expires_at;
	TimestampTz usable_until;
} KeptToken;

/* For this backend; the place that is overwritten next goes round. */
static KeptToken kept_tokens[MAX_TOKENS];
static int	next_place = 0;

typedef struct Credentials
{
	const char *client_id;
	const char *client_secret;
	unsigned char digest[DIGEST_SIZE];
} Credentials;

static void
read_credentials(SmartcarServer *server, Credentials *credentials)
{
	const char *origin = smartcar_server_option(server, SMARTCAR_OPTION_IAM_ORIGIN);
	char	   *all;

	smartcar_server_load_mapping(server);
	credentials->client_id =
		smartcar_required_option(server, SMARTCAR_OPTION_API_CLIENT_ID, NULL).data;
	credentials->client_secret = smartcar_secret(server, SMARTCAR_OPTION_API_CLIENT_SECRET, NULL);

	/* none of the three can have a line break in it */
	all = psprintf("%s\n%s\n%s", origin, credentials->client_id, credentials->client_secret);
	if (!EVP_Digest(all, strlen(all), credentials->digest, NULL, EVP_sha256(), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a digest")));
	explicit_bzero(all, strlen(all));
	pfree(all);
}

static KeptToken *
find_token(const Credentials *credentials)
{
	for (int i = 0; i < MAX_TOKENS; i++)
	{
		if (kept_tokens[i].access_token != NULL &&
			memcmp(kept_tokens[i].digest, credentials->digest, DIGEST_SIZE) == 0)
			return &kept_tokens[i];
	}
	return NULL;
}

static void
drop_token(KeptToken *token)
{
	if (token->access_token != NULL)
	{
		explicit_bzero(token->access_token, strlen(token->access_token));
		pfree(token->access_token);
	}
	token->access_token = NULL;
}

static TimestampTz
after(TimestampTz time, int64 seconds)
{
	return time + seconds * USECS_PER_SEC;
}

static KeptToken *
keep_token(const Credentials *credentials, const SmartcarTokenRequest *request)
{
	KeptToken  *token = find_token(credentials);
	char	   *copy;
	int64		margin;

	/* a token that does not say when it ends is good for this call alone */
	int64		lifetime = Max(request->expires_in, 0);

	if (token == NULL)
	{
		token = &kept_tokens[next_place];
		next_place = (next_place + 1) % MAX_TOKENS;
	}
	copy = MemoryContextAlloc(TopMemoryContext, request->access_token.length + 1);
	memcpy(copy, request->access_token.data, request->access_token.length + 1);
	drop_token(token);
	token->access_token = copy;
	memcpy(token->digest, credentials->digest, DIGEST_SIZE);
	margin = Min(lifetime / MARGIN_FRACTION, MAX_MARGIN);
	token->expires_at = after(request->asked_at, lifetime);
	token->usable_until = after(request->asked_at, lifetime - margin);
	return token;
}

static KeptToken *
get_token(SmartcarServer *server)
{
	Credentials credentials;
	KeptToken  *token;
	SmartcarTokenRequest request = {0};

	read_credentials(server, &credentials);
	token = find_token(&credentials);
	if (token != NULL && GetCurrentTimestamp() < token->usable_until)
		return token;

	/* the credentials stand in the form */
	request.endpoint = SMARTCAR_ENDPOINT_APPLICATION_TOKEN;
	request.authorization = SMARTCAR_AUTHORIZE_NOT;
	request.idempotent = true;
	request.secret = credentials.client_secret;
	smartcar_token_form_add(&request, "grant_type", SMARTCAR_SPAN("client_credentials"));
	smartcar_token_form_add(&request, "client_id",
							smartcar_span_from_string(credentials.client_id));
	smartcar_token_form_add(&request, "client_secret",
							smartcar_span_from_string(credentials.client_secret));
	smartcar_token_request(server, &request);
	return keep_token(&credentials, &request);
}

/*
 * The token for the requests of a call, kept or new.
 */
const char *
smartcar_application_access_token(SmartcarServer *server)
{
	return pstrdup(get_token(server)->access_token);
}

/*
 * Called when a token was not accepted, so that the next one is a new one.
 */
void
smartcar_application_token_drop(SmartcarServer *server)
{
	Credentials credentials;
	KeptToken  *token;

	read_credentials(server, &credentials);
	token = find_token(&credentials);
	if (token != NULL)
		drop_token(token);
}

Datum
smartcar_get_application_token(PG_FUNCTION_ARGS)
{
	SmartcarServer *server = smartcar_required_server(fcinfo, 0);
	TupleDesc	descriptor;
	KeptToken  *token;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("result type is not the one of the extension")));

	token = get_token(server);
	values[0] = CStringGetTextDatum(token->access_token);
	values[1] = CStringGetTextDatum("Bearer");
	values[2] = TimestampTzGetDatum(token->expires_at);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor),
													  values, nulls)));
}
