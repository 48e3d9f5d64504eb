/*-------------------------------------------------------------------------
 *
 * fuzz_utf8.c
 *	  Fuzzes the check for well-formed UTF-8.
 *
 * The input is the text.  The validator skips eight ASCII bytes at a time, so
 * the same text is also checked behind up to eight more of them, which moves
 * every sequence across the border of a block.
 *
 * test/fuzz/fuzz_utf8.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/utf8.h"
#include "reference.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan text = block_copy(smartcar_span((const char *) data, size));
	size_t		prefix = reference_utf8_prefix(text);

	PROPERTY(smartcar_utf8_valid_prefix(text) == prefix, text,
			 "the well-formed bytes are those that decode to code points");
	PROPERTY(smartcar_utf8_valid(text) == (prefix == size), text,
			 "a text is valid if all parts of it are");
	PROPERTY(smartcar_utf8_valid_prefix(block_copy(smartcar_span(text.data, prefix))) == prefix,
			 text, "the well-formed part is well-formed on its own");

	for (size_t shift = 1; shift <= 8; shift++)
	{
		SmartcarSpan shifted = block_join(smartcar_span("abcdefgh", shift), text, NOTHING);

		PROPERTY(smartcar_utf8_valid_prefix(shifted) == shift + prefix, shifted,
				 "the place of a sequence does not matter");
	}

	PROPERTY(smartcar_utf8_valid(NOTHING), NOTHING, "an empty text is valid");
	blocks_free();
	return 0;
}
