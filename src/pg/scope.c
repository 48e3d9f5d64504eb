/*-------------------------------------------------------------------------
 *
 * scope.c
 *	  Permissions in options and arguments: checks, lists and sets of them.
 *
 * Smartcar adds permissions, so unknown names are accepted.  But a link that
 * requests a mistyped permission does not work, so links accept only known names
 * and those of the option "extra_scopes".
 *
 * src/pg/scope.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/scope.h"

#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/closest_match.h"
#include "pg/compat.h"
#include "pg/text.h"
#include "pg/text_array.h"

/*
 * The list of an array argument, cached because most rows have the same array as
 * the row before.
 */
typedef struct ArgumentList
{
	SmartcarScopeList list;		/* must be first */
	MemoryContext context;		/* of the list and of the copy */
	ArrayType  *array;			/* a copy; NULL before the first row */
} ArgumentList;

typedef struct NameEntry
{
	SmartcarSpan name;
	char		status;			/* for lib/simplehash.h */
} NameEntry;

/*
 * The hash has a random seed, because the names are user input: inserting n names
 * with equal hashes would take O(n^2).
 */
static inline uint32
hash_name(const void *seed, SmartcarSpan name)
{
	return (uint32) hash_bytes_extended((const unsigned char *) name.data, (int) name.length,
										(uintptr_t) seed);
}

#define SH_PREFIX		smartcar_names
#define SH_ELEMENT_TYPE	NameEntry
#define SH_KEY_TYPE		SmartcarSpan
#define SH_KEY			name
#define SH_HASH_KEY(table, key)		hash_name((table)->private_data, key)
#define SH_EQUAL(table, a, b)		smartcar_span_equal(a, b)
#define SH_SCOPE		static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

#define INITIAL_SIZE	16

static pg_noreturn void
refuse_name(SmartcarSpan name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid Smartcar permission name: \"%s\"", smartcar_excerpt(name)),
			 errdetail("A permission name begins with a letter, consists of letters, digits, \"_\", \"-\", \".\" and \":\", and has at most %d characters; \"required:\" may stand in front of it.",
					   SMARTCAR_PERMISSION_MAX_LENGTH),
			 memchr(name.data, ',', name.length) ?
			 errhint("In a string, spaces separate the names.") : 0));
}

/*
 * Strips "required:" and finds the permission.  *index is -1 if it is unknown.
 * Returns false if the name is malformed.
 */
static bool
find_permission(SmartcarSpan *name, int *index)
{
	smartcar_permission_strip_required(name);
	*index = smartcar_permission_find(*name);
	return *index >= 0 || smartcar_permission_well_formed(*name);
}

/*
 * Strips "required:" and finds the permission.  Returns -1 if it is unknown, and
 * raises an error if it is malformed.
 */
int
smartcar_resolve_permission(SmartcarSpan *name)
{
	SmartcarSpan written = *name;
	int			index;

	if (!find_permission(name, &index))
		refuse_name(written);
	return index;
}

/*
 * The permission that a mistyped name probably means; no data if there is none.
 */
static SmartcarSpan
guess_permission(SmartcarSpan name, const SmartcarScopeList *extra_scopes)
{
	SmartcarSpan meant = smartcar_permission_suggest(name);
	SmartcarClosestMatch closest;

	if (meant.data != NULL)
		return meant;
	smartcar_closest_match_begin(&closest, name);
	for (int i = 0; i < SMARTCAR_PERMISSION_COUNT; i++)
		smartcar_closest_match_try(&closest, smartcar_permission_table[i].name);
	for (int i = 0; extra_scopes != NULL && i < extra_scopes->count; i++)
		smartcar_closest_match_try(&closest, extra_scopes->names[i]);
	return closest.match;
}

static pg_noreturn void
refuse_link_permission(SmartcarSpan name, const SmartcarScopeList *extra_scopes)
{
	SmartcarSpan guess = guess_permission(name, extra_scopes);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized Smartcar permission \"%s\"", smartcar_excerpt(name)),
			 guess.data ?
			 errhint("Perhaps you meant \"%.*s\".", (int) guess.length, guess.data) :
			 errhint("If Smartcar has added this permission, add it to the option \"extra_scopes\" of the server.")));
}

/*
 * Like smartcar_resolve_permission(), but a link must not request an unknown
 * permission that is not one of extra_scopes, which may be NULL.
 */
int
smartcar_resolve_link_permission(SmartcarSpan *name, const SmartcarScopeList *extra_scopes)
{
	int			index = smartcar_resolve_permission(name);

	if (index >= 0)
		return index;
	for (int i = 0; extra_scopes != NULL && i < extra_scopes->count; i++)
	{
		if (smartcar_span_equal(extra_scopes->names[i], *name))
			return index;
	}
	refuse_link_permission(*name, extra_scopes);
}

