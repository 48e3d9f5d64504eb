/*-------------------------------------------------------------------------
 *
 * scope.h
 *	  Permission names in arrays and options.
 *
 * src/pg/scope.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SCOPE_H
#define SMARTCAR_SCOPE_H

#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "pg/compat.h"
#include "utils/array.h"

#include "core/span.h"

/* A walk over the elements of a text[]. */
typedef struct SmartcarTextArray
{
	int			count;
	int			read;
	char	   *next;
} SmartcarTextArray;

extern void smartcar_text_array_begin(SmartcarTextArray *walk, ArrayType *array,
									  const char *argument);

extern ArrayType *smartcar_build_text_array(const SmartcarSpan *elements, int count);

extern bool smartcar_next_word(SmartcarSpan *words, SmartcarSpan *word);
extern void smartcar_check_permission_name(SmartcarSpan name);
extern void smartcar_check_link_permission(SmartcarSpan name, SmartcarSpan extra_scopes);
extern int	smartcar_resolve_permission(SmartcarSpan *name);

static inline bool
smartcar_text_array_next(SmartcarTextArray *walk, SmartcarSpan *element)
{
	char	   *current = walk->next;

	if (walk->read == walk->count)
		return false;
	*element = smartcar_span(VARDATA_ANY(current), VARSIZE_ANY_EXHDR(current));
	current += VARSIZE_ANY(current);
	walk->next = (char *) att_align_nominal(current, TYPALIGN_INT);
	walk->read++;
	return true;
}

#endif							/* SMARTCAR_SCOPE_H */
