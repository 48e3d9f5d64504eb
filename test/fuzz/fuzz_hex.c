/*-------------------------------------------------------------------------
 *
 * fuzz_hex.c
 *	  Fuzzes the encoding and decoding of hexadecimal digits.
 *
 * The input is taken once as bytes to encode and once as digits to decode.
 *
 * test/fuzz/fuzz_hex.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/hex.h"
#include "harness.h"

#include <ctype.h>

/* What the C library makes of one digit. */
static int
digit_value(char c)
{
	char		string[2] = {c, '\0'};

	return isxdigit((unsigned char) c) ? (int) strtol(string, NULL, 16) : -1;
}

static void
check_decoded(SmartcarSpan digits, size_t count)
{
	unsigned char *bytes = block_new(count);
	bool		valid = digits.length == 2 * count;

	for (size_t i = 0; i < digits.length; i++)
		valid &= digit_value(digits.data[i]) >= 0;
	PROPERTY(smartcar_hex_decode(digits, bytes, count) == valid, digits,
			 "digits are decoded if there are two for each byte");
	for (size_t i = 0; valid && i < count; i++)
		PROPERTY(bytes[i] == digit_value(digits.data[2 * i]) * 16 +
				 digit_value(digits.data[2 * i + 1]), digits,
				 "the first digit of a byte is the higher one");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	for (int c = 0; c < 256; c++)
		PROPERTY(smartcar_hex_value((char) c) == digit_value((char) c), NOTHING,
				 "a digit has its value");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan input = block_copy(smartcar_span((const char *) data, size));
	char	   *digits = block_new(2 * size);
	unsigned char *bytes = block_new(size);

	smartcar_hex_encode((const unsigned char *) input.data, size, digits);
	for (size_t i = 0; i < 2 * size; i++)
		PROPERTY(isxdigit((unsigned char) digits[i]) && !isupper((unsigned char) digits[i]),
				 input, "bytes are encoded in lower case");
	PROPERTY(smartcar_hex_decode(smartcar_span(digits, 2 * size), bytes, size) &&
			 (size == 0 || memcmp(bytes, input.data, size) == 0), input,
			 "decoding reverses encoding");

	check_decoded(input, size / 2);
	check_decoded(input, size / 2 + 1);
	check_decoded(smartcar_span(digits, 2 * size), size);
	check_decoded(NOTHING, 0);
	blocks_free();
	return 0;
}
