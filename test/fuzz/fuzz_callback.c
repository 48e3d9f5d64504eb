/*-------------------------------------------------------------------------
 *
 * fuzz_callback.c
 *	  Fuzzes the parsing of callbacks.
 *
 * The input is the callback.  It is split and decoded here a second time, in
 * the plainest way, and both results must be equal: every value that the parser
 * returns, or the same fault in the same place.  An input that is not text, which
 * no PostgreSQL server allows, must do no harm.
 *
 * test/fuzz/fuzz_callback.c
 *
 *-------------------------------------------------------------------------
 */
#include "callback_view.h"
#include "virtual_key_view.h"

static const char *const names[SMARTCAR_CALLBACK_FIELD_COUNT] = {
	"code", "state", "user_id", "external_id", "vehicle_id", "virtual_key_url", "error",
	"error_description", "status_code", "error_message", "vin", "make", "model", "year",
	"reason", "selected_capacity"
};

static regex_t address_pattern;
static regex_t first_mark_pattern;
static regex_t year_pattern;
static regex_t status_code_pattern;

typedef struct Outcome
{
	SmartcarSpan text;
	SmartcarSpan scratch;
	SmartcarCallbackStatus status;
	SmartcarCallback callback;
	SmartcarCallbackFault fault;
} Outcome;

static Outcome
parse(SmartcarSpan text)
{
	Outcome		outcome = {.text = text};
	char	   *scratch = block_new(text.length);

	outcome.scratch = smartcar_span(scratch, text.length);
	outcome.status = parse_callback(text, scratch, &outcome.callback, &outcome.fault);
	return outcome;
}

/* Absent and empty are not the same. */
static bool
same_value(SmartcarSpan one, SmartcarSpan other)
{
	return (one.data != NULL) == (other.data != NULL) && smartcar_span_equal(one, other);
}

static bool
lies_within(SmartcarSpan part, SmartcarSpan whole)
{
	uintptr_t	begin = (uintptr_t) whole.data;
	uintptr_t	part_begin = (uintptr_t) part.data;

	return part_begin >= begin && part_begin + part.length <= begin + whole.length;
}

/* Where the query is, by what the documentation of the function says. */
static SmartcarSpan
find_query(SmartcarSpan text)
{
	const char *mark;
	SmartcarSpan query;

	for (size_t i = 0; i < text.length; i++)
	{
		if (text.data[i] == '#')
			text.length = i;
	}
	mark = text.length > 0 ? memchr(text.data, '?', text.length) : NULL;
	query = mark ? smartcar_span(mark + 1, (size_t) (text.data + text.length - mark - 1)) :
		smartcar_span(text.data, 0);
	if (pattern_matches(&address_pattern, text))
		return query;
	return pattern_matches(&first_mark_pattern, text) ? query : text;
}

/* The field of user_id has two spellings. */
static int
find_name(SmartcarSpan name, bool *other_spelling)
{
	ReferenceText text = reference_decode(name);

	*other_spelling = false;
	if (!reference_text_acceptable(&text))
		return -1;
	if (smartcar_span_equal(text.bytes, SMARTCAR_SPAN("userId")))
	{
		*other_spelling = true;
		return SMARTCAR_CALLBACK_USER_ID;
	}
	for (int i = 0; i < SMARTCAR_CALLBACK_FIELD_COUNT; i++)
	{
		if (smartcar_span_equal(text.bytes, smartcar_span_from_string(names[i])))
			return i;
	}
	return -1;
}

/*
 * Judges one pair as the parser should have.  Returns whether parsing ends
 * here, because of a fault, which has been compared then.
 */
