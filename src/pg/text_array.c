/*-------------------------------------------------------------------------
 *
 * text_array.c
 *	  Reads and builds a text[].
 *
 * src/pg/text_array.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/text_array.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "pg/json.h"

#define FIRST_SIZE	16

/*
 * Begins to read an array.  Raises an error if it has NULLs or more than one
 * dimension.
 */
void
smartcar_text_array_begin(SmartcarTextArray *reader, ArrayType *array, const char *argument)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", argument)));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain NULL", argument)));

	reader->count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	reader->read = 0;
	reader->next = ARR_DATA_PTR(array);
}

/*
 * Builds a text[] with a single allocation; construct_array() would need a Datum
 * for each element.
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
 * Adds a copy of an element.  The memory of the list is in context.
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
