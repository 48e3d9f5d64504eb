/*-------------------------------------------------------------------------
 *
 * fuzz_virtual_key.c
 *	  Fuzzes the links to add a virtual key, and which vehicles need one.
 *
 * The whole input is a URL, and what follows the address of a key page, and a
 * domain; its slices are make, model and year.
 *
 * test/fuzz/fuzz_virtual_key.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/virtual_key.h"
#include "virtual_key_view.h"

static regex_t domain_pattern;
static regex_t always_pattern;
static regex_t later_pattern;

static void
check_url(SmartcarSpan url)
{
	bool		valid = smartcar_virtual_key_url_valid(url);

	PROPERTY(valid == is_virtual_key_url(url), url,
			 "a link to a key is accepted if and only if it follows the rule");
	if (valid)
		check_virtual_key_url(url);
}

static void
check_domain(SmartcarSpan domain)
{
	static const char *const bases[] = {
		"https://www.tesla.com/_ak/", "https://tesla.com/_ak/",
		"https://www.tesla.cn/_ak/", "https://tesla.cn/_ak/"
	};
	bool		valid = pattern_matches(&domain_pattern, domain) && name_lengths_valid(domain);

	PROPERTY(smartcar_domain_valid(domain) == valid, domain,
			 "a domain is accepted if and only if it follows the rule");
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
	{
		SmartcarSpan url = block_join(smartcar_span_from_string(bases[i]), domain, NOTHING);

		PROPERTY(smartcar_virtual_key_url_valid(url) == valid, url,
				 "a key page of a valid domain is accepted");
		check_url(url);
	}
}

static SmartcarSpan
in_upper_case(SmartcarSpan text)
{
	char	   *upper = block_new(text.length);

	for (size_t i = 0; i < text.length; i++)
		upper[i] = text.data[i] >= 'a' && text.data[i] <= 'z' ? text.data[i] - 32 : text.data[i];
	return smartcar_span(upper, text.length);
}

static SmartcarVirtualKeyNeed
expected_need(SmartcarSpan make, SmartcarSpan model, int year)
{
	if (make.length == 0)
		return SMARTCAR_VIRTUAL_KEY_UNKNOWN;
	if (!smartcar_span_equal(in_upper_case(make), SMARTCAR_SPAN("TESLA")))
		return SMARTCAR_VIRTUAL_KEY_NOT_REQUIRED;
	if (pattern_matches(&always_pattern, in_upper_case(model)))
		return SMARTCAR_VIRTUAL_KEY_REQUIRED;
	if (pattern_matches(&later_pattern, in_upper_case(model)) && year > 0)
		return year < 2021 ? SMARTCAR_VIRTUAL_KEY_NOT_REQUIRED : SMARTCAR_VIRTUAL_KEY_REQUIRED;
	return SMARTCAR_VIRTUAL_KEY_UNKNOWN;
}

static void
check_need(SmartcarSpan make, SmartcarSpan model, int year)
{
	SmartcarVirtualKeyNeed need = smartcar_virtual_key_need(make, model, year);

	PROPERTY(need == expected_need(make, model, year), model,
			 "who needs a key is what Smartcar's page says");
	PROPERTY(smartcar_virtual_key_need(in_upper_case(make), in_upper_case(model), year) == need,
			 model, "the case of make and model does not matter");
	PROPERTY(smartcar_virtual_key_wanted(make, model, year) ==
			 (need == SMARTCAR_VIRTUAL_KEY_REQUIRED ||
			  (need == SMARTCAR_VIRTUAL_KEY_UNKNOWN && make.length > 0 && year >= 2021)), model,
			 "a key is needed if it is required, and for newer Teslas of other models");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	pattern_compile(&domain_pattern,
					"^(" LOWER_LABEL_PATTERN "\\.)+" LOWER_LABEL_PATTERN "$");
	pattern_compile(&always_pattern,
					"^((MODEL[ _-]*)?([3Y]($|[ _-])|YL$)|CYBER[ _-]*TRUCK)");
	pattern_compile(&later_pattern, "^(MODEL[ _-]*)?[SX]($|[ _-])");
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan input = block_copy(smartcar_span((const char *) data, size));
	SmartcarSpan make;
	SmartcarSpan model;
	int			year;

	check_url(input);
	check_domain(input);

	make = input_slice(&input);
	model = input_slice(&input);
	year = atoi(block_string(input_slice(&input)));
	for (int i = -1; i <= 1; i++)
	{
		check_need(make, model, 2021 + i);
		check_need(SMARTCAR_SPAN("Tesla"), model, 2021 + i);
		check_need(SMARTCAR_SPAN("Tesla"), make, i);
	}
	check_need(make, model, year);

	check_need(NOTHING, NOTHING, SMARTCAR_NO_YEAR);
	check_need(make, NOTHING, SMARTCAR_NO_YEAR);
	PROPERTY(!smartcar_virtual_key_url_valid(NOTHING) && !smartcar_domain_valid(NOTHING),
			 NOTHING, "an empty text is neither a link nor a domain");
	blocks_free();
	return 0;
}
