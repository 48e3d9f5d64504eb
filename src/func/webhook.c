/*-------------------------------------------------------------------------
 *
 * webhook.c
 *	  The SQL functions for webhooks.
 *
 * Smartcar signs the bytes that it sends.  A JSON parser does not preserve them:
 * it may change the order of keys, spaces, and numbers such as 100.0.  So the
 * functions accept the body as bytea or text, but not as jsonb.
 *
 * src/func/webhook.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/hex.h"
#include "pg/fn_state.h"
#include "pg/hmac.h"
#include "pg/secret.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_hash_challenge);
PG_FUNCTION_INFO_V1(smartcar_verify_webhook_bytea);
PG_FUNCTION_INFO_V1(smartcar_verify_webhook_text);

#define SIGNATURE_LENGTH	(2 * SMARTCAR_HMAC_LENGTH)

typedef struct WebhookState
{
	SmartcarFnState fn;			/* must be first */
	MemoryContext key_context;	/* of the members below */
	bool		from_argument;	/* the key is an argument, not an option */
	SmartcarSpan key;
	SmartcarHmac *hmac;			/* NULL until there is a key */

	/* for the option "management_token_previous" */
	bool		is_previous_read;
	SmartcarHmac *previous;		/* NULL if the option is not set */
} WebhookState;

static void
cache_key(WebhookState *state, SmartcarSpan token, bool from_argument)
{
	char	   *copy;

	state->hmac = NULL;
	state->is_previous_read = false;
	state->previous = NULL;
	if (state->key_context == NULL)
		state->key_context = AllocSetContextCreate(state->fn.context,
												   "smartcar_tesla webhook key",
												   ALLOCSET_SMALL_SIZES);
	else
	{
		if (state->key.length > 0)
			explicit_bzero(unconstify(char *, state->key.data), state->key.length);
		state->key = smartcar_span(NULL, 0);
		MemoryContextReset(state->key_context);
	}

	copy = MemoryContextAlloc(state->key_context, token.length);
	memcpy(copy, token.data, token.length);
	state->key = smartcar_span(copy, token.length);
	state->from_argument = from_argument;
	state->hmac = smartcar_hmac_create(state->key_context, state->key);
}

/*
 * The HMAC with the management token: the argument, or that of the user mapping,
 * which is read once per query.  In all functions of this file, the token is the
 * last argument but one, and the server the last.
 */
static SmartcarHmac *
management_hmac(FunctionCallInfo fcinfo)
{
	WebhookState *state = (WebhookState *)
		smartcar_fn_state(fcinfo, PG_NARGS() - 1, sizeof(WebhookState));
	SmartcarSpan argument = smartcar_argument_utf8(fcinfo, PG_NARGS() - 2);

	if (argument.data == NULL)
	{
		if (state->hmac == NULL || state->from_argument)
		{
			const char *token = smartcar_secret(&state->fn.server,
												SMARTCAR_OPTION_MANAGEMENT_TOKEN,
												"management_token");

			cache_key(state, smartcar_span_from_string(token), false);
		}
		return state->hmac;
	}

	/* anybody could sign with an empty key */
	if (argument.length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("management_token must not be empty")));
	if (state->hmac == NULL || !state->from_argument || !smartcar_span_equal(state->key, argument))
		cache_key(state, argument, true);
	return state->hmac;
}

/*
 * The HMAC with the previous token of the user mapping, or NULL.  A token that is
 * an argument has no previous one.
 */
static SmartcarHmac *
previous_hmac(FunctionCallInfo fcinfo)
{
	WebhookState *state = (WebhookState *)
		smartcar_fn_state(fcinfo, PG_NARGS() - 1, sizeof(WebhookState));
	const char *token;

	if (state->from_argument)
		return NULL;
	if (!state->is_previous_read)
	{
		token = smartcar_optional_secret(&state->fn.server,
										 SMARTCAR_OPTION_MANAGEMENT_TOKEN_PREVIOUS);
		if (token != NULL)
			state->previous = smartcar_hmac_create(state->key_context,
												   smartcar_span_from_string(MemoryContextStrdup(state->key_context, token)));
		state->is_previous_read = true;
	}
	return state->previous;
}

Datum
smartcar_hash_challenge(PG_FUNCTION_ARGS)
{
	unsigned char digest[SMARTCAR_HMAC_LENGTH];
	text	   *result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	smartcar_hmac_compute(management_hmac(fcinfo), smartcar_argument_utf8(fcinfo, 0), digest);

	result = (text *) palloc(VARHDRSZ + SIGNATURE_LENGTH);
	SET_VARSIZE(result, VARHDRSZ + SIGNATURE_LENGTH);
	smartcar_hex_encode(digest, SMARTCAR_HMAC_LENGTH, VARDATA(result));
	PG_RETURN_TEXT_P(result);
}

static bool
is_signed_with(SmartcarHmac *hmac, SmartcarSpan body,
			   const unsigned char claimed[SMARTCAR_HMAC_LENGTH])
{
	unsigned char digest[SMARTCAR_HMAC_LENGTH];

	smartcar_hmac_compute(hmac, body, digest);
	return CRYPTO_memcmp(digest, claimed, SMARTCAR_HMAC_LENGTH) == 0;
}

/*
 * Verifies a signature.  The token is read first, so that a missing token is an
 * error even if the signature is malformed.
 */
static bool
verify(FunctionCallInfo fcinfo, SmartcarSpan body)
{
	SmartcarHmac *hmac = management_hmac(fcinfo);
	unsigned char claimed[SMARTCAR_HMAC_LENGTH];

	if (body.data == NULL ||
		!smartcar_hex_decode(smartcar_argument_span(fcinfo, 1), claimed, SMARTCAR_HMAC_LENGTH))
		return false;
	if (is_signed_with(hmac, body, claimed))
		return true;
	hmac = previous_hmac(fcinfo);
	return hmac != NULL && is_signed_with(hmac, body, claimed);
}

Datum
smartcar_verify_webhook_bytea(PG_FUNCTION_ARGS)
{
	/* bytea and text have the same layout */
	PG_RETURN_BOOL(verify(fcinfo, smartcar_argument_span(fcinfo, 0)));
}

Datum
smartcar_verify_webhook_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(verify(fcinfo, smartcar_argument_utf8(fcinfo, 0)));
}
