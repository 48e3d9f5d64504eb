/*-------------------------------------------------------------------------
 *
 * writer.h
 *	  Writes a text, or only measures it.
 *
 * A function that writes with it runs twice: without a target, to measure the
 * text, and then with a target of that length.
 *
 * src/core/writer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_WRITER_H
#define SMARTCAR_WRITER_H

#include "core/percent.h"

typedef struct SmartcarWriter
{
	char	   *target;			/* NULL: only measure */
	size_t		length;			/* written so far */
} SmartcarWriter;

static inline void
smartcar_write(SmartcarWriter *writer, SmartcarSpan span)
{
	if (writer->target != NULL)
		memcpy(writer->target + writer->length, span.data, span.length);
	writer->length += span.length;
}

static inline void
smartcar_write_encoded(SmartcarWriter *writer, SmartcarSpan value)
{
	char	   *end;

	if (writer->target == NULL)
		writer->length += smartcar_percent_encoded_length(value);
	else
	{
		end = smartcar_percent_encode(writer->target + writer->length, value);
		writer->length = (size_t) (end - writer->target);
	}
}

#endif							/* SMARTCAR_WRITER_H */
