/*-------------------------------------------------------------------------
 *
 * text_array.h
 *	  Reads and builds a text[].
 *
 * src/pg/text_array.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TEXT_ARRAY_H
#define SMARTCAR_TEXT_ARRAY_H

#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "core/span.h"
#include "pg/compat.h"

/* The state of reading an array. */
typedef struct SmartcarTextArray
{
	int			count;
	int			read;
	char	   *next;
} SmartcarTextArray;

/* A growing list, from which a text[] is built.  Starts as zeros. */
typedef struct SmartcarTextList
{
	SmartcarSpan *elements;
	int			count;
	int			allocated;
} SmartcarTextList;

extern void smartcar_text_array_begin(SmartcarTextArray *reader, ArrayType *array,
									  const char *argument);
extern ArrayType *smartcar_build_text_array(const SmartcarSpan *elements, int count);

extern void smartcar_text_list_add(SmartcarTextList *list, MemoryContext context,
								   SmartcarSpan element);
extern void smartcar_text_list_add_all(SmartcarTextList *list, MemoryContext context,
									   JsonbContainer *array);
extern Datum smartcar_text_list_datum(const SmartcarTextList *list);

static inline bool
smartcar_text_array_next(SmartcarTextArray *reader, SmartcarSpan *element)
{
	char	   *current = reader->next;

	if (reader->read == reader->count)
		return false;
	*element = smartcar_span(VARDATA_ANY(current), VARSIZE_ANY_EXHDR(current));
	current += VARSIZE_ANY(current);
	reader->next = (char *) att_align_nominal(current, TYPALIGN_INT);
	reader->read++;
	return true;
}

#endif							/* SMARTCAR_TEXT_ARRAY_H */
