/*-------------------------------------------------------------------------
 *
 * scope_set.c
 *	  A set of permission names.
 *
 * src/pg/scope_set.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/scope_set.h"

#include "common/hashfn.h"

#include "pg/scope.h"

typedef struct NameEntry
{
	SmartcarSpan name;
	char		status;			/* of lib/simplehash.h */
} NameEntry;

static inline uint32
hash_name(SmartcarSpan name)
{
	return hash_bytes((const unsigned char *) name.data, (int) name.length);
}

#define SH_PREFIX		smartcar_names
#define SH_ELEMENT_TYPE	NameEntry
#define SH_KEY_TYPE		SmartcarSpan
#define SH_KEY			name
#define SH_HASH_KEY(table, key)		hash_name(key)
#define SH_EQUAL(table, a, b)		smartcar_span_equal(a, b)
#define SH_SCOPE		static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

#define INITIAL_SIZE	16

/*
 * Adds a name that is none of the known ones.  Returns false if it was in the
 * set already.  The name itself is not copied.
 */
bool
smartcar_scope_set_add_other(SmartcarScopeSet *set, SmartcarSpan name)
{
	bool		found;

	if (set->others == NULL)
		set->others = smartcar_names_create(CurrentMemoryContext, INITIAL_SIZE, NULL);
	(void) smartcar_names_insert(set->others, name, &found);
	return !found;
}

bool
smartcar_scope_set_has_other(const SmartcarScopeSet *set, SmartcarSpan name)
{
	return set->others != NULL && smartcar_names_lookup(set->others, name) != NULL;
}

/*
 * Adds the permissions of an array, without their "required:".
 */
void
smartcar_scope_set_add_array(SmartcarScopeSet *set, ArrayType *array, const char *argument)
{
	SmartcarTextArray walk;
	SmartcarSpan name;

	smartcar_text_array_begin(&walk, array, argument);
	while (smartcar_text_array_next(&walk, &name))
	{
		/* nearly always a known name as it is */
		int			index = smartcar_permission_find(name);

		if (index < 0)
			index = smartcar_resolve_permission(&name);
		(void) smartcar_scope_set_add(set, index, name);
	}
}
