/*-------------------------------------------------------------------------
 *
 * buffer.h
 *	  A buffer with a limit, for the bytes that libcurl receives.
 *
 * libcurl's callbacks fill it, so it uses malloc() and never raises an error.
 * It may hold a token, so it is wiped before its memory is freed.
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
	bool		too_large;		/* the limit was exceeded */
	bool		out_of_memory;
} SmartcarBuffer;

extern bool smartcar_buffer_append(SmartcarBuffer *buffer, const char *data, size_t length);
extern void smartcar_buffer_clear(SmartcarBuffer *buffer, size_t limit);
extern void smartcar_buffer_free(SmartcarBuffer *buffer);

/* The content, which has data even if it is empty. */
static inline SmartcarSpan
smartcar_buffer_span(const SmartcarBuffer *buffer)
{
	return smartcar_span(buffer->data ? buffer->data : "", buffer->length);
}

#endif							/* SMARTCAR_BUFFER_H */
