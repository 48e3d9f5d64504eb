/*-------------------------------------------------------------------------
 *
 * harness.h
 *	  What every fuzz target needs: properties, blocks of memory, slices.
 *
 * A sanitizer only sees a read or write outside of a block of memory.  So that it
 * sees all of them, everything that is passed to src/core is in a block of its own
 * of exactly the given size.  A wrong result, which a sanitizer cannot see, is
 * stated as a property.
 *
 * test/fuzz/harness.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FUZZ_HARNESS_H
#define SMARTCAR_FUZZ_HARNESS_H

#include "core/span.h"

#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * States what must hold.  about is the text that it concerns, sentence says it
 * in words, as it should be.
 */
#define PROPERTY(holds, about, sentence) \
	do { \
		if (!(holds)) \
			property_failed(__FILE__, __LINE__, #holds, (about), (sentence)); \
	} while (0)

#define NOTHING	smartcar_span(NULL, 0)

_Noreturn static inline void
property_failed(const char *file, int line, const char *condition,
				SmartcarSpan about, const char *sentence)
{
	fprintf(stderr, "property failed: %s\n  at %s:%d: %s\n", sentence, file, line, condition);
	if (about.data != NULL)
	{
		fprintf(stderr, "  about %zu bytes: \"", about.length);
		for (size_t i = 0; i < about.length; i++)
		{
			unsigned char byte = (unsigned char) about.data[i];

			if (byte < 0x20 || byte > 0x7E || byte == '"' || byte == '\\')
				fprintf(stderr, "\\x%02x", byte);
			else
				fputc(byte, stderr);
		}
		fprintf(stderr, "\"\n");
	}
	abort();
}

/*
 * The blocks of one run, which are freed together at its end.
 */
static void **blocks;
static size_t block_count;
static size_t block_room;

static inline void *
block_new(size_t size)
{
	void	   *block = malloc(size);

	if (block_count == block_room)
	{
		block_room = 2 * block_room + 64;
		blocks = realloc(blocks, block_room * sizeof(*blocks));
	}
	if (block == NULL || blocks == NULL)
	{
		fprintf(stderr, "out of memory\n");
		abort();
	}
	if (size == 0)
		ASAN_POISON_MEMORY_REGION(block, 1);	/* malloc(0) grants a byte */
	else
		memset(block, 0xAA, size);
	blocks[block_count++] = block;
	return block;
}

static inline void
blocks_free(void)
{
	while (block_count > 0)
		free(blocks[--block_count]);
}

/* The same bytes in a block of their own; what has no data keeps none. */
static inline SmartcarSpan
block_copy(SmartcarSpan span)
{
	char	   *block;

	if (span.data == NULL)
		return span;
	block = block_new(span.length);
	if (span.length > 0)
		memcpy(block, span.data, span.length);
	return smartcar_span(block, span.length);
}

/* The same bytes with a zero byte behind them. */
static inline char *
block_string(SmartcarSpan span)
{
	char	   *block = block_new(span.length + 1);

	if (span.length > 0)
		memcpy(block, span.data, span.length);
	block[span.length] = '\0';
	return block;
}

/* Three texts as one, for which one call is enough in all targets. */
static inline SmartcarSpan
block_join(SmartcarSpan first, SmartcarSpan second, SmartcarSpan third)
{
	const SmartcarSpan parts[] = {first, second, third};
	size_t		length = first.length + second.length + third.length;
	char	   *block = block_new(length);
	char	   *target = block;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		if (parts[i].length > 0)
			memcpy(target, parts[i].data, parts[i].length);
		target += parts[i].length;
	}
	return smartcar_span(block, length);
}

/*
 * Slicing the input of a run.  Where a target needs several texts, they are
 * separated by the unit separator of ASCII: a text may hold every other byte,
 * and a seed can still be read in an editor.
 */
#define UNIT_SEPARATOR	'\x1F'

/* The next byte, 0 when there is none. */
static inline unsigned char
input_byte(SmartcarSpan *input)
{
	unsigned char byte;

	if (input->length == 0)
		return 0;
	byte = (unsigned char) input->data[0];
	*input = smartcar_span_skip(*input, 1);
	return byte;
}

/* The text up to the next separator, in a block of its own. */
static inline SmartcarSpan
input_slice(SmartcarSpan *input)
{
	SmartcarSpan slice = *input;
	const char *end = input->length > 0 ?
		memchr(input->data, UNIT_SEPARATOR, input->length) : NULL;

	if (end != NULL)
		slice.length = (size_t) (end - input->data);
	*input = smartcar_span_skip(*input, end ? slice.length + 1 : slice.length);
	return block_copy(slice);
}

/*
 * Cuts the next piece off a text, up to a character that goes with it.  What
 * is left has no data when the character was not found.
 */
static inline SmartcarSpan
cut(SmartcarSpan *text, char at)
{
	const char *end = text->length > 0 ? memchr(text->data, at, text->length) : NULL;
	SmartcarSpan piece = end ? smartcar_span(text->data, (size_t) (end - text->data)) : *text;

	*text = end ? smartcar_span_skip(*text, piece.length + 1) : smartcar_span(NULL, 0);
	return piece;
}

static inline bool
is_one_of(char c, const char *characters)
{
	return c != '\0' && strchr(characters, c) != NULL;
}

#endif							/* SMARTCAR_FUZZ_HARNESS_H */
