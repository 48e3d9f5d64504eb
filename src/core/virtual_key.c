/*-------------------------------------------------------------------------
 *
 * virtual_key.c
 *	  Tesla's virtual key: which models need one, and which links add one.
 *
 * Smartcar's pages on the Tesla integration say that every Model 3, Model Y and
 * Cybertruck needs a key, and Model S and Model X only from model year 2021 on.
 * Most of these pages write "Model 3", the matrix of the v2.0 compatibility API
 * writes "3".  The long Model Y is a "Model Y L" or "Model YL".
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
 * Removes a word from the start of *text, whatever its case, and the separators
 * after it.  Returns false if *text does not start with the word.
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
 * The letter or digit of a name such as "Model 3", in lower case, or '\0' for
 * any other name.  A trim level may follow ("Model S Plaid").
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
 * Unknown arguments are empty spans and SMARTCAR_NO_YEAR.
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
 * Whether to ask the owner of a vehicle without a key to add one.  A Tesla whose
 * model is unknown is probably newer than this file, so its year decides: no
 * model since 2021 accepts commands without a key.
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
 * Whether a domain may follow "/_ak/" in a link that an owner is asked to open:
 * a host name of at least two labels, in lower case, without a final dot.
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
 * Whether a URL may be shown to an owner as the link that adds a virtual key.
 * Anyone can forge a callback, so the URL is not parsed but compared with the
 * few forms that exist: no port, no user name, no upper case, nothing after the
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

	/* the most frequent case */
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
