/*-------------------------------------------------------------------------
 *
 * key_ring.h
 *	  The keys with which tokens are sealed.
 *
 * src/manager/key_ring.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_KEY_RING_H
#define SMARTCAR_KEY_RING_H

#include "postgres.h"

#include "core/span.h"
#include "pg/server.h"

#define SMARTCAR_KEY_SIZE			32
#define SMARTCAR_KEY_ID_MAX_LENGTH	32
#define SMARTCAR_MAX_KEYS			16

typedef struct SmartcarKey
{
	char		id[SMARTCAR_KEY_ID_MAX_LENGTH + 1];
	unsigned char bytes[SMARTCAR_KEY_SIZE];
} SmartcarKey;

/*
 * The first key seals; any key unseals what it has sealed.
 */
typedef struct SmartcarKeyRing
{
	const char *path;			/* for messages */
	int			count;
	SmartcarKey keys[SMARTCAR_MAX_KEYS];
} SmartcarKeyRing;

extern bool smartcar_key_id_valid(SmartcarSpan id);
extern void smartcar_key_ring_read(SmartcarKeyRing *ring, SmartcarServer *server);
extern void smartcar_key_ring_reread(SmartcarKeyRing *ring, const SmartcarServer *server);
extern const SmartcarKey *smartcar_key_ring_find(const SmartcarKeyRing *ring, SmartcarSpan id);
extern void smartcar_key_ring_wipe(SmartcarKeyRing *ring);

#endif							/* SMARTCAR_KEY_RING_H */