static bool
check_fault(const Outcome *outcome, int field, SmartcarSpan name, SmartcarSpan value,
			bool repeated)
{
	static const SmartcarDecodeStatus decode_status[] = {
		[SMARTCAR_CALLBACK_BROKEN_ESCAPE] = SMARTCAR_DECODE_BROKEN_ESCAPE,
		[SMARTCAR_CALLBACK_NUL] = SMARTCAR_DECODE_NUL,
		[SMARTCAR_CALLBACK_NOT_UTF8] = SMARTCAR_DECODE_NOT_UTF8
	};
	SmartcarSpan text = outcome->text;
	ReferenceText decoded = reference_decode(value);
	bool		acceptable = reference_text_acceptable(&decoded);
	bool		number = decoded.bytes.length == 0 ||
		(field != SMARTCAR_CALLBACK_YEAR && field != SMARTCAR_CALLBACK_STATUS_CODE) ||
		pattern_matches(field == SMARTCAR_CALLBACK_YEAR ? &year_pattern : &status_code_pattern,
						decoded.bytes);
	size_t		name_offset = (size_t) (name.data - text.data);
	size_t		value_offset = (size_t) (value.data - text.data);

	if (!repeated && acceptable && number)
		return false;

	PROPERTY(outcome->status != SMARTCAR_CALLBACK_OK, text, "a callback with a fault is refused");
	PROPERTY((int) outcome->fault.field == field, text,
			 "the fault is in the first parameter that has one");
	PROPERTY(outcome->fault.offset < text.length, text, "the fault lies within the callback");
	if (repeated)
		PROPERTY(outcome->status == SMARTCAR_CALLBACK_REPEATED &&
				 outcome->fault.offset == name_offset, text,
				 "the fault of a repeated parameter has the place of the repetition");
	else if (acceptable)
		PROPERTY(outcome->status == SMARTCAR_CALLBACK_NOT_A_NUMBER &&
				 outcome->fault.offset == value_offset, text,
				 "the fault of an invalid number has the place of its first character");
	else
	{
		PROPERTY(outcome->status == SMARTCAR_CALLBACK_BROKEN_ESCAPE ||
				 outcome->status == SMARTCAR_CALLBACK_NUL ||
				 outcome->status == SMARTCAR_CALLBACK_NOT_UTF8, text,
				 "a value that cannot be decoded is refused as such");
		PROPERTY(outcome->fault.offset >= value_offset, text, "the fault is in the value");
		reference_check_decode(value, decode_status[outcome->status], NOTHING,
							   outcome->fault.offset - value_offset);
	}
	return true;
}

static void
check_number(const Outcome *outcome, SmartcarCallbackField field, int number)
{
	SmartcarSpan value = callback_value(&outcome->callback, (int) field);

	if (value.data != NULL)
		PROPERTY(number == atoi(block_string(value)), outcome->text,
				 "a number is that of its field");
}

static void
check_fields(const Outcome *outcome, const SmartcarSpan *expected, bool refused)
{
	const SmartcarCallback *callback = &outcome->callback;

	PROPERTY(outcome->status == SMARTCAR_CALLBACK_OK, outcome->text,
			 "a callback without a fault is parsed");
	PROPERTY(callback->virtual_key_url_refused == refused, outcome->text,
			 "a link is refused if and only if it does not lead to a virtual key");
	for (int i = 0; i < SMARTCAR_CALLBACK_FIELD_COUNT; i++)
	{
		SmartcarSpan value = callback_value(callback, i);

		PROPERTY(same_value(value, expected[i]), outcome->text,
				 "every field has the value of the callback");
		if (value.data == NULL)
			continue;
		PROPERTY(value.length > 0, outcome->text, "an empty parameter counts as absent");
		PROPERTY(lies_within(value, outcome->text) || lies_within(value, outcome->scratch),
				 outcome->text, "a value lies in the callback or in the scratch memory");
		PROPERTY(is_text(value), outcome->text, "a value is UTF-8 without a zero byte");
	}
	PROPERTY(callback->present >> SMARTCAR_CALLBACK_FIELD_COUNT == 0, outcome->text,
			 "there are no fields but those that are listed");
	PROPERTY(callback_value(callback, SMARTCAR_CALLBACK_ERROR).data == NULL ||
			 callback_value(callback, SMARTCAR_CALLBACK_CODE).data == NULL, outcome->text,
			 "with an error there is no code");
	check_number(outcome, SMARTCAR_CALLBACK_YEAR, callback->year);
	check_number(outcome, SMARTCAR_CALLBACK_STATUS_CODE, callback->status_code);
	if (callback_value(callback, SMARTCAR_CALLBACK_VIRTUAL_KEY_URL).data != NULL)
		check_virtual_key_url(callback_value(callback, SMARTCAR_CALLBACK_VIRTUAL_KEY_URL));
}

