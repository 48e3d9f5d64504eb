/*-------------------------------------------------------------------------
 *
 * application_token.c
 *	  The access token of an application, for the v3 API.
 *
 * A token is valid for an hour, so a backend caches it until shortly before it
 * expires.  The key of the cache is a digest of the credentials: if they change,
 * or if another role has other ones, the token is another one.
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

/* Few backends use more applications. */
#define MAX_TOKENS		8

/* A token is not used in the last tenth of its lifetime, at most a minute. */
#define MAX_MARGIN		60		/* seconds */
#define MARGIN_FRACTION	10

typedef struct CachedToken
{
	unsigned char digest[DIGEST_SIZE];
	char	   *access_token;	/* NULL: this entry is free */
	TimestampTz expires_at;
	TimestampTz usable_until;
} CachedToken;

/* The cache of this backend.  New tokens replace the entries in turn. */
static CachedToken cached_tokens[MAX_TOKENS];
static int	next_entry = 0;

struct SmartcarApplicationCredentials
{
	const char *client_id;
	const char *client_secret;
	unsigned char digest[DIGEST_SIZE];
};

/*
 * Reads the credentials.  This is done once for each call, so that a change of an
 * option or a file does not fail a running call.
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

	/* a line break is a safe separator: none of the three can contain one */
	all = psprintf("%s\n%s\n%s", origin, credentials->client_id, credentials->client_secret);
	if (!EVP_Digest(all, strlen(all), credentials->digest, NULL, EVP_sha256(), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a digest")));
	explicit_bzero(all, strlen(all));
	pfree(all);
	return credentials;
}

static CachedToken *
find_token(const SmartcarApplicationCredentials *credentials)
{
	for (int i = 0; i < MAX_TOKENS; i++)
	{
		if (cached_tokens[i].access_token != NULL &&
			memcmp(cached_tokens[i].digest, credentials->digest, DIGEST_SIZE) == 0)
			return &cached_tokens[i];
	}
	return NULL;
}

static void
drop_token(CachedToken *token)
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

static CachedToken *
cache_token(const SmartcarApplicationCredentials *credentials, const SmartcarTokenRequest *request)
{
	CachedToken *token = find_token(credentials);
	char	   *copy;
	int64		margin;

	/* a token without a lifetime is used for this call only */
	int64		lifetime = Max(request->expires_in, 0);

	if (token == NULL)
	{
		token = &cached_tokens[next_entry];
		next_entry = (next_entry + 1) % MAX_TOKENS;
	}
	copy = MemoryContextAlloc(TopMemoryContext, request->access_token.length + 1);
	memcpy(copy, request->access_token.data, request->access_token.length + 1);
	drop_token(token);
	token->access_token = copy;
	memcpy(token->digest, credentials->digest, DIGEST_SIZE);
	margin = Min(lifetime / MARGIN_FRACTION, MAX_MARGIN);
	token->expires_at = after(request->requested_at, lifetime);
	token->usable_until = after(request->requested_at, lifetime - margin);
	return token;
}

/*
 * Requests a token and caches it.  Returns the failure, or NULL.
 */
static const SmartcarFailure *
request_token(SmartcarServer *server, const SmartcarApplicationCredentials *credentials,
			  CachedToken **token)
{
	SmartcarTokenRequest request = {0};
	const SmartcarFailure *failure;

	/* the credentials are part of the form */
	request.endpoint = SMARTCAR_ENDPOINT_APPLICATION_TOKEN;
	request.authorization = SMARTCAR_AUTHORIZE_NONE;
	request.kind = SMARTCAR_REQUEST_REPEATABLE;
	request.secret = credentials->client_secret;
	smartcar_token_form_add(&request, "grant_type", SMARTCAR_SPAN("client_credentials"));
	smartcar_token_form_add(&request, "client_id",
							smartcar_span_from_string(credentials->client_id));
	smartcar_token_form_add(&request, "client_secret",
							smartcar_span_from_string(credentials->client_secret));
	failure = smartcar_try_token_request(server, &request);
	if (failure == NULL)
		*token = cache_token(credentials, &request);
	return failure;
}

/*
 * The cached token, or a new one.
 */
static CachedToken *
get_token(SmartcarServer *server, const SmartcarApplicationCredentials *credentials)
{
	CachedToken *token = find_token(credentials);
	const SmartcarFailure *failure;

	if (token != NULL && GetCurrentTimestamp() < token->usable_until)
		return token;
	failure = request_token(server, credentials, &token);
	if (failure != NULL)
		smartcar_failure_raise(failure);
	return token;
}

/*
 * The token for a call.
 */
const char *
smartcar_application_access_token(SmartcarServer *server,
								  const SmartcarApplicationCredentials *credentials)
{
	return pstrdup(get_token(server, credentials)->access_token);
}

/*
 * Replaces a token that was refused.  Returns the failure, or NULL.
 */
const SmartcarFailure *
smartcar_application_token_renew(SmartcarServer *server,
								 const SmartcarApplicationCredentials *credentials,
								 const char **token)
{
	CachedToken *cached = find_token(credentials);
	const SmartcarFailure *failure;

	if (cached != NULL)
		drop_token(cached);
	failure = request_token(server, credentials, &cached);
	if (failure == NULL)
		*token = pstrdup(cached->access_token);
	return failure;
}

Datum
smartcar_get_application_token(PG_FUNCTION_ARGS)
{
	SmartcarServer *server = smartcar_required_server(fcinfo, 0);
	CachedToken *token;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	/* check the result type before anything is sent */
	(void) smartcar_row_descriptor(fcinfo, lengthof(values));
	token = get_token(server, smartcar_application_credentials(server));
	values[0] = CStringGetTextDatum(token->access_token);
	values[1] = CStringGetTextDatum("Bearer");
	values[2] = TimestampTzGetDatum(token->expires_at);
	PG_RETURN_DATUM(smartcar_form_single_row(fcinfo, lengthof(values), values, nulls));
}
