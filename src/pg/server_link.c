/*-------------------------------------------------------------------------
 *
 * server_link.c
 *	  Links that are made of nothing but the options of a server.
 *
 * They stand in the hints of errors, so a link that cannot be made is left out
 * and is no error of its own.
 *
 * src/pg/server_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/server_link.h"

#include "core/permission.h"
#include "pg/check.h"
#include "pg/scope.h"
#include "pg/text.h"

/* The parameters that have one word, and those words. */
typedef struct LinkWords
{
	SmartcarLink link;
	SmartcarSpan words[SMARTCAR_PARAMETER_COUNT];
} LinkWords;

static void
set_word(LinkWords *words, SmartcarParameter parameter, SmartcarSpan word)
{
	words->words[parameter] = word;
	words->link.values[parameter].words = &words->words[parameter];
	words->link.values[parameter].count = word.length > 0 ? 1 : 0;
}

static bool
set_option(LinkWords *words, SmartcarParameter parameter, const SmartcarServer *server,
		   SmartcarOption option)
{
	SmartcarSpan value = smartcar_server_option_utf8(server, option);

	set_word(words, parameter, value);
	return value.length > 0;
}

static bool
set_scope(LinkWords *words, const SmartcarServer *server)
{
	SmartcarSpan option =
		smartcar_span_from_string(smartcar_server_option(server, SMARTCAR_OPTION_SCOPE));
	SmartcarSpan *names;
	SmartcarSpan name;
	size_t		count = 0;

	if (option.length == 0)
		return false;
	names = (SmartcarSpan *) palloc((option.length / 2 + 1) * sizeof(SmartcarSpan));
	while (smartcar_next_word(&option, &name))
	{
		/* where nothing comes back, names are bare, as in the SQL function */
		if (words->link.kind == SMARTCAR_LINK_UPDATE_ACCESS_ONLY)
			smartcar_permission_strip_required(&name);
		names[count++] = name;
	}
	words->link.values[SMARTCAR_SCOPE].words = names;
	words->link.values[SMARTCAR_SCOPE].count = count;
	return true;
}

/*
 * A link of a kind, or NULL if the server lacks an option that it needs.
 */
const char *
smartcar_server_link(const SmartcarServer *server, SmartcarLinkKind kind,
					 SmartcarSpan vehicle_id)
{
	LinkWords	words = {0};
	SmartcarCompiledLink compiled;
	bool		for_vehicle = kind == SMARTCAR_LINK_REAUTHENTICATE;
	bool		has_code = kind == SMARTCAR_LINK_CONNECT || kind == SMARTCAR_LINK_UPDATE_ACCESS;
	char	   *link;
	char	   *bytes;

	words.link.kind = kind;
	words.link.api_version = smartcar_server_api_version(server);
	words.link.origin =
		smartcar_span_from_string(smartcar_server_option(server, SMARTCAR_OPTION_CONNECT_ORIGIN));

	set_word(&words, SMARTCAR_RESPONSE_TYPE,
			 has_code ? SMARTCAR_SPAN("code") : SMARTCAR_SPAN("vehicle_id"));
	if (!set_option(&words, SMARTCAR_APPLICATION, server, SMARTCAR_OPTION_CLIENT_ID))
		return NULL;
	if (kind != SMARTCAR_LINK_UPDATE_ACCESS_ONLY &&
		!set_option(&words, SMARTCAR_REDIRECT_URI, server, SMARTCAR_OPTION_REDIRECT_URI))
		return NULL;
	if (for_vehicle)
	{
		if (vehicle_id.length == 0)
			return NULL;
		set_word(&words, SMARTCAR_VEHICLE_ID, vehicle_id);
	}
	else
	{
		if (!set_scope(&words, server))
			return NULL;
		set_word(&words, SMARTCAR_MAKE, SMARTCAR_SPAN("TESLA"));
	}
	if (kind == SMARTCAR_LINK_CONNECT)
	{
		set_word(&words, SMARTCAR_APPROVAL_PROMPT, SMARTCAR_SPAN("auto"));
		set_option(&words, SMARTCAR_MODE, server, SMARTCAR_OPTION_MODE);
	}

	bytes = palloc(smartcar_link_compiled_size(&words.link, 0));
	smartcar_link_compile(&words.link, 0, bytes, &compiled);
	if (compiled.ready_length > SMARTCAR_LINK_MAX_LENGTH)
		return NULL;
	link = palloc(compiled.ready_length + 1);
	*smartcar_link_write(&compiled, &words.link, link) = '\0';
	return link;
}
