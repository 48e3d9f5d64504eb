/*-------------------------------------------------------------------------
 *
 * failure.h
 *	  Failures of items, as SQL errors.
 *
 * src/call/failure.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_FAILURE_H
#define SMARTCAR_FAILURE_H

#include "postgres.h"

#include "http/transport.h"
#include "pg/api_error.h"
#include "pg/compat.h"

/* For an item without a usable response. */
#define SMARTCAR_SQLSTATE_CONNECTION	MAKE_SQLSTATE('S', 'C', '0', '0', '1')
#define SMARTCAR_SQLSTATE_TLS			MAKE_SQLSTATE('S', 'C', '0', '0', '2')
#define SMARTCAR_SQLSTATE_TIMEOUT		MAKE_SQLSTATE('S', 'C', '0', '0', '3')
#define SMARTCAR_SQLSTATE_UNUSABLE		MAKE_SQLSTATE('S', 'C', '0', '0', '4')

typedef struct SmartcarFailure
{
	int			sqlstate;
	const char *message;
	const char *detail;			/* NULL: none */
	const char *hint;			/* NULL: none */
	SmartcarApiError api_error;
} SmartcarFailure;

struct SmartcarCall;
struct SmartcarItem;

extern SmartcarFailure *smartcar_failure_from_response(struct SmartcarCall *call,
													   struct SmartcarItem *item,
													   const SmartcarApiError *api_error,
													   int http_status);
extern SmartcarFailure *smartcar_failure_from_outcome(struct SmartcarCall *call,
													  struct SmartcarItem *item,
													  const SmartcarResponse *response);
extern SmartcarFailure *smartcar_failure_unusable(struct SmartcarCall *call,
												  struct SmartcarItem *item,
												  const char *reason);
extern SmartcarFailure *smartcar_failure_copy(const SmartcarFailure *failure);
extern SmartcarFailure *smartcar_failure_from_error(const ErrorData *error);
extern void smartcar_failure_add_detail(SmartcarFailure *failure, const char *sentence);
pg_noreturn extern void smartcar_failure_raise(const SmartcarFailure *failure);

#endif							/* SMARTCAR_FAILURE_H */
