/*-------------------------------------------------------------------------
 *
 * seal.h
 *	  Encrypts and decrypts the stored tokens.
 *
 * src/manager/seal.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SEAL_H
#define SMARTCAR_SEAL_H

#include "postgres.h"

#include "core/span.h"
#include "manager/key_ring.h"

/*
 * The kind of a token and whose it is.  It can be unsealed only as that.
 */
typedef struct SmartcarSealedIdentity
{
	const char *server;
	const char *user_id;
	const char *kind;			/* "access" or "refresh" */
} SmartcarSealedIdentity;

extern bytea *smartcar_seal(const SmartcarKeyRing *ring, SmartcarSpan token,
							const SmartcarSealedIdentity *identity);
extern char *smartcar_unseal(const SmartcarKeyRing *ring, const bytea *sealed,
							 const SmartcarSealedIdentity *identity);
extern void smartcar_warn_of_sealed(const ErrorData *error);
extern char *smartcar_unseal_or_error(const SmartcarKeyRing *ring, const bytea *sealed,
									  const SmartcarSealedIdentity *identity, ErrorData **error);
extern char *smartcar_try_unseal(const SmartcarKeyRing *ring, const bytea *sealed,
								 const SmartcarSealedIdentity *identity, int *sqlstate);
extern bool smartcar_sealed_with_first_key(const SmartcarKeyRing *ring, const bytea *sealed);

#endif							/* SMARTCAR_SEAL_H */