static void
check_against_reference(const Outcome *outcome)
{
	SmartcarSpan query = find_query(outcome->text);
	SmartcarSpan expected[SMARTCAR_CALLBACK_FIELD_COUNT] = {{NULL, 0}};
	bool		seen[SMARTCAR_CALLBACK_FIELD_COUNT][2] = {{false}};
	bool		refused = false;
	size_t		begin = 0;

	for (size_t end = 0; end <= query.length; end++)
	{
		SmartcarSpan name;
		SmartcarSpan value;
		size_t		equals = begin;
		SmartcarSpan decoded;
		bool		other_spelling;
		int			field;

		if (end < query.length && query.data[end] != '&')
			continue;
		while (equals < end && query.data[equals] != '=')
			equals++;
		name = smartcar_span(query.data + begin, equals - begin);
		value = equals < end ? smartcar_span(query.data + equals + 1, end - equals - 1) :
			smartcar_span(query.data + end, 0);
		begin = end + 1;

		field = find_name(name, &other_spelling);
		if (field < 0)
			continue;
		if (check_fault(outcome, field, name, value, seen[field][other_spelling]))
			return;
		seen[field][other_spelling] = true;
		decoded = value.length > 0 ? reference_decode(value).bytes : NOTHING;
		if (seen[field][!other_spelling] && !smartcar_span_equal(decoded, expected[field]))
		{
			PROPERTY(outcome->status == SMARTCAR_CALLBACK_AMBIGUOUS &&
					 (int) outcome->fault.field == field &&
					 outcome->fault.offset == (size_t) (name.data - outcome->text.data),
					 outcome->text, "two spellings with different values are refused");
			return;
		}
		if (value.length == 0)
			continue;
		expected[field] = decoded;
		if (field == SMARTCAR_CALLBACK_VIRTUAL_KEY_URL && !is_virtual_key_url(expected[field]))
		{
			expected[field] = NOTHING;
			refused = true;
		}
	}

	if (expected[SMARTCAR_CALLBACK_ERROR].data != NULL)
		expected[SMARTCAR_CALLBACK_CODE] = NOTHING;
	check_fields(outcome, expected, refused);
}

/* The query begins at one place in one text and at another in the other. */
static void
check_same(const Outcome *one, const Outcome *other, size_t one_begin, size_t other_begin)
{
	PROPERTY(one->status == other->status, other->text,
			 "the same query is parsed the same way wherever it stands");
	if (one->status != SMARTCAR_CALLBACK_OK)
	{
		PROPERTY(one->fault.field == other->fault.field &&
				 one->fault.offset - one_begin == other->fault.offset - other_begin,
				 other->text, "the place of a fault moves with the query");
		return;
	}
	for (int i = 0; i < SMARTCAR_CALLBACK_FIELD_COUNT; i++)
		PROPERTY(same_value(callback_value(&one->callback, i), callback_value(&other->callback, i)),
				 other->text, "the same query gives the same fields wherever it stands");
}

