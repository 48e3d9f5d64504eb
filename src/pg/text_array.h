/*-------------------------------------------------------------------------
 *
 * text_array.h
 *	  A text[] that grows.
 *
 * src/pg/text_array.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TEXT_ARRAY_H
#define SMARTCAR_TEXT_ARRAY_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/span.h"

/* Starts as zeros. */
typedef struct SmartcarTextList
{
	SmartcarSpan *elements;
	int			count;
	int			allocated;
} SmartcarTextList;

extern void smartcar_text_list_add(SmartcarTextList *list, MemoryContext context,
								   SmartcarSpan element);
extern void smartcar_text_list_add_all(SmartcarTextList *list, MemoryContext context,
									   JsonbContainer *array);
extern Datum smartcar_text_list_datum(const SmartcarTextList *list);

#endif							/* SMARTCAR_TEXT_ARRAY_H */
