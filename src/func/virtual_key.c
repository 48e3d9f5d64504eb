/*-------------------------------------------------------------------------
 *
 * virtual_key.c
 *	  The SQL functions on Tesla's virtual key.
 *
 * src/func/virtual_key.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "core/virtual_key.h"
#include "pg/server.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_virtual_key_required);
PG_FUNCTION_INFO_V1(smartcar_virtual_key_url);

Datum
smartcar_virtual_key_required(PG_FUNCTION_ARGS)
{
	SmartcarSpan make = smartcar_argument_span(fcinfo, 0);
	SmartcarSpan model = smartcar_argument_span(fcinfo, 1);
	int			year = PG_ARGISNULL(2) ? SMARTCAR_NO_YEAR : PG_GETARG_INT32(2);

	switch (smartcar_virtual_key_need(make, model, year))
	{
		case SMARTCAR_VIRTUAL_KEY_REQUIRED:
			PG_RETURN_BOOL(true);
		case SMARTCAR_VIRTUAL_KEY_NOT_REQUIRED:
			PG_RETURN_BOOL(false);
		case SMARTCAR_VIRTUAL_KEY_UNKNOWN:
			break;
	}
	PG_RETURN_NULL();
}

Datum
smartcar_virtual_key_url(PG_FUNCTION_ARGS)
{
	SmartcarSpan base = SMARTCAR_SPAN(SMARTCAR_VIRTUAL_KEY_BASE);
	SmartcarSpan domain = smartcar_argument_span(fcinfo, 0);
	text	   *result;

	if (domain.data == NULL || !PG_ARGISNULL(1))
	{
		bool		fresh;
		SmartcarFnState *site = smartcar_fn_state(fcinfo, 1, sizeof(SmartcarFnState), &fresh);

		if (domain.data == NULL)
			domain = smartcar_span_from_string(smartcar_server_option(&site->server,
																	  SMARTCAR_OPTION_VIRTUAL_KEY_DOMAIN));
	}

	if (!smartcar_domain_valid(domain))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid domain of a virtual key: \"%s\"", smartcar_excerpt(domain)),
				 errdetail("The domain must be a host name in lower case, such as \"acme.app.car\".")));

	result = (text *) palloc(VARHDRSZ + base.length + domain.length);
	SET_VARSIZE(result, VARHDRSZ + base.length + domain.length);
	memcpy(VARDATA(result), base.data, base.length);
	memcpy(VARDATA(result) + base.length, domain.data, domain.length);
	PG_RETURN_TEXT_P(result);
}
