/*-------------------------------------------------------------------------
 *
 * link.c
 *	  Links to Smartcar Connect.
 *
 * A Connect link has its parameters in the order of Smartcar's Node SDK, an
 * update-access link in the order of the table on Smartcar's Tesla page.
 *
 * src/core/link.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/link.h"
#include "core/writer.h"

#define SPACE	SMARTCAR_SPAN("%20")

typedef struct LinkForm
{
	const char *path;
	int			count;
	SmartcarLinkParameter parameters[SMARTCAR_LINK_PARAMETER_COUNT];
} LinkForm;

static const LinkForm link_forms[] = {
	[SMARTCAR_LINK_CONNECT] = {
		"/oauth/authorize", 12,
		{
			SMARTCAR_LINK_RESPONSE_TYPE, SMARTCAR_LINK_APPLICATION, SMARTCAR_LINK_APPROVAL_PROMPT,
			SMARTCAR_LINK_REDIRECT_URI, SMARTCAR_LINK_SCOPE, SMARTCAR_LINK_STATE,
			SMARTCAR_LINK_SINGLE_SELECT, SMARTCAR_LINK_SINGLE_SELECT_VIN, SMARTCAR_LINK_MAKE,
			SMARTCAR_LINK_FLAGS, SMARTCAR_LINK_OWNER, SMARTCAR_LINK_MODE
		}
	},
	[SMARTCAR_LINK_UPDATE_ACCESS] = {
		"/oauth/authorize", 7,
		{
			SMARTCAR_LINK_RESPONSE_TYPE, SMARTCAR_LINK_MAKE, SMARTCAR_LINK_APPLICATION,
			SMARTCAR_LINK_SCOPE, SMARTCAR_LINK_REDIRECT_URI, SMARTCAR_LINK_STATE,
			SMARTCAR_LINK_OWNER
		}
	},
	[SMARTCAR_LINK_UPDATE_ACCESS_ONLY] = {
		"/oauth/reauthenticate", 5,
		{
			SMARTCAR_LINK_RESPONSE_TYPE, SMARTCAR_LINK_MAKE, SMARTCAR_LINK_APPLICATION,
			SMARTCAR_LINK_SCOPE, SMARTCAR_LINK_OWNER
		}
	},
	[SMARTCAR_LINK_REAUTHENTICATE] = {
		"/oauth/reauthenticate", 6,
		{
			SMARTCAR_LINK_RESPONSE_TYPE, SMARTCAR_LINK_APPLICATION, SMARTCAR_LINK_VEHICLE_ID,
			SMARTCAR_LINK_REDIRECT_URI, SMARTCAR_LINK_STATE, SMARTCAR_LINK_OWNER
		}
	}
};

static const char *const parameter_names[SMARTCAR_LINK_PARAMETER_COUNT] = {
	[SMARTCAR_LINK_RESPONSE_TYPE] = "response_type",
	[SMARTCAR_LINK_APPLICATION] = "client_id",
	[SMARTCAR_LINK_APPROVAL_PROMPT] = "approval_prompt",
	[SMARTCAR_LINK_REDIRECT_URI] = "redirect_uri",
	[SMARTCAR_LINK_SCOPE] = "scope",
	[SMARTCAR_LINK_STATE] = "state",
	[SMARTCAR_LINK_SINGLE_SELECT] = "single_select",
	[SMARTCAR_LINK_SINGLE_SELECT_VIN] = "single_select_vin",
	[SMARTCAR_LINK_MAKE] = "make",
	[SMARTCAR_LINK_FLAGS] = "flags",
	[SMARTCAR_LINK_OWNER] = "user",
	[SMARTCAR_LINK_MODE] = "mode",
	[SMARTCAR_LINK_VEHICLE_ID] = "vehicle_id"
};

/*
 * Smartcar's page on /oauth/reauthenticate for Tesla documents client_id for
 * version 3, too.
 */
static SmartcarSpan
parameter_name(const SmartcarLink *link, SmartcarLinkParameter parameter)
{
	if (link->api_version == SMARTCAR_API_V3)
	{
		if (parameter == SMARTCAR_LINK_APPLICATION &&
			link->kind != SMARTCAR_LINK_UPDATE_ACCESS_ONLY)
			return SMARTCAR_SPAN("application_id");
		if (parameter == SMARTCAR_LINK_OWNER)
			return SMARTCAR_SPAN("external_id");
	}
	return smartcar_span_from_string(parameter_names[parameter]);
}

/*
 * Whether a link can have a parameter.  Version 3 of the API accepts the owner
 * in every link, version 2.0 not in those that update access.
 */
