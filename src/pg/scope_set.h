/*-------------------------------------------------------------------------
 *
 * scope_set.h
 *	  A set of permission names.
 *
 * The known permissions are bits; other names, of which there are few in
 * practice and any number in an attack, go into a hash table.
 *
 * src/pg/scope_set.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SCOPE_SET_H
#define SMARTCAR_SCOPE_SET_H

#include "postgres.h"

#include "utils/array.h"

#include "core/permission.h"

struct smartcar_names_hash;

typedef struct SmartcarScopeSet
{
	uint32		known;			/* a bit for each of smartcar_permission_table */
	struct smartcar_names_hash *others; /* NULL while there are none */
} SmartcarScopeSet;

StaticAssertDecl(SMARTCAR_PERMISSION_COUNT <= 32,
				 "a known permission must be a bit of SmartcarScopeSet.known");

extern bool smartcar_scope_set_add_other(SmartcarScopeSet *set, SmartcarSpan name);
extern bool smartcar_scope_set_has_other(const SmartcarScopeSet *set, SmartcarSpan name);
extern void smartcar_scope_set_add_array(SmartcarScopeSet *set, ArrayType *array,
										 const char *argument);

/*
 * Adds a name.  index tells which of the known ones it is, or is -1.  Returns
 * false if it was in the set already.
 */
static inline bool
smartcar_scope_set_add(SmartcarScopeSet *set, int index, SmartcarSpan name)
{
	uint32		bit = index < 0 ? 0 : (uint32) 1 << index;
	bool		found = (set->known & bit) != 0;

	if (index < 0)
		return smartcar_scope_set_add_other(set, name);
	set->known |= bit;
	return !found;
}

static inline bool
smartcar_scope_set_has(const SmartcarScopeSet *set, int index, SmartcarSpan name)
{
	if (index < 0)
		return smartcar_scope_set_has_other(set, name);
	return (set->known & ((uint32) 1 << index)) != 0;
}

#endif							/* SMARTCAR_SCOPE_SET_H */
