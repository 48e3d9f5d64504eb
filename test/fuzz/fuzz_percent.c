/*-------------------------------------------------------------------------
 *
 * fuzz_percent.c
 *	  Fuzzes percent-encoding and its reverse.
 *
 * The input is taken once as bytes to encode and once as a query value to
 * decode.  libcurl encodes with the same unreserved set and is the second
 * opinion on the encoder.
 *
 * test/fuzz/fuzz_percent.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/percent.h"
#include "curl_view.h"
#include "reference.h"

static bool
is_unreserved(char c)
{
	return isalnum((unsigned char) c) || is_one_of(c, "-._~");
}

static void
check_encoded(SmartcarSpan value, SmartcarSpan encoded)
{
	char	   *escaped;

	for (size_t i = 0; i < encoded.length; i++)
	{
		if (is_unreserved(encoded.data[i]))
			continue;
		PROPERTY(reference_escape(encoded, i) >= 0, encoded,
				 "everything but the unreserved characters is an escape");
		PROPERTY(!islower((unsigned char) encoded.data[i + 1]) &&
				 !islower((unsigned char) encoded.data[i + 2]), encoded,
				 "escapes are in upper case");
		PROPERTY(!is_unreserved((char) reference_escape(encoded, i)), encoded,
				 "no unreserved character is escaped");
		i += 2;
	}

	PROPERTY(smartcar_span_equal(curl_unescaped(encoded), value), value,
			 "libcurl decodes our encoding to the original bytes");
	if (value.length > 0)
	{
		escaped = curl_easy_escape(NULL, value.data, (int) value.length);
		PROPERTY(smartcar_span_equal(smartcar_span_from_string(escaped), encoded), value,
				 "libcurl encodes to the same text");
		curl_free(escaped);
	}
}

static SmartcarDecodeStatus
decode(SmartcarSpan query, SmartcarSpan *decoded)
{
	char	   *scratch = block_new(query.length);
	size_t		offset = 0;
	SmartcarDecodeStatus status = smartcar_query_decode(query, scratch, decoded, &offset);

	if (status == SMARTCAR_DECODE_OK)
		PROPERTY(decoded->length <= query.length, query, "decoding never makes a value longer");
	reference_check_decode(query, status, *decoded, offset);
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan value = block_copy(smartcar_span((const char *) data, size));
	size_t		length = smartcar_percent_encoded_length(value);
	char	   *target = block_new(length);
	char	   *end = smartcar_percent_encode(target, value);
	SmartcarSpan encoded = smartcar_span(target, length);
	SmartcarSpan decoded = NOTHING;

	PROPERTY(end == target + length, value, "the written length is the announced one");
	check_encoded(value, encoded);

	PROPERTY((decode(encoded, &decoded) == SMARTCAR_DECODE_OK) == is_text(value), value,
			 "what is encoded can be decoded if it is a text");
	if (is_text(value))
		PROPERTY(smartcar_span_equal(decoded, value), value,
				 "decoding reverses encoding");

	decode(value, &decoded);
	blocks_free();
	return 0;
}
