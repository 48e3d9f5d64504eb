/*-------------------------------------------------------------------------
 *
 * buffer.c
 *	  A buffer with a limit, for the bytes that libcurl receives.
 *
 * src/http/buffer.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/buffer.h"

#define FIRST_SIZE	4096

/* The most memory that a buffer keeps from one response to the next. */
#define KEPT_SIZE	(256 * 1024)

/*
 * Makes room for a number of bytes.  It does not use realloc(), because that
 * would leave a copy of the old bytes in freed memory.
 */
static bool
grow(SmartcarBuffer *buffer, size_t needed)
{
	size_t		size = Max(buffer->allocated * 2, FIRST_SIZE);
	char	   *data;

	if (needed <= buffer->allocated)
		return true;
	while (size < needed)
		size *= 2;
	data = malloc(size);
	if (data == NULL)
	{
		buffer->out_of_memory = true;
		return false;
	}
	if (buffer->length > 0)
		memcpy(data, buffer->data, buffer->length);
	if (buffer->data != NULL)
	{
		explicit_bzero(buffer->data, buffer->length);
		free(buffer->data);
	}
	buffer->data = data;
	buffer->allocated = size;
	return true;
}

/*
 * Returns false if the bytes do not fit, and sets too_large or out_of_memory.
 */
bool
smartcar_buffer_append(SmartcarBuffer *buffer, const char *data, size_t length)
{
	if (length > buffer->limit - buffer->length)
	{
		buffer->too_large = true;
		return false;
	}
	if (!grow(buffer, buffer->length + length))
		return false;
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	return true;
}

void
smartcar_buffer_free(SmartcarBuffer *buffer)
{
	if (buffer->data != NULL)
	{
		explicit_bzero(buffer->data, buffer->length);
		free(buffer->data);
	}
	memset(buffer, 0, sizeof(*buffer));
}

/*
 * Empties a buffer and sets its limit.
 */
void
smartcar_buffer_clear(SmartcarBuffer *buffer, size_t limit)
{
	if (buffer->allocated > KEPT_SIZE)
		smartcar_buffer_free(buffer);
	if (buffer->data != NULL)
		explicit_bzero(buffer->data, buffer->length);
	buffer->length = 0;
	buffer->limit = limit;
	buffer->too_large = false;
	buffer->out_of_memory = false;
}
