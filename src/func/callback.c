/*-------------------------------------------------------------------------
 *
 * callback.c
 *	  The SQL function that parses a callback.
 *
 * src/func/callback.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "port/pg_bitutils.h"

#include "func/callback.h"
#include "pg/row.h"
#include "pg/text.h"

#define INTEGER_FIELDS \
	(SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_YEAR) | \
	 SMARTCAR_CALLBACK_BIT(SMARTCAR_CALLBACK_STATUS_CODE))

/* Few callbacks are longer. */
#define USUAL_LENGTH	1024

StaticAssertDecl(SMARTCAR_CALLBACK_FIELD_COUNT <= SMARTCAR_ROW_MAX_COLUMNS,
				 "a callback must fit into a SmartcarRow");

PG_FUNCTION_INFO_V1(smartcar_parse_callback);

/*
 * Raises the error for a callback that was refused.  Its text is not shown: it
 * may hold a code that is still good.
 */
static void
refuse_callback(SmartcarCallbackStatus status, const SmartcarCallbackFault *fault)
{
	const char *name = smartcar_callback_field_name(fault->field);
	const char *reason = NULL;

	switch (status)
	{
		case SMARTCAR_CALLBACK_REPEATED:
			reason = "is there more than once";
			break;
		case SMARTCAR_CALLBACK_BROKEN_ESCAPE:
			reason = "has a \"%\" without two hexadecimal digits";
			break;
		case SMARTCAR_CALLBACK_NUL:
			reason = "has a zero byte";
			break;
		case SMARTCAR_CALLBACK_NOT_UTF8:
			reason = "is not UTF-8";
			break;
		case SMARTCAR_CALLBACK_NOT_A_NUMBER:
			reason = fault->field == SMARTCAR_CALLBACK_YEAR ?
				"is not a number of at most 4 digits" : "is not a number of at most 3 digits";
			break;
		case SMARTCAR_CALLBACK_OK:
			return;
	}

	/* people count bytes from 1 */
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid Smartcar callback"),
			 errdetail("Parameter \"%s\" %s, at byte %zu.", name, reason, fault->offset + 1)));
}

/*
 * Reads a callback in UTF-8, with a scratch buffer as long as it.  One that is
 * refused is an error.
 */
void
smartcar_callback_read(SmartcarSpan input, char *scratch, SmartcarCallback *callback)
{
	SmartcarCallbackFault fault;
	SmartcarCallbackStatus status = smartcar_callback_parse(input, scratch, callback, &fault);

	if (status != SMARTCAR_CALLBACK_OK)
		refuse_callback(status, &fault);

	if (callback->virtual_key_url_refused)
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("virtual_key_url of the callback was dropped"),
				 errdetail("It is not an https link to the /_ak/ page of tesla.com or tesla.cn.")));
}

Datum
smartcar_parse_callback(PG_FUNCTION_ARGS)
{
	SmartcarSpan input = smartcar_utf8_from_text(PG_GETARG_TEXT_PP(0));
	char		small_scratch[USUAL_LENGTH];
	char	   *scratch = small_scratch;
	SmartcarRow row;
	SmartcarCallback callback;

	if (input.length > sizeof(small_scratch))
		scratch = (char *) palloc(input.length);
	smartcar_callback_read(input, scratch, &callback);

	row.integers = callback.present & INTEGER_FIELDS;
	row.integer[SMARTCAR_CALLBACK_YEAR] = callback.year;
	row.integer[SMARTCAR_CALLBACK_STATUS_CODE] = callback.status_code;
	row.texts = callback.present & ~INTEGER_FIELDS;
	row.text = callback.fields;
	if (!smartcar_text_is_utf8())
	{
		for (uint32 rest = row.texts; rest != 0; rest &= rest - 1)
		{
			SmartcarSpan *value = &callback.fields[pg_rightmost_one_pos32(rest)];

			*value = smartcar_text_from_utf8(*value);
		}
	}
	PG_RETURN_DATUM(smartcar_form_row(fcinfo, &row));
}
