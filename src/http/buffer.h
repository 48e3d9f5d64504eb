/*-------------------------------------------------------------------------
 *
 * buffer.h
 *	  Bytes that libcurl hands over, up to a limit.
 *
 * A buffer is filled from within libcurl, so nothing here raises an error, and
 * its memory is malloc's.  Since it may have held a token, it is wiped before
 * the memory goes back.
 *
 * src/http/buffer.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_BUFFER_H
#define SMARTCAR_BUFFER_H

#include "postgres.h"

#include "core/span.h"

typedef struct SmartcarBuffer
{
	char	   *data;
	size_t		length;
	size_t		allocated;
	size_t		limit;
	bool		too_large;		/* more came than the limit allows */
	bool		out_of_memory;
} SmartcarBuffer;

extern bool smartcar_buffer_append(SmartcarBuffer *buffer, const char *data, size_t length);
extern void smartcar_buffer_clear(SmartcarBuffer *buffer, size_t limit);
extern void smartcar_buffer_free(SmartcarBuffer *buffer);

/* What is in it; of an empty one, a span that is not NULL. */
static inline SmartcarSpan
smartcar_buffer_span(const SmartcarBuffer *buffer)
{
	return smartcar_span(buffer->data ? buffer->data : "", buffer->length);
}

#endif							/* SMARTCAR_BUFFER_H */
