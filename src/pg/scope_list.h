/*-------------------------------------------------------------------------
 *
 * scope_list.h
 *	  An array of permissions that is mostly the same from row to row.
 *
 * src/pg/scope_list.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SCOPE_LIST_H
#define SMARTCAR_SCOPE_LIST_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"

#include "core/span.h"

typedef struct SmartcarScope
{
	int			index;			/* in smartcar_permission_table, or -1 */
	SmartcarSpan name;			/* without "required:" */
} SmartcarScope;

/* Each permission once, in the order of the array. */
typedef struct SmartcarScopeList
{
	MemoryContext context;		/* of what follows */
	ArrayType  *array;			/* a copy; NULL before the first row */
	int			count;
	SmartcarScope *scopes;		/* their names point into array */
} SmartcarScopeList;

extern const SmartcarScopeList *smartcar_scope_list(FunctionCallInfo fcinfo, ArrayType *array,
													const char *argument);

#endif							/* SMARTCAR_SCOPE_LIST_H */
