/*-------------------------------------------------------------------------
 *
 * check.c
 *	  Checks for options and arguments, which raise errors.
 *
 * src/pg/check.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/check.h"

#include "core/address.h"
#include "core/link.h"
#include "pg/text.h"

/*
 * Allocates a link, or raises an error if it is too long.
 */
text *
smartcar_allocate_link(size_t length)
{
	text	   *result;

	if (length > SMARTCAR_LINK_MAX_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("link is too long"),
				 errdetail("It would have %zu bytes, and the limit is %d bytes.",
						   length, SMARTCAR_LINK_MAX_LENGTH)));

	result = (text *) palloc(VARHDRSZ + length);
	SET_VARSIZE(result, VARHDRSZ + length);
	return result;
}

void
smartcar_check_client_id(SmartcarSpan id)
{
	if (smartcar_is_api_credential_id(id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid client_id: \"%s\"", smartcar_excerpt(id)),
				 errdetail("An id that begins with \"client_\" is that of an API credential, not of an application."),
				 errhint("Use the application's id, a UUID that the Smartcar dashboard calls client id or application id. The id of the API credential belongs in the option \"api_client_id\" of a user mapping.")));

	if (!smartcar_client_id_valid(id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid client_id: \"%s\"", smartcar_excerpt(id)),
				 errdetail("The id of an application is one or more visible ASCII characters without spaces.")));
}

void
smartcar_check_redirect_uri(SmartcarSpan uri)
{
	if (!smartcar_redirect_uri_valid(uri))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid redirect_uri: \"%s\"", smartcar_excerpt(uri)),
				 errdetail("A redirect URI is https://..., http://localhost..., or the custom scheme of a mobile application, sc<client id>://..., without spaces and without a fragment."),
				 errhint("It must be identical to one that is registered in the Smartcar dashboard.")));
}

void
smartcar_check_mode(SmartcarSpan mode)
{
	if (!smartcar_mode_valid(mode))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid mode: \"%s\"", smartcar_excerpt(mode)),
				 errdetail("Valid modes are \"live\", \"simulated\" and \"test\".")));
}

int64
smartcar_limit_argument(FunctionCallInfo fcinfo, int argument, const char *name,
						int64 default_limit)
{
	int64		limit;

	if (PG_ARGISNULL(argument))
		return default_limit;
	limit = PG_GETARG_INT64(argument);
	if (limit < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative", name)));
	return limit;
}