static bool
can_have_parameter(const SmartcarLink *link, SmartcarLinkParameter parameter)
{
	return parameter != SMARTCAR_LINK_OWNER || link->api_version == SMARTCAR_API_V3 ||
		link->kind == SMARTCAR_LINK_CONNECT || link->kind == SMARTCAR_LINK_REAUTHENTICATE;
}

bool
smartcar_mode_valid(SmartcarSpan mode)
{
	return smartcar_span_equal(mode, SMARTCAR_SPAN("live")) ||
		smartcar_span_equal(mode, SMARTCAR_SPAN("simulated")) ||
		smartcar_span_equal(mode, SMARTCAR_SPAN("test"));
}

static void
write_words(SmartcarWriter *writer, SmartcarWords words)
{
	for (size_t i = 0; i < words.count; i++)
	{
		if (i > 0)
			smartcar_write(writer, SPACE);
		if (words.is_encoded)
			smartcar_write(writer, words.words[i]);
		else
			smartcar_write_encoded(writer, words.words[i]);
	}
}

/* Adds a piece, unless it is empty. */
static void
add_piece(SmartcarCompiledLink *compiled, size_t length, int parameter)
{
	if (length == 0)
		return;
	compiled->pieces[compiled->piece_count++] = (SmartcarLinkPiece) {length, parameter};
	if (parameter == SMARTCAR_LINK_READY_BYTES)
		compiled->ready_length += length;
}

/*
 * Compiles a link into bytes, unless that is NULL, and returns their number.
 * varying has a bit for each parameter whose value differs from row to row.
 * Every link has the first parameter of its form, so the "?" can be compiled.
 */
size_t
smartcar_link_compile(const SmartcarLink *link, uint32_t varying,
					  char *bytes, SmartcarCompiledLink *compiled)
{
	const LinkForm *form = &link_forms[link->kind];
	SmartcarWriter writer = {bytes, 0};
	size_t		begin = 0;		/* of the current piece */

	compiled->bytes = bytes;
	compiled->piece_count = 0;
	compiled->ready_length = 0;

	smartcar_write(&writer, link->origin);
	smartcar_write(&writer, smartcar_span_from_string(form->path));
	for (int i = 0; i < form->count; i++)
	{
		SmartcarLinkParameter parameter = form->parameters[i];
		SmartcarWords words = link->values[parameter];
		bool		varies = (varying & SMARTCAR_LINK_PARAMETER_BIT(parameter)) != 0;

		if (!can_have_parameter(link, parameter) || (!varies && words.count == 0))
			continue;
		if (varies)
		{
			add_piece(compiled, writer.length - begin, SMARTCAR_LINK_READY_BYTES);
			begin = writer.length;
		}

		smartcar_write(&writer, i == 0 ? SMARTCAR_SPAN("?") : SMARTCAR_SPAN("&"));
		smartcar_write(&writer, parameter_name(link, parameter));
		smartcar_write(&writer, SMARTCAR_SPAN("="));
		if (varies)
		{
			add_piece(compiled, writer.length - begin, (int) parameter);
			begin = writer.length;
		}
		else
			write_words(&writer, words);
	}
	add_piece(compiled, writer.length - begin, SMARTCAR_LINK_READY_BYTES);
	return writer.length;
}

/*
 * An upper bound of the length of a link.  It is cheaper than the exact length,
 * because it does not read the values.
 */
size_t
smartcar_link_bound(const SmartcarCompiledLink *compiled, const SmartcarLink *link)
{
	size_t		length = compiled->ready_length;

	for (int i = 0; i < compiled->piece_count; i++)
	{
		const SmartcarLinkPiece *piece = &compiled->pieces[i];
		SmartcarWords words;

		if (piece->parameter == SMARTCAR_LINK_READY_BYTES)
			continue;
		words = link->values[piece->parameter];
		length += piece->length;
		for (size_t j = 0; j < words.count; j++)
			length += (words.is_encoded ? 1 : 3) * words.words[j].length + SPACE.length;
	}
	return length;
}

/*
 * Writes the link with its current values into target, unless that is NULL, and
 * returns its length.  target must have room for that length, or for
 * smartcar_link_bound() bytes.
 */
size_t
smartcar_link_write(const SmartcarCompiledLink *compiled, const SmartcarLink *link,
					char *target)
{
	const char *bytes = compiled->bytes;
	SmartcarWriter writer = {target, 0};

	for (int i = 0; i < compiled->piece_count; i++)
	{
		const SmartcarLinkPiece *piece = &compiled->pieces[i];

		if (piece->parameter == SMARTCAR_LINK_READY_BYTES)
			smartcar_write(&writer, smartcar_span(bytes, piece->length));
		else if (link->values[piece->parameter].count > 0)
		{
			smartcar_write(&writer, smartcar_span(bytes, piece->length));
			write_words(&writer, link->values[piece->parameter]);
		}
		bytes += piece->length;
	}
	return writer.length;
}
