/*-------------------------------------------------------------------------
 *
 * server_link.c
 *	  Builds links from the options of a server.
 *
 * The links are part of hints and of the view smartcar_status, so a missing
 * option is not an error: there is no link then.
 *
 * src/pg/server_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/server_link.h"

#include "pg/check.h"

/* A link, with the words of its parameters that have a single word. */
typedef struct LinkWords
{
	SmartcarLink link;
	SmartcarSpan words[SMARTCAR_LINK_PARAMETER_COUNT];
} LinkWords;

static void
set_word(LinkWords *words, SmartcarLinkParameter parameter, SmartcarSpan word)
{
	words->words[parameter] = word;
	words->link.values[parameter].words = &words->words[parameter];
	words->link.values[parameter].count = word.length > 0 ? 1 : 0;
}

static bool
set_option(LinkWords *words, SmartcarLinkParameter parameter, const SmartcarServer *server,
		   SmartcarOption option)
{
	if (!smartcar_server_has(server, option))
		return false;
	set_word(words, parameter, smartcar_server_span(server, option));
	return true;
}

static bool
set_scope(LinkWords *words, const SmartcarServer *server)
{
	/* a link without a callback has no "required:", as smartcar_reauth_url() */
	bool		is_bare = words->link.kind == SMARTCAR_LINK_UPDATE_ACCESS_ONLY;
	const SmartcarScopeList *scope;

	if (!smartcar_server_has(server, SMARTCAR_OPTION_SCOPE))
		return false;
	scope = smartcar_server_scope(server, SMARTCAR_OPTION_SCOPE);
	words->link.values[SMARTCAR_LINK_SCOPE].words = is_bare ? scope->names : scope->written;
	words->link.values[SMARTCAR_LINK_SCOPE].count = scope->count;
	return true;
}

/*
 * Builds a link, or returns NULL if the server lacks an option that it needs.  A
 * link for one vehicle has no callback, because no session was begun for it.
 */
const char *
smartcar_server_link(const SmartcarServer *server, SmartcarLinkKind kind,
					 SmartcarSpan external_id, SmartcarSpan vehicle_id)
{
	LinkWords	words = {0};
	SmartcarCompiledLink compiled;
	bool		for_vehicle = kind == SMARTCAR_LINK_REAUTHENTICATE;
	bool		has_code = kind == SMARTCAR_LINK_CONNECT;
	SmartcarSpan other_type = for_vehicle ? SMARTCAR_SPAN("none") : SMARTCAR_SPAN("vehicle_id");
	char	   *link;
	char	   *bytes;

	if (!smartcar_server_has(server, SMARTCAR_OPTION_API_VERSION) ||
		!smartcar_server_has(server, SMARTCAR_OPTION_CONNECT_ORIGIN))
		return NULL;
	words.link.kind = kind;
	words.link.api_version = smartcar_server_api_version(server);
	words.link.origin = smartcar_server_span(server, SMARTCAR_OPTION_CONNECT_ORIGIN);

	set_word(&words, SMARTCAR_LINK_RESPONSE_TYPE,
			 has_code ? SMARTCAR_SPAN("code") : other_type);
	if (!set_option(&words, SMARTCAR_LINK_APPLICATION, server, SMARTCAR_OPTION_CLIENT_ID))
		return NULL;
	set_word(&words, SMARTCAR_LINK_OWNER, external_id);
	if (has_code &&
		!set_option(&words, SMARTCAR_LINK_REDIRECT_URI, server, SMARTCAR_OPTION_REDIRECT_URI))
		return NULL;
	if (for_vehicle)
	{
		if (vehicle_id.length == 0)
			return NULL;
		set_word(&words, SMARTCAR_LINK_VEHICLE_ID, vehicle_id);
	}
	else
	{
		if (!set_scope(&words, server))
			return NULL;
		set_word(&words, SMARTCAR_LINK_MAKE, SMARTCAR_SPAN("TESLA"));
	}
	if (has_code)
	{
		set_word(&words, SMARTCAR_LINK_APPROVAL_PROMPT, SMARTCAR_SPAN("auto"));
		(void) set_option(&words, SMARTCAR_LINK_MODE, server, SMARTCAR_OPTION_MODE);
	}

	bytes = palloc(smartcar_link_compile(&words.link, 0, NULL, &compiled));
	smartcar_link_compile(&words.link, 0, bytes, &compiled);
	if (compiled.ready_length > SMARTCAR_LINK_MAX_LENGTH)
		return NULL;
	link = palloc(compiled.ready_length + 1);
	link[smartcar_link_write(&compiled, &words.link, link)] = '\0';
	return link;
}
