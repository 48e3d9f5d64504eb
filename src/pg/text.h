/*-------------------------------------------------------------------------
 *
 * text.h
 *	  Converts text between the database and src/core, which uses UTF-8.
 *
 * This is the main header of src/pg, which holds helpers that need PostgreSQL
 * but no network: options of servers and user mappings, secrets, scopes, JSON,
 * and the conversion of datums.  Knowledge of Smartcar and Tesla belongs in
 * src/core, requests in src/call, tables in src/manager.
 *
 * src/pg/text.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_TEXT_H
#define SMARTCAR_TEXT_H

#include "postgres.h"

#include "fmgr.h"
#include "pg/compat.h"

#include "core/span.h"

extern SmartcarSpan smartcar_utf8_from_bytes(const char *data, int length);
extern SmartcarSpan smartcar_text_from_utf8(SmartcarSpan utf8);
extern bool smartcar_try_text_from_utf8(SmartcarSpan utf8, SmartcarSpan *converted);
extern const char *smartcar_printable(SmartcarSpan span, int max_length);
extern const char *smartcar_excerpt(SmartcarSpan span);

/* The content of a text, in the encoding of the database. */
static inline SmartcarSpan
smartcar_span_from_text(const text *value)
{
	return smartcar_span(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

static inline SmartcarSpan
smartcar_utf8_from_text(const text *value)
{
	return smartcar_utf8_from_bytes(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* An argument in the encoding of the database; no data if it is NULL. */
static inline SmartcarSpan
smartcar_argument_span(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return smartcar_span(NULL, 0);
	return smartcar_span_from_text(PG_GETARG_TEXT_PP(argument));
}

/* An argument in UTF-8; no data if it is NULL. */
static inline SmartcarSpan
smartcar_argument_utf8(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return smartcar_span(NULL, 0);
	return smartcar_utf8_from_text(PG_GETARG_TEXT_PP(argument));
}

#endif							/* SMARTCAR_TEXT_H */
