/*-------------------------------------------------------------------------
 *
 * connection_error.h
 *	  The errors of a connection, and those that have ended.
 *
 * A connection can have several errors, which differ in type or code.  One that has
 * ended is kept for a day, because an older report of it may still arrive.
 *
 * src/manager/connection_error.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_ERROR_H
#define SMARTCAR_CONNECTION_ERROR_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "call/failure.h"
#include "manager/known_time.h"
#include "pg/api_error.h"

typedef struct SmartcarConnectionError
{
	SmartcarSpan type;
	SmartcarSpan code;
	SmartcarSpan description;
	SmartcarSpan url;
	SmartcarAction action;
	TimestampTz known_at;
	bool		has_ended;
} SmartcarConnectionError;

/* Initialized with zeros. */
typedef struct SmartcarConnectionErrors
{
	SmartcarConnectionError *elements;
	int			count;
	int			allocated;
	TimestampTz complete_at;	/* when all errors were known; DT_NOEND: never */
} SmartcarConnectionErrors;

extern void smartcar_connection_errors_read(SmartcarConnectionErrors *errors, Jsonb *stored);
extern bool smartcar_connection_errors_begin(SmartcarConnectionErrors *errors,
											 const SmartcarApiError *error,
											 const SmartcarKnownTime *time);
extern bool smartcar_connection_errors_end(SmartcarConnectionErrors *errors, SmartcarSpan type,
										   SmartcarSpan code, const SmartcarKnownTime *time);
extern bool smartcar_connection_errors_end_action(SmartcarConnectionErrors *errors,
												  SmartcarAction action,
												  const SmartcarKnownTime *time);
extern void smartcar_connection_errors_replace(SmartcarConnectionErrors *errors,
											   const SmartcarFailure *const *failures, int count,
											   bool has_tesla_responded, TimestampTz requested_at);
extern const SmartcarConnectionError *smartcar_connection_errors_first(const SmartcarConnectionErrors *errors);
extern const char *smartcar_connection_errors_text(const SmartcarConnectionErrors *errors);

#endif							/* SMARTCAR_CONNECTION_ERROR_H */
