/*-------------------------------------------------------------------------
 *
 * call_error.h
 *	  What went wrong in a call to Smartcar, as SQL has it.
 *
 * src/call/call_error.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CALL_ERROR_H
#define SMARTCAR_CALL_ERROR_H

#include "postgres.h"

#include "http/transport.h"
#include "pg/error_answer.h"

/* Where there was no answer, or none that can be used. */
#define SMARTCAR_SQLSTATE_CONNECTION	MAKE_SQLSTATE('S', 'C', '0', '0', '1')
#define SMARTCAR_SQLSTATE_TLS			MAKE_SQLSTATE('S', 'C', '0', '0', '2')
#define SMARTCAR_SQLSTATE_TIMEOUT		MAKE_SQLSTATE('S', 'C', '0', '0', '3')
#define SMARTCAR_SQLSTATE_UNUSABLE		MAKE_SQLSTATE('S', 'C', '0', '0', '4')

typedef struct SmartcarCallError
{
	int			sqlstate;
	const char *message;
	const char *detail;			/* NULL: none */
	const char *hint;			/* NULL: none */
	SmartcarErrorAnswer answer;
} SmartcarCallError;

struct SmartcarCall;
struct SmartcarItem;

extern SmartcarCallError *smartcar_error_from_answer(struct SmartcarCall *call,
													 struct SmartcarItem *item,
													 const SmartcarErrorAnswer *answer,
													 int http_status);
extern SmartcarCallError *smartcar_error_from_outcome(struct SmartcarCall *call,
													  struct SmartcarItem *item,
													  const SmartcarResponse *response);
extern SmartcarCallError *smartcar_error_unusable(struct SmartcarCall *call,
												  struct SmartcarItem *item,
												  const char *reason);
extern SmartcarCallError *smartcar_call_error_copy(const SmartcarCallError *error);
extern void smartcar_call_error_raise(const SmartcarCallError *error);

#endif							/* SMARTCAR_CALL_ERROR_H */
