/*-------------------------------------------------------------------------
 *
 * receive_webhook.c
 *	  The SQL function that takes an event of a webhook.
 *
 * Anybody can call the address of a webhook, so what is not signed changes
 * nothing, raises nothing and logs nothing.  The one event that is not signed
 * is the challenge, whose answer is made with the very key and in the very way
 * of a signature; so a challenge is answered only if it cannot be the text of
 * an event, or everybody could have his events signed here.
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
#define MAX_STRANGE_LENGTH		(64 * 1024)

static void
compute(const char *token, SmartcarSpan message, unsigned char digest[SMARTCAR_HMAC_LENGTH])
{
	smartcar_hmac_compute(smartcar_hmac_create(CurrentMemoryContext,
											   smartcar_span_from_string(token)),
						  message, digest);
}

/*
 * No event is without quotes and braces.
 */
static bool
is_harmless(SmartcarSpan challenge)
{
	return challenge.length <= MAX_CHALLENGE_LENGTH && smartcar_span_is_visible(challenge) &&
		memchr(challenge.data, '"', challenge.length) == NULL &&
		memchr(challenge.data, '{', challenge.length) == NULL;
}

/*
 * A body that is not signed, as a text that can be parsed without an error; no
 * data if there may be one.  A challenge is short and ASCII, so nothing else is
 * looked at.
 */
static SmartcarSpan
harmless_text(SmartcarSpan body)
{
	char	   *copy;

	if (body.length > MAX_STRANGE_LENGTH)
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
 * The challenge of an event, in either form; no data if it is none.
 */
static SmartcarSpan
challenge_of(JsonbContainer *event)
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
answer_challenge(SmartcarServer *server, SmartcarSpan challenge)
{
	unsigned char digest[SMARTCAR_HMAC_LENGTH];
	char		digits[2 * SMARTCAR_HMAC_LENGTH + 1];

	compute(smartcar_secret(server, SMARTCAR_OPTION_MANAGEMENT_TOKEN, NULL), challenge, digest);
	smartcar_hex_encode(digest, SMARTCAR_HMAC_LENGTH, digits);
	digits[2 * SMARTCAR_HMAC_LENGTH] = '\0';
	return cstring_to_text(psprintf("{\"challenge\":\"%s\"}", digits));
}

static bool
is_signed_with(const char *token, SmartcarSpan body,
			   const unsigned char claimed[SMARTCAR_HMAC_LENGTH])
{
	unsigned char digest[SMARTCAR_HMAC_LENGTH];

	compute(token, body, digest);
	return CRYPTO_memcmp(digest, claimed, SMARTCAR_HMAC_LENGTH) == 0;
}

/*
 * While the token is being replaced, Smartcar may still sign with the previous
 * one.
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

/* body is in UTF-8 as far as it is text. */
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

	/* what comes from strangers is parsed only if parsing it cannot fail */
	is_signed = is_genuine(server, body, smartcar_argument_span(fcinfo, 1));
	if (!smartcar_utf8_valid(body) || memchr(body.data, '\0', body.length) != NULL)
		PG_RETURN_NULL();
	body = is_signed ? smartcar_text_from_utf8(body) : harmless_text(body);
	if (body.data == NULL)
		PG_RETURN_NULL();
	json = smartcar_json_parse(body);
	if (json == NULL || !JB_ROOT_IS_OBJECT(json))
		PG_RETURN_NULL();

	challenge = challenge_of(&json->root);
	if (challenge.data != NULL)
	{
		if (!is_harmless(challenge))
			PG_RETURN_NULL();
		PG_RETURN_TEXT_P(answer_challenge(server, challenge));
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
 * For drivers that hand strings over: to bytea, a backslash in one would be an
 * escape.
 */
Datum
smartcar_receive_webhook_text(PG_FUNCTION_ARGS)
{
	return receive(fcinfo, smartcar_argument_utf8(fcinfo, 0));
}
