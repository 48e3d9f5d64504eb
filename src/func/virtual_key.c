/*-------------------------------------------------------------------------
 *
 * virtual_key.c
 *	  The SQL functions for Tesla's virtual key.
 *
 * src/func/virtual_key.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "core/virtual_key.h"
#include "pg/fn_state.h"
#include "pg/text.h"

/* The arguments of smartcar_virtual_key_required(). */
enum
{
	REQUIRED_MAKE,
	REQUIRED_MODEL,
	REQUIRED_YEAR
};

/* The arguments of smartcar_virtual_key_url(). */
enum
{
	URL_DOMAIN,
	URL_SERVER
};

PG_FUNCTION_INFO_V1(smartcar_virtual_key_required);
PG_FUNCTION_INFO_V1(smartcar_virtual_key_url);

Datum
smartcar_virtual_key_required(PG_FUNCTION_ARGS)
{
	SmartcarSpan make = smartcar_argument_span(fcinfo, REQUIRED_MAKE);
	SmartcarSpan model = smartcar_argument_span(fcinfo, REQUIRED_MODEL);
	int			year = PG_ARGISNULL(REQUIRED_YEAR) ? SMARTCAR_NO_YEAR : PG_GETARG_INT32(REQUIRED_YEAR);

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
	SmartcarSpan domain = smartcar_argument_span(fcinfo, URL_DOMAIN);
	text	   *result;

	if (domain.data == NULL || !PG_ARGISNULL(URL_SERVER))
	{
		SmartcarFnState *state = smartcar_fn_state(fcinfo, URL_SERVER, sizeof(SmartcarFnState));

		if (domain.data == NULL)
			domain = smartcar_server_span(&state->server, SMARTCAR_OPTION_VIRTUAL_KEY_DOMAIN);
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
