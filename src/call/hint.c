/*-------------------------------------------------------------------------
 *
 * hint.c
 *	  Hints for Smartcar's errors.
 *
 * src/call/hint.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/hint.h"

#include "core/completion.h"
#include "core/virtual_key.h"
#include "pg/check.h"
#include "pg/server_link.h"
#include "pg/text.h"

/* The limit for text of a response. */
#define MAX_MESSAGE	500

/* A sentence with a link, or with the function that builds the link. */
static const char *
with_link(const char *sentence, const char *link, const char *function)
{
	if (link != NULL)
		return psprintf("%s: %s", sentence, link);
	return psprintf("%s. %s makes the link.", sentence, function);
}

/*
 * The link to log in again.  The response has an incomplete one, which is used
 * only if it has the right origin.
 */
static const char *
login_link(const SmartcarServer *server, SmartcarSpan vehicle_id,
		   const SmartcarApiError *api_error)
{
	SmartcarSpan origin = smartcar_server_span(server, SMARTCAR_OPTION_CONNECT_ORIGIN);
	SmartcarCompletion completion = {0};
	char	   *link;
	size_t		length;

	if (api_error->resolution_url.length == 0 ||
		api_error->resolution_url.length > SMARTCAR_LINK_MAX_LENGTH ||
		!smartcar_url_has_origin(api_error->resolution_url, origin))
		return smartcar_server_link(server, SMARTCAR_LINK_REAUTHENTICATE, smartcar_span(NULL, 0),
									vehicle_id);

	completion.url = api_error->resolution_url;
	completion.redirect_uri = smartcar_server_span(server, SMARTCAR_OPTION_REDIRECT_URI);
	length = smartcar_completion_write(&completion, NULL);
	link = palloc(length + 1);
	smartcar_completion_write(&completion, link);
	link[length] = '\0';
	return link;
}

static const char *
key_link(const SmartcarServer *server, const SmartcarApiError *api_error)
{
	if (api_error->resolution_url.length > 0 &&
		smartcar_virtual_key_url_valid(api_error->resolution_url))
		return pnstrdup(api_error->resolution_url.data, api_error->resolution_url.length);
	return psprintf("%s%s", SMARTCAR_VIRTUAL_KEY_BASE,
					smartcar_server_option(server, SMARTCAR_OPTION_VIRTUAL_KEY_DOMAIN));
}

static const char *
retry_hint(const SmartcarApiError *api_error)
{
	if (api_error->retry_after != SMARTCAR_NO_RETRY_AFTER)
		return psprintf("Try again in " INT64_FORMAT " seconds.", api_error->retry_after);
	return "Try again later.";
}

static const char *
setup_hint(const SmartcarServer *server, const SmartcarApiError *api_error)
{
	if (smartcar_span_equal(api_error->type, SMARTCAR_SPAN("invalid_client")))
		return smartcar_server_api_version(server) == SMARTCAR_API_V3 ?
			"Check the options \"api_client_id\" and \"api_client_secret\" of the user mapping." :
			"Check the options \"client_id\" of the server and \"client_secret\" of the user mapping.";
	if (api_error->doc_url.length <= MAX_MESSAGE &&
		smartcar_span_starts_with(api_error->doc_url, SMARTCAR_SPAN("https://")) &&
		smartcar_span_is_visible(api_error->doc_url))
		return psprintf("The owner cannot fix this; see %.*s",
						(int) api_error->doc_url.length, api_error->doc_url.data);
	return "Check the options of the server, those of its user mapping, and the application's settings at Smartcar.";
}

/*
 * The hint for an error, or NULL if nothing can be done.  vehicle_id has no data
 * if the request was not for a vehicle.
 */
const char *
smartcar_hint(const SmartcarServer *server, SmartcarSpan vehicle_id,
			  const SmartcarApiError *api_error)
{
	SmartcarSpan none = smartcar_span(NULL, 0);

	switch (api_error->action)
	{
		case SMARTCAR_ACTION_RETRY:
			return retry_hint(api_error);
		case SMARTCAR_ACTION_REFRESH_TOKEN:
			return smartcar_server_api_version(server) == SMARTCAR_API_V3 ?
				"If an access token was passed, it is not valid; otherwise, check the options \"api_client_id\" and \"api_client_secret\" of the user mapping." :
				"Get a new access token with smartcar_refresh_token().";
		case SMARTCAR_ACTION_UPDATE_ACCESS:
			return with_link("The owner can grant the permissions of the option \"scope\"",
							 smartcar_server_link(server, SMARTCAR_LINK_UPDATE_ACCESS_ONLY, none,
												  none),
							 "smartcar_reauth_url()");
		case SMARTCAR_ACTION_REAUTHENTICATE:
			return with_link("The owner has to log in again",
							 login_link(server, vehicle_id, api_error),
							 "smartcar_reauth_vehicle_url()");
		case SMARTCAR_ACTION_CONNECT:
			return with_link("The owner has to connect again",
							 smartcar_server_link(server, SMARTCAR_LINK_CONNECT, none, none),
							 "smartcar_connect_url()");
		case SMARTCAR_ACTION_ADD_VIRTUAL_KEY:
			return with_link("The owner has to add the virtual key", key_link(server, api_error), "");
		case SMARTCAR_ACTION_ASK_OWNER:
			if (api_error->suggested_user_message.length > 0)
				return psprintf("Tell the owner: %s",
								smartcar_printable(api_error->suggested_user_message,
												   MAX_MESSAGE));
			return "The owner has to act at the car or in Tesla's app.";
		case SMARTCAR_ACTION_FIX_SETUP:
			return setup_hint(server, api_error);
		case SMARTCAR_ACTION_NONE:
		case SMARTCAR_ACTION_UNKNOWN:
			break;
	}
	return NULL;
}
