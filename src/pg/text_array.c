/*-------------------------------------------------------------------------
 *
 * text_array.c
 *	  A text[] that grows.
 *
 * src/pg/text_array.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/text_array.h"

#include "pg/json.h"
#include "pg/scope.h"

#define FIRST_SIZE	16

/*
 * Adds a copy of an element.  All that the list holds is in the context.
 */
void
smartcar_text_list_add(SmartcarTextList *list, MemoryContext context, SmartcarSpan element)
{
	char	   *copy = MemoryContextAlloc(context, Max(element.length, 1));

	if (list->elements == NULL)
	{
		list->allocated = FIRST_SIZE;
		list->elements = MemoryContextAlloc(context, list->allocated * sizeof(SmartcarSpan));
	}
	else if (list->count == list->allocated)
	{
		list->allocated *= 2;
		list->elements = repalloc(list->elements, list->allocated * sizeof(SmartcarSpan));
	}
	memcpy(copy, element.data, element.length);
	list->elements[list->count++] = smartcar_span(copy, element.length);
}

/*
 * Adds the strings of a JSON array.
 */
void
smartcar_text_list_add_all(SmartcarTextList *list, MemoryContext context,
						   JsonbContainer *array)
{
	int			count = JsonContainerSize(array);

	for (int i = 0; i < count; i++)
	{
		SmartcarSpan element = smartcar_json_text_element(array, i);

		if (element.data != NULL)
			smartcar_text_list_add(list, context, element);
	}
}

Datum
smartcar_text_list_datum(const SmartcarTextList *list)
{
	return PointerGetDatum(smartcar_build_text_array(list->elements, list->count));
}
