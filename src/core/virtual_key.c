/*-------------------------------------------------------------------------
 *
 * virtual_key.c
 *	  Tesla's virtual key: who needs one, and which links lead to one.
 *
 * Who needs one, by Smartcar's pages on the Tesla integration: every Model 3,
 * Model Y and Cybertruck, and Model S and Model X from model year 2021 on.
 * Model S and Model X up to 2020 do not.  A model is written "Model 3" on most
 * of them, and "3" in the matrix of the v2.0 compatibility API; the long Model Y
 * is a "Model Y L" or "Model YL".
 *
 * src/core/virtual_key.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/virtual_key.h"

#define FIRST_MODEL_YEAR_WITH_KEY	2021
#define DOMAIN_MAX_LENGTH			253
#define LABEL_MAX_LENGTH			63

static bool
is_separator(char c)
{
	return c == ' ' || c == '-' || c == '_';
}

/*
 * Reads a word at the start of *text, whatever its case, and moves *text
 * behind it and the separators that follow.
 */
static bool
skip_word(SmartcarSpan *text, SmartcarSpan word)
{
	size_t		position = word.length;

	if (text->length < word.length ||
		!smartcar_span_equal_ignoring_case(smartcar_span(text->data, word.length), word))
		return false;
	while (position < text->length && is_separator(text->data[position]))
		position++;
	*text = smartcar_span_skip(*text, position);
	return true;
}

/*
 * The letter or digit of a "Model 3", in lower case, or '\0' for any other
 * model.  A trim level may follow ("Model S Plaid").
 */
static char
model_letter(SmartcarSpan model)
{
	(void) skip_word(&model, SMARTCAR_SPAN("model"));
	if (smartcar_span_equal_ignoring_case(model, SMARTCAR_SPAN("YL")))
		return 'y';
	if (model.length == 0 || (model.length > 1 && !is_separator(model.data[1])))
		return '\0';			/* "Model 30" is not a Model 3 */
	return smartcar_ascii_lower(model.data[0]);
}

static bool
is_tesla(SmartcarSpan make)
{
	return smartcar_span_equal_ignoring_case(make, SMARTCAR_SPAN("tesla"));
}

/*
 * A value that is not known comes as an empty span or SMARTCAR_NO_YEAR.
 */
SmartcarVirtualKeyNeed
smartcar_virtual_key_need(SmartcarSpan make, SmartcarSpan model, int year)
{
	if (make.length == 0)
		return SMARTCAR_VIRTUAL_KEY_UNKNOWN;
	if (!is_tesla(make))
		return SMARTCAR_VIRTUAL_KEY_NOT_REQUIRED;

	switch (model_letter(model))
	{
		case '3':
		case 'y':
			return SMARTCAR_VIRTUAL_KEY_REQUIRED;
		case 's':
		case 'x':
			if (year <= SMARTCAR_NO_YEAR)
				return SMARTCAR_VIRTUAL_KEY_UNKNOWN;
			return year >= FIRST_MODEL_YEAR_WITH_KEY ?
				SMARTCAR_VIRTUAL_KEY_REQUIRED : SMARTCAR_VIRTUAL_KEY_NOT_REQUIRED;
		default:
			break;
	}

	if (skip_word(&model, SMARTCAR_SPAN("cyber")) &&
		skip_word(&model, SMARTCAR_SPAN("truck")))
		return SMARTCAR_VIRTUAL_KEY_REQUIRED;
	return SMARTCAR_VIRTUAL_KEY_UNKNOWN;
}

/*
 * Whether the owner of a vehicle that has no key should be asked to add one.  Of
 * a Tesla whose model is not known, because it is newer than this list, that is
 * inferred from its year: no model since 2021 takes commands without a key.
 */
bool
smartcar_virtual_key_wanted(SmartcarSpan make, SmartcarSpan model, int year)
{
	switch (smartcar_virtual_key_need(make, model, year))
	{
		case SMARTCAR_VIRTUAL_KEY_REQUIRED:
			return true;
		case SMARTCAR_VIRTUAL_KEY_NOT_REQUIRED:
			return false;
		case SMARTCAR_VIRTUAL_KEY_UNKNOWN:
			break;
	}
	return is_tesla(make) && year >= FIRST_MODEL_YEAR_WITH_KEY;
}

/*
 * Whether the text is a host name of at least two labels, in lower case and
 * without a final dot: what may stand behind "/_ak/" in a link that an owner
 * is asked to open.
 */
bool
smartcar_domain_valid(SmartcarSpan domain)
{
	size_t		label = 0;
	size_t		dots = 0;

	if (domain.length == 0 || domain.length > DOMAIN_MAX_LENGTH)
		return false;
	for (size_t i = 0; i < domain.length; i++)
	{
		char		c = domain.data[i];

		if (c == '.')
		{
			if (label == 0 || domain.data[i - 1] == '-')
				return false;
			dots++;
			label = 0;
		}
		else if (smartcar_is_lower(c) || smartcar_is_digit(c) || (c == '-' && label > 0))
		{
			if (++label > LABEL_MAX_LENGTH)
				return false;
		}
		else
			return false;
	}
	return dots > 0 && label > 0 && domain.data[domain.length - 1] != '-';
}

/*
 * Whether a URL may be shown to an owner as the link to a virtual key.  Anyone
 * can forge a callback, so this is a comparison with the few forms that exist
 * and not a parse: no port, no user name, no other case, nothing behind the
 * domain.
 */
bool
smartcar_virtual_key_url_valid(SmartcarSpan url)
{
#define BASE(literal)	{(literal), sizeof(literal) - 1}
	static const SmartcarSpan bases[] = {
		BASE(SMARTCAR_VIRTUAL_KEY_BASE),
		BASE("https://tesla.com/_ak/"),
		BASE("https://www.tesla.cn/_ak/"),
		BASE("https://tesla.cn/_ak/")
	};
#undef BASE

	/* nearly always */
	if (smartcar_span_equal(url, SMARTCAR_SPAN(SMARTCAR_VIRTUAL_KEY_BASE
											   SMARTCAR_VIRTUAL_KEY_DEFAULT_DOMAIN)))
		return true;

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
	{
		if (smartcar_span_starts_with(url, bases[i]))
			return smartcar_domain_valid(smartcar_span_skip(url, bases[i].length));
	}
	return false;
}