/* The same query in a URL, in a path, behind a "?", and before a fragment. */
static void
check_wrapped(const Outcome *outcome)
{
	static const struct
	{
		const char *before;
		const char *behind;
	}			wraps[] =
	{
		{"https://example.com/callback?", "#code=fragment"},
		{"scapp+1.x-y://exchange?", ""},
		{"/callback?", "#"},
		{"?", "#?code=fragment"}
	};
	SmartcarSpan query = find_query(outcome->text);
	size_t		begin = query.length > 0 ? (size_t) (query.data - outcome->text.data) : 0;

	for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++)
	{
		SmartcarSpan before = smartcar_span_from_string(wraps[i].before);
		Outcome		wrapped = parse(block_join(before, query,
											   smartcar_span_from_string(wraps[i].behind)));

		check_same(outcome, &wrapped, begin, before.length);
	}
}

/* What was parsed can be written as a query and parsed again. */
static void
check_rebuilt(const Outcome *outcome)
{
	SmartcarSpan text = SMARTCAR_SPAN("?");
	Outcome		rebuilt;

	if (outcome->status != SMARTCAR_CALLBACK_OK)
		return;
	for (int i = 0; i < SMARTCAR_CALLBACK_FIELD_COUNT; i++)
	{
		SmartcarSpan value = callback_value(&outcome->callback, i);
		SmartcarSpan encoded;
		char	   *target;

		if (value.data == NULL)
			continue;
		encoded.length = smartcar_percent_encoded_length(value);
		encoded.data = target = block_new(encoded.length);
		smartcar_percent_encode(target, value);
		text = block_join(text, smartcar_span_from_string(names[i]), SMARTCAR_SPAN("="));
		text = block_join(text, encoded, SMARTCAR_SPAN("&"));
	}
	rebuilt = parse(block_copy(text));
	check_same(outcome, &rebuilt, 0, 0);
	PROPERTY(!rebuilt.callback.virtual_key_url_refused, text,
			 "a completed link can be completed again");
}

static void
check(SmartcarSpan text)
{
	Outcome		outcome = parse(block_copy(text));

	if (!is_text(text))
		return;
	check_against_reference(&outcome);
	check_wrapped(&outcome);
	check_rebuilt(&outcome);
}

/* A parameter by its name, by its name in escapes, and by nearly its name. */
static void
check_parameter(SmartcarSpan name)
{
	SmartcarSpan text = block_join(name, SMARTCAR_SPAN("=1"), NOTHING);
	char	   *near = block_new(text.length);
	char	   *escaped = block_new(3 * name.length + 1);

	check(text);
	for (size_t i = 0; i < name.length; i++)
		snprintf(escaped + 3 * i, 4, "%%%02X", (unsigned int) name.data[i]);
	check(block_join(smartcar_span(escaped, 3 * name.length), SMARTCAR_SPAN("=1"), NOTHING));
	check(block_join(text, SMARTCAR_SPAN("&"), text));

	memcpy(near, text.data, text.length);
	for (size_t bit = 0; bit < 8 * name.length; bit++)
	{
		near[bit / 8] ^= (char) (1 << bit % 8);
		check(smartcar_span(near, text.length));
		near[bit / 8] ^= (char) (1 << bit % 8);
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	pattern_compile(&address_pattern, "^([A-Za-z][A-Za-z0-9+.-]*://|/)");
	pattern_compile(&first_mark_pattern, "^[^=&?]*\\?");
	pattern_compile(&year_pattern, "^[0-9]{1,4}$");
	pattern_compile(&status_code_pattern, "^[0-9]{1,3}$");
	for (int i = 0; i < SMARTCAR_CALLBACK_FIELD_COUNT; i++)
	{
		SmartcarSpan name = smartcar_span_from_string(names[i]);

		PROPERTY(strcmp(smartcar_callback_field_name((SmartcarCallbackField) i), names[i]) == 0,
				 name, "every field has its name");
		check_parameter(name);
	}
	check_parameter(SMARTCAR_SPAN("userId"));
	blocks_free();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(smartcar_span((const char *) data, size));
	blocks_free();
	return 0;
}
