/*-------------------------------------------------------------------------
 *
 * api_error.h
 *	  What an error answer of Smartcar says.
 *
 * src/pg/api_error.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_API_ERROR_H
#define SMARTCAR_API_ERROR_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "utils/jsonb.h"

#include "core/error.h"

/* What the columns of the SQL type smartcar_error are made of. */
typedef struct SmartcarApiError
{
	int			status;			/* 0 if it is not known */
	SmartcarSpan type;
	SmartcarSpan code;
	SmartcarSpan description;
	SmartcarSpan resolution_type;
	SmartcarSpan resolution_url;
	SmartcarSpan doc_url;
	SmartcarSpan suggested_user_message;
	SmartcarSpan request_id;
	int64		retry_after;	/* in seconds, or SMARTCAR_NO_RETRY_AFTER */
	Jsonb	   *detail;			/* NULL if there is none */
	SmartcarAction action;
} SmartcarApiError;

#define SMARTCAR_ERROR_COLUMNS		12

#define SMARTCAR_NO_RETRY_AFTER		INT64CONST(-1)

extern void smartcar_error_read_object(SmartcarApiError *answer, JsonbContainer *object);
extern void smartcar_error_read_body(SmartcarApiError *answer, SmartcarSpan body);
extern int64 smartcar_error_retry_after(SmartcarSpan text);
extern SmartcarAction smartcar_error_decide(const SmartcarApiError *answer);
extern Datum smartcar_action_datum(SmartcarAction action, Oid type);
extern Datum smartcar_error_form(const SmartcarApiError *answer, TupleDesc descriptor);

#endif							/* SMARTCAR_API_ERROR_H */
