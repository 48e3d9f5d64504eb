/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  Encrypts and decrypts the stored tokens.
 *
 * A token is encrypted with AES-256-GCM before it is written for the first time, so that
 * no table, write-ahead log, replica or dump contains a token that can be used.  The
 * additional authenticated data say what kind of token it is and whose, so that a token
 * that was copied to another row cannot be unsealed there.
 *
 * A sealed token consists of the format, 1; the length of the key id; the key id; a
 * nonce of 12 bytes; the ciphertext; a tag of 16 bytes.
 *
 * src/manager/seal.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/seal.h"

#include <openssl/evp.h>

#include "mb/pg_wchar.h"

#include "pg/compat.h"
#include "pg/holdoff.h"
#include "pg/text.h"

#define FORMAT			1
#define HEADER_SIZE		2		/* the format and the length of the id */
#define NONCE_SIZE		12
#define TAG_SIZE		16

/* The parts of a sealed token. */
typedef struct SealedParts
{
	SmartcarSpan key_id;
	const unsigned char *nonce;
	SmartcarSpan ciphertext;
	const unsigned char *tag;
} SealedParts;

static void
raise_cipher_failure(EVP_CIPHER_CTX *context)
{
	EVP_CIPHER_CTX_free(context);
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("could not encrypt or decrypt a token")));
}

/*
 * Converts a name to UTF-8, because a dump may be restored into a database of another
 * encoding.  Names in SQL_ASCII are restored byte by byte.
 */
static SmartcarSpan
identity_name(const char *name)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return smartcar_span_from_string(name);
	return smartcar_utf8_from_bytes(name, (int) strlen(name));
}

/*
 * The additional authenticated data.  They contain the lengths of the names, so that no
 * two identities have the same.
 */
static char *
authenticated_data(const SmartcarSealedIdentity *identity)
{
	SmartcarSpan server = identity_name(identity->server);
	SmartcarSpan user_id = identity_name(identity->user_id);

	return psprintf("smartcar_tesla %s %zu:%.*s %zu:%.*s", identity->kind,
					server.length, (int) server.length, server.data,
					user_id.length, (int) user_id.length, user_id.data);
}

static EVP_CIPHER_CTX *
new_context(void)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	if (context == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return context;
}

/*
 * Seals a token with the first key.
 */
bytea *
smartcar_seal(const SmartcarKeyRing *ring, SmartcarSpan token,
			  const SmartcarSealedIdentity *identity)
{
	const SmartcarKey *key = &ring->keys[0];
	size_t		id_length = strlen(key->id);
	size_t		size = HEADER_SIZE + id_length + NONCE_SIZE + token.length + TAG_SIZE;
	char	   *aad = authenticated_data(identity);
	bytea	   *sealed = palloc(VARHDRSZ + size);
	unsigned char *target = (unsigned char *) VARDATA(sealed);
	unsigned char *nonce = target + HEADER_SIZE + id_length;
	unsigned char *ciphertext = nonce + NONCE_SIZE;
	EVP_CIPHER_CTX *context;
	int			length = 0;

	SET_VARSIZE(sealed, VARHDRSZ + size);
	target[0] = FORMAT;
	target[1] = (unsigned char) id_length;
	memcpy(target + HEADER_SIZE, key->id, id_length);
	if (!pg_strong_random(nonce, NONCE_SIZE))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random bytes")));

	context = new_context();
	if (!EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, nonce) ||
		!EVP_EncryptUpdate(context, NULL, &length, (unsigned char *) aad,
						   (int) strlen(aad)) ||
		!EVP_EncryptUpdate(context, ciphertext, &length, (const unsigned char *) token.data,
						   (int) token.length) ||
		!EVP_EncryptFinal_ex(context, ciphertext + length, &length) ||
		!EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
							 ciphertext + token.length))
		raise_cipher_failure(context);
	EVP_CIPHER_CTX_free(context);
	pfree(aad);
	return sealed;
}

static void
raise_damaged(const SmartcarSealedIdentity *identity)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the stored %s token of user \"%s\" cannot be opened", identity->kind,
					identity->user_id),
			 errdetail("It was changed, or moved from another row, or sealed with another key of the same id.")));
}

