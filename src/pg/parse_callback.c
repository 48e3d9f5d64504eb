/*-------------------------------------------------------------------------
 *
 * parse_callback.c
 *	  Parses a callback, and raises SQL errors and warnings.
 *
 * src/pg/parse_callback.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/parse_callback.h"

/*
 * Raises the error for an invalid callback.  Its text is not shown, because it may
 * contain an unused code.
 */
static void
refuse_callback(SmartcarCallbackStatus status, const SmartcarCallbackFault *fault)
{
	const char *name = smartcar_callback_field_name(fault->field);
	const char *reason = NULL;

	switch (status)
	{
		case SMARTCAR_CALLBACK_REPEATED:
			reason = "is given more than once";
			break;
		case SMARTCAR_CALLBACK_AMBIGUOUS:
			reason = "is given in two spellings with different values";
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

	/* the message counts bytes from 1 */
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid Smartcar callback"),
			 errdetail("Parameter \"%s\" %s, at byte %zu.", name, reason, fault->offset + 1)));
}

/*
 * Parses a callback in UTF-8.  scratch must have room for as many bytes as the
 * callback has.
 */
void
smartcar_parse_callback_text(SmartcarSpan input, char *scratch, SmartcarCallback *callback)
{
	SmartcarCallbackFault fault;
	SmartcarCallbackStatus status = smartcar_callback_parse(input, scratch, callback, &fault);

	if (status != SMARTCAR_CALLBACK_OK)
		refuse_callback(status, &fault);

	if (callback->virtual_key_url_refused)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("virtual_key_url of the callback was dropped"),
				 errdetail("It is not an https link to the /_ak/ page of tesla.com or tesla.cn.")));
}
