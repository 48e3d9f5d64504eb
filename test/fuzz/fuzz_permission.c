/*-------------------------------------------------------------------------
 *
 * fuzz_permission.c
 *	  Fuzzes the permissions and their Tesla counterparts.
 *
 * The input is a name.  Its first two bytes also choose a known name and a
 * place in it, where the third byte is put: what differs from a known name in
 * one character is the hardest case for a lookup by three characters.
 *
 * test/fuzz/fuzz_permission.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/percent.h"
#include "core/permission.h"
#include "reference.h"

#define REQUIRED	SMARTCAR_SPAN("required:")

static regex_t well_formed_pattern;

static int
search_all(SmartcarSpan name)
{
	for (int i = 0; i < SMARTCAR_PERMISSION_COUNT; i++)
	{
		if (smartcar_span_equal(smartcar_permission_table[i].name, name))
			return i;
	}
	return -1;
}

/*
 * What a name means, written the other way round: of what stands in front of a
 * colon, whatever its case.
 */
static SmartcarSpan
expected_meaning(SmartcarSpan name)
{
	static const char *const others[][2] = {
		{"control_lock", "control_security"}, {"control_unlock", "control_security"},
		{"read_tire_pressure", "read_tires"}
	};
	char	   *lower = block_string(name);
	int			index;

	for (char *c = lower; *c != '\0'; c++)
		*c = smartcar_ascii_lower(*c);
	if (strchr(lower, ':') != NULL)
		name.length = (size_t) (strchr(lower, ':') - lower);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
	{
		if (smartcar_span_equal(smartcar_span(lower, name.length),
								smartcar_span_from_string(others[i][0])))
			return smartcar_span_from_string(others[i][1]);
	}
	index = search_all(smartcar_span(lower, name.length));
	return index < 0 ? NOTHING : smartcar_permission_table[index].name;
}

/* All names that differ from a known one in a single bit, none of them known. */
static void
check_neighbours(SmartcarSpan name)
{
	char	   *near = block_new(name.length);

	memcpy(near, name.data, name.length);
	for (size_t bit = 0; bit < 8 * name.length; bit++)
	{
		near[bit / 8] ^= (char) (1 << bit % 8);
		PROPERTY(smartcar_permission_find(smartcar_span(near, name.length)) < 0,
				 smartcar_span(near, name.length), "what is nearly a known name is unknown");
		near[bit / 8] ^= (char) (1 << bit % 8);
	}
}

/* What does not depend on any input. */
static void
check_tables(void)
{
	int			mapped = 0;

	for (int i = 0; i < SMARTCAR_PERMISSION_COUNT; i++)
	{
		SmartcarSpan name = smartcar_permission_table[i].name;
		SmartcarSpan required = block_join(REQUIRED, name, NOTHING);
		SmartcarSpan encoded = smartcar_permission_table[i].encoded_required;
		char	   *target = block_new(smartcar_percent_encoded_length(required));
		char	   *end = smartcar_percent_encode(target, required);

		PROPERTY(smartcar_percent_encoded_length(name) == name.length, name,
				 "a known name need not be encoded");
		PROPERTY(smartcar_span_equal(smartcar_span(target, (size_t) (end - target)), encoded),
				 name, "a required name is encoded in the table");
		PROPERTY(smartcar_permission_find(name) == i, name, "every known name is found");
		PROPERTY(smartcar_permission_well_formed(name), name, "every known name is well-formed");
		check_neighbours(name);
		PROPERTY(smartcar_permission_strip_required(&required) &&
				 smartcar_permission_find(required) == i, name,
				 "every known name is found behind its \"required:\"");
		mapped += smartcar_permission_table[i].tesla != SMARTCAR_TESLA_NONE;
		PROPERTY((smartcar_permission_table[i].tesla != SMARTCAR_TESLA_NONE) ==
				 (i < SMARTCAR_MAPPED_PERMISSION_COUNT), name,
				 "those without a Tesla permission come last");
	}
	PROPERTY(mapped == SMARTCAR_MAPPED_PERMISSION_COUNT, NOTHING,
			 "the header has the number of mapped permissions");

	for (int i = 0; i < SMARTCAR_TESLA_PERMISSION_COUNT; i++)
	{
		SmartcarTeslaPermission tesla = (SmartcarTeslaPermission) i;
		SmartcarSpan scope = smartcar_tesla_permission_scope(tesla);
		bool		exists = tesla != SMARTCAR_TESLA_NONE;

		PROPERTY((scope.data != NULL) == exists &&
				 (smartcar_tesla_permission_name(tesla).data != NULL) == exists, scope,
				 "every Tesla permission has a name and a scope");
		PROPERTY(smartcar_tesla_permission_find_scope(scope) == tesla, scope,
				 "every Tesla permission is found by its scope");
	}
}

