/*-------------------------------------------------------------------------
 *
 * api_error.h
 *	  Parses Smartcar's error responses.
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

/* The columns of the SQL type smartcar_error. */
typedef struct SmartcarApiError
{
	int			status;			/* 0 if it is unknown */
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

extern void smartcar_error_parse_object(SmartcarApiError *error, JsonbContainer *object);
extern void smartcar_error_parse_body(SmartcarApiError *error, SmartcarSpan body);
extern int64 smartcar_error_retry_after(SmartcarSpan text);
extern SmartcarAction smartcar_error_choose_action(const SmartcarApiError *error);
extern Datum smartcar_action_datum(SmartcarAction action, Oid type);
extern Datum smartcar_error_datum(const SmartcarApiError *error, TupleDesc descriptor);

#endif							/* SMARTCAR_API_ERROR_H */
