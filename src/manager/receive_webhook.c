/*-------------------------------------------------------------------------
 *
 * receive_webhook.c
 *	  The SQL function that receives an event of a webhook.
 *
 * Anybody can call the address of a webhook, so a body without a valid signature changes
 * nothing, raises no error and logs nothing.  Only the challenge has no signature.  The
 * response to it is computed with the key and the algorithm of a signature, so it is
 * sent only if the challenge cannot be the body of an event; otherwise anybody could
 * have an event signed here.
 *
 * src/manager/receive_webhook.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "core/hex.h"
#include "core/utf8.h"
#include "manager/event.h"
#include "manager/spi.h"
#include "pg/fn_state.h"
#include "pg/hmac.h"
#include "pg/json.h"
#include "pg/secret.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_receive_webhook_bytea);
PG_FUNCTION_INFO_V1(smartcar_receive_webhook_text);

#define MAX_CHALLENGE_LENGTH	256
#define MAX_UNSIGNED_LENGTH		(64 * 1024)

static void
compute_digest(const char *token, SmartcarSpan message, unsigned char digest[SMARTCAR_HMAC_LENGTH])
{
	smartcar_hmac_compute(smartcar_hmac_create(CurrentMemoryContext,
											   smartcar_span_from_string(token)),
						  message, digest);
}

/*
 * Every event contains quotes and braces.
 */
static bool
is_valid_challenge(SmartcarSpan challenge)
{
	return challenge.length <= MAX_CHALLENGE_LENGTH && smartcar_span_is_visible(challenge) &&
		memchr(challenge.data, '"', challenge.length) == NULL &&
		memchr(challenge.data, '{', challenge.length) == NULL;
}

/*
 * Converts a body without a valid signature to a text that can be parsed without an
 * error; no data if that is not certain.  Only a challenge matters here, which is short
 * and ASCII.
 */
static SmartcarSpan
unsigned_text(SmartcarSpan body)
{
	char	   *copy;

	if (body.length > MAX_UNSIGNED_LENGTH)
		return smartcar_span(NULL, 0);
	if (GetDatabaseEncoding() == PG_UTF8)
		return body;
	if (memchr(body.data, '\\', body.length) != NULL)
		return smartcar_span(NULL, 0);
	copy = pnstrdup(body.data, body.length);
	for (size_t i = 0; i < body.length; i++)
	{
		if (IS_HIGHBIT_SET(copy[i]))
			copy[i] = '?';
	}
	return smartcar_span(copy, body.length);
}

/*
 * Returns the challenge of an event, in the format of either version of the API; no data
 * if it has none.
 */
static SmartcarSpan
find_challenge(JsonbContainer *event)
{
	JsonbContainer *content = NULL;

	if (smartcar_span_equal(smartcar_json_text_member(event, "eventType"),
							SMARTCAR_SPAN("VERIFY")))
		content = smartcar_json_object_member(event, "data");
	else if (smartcar_span_equal(smartcar_json_text_member(event, "eventName"),
								 SMARTCAR_SPAN("verify")))
		content = smartcar_json_object_member(event, "payload");
	return content ? smartcar_json_text_member(content, "challenge") : smartcar_span(NULL, 0);
}

static text *
challenge_response(SmartcarServer *server, SmartcarSpan challenge)
{
	unsigned char digest[SMARTCAR_HMAC_LENGTH];
	char		digits[2 * SMARTCAR_HMAC_LENGTH + 1];

	compute_digest(smartcar_secret(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN, NULL), challenge, digest);
	smartcar_hex_encode(digest, SMARTCAR_HMAC_LENGTH, digits);
	digits[2 * SMARTCAR_HMAC_LENGTH] = '\0';
	return cstring_to_text(psprintf("{\"challenge\":\"%s\"}", digits));
}

static bool
is_signed_with(const char *token, SmartcarSpan body,
			   const unsigned char claimed[SMARTCAR_HMAC_LENGTH])
{
	unsigned char digest[SMARTCAR_HMAC_LENGTH];

	compute_digest(token, body, digest);
	return CRYPTO_memcmp(digest, claimed, SMARTCAR_HMAC_LENGTH) == 0;
}

/*
 * While the management token is being replaced, Smartcar may still sign with the
 * previous one.
 */
static bool
is_genuine(SmartcarServer *server, SmartcarSpan body, SmartcarSpan signature)
{
	unsigned char claimed[SMARTCAR_HMAC_LENGTH];
	const char *previous;

	if (!smartcar_hex_decode(signature, claimed, SMARTCAR_HMAC_LENGTH))
		return false;
	if (is_signed_with(smartcar_secret(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN, NULL),
					   body, claimed))
		return true;
	previous = smartcar_optional_secret(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN_PREVIOUS);
	return previous != NULL && is_signed_with(previous, body, claimed);
}

/* The body is in UTF-8, if it is text at all. */
static Datum
receive(FunctionCallInfo fcinfo, SmartcarSpan body)
{
	SmartcarServer *server =
		&smartcar_fn_state(fcinfo, 2, sizeof(SmartcarFnState))->server;
	SmartcarSpan challenge;
	Jsonb	   *json;
	bool		is_signed;
	bool		is_accepted;

	if (!OidIsValid(server->serverid))
		smartcar_missing_value(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN, NULL);
	if (body.length == 0)
		PG_RETURN_NULL();

	/* an unsigned body is parsed only if that cannot raise an error */
	is_signed = is_genuine(server, body, smartcar_argument_span(fcinfo, 1));
	if (!smartcar_utf8_valid(body) || memchr(body.data, '\0', body.length) != NULL)
		PG_RETURN_NULL();
	body = is_signed ? smartcar_text_from_utf8(body) : unsigned_text(body);
	if (body.data == NULL)
		PG_RETURN_NULL();
	json = smartcar_json_parse(body);
	if (json == NULL || !JB_ROOT_IS_OBJECT(json))
		PG_RETURN_NULL();

	challenge = find_challenge(&json->root);
	if (challenge.data != NULL)
	{
		if (!is_valid_challenge(challenge))
			PG_RETURN_NULL();
		PG_RETURN_TEXT_P(challenge_response(server, challenge));
	}
	if (!is_signed)
		PG_RETURN_NULL();

	smartcar_spi_begin();
	is_accepted = smartcar_event_apply(server, &json->root);
	smartcar_spi_end();
	if (!is_accepted)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(""));
}

Datum
smartcar_receive_webhook_bytea(PG_FUNCTION_ARGS)
{
	/* a bytea has the layout of a text */
	return receive(fcinfo, smartcar_argument_span(fcinfo, 0));
}

/*
 * For drivers that pass strings: converting one to bytea would interpret backslashes.
 */
Datum
smartcar_receive_webhook_text(PG_FUNCTION_ARGS)
{
	return receive(fcinfo, smartcar_argument_utf8(fcinfo, 0));
}
