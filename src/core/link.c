/*-------------------------------------------------------------------------
 *
 * link.c
 *	  The links into Smartcar Connect.
 *
 * The order of the parameters of a Connect link is the one in which Smartcar's
 * Node SDK prints them; that of the update-access links is the one of the
 * table on Smartcar's Tesla page.
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
 * The newest copy of Smartcar's page on /oauth/reauthenticate for Tesla still
 * prints client_id, so that form keeps it in both generations.
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
 * Whether a link can have a parameter.  Version 2.0 of the API has no parameter
 * for the owner in the links that update access; in version 3 every session may
 * say whose it is.
 */
static bool
takes_parameter(const SmartcarLink *link, SmartcarLinkParameter parameter)
{
	return parameter != SMARTCAR_LINK_OWNER || link->api_version == SMARTCAR_API_V3 ||
		link->kind == SMARTCAR_LINK_CONNECT || link->kind == SMARTCAR_LINK_REAUTHENTICATE;
}

/* The values of the parameter "mode". */
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
		smartcar_write_encoded(writer, words.words[i]);
	}
}

/* Ends the piece at hand; an empty one is none. */
static void
end_piece(SmartcarCompiledLink *compiled, size_t length, int parameter)
{
	if (length == 0)
		return;
	compiled->pieces[compiled->piece_count++] = (SmartcarLinkPiece) {length, parameter};
	if (parameter == SMARTCAR_LINK_READY_BYTES)
		compiled->ready_length += length;
}

/*
 * Compiles a link and returns how many bytes it needs for that; with bytes NULL
 * it only measures them.  varying has a bit for each parameter whose value is
 * only known when the link is written; the first parameter of a form is always
 * there, so that a "?" need not be decided then.
 */
size_t
smartcar_link_compile(const SmartcarLink *link, uint32_t varying,
					  char *bytes, SmartcarCompiledLink *compiled)
{
	const LinkForm *form = &link_forms[link->kind];
	SmartcarWriter writer = {bytes, 0};
	size_t		begin = 0;		/* of the piece at hand */

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

		if (!takes_parameter(link, parameter) || (!varies && words.count == 0))
			continue;
		if (varies)
		{
			end_piece(compiled, writer.length - begin, SMARTCAR_LINK_READY_BYTES);
			begin = writer.length;
		}

		smartcar_write(&writer, i == 0 ? SMARTCAR_SPAN("?") : SMARTCAR_SPAN("&"));
		smartcar_write(&writer, parameter_name(link, parameter));
		smartcar_write(&writer, SMARTCAR_SPAN("="));
		if (varies)
		{
			end_piece(compiled, writer.length - begin, (int) parameter);
			begin = writer.length;
		}
		else
			write_words(&writer, words);
	}
	end_piece(compiled, writer.length - begin, SMARTCAR_LINK_READY_BYTES);
	return writer.length;
}

/*
 * A length that the link does not exceed, whatever bytes its values have.  It
 * does not read them, and so is cheaper than the exact one.
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
			length += 3 * words.words[j].length + SPACE.length;
	}
	return length;
}

/*
 * Writes the link with the values that it has now and returns its length; with
 * target NULL it only measures it.  target has room for that length, or for
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
