/*-------------------------------------------------------------------------
 *
 * hmac.c
 *	  HMAC-SHA-256 of many messages with the same key.
 *
 * OpenSSL's context is expensive to create and cheap to reuse, so it is kept as
 * long as the key does not change.  OpenSSL allocates it with malloc(), so a
 * callback of the memory context frees it.
 *
 * src/pg/hmac.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "pg/hmac.h"

#include "pg/compat.h"

struct SmartcarHmac
{
	MemoryContextCallback callback;
	EVP_MAC    *mac;
	EVP_MAC_CTX *context;
	SmartcarSpan key;			/* the caller's */
};

static void
free_hmac(void *arg)
{
	SmartcarHmac *hmac = (SmartcarHmac *) arg;

	EVP_MAC_CTX_free(hmac->context);
	EVP_MAC_free(hmac->mac);
}

static pg_noreturn void
hmac_failed(void)
{
	/* the next user of OpenSSL must not find our errors in its queue */
	ERR_clear_error();
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("could not compute HMAC-SHA-256")));
}

/*
 * The key must live as long as the context.
 */
SmartcarHmac *
smartcar_hmac_create(MemoryContext context, SmartcarSpan key)
{
	SmartcarHmac *hmac = MemoryContextAllocZero(context, sizeof(SmartcarHmac));
	char		digest_name[] = "SHA256";
	OSSL_PARAM	parameters[2];

	hmac->key = key;
	hmac->callback.func = free_hmac;
	hmac->callback.arg = hmac;
	MemoryContextRegisterResetCallback(context, &hmac->callback);

	parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0);
	parameters[1] = OSSL_PARAM_construct_end();

	hmac->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (hmac->mac != NULL)
		hmac->context = EVP_MAC_CTX_new(hmac->mac);
	if (hmac->context == NULL || !EVP_MAC_CTX_set_params(hmac->context, parameters))
		hmac_failed();
	return hmac;
}

void
smartcar_hmac_compute(SmartcarHmac *hmac, SmartcarSpan message,
					  unsigned char digest[SMARTCAR_HMAC_LENGTH])
{
	size_t		length;

	/*
	 * EVP_MAC_init() without the key should begin a new message, but OpenSSL
	 * 3.0.0 to 3.0.2 would continue the last one
	 */
	if (!EVP_MAC_init(hmac->context, (const unsigned char *) hmac->key.data, hmac->key.length, NULL) ||
		!EVP_MAC_update(hmac->context, (const unsigned char *) message.data, message.length) ||
		!EVP_MAC_final(hmac->context, digest, &length, SMARTCAR_HMAC_LENGTH) ||
		length != SMARTCAR_HMAC_LENGTH)
		hmac_failed();
}