static bool
split(const bytea *sealed, SealedParts *parts)
{
	const unsigned char *bytes = (const unsigned char *) VARDATA_ANY(sealed);
	size_t		size = VARSIZE_ANY_EXHDR(sealed);
	size_t		id_length;

	if (size < HEADER_SIZE || bytes[0] != FORMAT)
		return false;
	id_length = bytes[1];
	if (size < HEADER_SIZE + id_length + NONCE_SIZE + TAG_SIZE)
		return false;
	parts->key_id = smartcar_span((const char *) bytes + HEADER_SIZE, id_length);
	if (!smartcar_key_id_valid(parts->key_id))
		return false;
	parts->nonce = bytes + HEADER_SIZE + id_length;
	parts->ciphertext = smartcar_span((const char *) parts->nonce + NONCE_SIZE,
									  size - HEADER_SIZE - id_length - NONCE_SIZE - TAG_SIZE);
	parts->tag = bytes + size - TAG_SIZE;
	return true;
}

/*
 * Returns a token, which the caller wipes.  Raises an error if it cannot be unsealed.
 */
char *
smartcar_unseal(const SmartcarKeyRing *ring, const bytea *sealed,
				const SmartcarSealedIdentity *identity)
{
	SealedParts parts;
	const SmartcarKey *key;
	char	   *aad;
	char	   *token;
	EVP_CIPHER_CTX *context;
	int			length = 0;
	bool		is_genuine;

	if (!split(sealed, &parts))
		raise_damaged(identity);
	key = smartcar_key_ring_find(ring, parts.key_id);
	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key \"%.*s\" not found in key file \"%s\"", (int) parts.key_id.length,
						parts.key_id.data, ring->path),
				 errdetail("The stored %s token of user \"%s\" was sealed with it.",
						   identity->kind, identity->user_id),
				 errhint("Put the line of that key back into the file.")));

	aad = authenticated_data(identity);
	token = palloc(parts.ciphertext.length + 1);
	context = new_context();
	if (!EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, parts.nonce) ||
		!EVP_DecryptUpdate(context, NULL, &length, (unsigned char *) aad,
						   (int) strlen(aad)) ||
		!EVP_DecryptUpdate(context, (unsigned char *) token, &length,
						   (const unsigned char *) parts.ciphertext.data,
						   (int) parts.ciphertext.length) ||
		!EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE,
							 unconstify(unsigned char *, parts.tag)))
		raise_cipher_failure(context);
	is_genuine = EVP_DecryptFinal_ex(context, (unsigned char *) token + length, &length) > 0;
	EVP_CIPHER_CTX_free(context);
	pfree(aad);

	token[parts.ciphertext.length] = '\0';
	if (!is_genuine)
	{
		explicit_bzero(token, parts.ciphertext.length);
		raise_damaged(identity);
	}
	return token;
}

/*
 * Gives the WARNING of a token that could not be opened.
 */
void
smartcar_warn_of_sealed(const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg_internal("%s", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0));
}

/*
 * Like smartcar_unseal(), but returns NULL and the error if the token cannot be opened,
 * so that the caller can go on with other tokens.  The error can be caught without a
 * subtransaction, because nothing but memory is in use where it is raised.
 */
char *
smartcar_unseal_or_error(const SmartcarKeyRing *ring, const bytea *sealed,
						 const SmartcarSealedIdentity *identity, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	SmartcarHoldoff holdoff = smartcar_save_holdoff();
	char	   *volatile token = NULL;

	PG_TRY();
	{
		token = smartcar_unseal(ring, sealed, identity);
	}
	PG_CATCH();
	{
		int			sqlstate = geterrcode();

		if (sqlstate != ERRCODE_DATA_CORRUPTED &&
			sqlstate != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		*error = CopyErrorData();
		FlushErrorState();
		smartcar_restore_holdoff(holdoff);
	}
	PG_END_TRY();
	return token;
}

/*
 * Like smartcar_unseal_or_error(), but gives a WARNING, and returns only the SQLSTATE.
 */
char *
smartcar_try_unseal(const SmartcarKeyRing *ring, const bytea *sealed,
					const SmartcarSealedIdentity *identity, int *sqlstate)
{
	ErrorData  *error;
	char	   *token = smartcar_unseal_or_error(ring, sealed, identity, &error);

	if (token == NULL)
	{
		*sqlstate = error->sqlerrcode;
		smartcar_warn_of_sealed(error);
	}
	return token;
}

/*
 * Whether a token is sealed with the first key.
 */
bool
smartcar_sealed_with_first_key(const SmartcarKeyRing *ring, const bytea *sealed)
{
	SealedParts parts;

	return split(sealed, &parts) &&
		smartcar_span_equal(parts.key_id, smartcar_span_from_string(ring->keys[0].id));
}