static void
check_name(SmartcarSpan name)
{
	SmartcarSpan stripped = name;
	SmartcarSpan again;
	bool		is_required = name.length > REQUIRED.length &&
		smartcar_span_starts_with(name, REQUIRED);
	bool		well_formed;
	SmartcarTeslaPermission tesla = smartcar_tesla_permission_find_scope(name);

	PROPERTY(smartcar_permission_find(name) == search_all(name), name,
			 "a name is found if and only if it is in the table");
	PROPERTY(tesla == SMARTCAR_TESLA_NONE ||
			 smartcar_span_equal(smartcar_tesla_permission_scope(tesla), name), name,
			 "a scope belongs to its Tesla permission");

	if (name.length == 0 || memchr(name.data, '\0', name.length) == NULL)
		PROPERTY(smartcar_span_equal(smartcar_permission_suggest(name), expected_meaning(name)),
				 name, "a name means what its first part means in lower case");

	well_formed = pattern_matches(&well_formed_pattern, name) &&
		name.length <= SMARTCAR_PERMISSION_MAX_LENGTH &&
		!smartcar_span_starts_with(name, REQUIRED);
	PROPERTY(smartcar_permission_well_formed(name) == well_formed, name,
			 "a name is well-formed if it follows the rule");
	PROPERTY(search_all(name) < 0 || well_formed, name, "a known name is well-formed");

	PROPERTY(smartcar_permission_strip_required(&stripped) == is_required, name,
			 "\"required:\" is seen if and only if it is there");
	PROPERTY(stripped.data == name.data + (is_required ? REQUIRED.length : 0) &&
			 stripped.length == name.length - (is_required ? REQUIRED.length : 0), name,
			 "nothing but \"required:\" is removed");

	/* "required:required:x" is stripped to a name that nobody takes. */
	again = stripped;
	if (smartcar_permission_strip_required(&again))
		PROPERTY(!smartcar_permission_well_formed(stripped), name,
				 "a well-formed name has nothing to remove");
	else
		PROPERTY(again.data == stripped.data && again.length == stripped.length, name,
				 "removing a missing prefix changes nothing");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	pattern_compile(&well_formed_pattern, "^[A-Za-z][A-Za-z0-9_.:-]*$");
	check_tables();
	blocks_free();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan name = block_copy(smartcar_span((const char *) data, size));
	SmartcarSpan nothing = NOTHING;

	check_name(name);
	check_name(block_join(REQUIRED, name, NOTHING));

	if (size >= 3)
	{
		SmartcarSpan known = smartcar_permission_table[data[0] % SMARTCAR_PERMISSION_COUNT].name;
		char	   *near = block_new(known.length);

		memcpy(near, known.data, known.length);
		near[data[1] % known.length] = (char) data[2];
		check_name(smartcar_span(near, known.length));
		check_name(block_copy(smartcar_span(known.data, data[1] % known.length)));
		check_name(block_join(known, smartcar_span((const char *) data + 2, 1), NOTHING));
	}

	PROPERTY(smartcar_permission_find(nothing) < 0 && !smartcar_permission_well_formed(nothing) &&
			 !smartcar_permission_strip_required(&nothing), NOTHING, "an empty text is no permission");
	blocks_free();
	return 0;
}