static void
allocate_list(SmartcarScopeList *list, size_t count)
{
	list->count = 0;
	list->indexes = (int *) palloc(Max(count, 1) * sizeof(int));
	list->names = (SmartcarSpan *) palloc(Max(count, 1) * sizeof(SmartcarSpan));
	list->written = (SmartcarSpan *) palloc(Max(count, 1) * sizeof(SmartcarSpan));
}

static void
append_permission(SmartcarScopeList *list, int index, SmartcarSpan name, SmartcarSpan written)
{
	list->indexes[list->count] = index;
	list->names[list->count] = name;
	list->written[list->count] = written;
	list->count++;
}

/*
 * Removes the next word from a text with words that are separated by spaces.
 */
static bool
next_word(SmartcarSpan *words, SmartcarSpan *word)
{
	size_t		length = 0;

	while (words->length > 0 && words->data[0] == ' ')
		*words = smartcar_span_skip(*words, 1);
	while (length < words->length && words->data[length] != ' ')
		length++;
	*word = smartcar_span(words->data, length);
	*words = smartcar_span_skip(*words, length);
	return length > 0;
}

/*
 * Parses permissions that are separated by spaces.  Returns false if there are
 * none, or if one of them is malformed.
 */
bool
smartcar_scope_list_parse(SmartcarSpan words, SmartcarScopeList *list)
{
	SmartcarSpan written;

	allocate_list(list, words.length / 2 + 1);
	while (next_word(&words, &written))
	{
		SmartcarSpan name = written;
		int			index;

		if (!find_permission(&name, &index))
			return false;
		append_permission(list, index, name, written);
	}
	return list->count > 0;
}

/*
 * Raises the error for the first permission that is malformed.
 */
void
smartcar_scope_list_check(SmartcarSpan words)
{
	SmartcarSpan name;

	while (next_word(&words, &name))
		(void) smartcar_resolve_permission(&name);
}

static void
read_argument(ArgumentList *argument_list, ArrayType *array, const char *argument)
{
	SmartcarScopeList *list = &argument_list->list;
	SmartcarScopeSet seen = {0, NULL};
	MemoryContext old_context;
	SmartcarTextArray reader;
	SmartcarSpan written;
	ArrayType  *copy;

	/* the cached list is not valid until this is done */
	argument_list->array = NULL;
	MemoryContextReset(argument_list->context);

	old_context = MemoryContextSwitchTo(argument_list->context);
	copy = (ArrayType *) palloc(VARSIZE(array));
	memcpy(copy, array, VARSIZE(array));
	smartcar_text_array_begin(&reader, copy, argument);
	allocate_list(list, reader.count);
	while (smartcar_text_array_next(&reader, &written))
	{
		SmartcarSpan name = written;
		int			index = smartcar_resolve_permission(&name);

		CHECK_FOR_INTERRUPTS();
		if (smartcar_scope_set_add(&seen, index, name))
			append_permission(list, index, name, written);
	}
	MemoryContextSwitchTo(old_context);
	argument_list->array = copy;
}

/*
 * The permissions of an array argument, without duplicates.  A function can use
 * this for one argument only, because the list is cached in fn_extra.
 */
const SmartcarScopeList *
smartcar_scope_list_argument(FunctionCallInfo fcinfo, ArrayType *array, const char *argument)
{
	ArgumentList *list = (ArgumentList *) fcinfo->flinfo->fn_extra;

	if (list == NULL)
	{
		list = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ArgumentList));
		list->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											  "smartcar_tesla scopes",
											  ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = list;
	}

	if (list->array == NULL || VARSIZE(list->array) != VARSIZE(array) ||
		memcmp(list->array, array, VARSIZE(array)) != 0)
		read_argument(list, array, argument);
	return &list->list;
}

/*
 * Adds the name of an unknown permission, which is not copied.  Returns false if
 * the set has it already.
 */
bool
smartcar_scope_set_add_other(SmartcarScopeSet *set, SmartcarSpan name)
{
	bool		found;

	if (set->others == NULL)
		set->others = smartcar_names_create(CurrentMemoryContext, INITIAL_SIZE,
											(void *) (uintptr_t) pg_prng_uint64(&pg_global_prng_state));
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
	SmartcarTextArray reader;
	SmartcarSpan name;

	smartcar_text_array_begin(&reader, array, argument);
	while (smartcar_text_array_next(&reader, &name))
	{
		/* most names are known and have no "required:" */
		int			index = smartcar_permission_find(name);

		CHECK_FOR_INTERRUPTS();
		if (index < 0)
			index = smartcar_resolve_permission(&name);
		(void) smartcar_scope_set_add(set, index, name);
	}
}
