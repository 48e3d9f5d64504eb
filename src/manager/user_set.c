/*-------------------------------------------------------------------------
 *
 * user_set.c
 *	  The ids of users of whom something is true just now.
 *
 * src/manager/user_set.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/user_set.h"

#include "core/endpoint.h"

#define KEY_SIZE	(SMARTCAR_MAX_ID_LENGTH + 1)

HTAB *
smartcar_user_set_create(const char *name)
{
	HASHCTL		control = {
		.keysize = KEY_SIZE,
		.entrysize = KEY_SIZE,
		.hcxt = CurrentMemoryContext
	};

	return hash_create(name, 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/*
 * Notes that a user is in the set, or is not any more.
 */
void
smartcar_user_set_note(HTAB *set, const char *user_id, bool is_member)
{
	char		key[KEY_SIZE];
	bool		found;

	strlcpy(key, user_id, sizeof(key));
	(void) hash_search(set, key, is_member ? HASH_ENTER : HASH_REMOVE, &found);
}
