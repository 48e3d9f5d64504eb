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
	uint32		known;			/* a bit for each of smartcar_permissions */
	struct smartcar_names_hash *others; /* NULL while there are none */
} SmartcarScopeSet;

StaticAssertDecl(SMARTCAR_PERMISSION_COUNT <= 32,
				 "a known permission must be a bit of SmartcarScopeSet.known");

extern bool smartcar_scope_set_add(SmartcarScopeSet *set, int index, SmartcarSpan name);
extern bool smartcar_scope_set_has(const SmartcarScopeSet *set, int index, SmartcarSpan name);
extern void smartcar_scope_set_add_array(SmartcarScopeSet *set, ArrayType *array,
										 const char *argument);

#endif							/* SMARTCAR_SCOPE_SET_H */
