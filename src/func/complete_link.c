/*-------------------------------------------------------------------------
 *
 * complete_link.c
 *	  The SQL function that completes the link of an API error.
 *
 * src/func/complete_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "core/completion.h"
#include "pg/check.h"
#include "pg/server.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_complete_reauth_url);

Datum
smartcar_complete_reauth_url(PG_FUNCTION_ARGS)
{
	bool		fresh;
	SmartcarFnState *site;
	SmartcarSpan origin;
	SmartcarCompletion completion;
	size_t		length;
	text	   *result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	site = smartcar_fn_state(fcinfo, 3, sizeof(SmartcarFnState), &fresh);
	origin = smartcar_server_option_utf8(&site->server, SMARTCAR_OPTION_CONNECT_ORIGIN);
	completion.url = smartcar_argument_utf8(fcinfo, 0);
	completion.state = smartcar_argument_utf8(fcinfo, 1);
	completion.redirect_uri = smartcar_argument_utf8(fcinfo, 2);

	if (!smartcar_url_has_origin(completion.url, origin))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("resolution_url does not point at Smartcar Connect: \"%s\"",
						smartcar_excerpt(completion.url)),
				 errdetail("It must begin with \"%.*s/\" and have neither a fragment nor characters that do not belong into a URL.",
						   (int) origin.length, origin.data)));

	if (completion.state.length == 0)
		completion.state.data = NULL;
	if (completion.redirect_uri.data != NULL)
		smartcar_check_redirect_uri(completion.redirect_uri);
	else if (!smartcar_url_has_parameter(completion.url, SMARTCAR_SPAN("redirect_uri")))
	{
		completion.redirect_uri = smartcar_server_option_utf8(&site->server,
															  SMARTCAR_OPTION_REDIRECT_URI);
		if (completion.redirect_uri.data == NULL)
			smartcar_missing_value(&site->server, SMARTCAR_OPTION_REDIRECT_URI, "redirect_uri");
	}

	length = smartcar_completion_write(&completion, NULL);
	result = smartcar_allocate_link(length);
	smartcar_completion_write(&completion, VARDATA(result));
	PG_RETURN_TEXT_P(result);
}
