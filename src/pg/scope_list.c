/*-------------------------------------------------------------------------
 *
 * scope_list.c
 *	  An array of permissions that is mostly the same from row to row.
 *
 * Which permissions an application wants is the same for all of its owners,
 * be it written as a constant, a parameter or a call.  So the array of the row
 * before is kept with what was found in it, and comparing bytes is all that
 * most rows need.
 *
 * src/pg/scope_list.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/scope_list.h"

#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/scope.h"
#include "pg/scope_set.h"

static void
read_scopes(SmartcarScopeList *list, ArrayType *array, const char *argument)
{
	SmartcarScopeSet seen = {0, NULL};
	MemoryContext old_context;
	SmartcarTextArray walk;
	SmartcarSpan name;
	ArrayType  *copy;

	/* until this is done, there is no array of the row before */
	list->array = NULL;
	list->count = 0;
	MemoryContextReset(list->context);

	old_context = MemoryContextSwitchTo(list->context);
	copy = (ArrayType *) palloc(VARSIZE(array));
	memcpy(copy, array, VARSIZE(array));
	smartcar_text_array_begin(&walk, copy, argument);
	list->scopes = (SmartcarScope *) palloc(Max(walk.count, 1) * sizeof(SmartcarScope));
	while (smartcar_text_array_next(&walk, &name))
	{
		int			index = smartcar_resolve_permission(&name);

		if (smartcar_scope_set_add(&seen, index, name))
			list->scopes[list->count++] = (SmartcarScope) {index, name};
	}
	MemoryContextSwitchTo(old_context);
	list->array = copy;
}

/*
 * The permissions of an array.  A function can have one such argument, because
 * the list hangs on fn_extra.
 */
const SmartcarScopeList *
smartcar_scope_list(FunctionCallInfo fcinfo, ArrayType *array, const char *argument)
{
	SmartcarScopeList *list = (SmartcarScopeList *) fcinfo->flinfo->fn_extra;

	if (list == NULL)
	{
		list = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(SmartcarScopeList));
		list->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											  "smartcar_tesla scopes",
											  ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = list;
	}

	if (list->array == NULL || VARSIZE(list->array) != VARSIZE(array) ||
		memcmp(list->array, array, VARSIZE(array)) != 0)
		read_scopes(list, array, argument);
	return list;
}
