/*-------------------------------------------------------------------------
 *
 * hmac.h
 *	  HMAC-SHA-256 of many messages with the same key.
 *
 * src/pg/hmac.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_HMAC_H
#define SMARTCAR_HMAC_H

#include "postgres.h"

#include "core/span.h"

#define SMARTCAR_HMAC_LENGTH	32

typedef struct SmartcarHmac SmartcarHmac;

extern SmartcarHmac *smartcar_hmac_create(MemoryContext context, SmartcarSpan key);
extern void smartcar_hmac_compute(SmartcarHmac *hmac, SmartcarSpan message,
								  unsigned char digest[SMARTCAR_HMAC_LENGTH]);

#endif							/* SMARTCAR_HMAC_H */
