/*-------------------------------------------------------------------------
 *
 * scope.c
 *	  Permission names in arrays and options.
 *
 * There are two degrees of strictness.  What compares permissions takes every
 * name that could be one, because Smartcar adds permissions.  What asks an
 * owner for permissions, a link, takes only those that are known or that the
 * server option "extra_scopes" lists: a mistyped name in a link shows the
 * owner an error page that nobody else gets to see.
 *
 * src/pg/scope.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/scope.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "core/permission.h"
#include "pg/closest_match.h"
#include "pg/text.h"

/*
 * Begins a walk over the elements of an array that must have one dimension at
 * the most and no NULLs.
 */
void
smartcar_text_array_begin(SmartcarTextArray *walk, ArrayType *array, const char *argument)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", argument)));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain NULL", argument)));

	walk->count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	walk->read = 0;
	walk->next = ARR_DATA_PTR(array);
}

/*
 * Makes a text[] in one piece, which construct_array() does not.
 */
ArrayType *
smartcar_build_text_array(const SmartcarSpan *elements, int count)
{
	Size		size = ARR_OVERHEAD_NONULLS(1);
	ArrayType  *array;
	char	   *target;

	if (count == 0)
		return construct_empty_array(TEXTOID);

	for (int i = 0; i < count; i++)
		size += INTALIGN(VARHDRSZ + elements[i].length);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array size exceeds the maximum allowed (%d)", (int) MaxAllocSize)));

	array = (ArrayType *) palloc(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;		/* no NULLs */
	array->elemtype = TEXTOID;
	ARR_DIMS(array)[0] = count;
	ARR_LBOUND(array)[0] = 1;

	target = ARR_DATA_PTR(array);
	for (int i = 0; i < count; i++)
	{
		Size		length = VARHDRSZ + elements[i].length;

		SET_VARSIZE(target, length);
		memcpy(VARDATA(target), elements[i].data, elements[i].length);
		memset(target + length, 0, INTALIGN(length) - length);
		target += INTALIGN(length);
	}
	return array;
}

/*
 * Takes the next word off a list that is separated by spaces.
 */
bool
smartcar_next_word(SmartcarSpan *words, SmartcarSpan *word)
{
	size_t		length = 0;

	*word = smartcar_span(NULL, 0);
	if (words->length == 0)
		return false;
	while (words->length > 0 && words->data[0] == ' ')
		*words = smartcar_span_skip(*words, 1);
	while (length < words->length && words->data[length] != ' ')
		length++;
	*word = smartcar_span(words->data, length);
	*words = smartcar_span_skip(*words, length);
	return length > 0;
}

static void
malformed_permission(SmartcarSpan name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid Smartcar permission name: \"%s\"", smartcar_excerpt(name)),
			 errdetail("A permission name begins with a letter, consists of letters, digits, \"_\", \"-\", \".\" and \":\", and has at most %d characters; \"required:\" may stand in front of it.",
					   SMARTCAR_PERMISSION_MAX_LENGTH)));
}

/*
 * Strips "required:" and finds the permission: its index among the known ones,
 * or -1 for another name, which is well-formed.
 */
int
smartcar_resolve_permission(SmartcarSpan *name)
{
	SmartcarSpan written = *name;
	int			index;

	smartcar_permission_strip_required(name);
	index = smartcar_permission_find(*name);
	if (index < 0 && !smartcar_permission_well_formed(*name))
		malformed_permission(written);
	return index;
}

/* Whether a name could be a permission, with or without "required:". */
void
smartcar_check_permission_name(SmartcarSpan name)
{
	(void) smartcar_resolve_permission(&name);
}

/*
 * Whether a link may ask for a permission.
 */
void
smartcar_check_link_permission(SmartcarSpan name, SmartcarSpan extra_scopes)
{
	SmartcarClosestMatch closest;
	SmartcarSpan rest = extra_scopes;
	SmartcarSpan word;

	if (smartcar_resolve_permission(&name) >= 0)
		return;
	while (smartcar_next_word(&rest, &word))
	{
		smartcar_permission_strip_required(&word);
		if (smartcar_span_equal(word, name))
			return;
	}

	smartcar_closest_match_begin(&closest, name);
	for (int i = 0; i < SMARTCAR_PERMISSION_COUNT; i++)
		smartcar_closest_match_try(&closest, smartcar_permission_table[i].name);
	while (smartcar_next_word(&extra_scopes, &word))
	{
		smartcar_permission_strip_required(&word);
		smartcar_closest_match_try(&closest, word);
	}

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized Smartcar permission \"%s\"", smartcar_excerpt(name)),
			 closest.match.data ?
			 errhint("Perhaps you meant \"%.*s\".", (int) closest.match.length, closest.match.data) :
			 errhint("If it is a new permission of Smartcar's, add it to the option \"extra_scopes\" of the server.")));
}
