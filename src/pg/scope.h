/*-------------------------------------------------------------------------
 *
 * scope.h
 *	  Permissions in options and arguments: checks, lists and sets of them.
 *
 * src/pg/scope.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SCOPE_H
#define SMARTCAR_SCOPE_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"

#include "core/permission.h"

/* Permissions in the order in which they were given. */
typedef struct SmartcarScopeList
{
	int			count;
	int		   *indexes;		/* in smartcar_permission_table, or -1 */
	SmartcarSpan *names;		/* without "required:" */
	SmartcarSpan *written;		/* as given, perhaps with "required:" */
} SmartcarScopeList;

struct smartcar_names_hash;

/* Starts as zeros. */
typedef struct SmartcarScopeSet
{
	uint32		known;			/* a bit for each entry of
								 * smartcar_permission_table */
	struct smartcar_names_hash *others; /* NULL if there are none */
} SmartcarScopeSet;

StaticAssertDecl(SMARTCAR_PERMISSION_COUNT <= 32,
				 "a known permission must be a bit of SmartcarScopeSet.known");

extern int	smartcar_resolve_permission(SmartcarSpan *name);
extern int	smartcar_resolve_link_permission(SmartcarSpan *name,
											 const SmartcarScopeList *extra_scopes);

extern bool smartcar_scope_list_parse(SmartcarSpan words, SmartcarScopeList *list);
extern void smartcar_scope_list_check(SmartcarSpan words);
extern const SmartcarScopeList *smartcar_scope_list_argument(FunctionCallInfo fcinfo,
															 ArrayType *array,
															 const char *argument);

extern bool smartcar_scope_set_add_other(SmartcarScopeSet *set, SmartcarSpan name);
extern bool smartcar_scope_set_has_other(const SmartcarScopeSet *set, SmartcarSpan name);
extern void smartcar_scope_set_add_array(SmartcarScopeSet *set, ArrayType *array,
										 const char *argument);

/*
 * Adds a permission, with its index or -1 if it is unknown.  Returns false if the
 * set has it already.
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

#endif							/* SMARTCAR_SCOPE_H */
