/*-------------------------------------------------------------------------
 *
 * application_token.c
 *	  The access token of an application, which the v3 API accepts.
 *
 * One is good for an hour and for every request, so a backend keeps it until
 * shortly before it expires.  What it is kept under is a digest of the
 * credentials that it was got with: whoever changes these, or has others, gets
 * another token.
 *
 * src/call/application_token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/application_token.h"

#include <openssl/evp.h>

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "call/token_request.h"
#include "pg/datum.h"
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

struct SmartcarApplicationCredentials
{
	const char *client_id;
	const char *client_secret;
	unsigned char digest[DIGEST_SIZE];
};

/*
 * Reads the credentials.  They are read once for each call, so that an option
 * or a file that changes in its middle does not end it.
 */
SmartcarApplicationCredentials *
smartcar_application_credentials(SmartcarServer *server)
{
	SmartcarApplicationCredentials *credentials = palloc(sizeof(SmartcarApplicationCredentials));
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
	return credentials;
}

static KeptToken *
find_token(const SmartcarApplicationCredentials *credentials)
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
keep_token(const SmartcarApplicationCredentials *credentials, const SmartcarTokenRequest *request)
{
	KeptToken  *token = find_token(credentials);
	char	   *copy;
	int64		margin;

	/* a token that does not say when it expires is good for this call alone */
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

/*
 * Asks for a token.  Returns what went wrong, or NULL.
 */
static const SmartcarFailure *
request_token(SmartcarServer *server, const SmartcarApplicationCredentials *credentials,
			  KeptToken **token)
{
	SmartcarTokenRequest request = {0};
	const SmartcarFailure *failure;

	/* the credentials stand in the form */
	request.endpoint = SMARTCAR_ENDPOINT_APPLICATION_TOKEN;
	request.authorization = SMARTCAR_AUTHORIZE_NOT;
	request.kind = SMARTCAR_REQUEST_REPEATABLE;
	request.secret = credentials->client_secret;
	smartcar_token_form_add(&request, "grant_type", SMARTCAR_SPAN("client_credentials"));
	smartcar_token_form_add(&request, "client_id",
							smartcar_span_from_string(credentials->client_id));
	smartcar_token_form_add(&request, "client_secret",
							smartcar_span_from_string(credentials->client_secret));
	failure = smartcar_try_token_request(server, &request);
	if (failure == NULL)
		*token = keep_token(credentials, &request);
	return failure;
}

/*
 * The token that is kept, or a new one.
 */
static KeptToken *
get_token(SmartcarServer *server, const SmartcarApplicationCredentials *credentials)
{
	KeptToken  *token = find_token(credentials);
	const SmartcarFailure *failure;

	if (token != NULL && GetCurrentTimestamp() < token->usable_until)
		return token;
	failure = request_token(server, credentials, &token);
	if (failure != NULL)
		smartcar_failure_raise(failure);
	return token;
}

/*
 * The token for the requests of a call, kept or new.
 */
const char *
smartcar_application_access_token(SmartcarServer *server,
								  const SmartcarApplicationCredentials *credentials)
{
	return pstrdup(get_token(server, credentials)->access_token);
}

/*
 * Gets a new token in place of one that was not accepted.  Returns what went
 * wrong, or NULL.
 */
const SmartcarFailure *
smartcar_application_token_renew(SmartcarServer *server,
								 const SmartcarApplicationCredentials *credentials,
								 const char **token)
{
	KeptToken  *kept = find_token(credentials);
	const SmartcarFailure *failure;

	if (kept != NULL)
		drop_token(kept);
	failure = request_token(server, credentials, &kept);
	if (failure == NULL)
		*token = pstrdup(kept->access_token);
	return failure;
}

Datum
smartcar_get_application_token(PG_FUNCTION_ARGS)
{
	SmartcarServer *server = smartcar_required_server(fcinfo, 0);
	KeptToken  *token;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	/* fail on another result type before anything is sent */
	(void) smartcar_row_descriptor(fcinfo, lengthof(values));
	token = get_token(server, smartcar_application_credentials(server));
	values[0] = CStringGetTextDatum(token->access_token);
	values[1] = CStringGetTextDatum("Bearer");
	values[2] = TimestampTzGetDatum(token->expires_at);
	PG_RETURN_DATUM(smartcar_form_single_row(fcinfo, lengthof(values), values, nulls));
}
