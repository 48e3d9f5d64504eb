/*-------------------------------------------------------------------------
 *
 * error.h
 *	  Smartcar's errors, and the action that each of them needs.
 *
 * src/core/error.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ERROR_H
#define SMARTCAR_ERROR_H

#include "core/span.h"

/* In the order of the labels of the SQL type smartcar_action. */
typedef enum SmartcarAction
{
	SMARTCAR_ACTION_NONE,
	SMARTCAR_ACTION_RETRY,
	SMARTCAR_ACTION_REFRESH_TOKEN,
	SMARTCAR_ACTION_UPDATE_ACCESS,
	SMARTCAR_ACTION_REAUTHENTICATE,
	SMARTCAR_ACTION_CONNECT,
	SMARTCAR_ACTION_ADD_VIRTUAL_KEY,
	SMARTCAR_ACTION_ASK_OWNER,
	SMARTCAR_ACTION_FIX_SETUP,
	SMARTCAR_ACTION_UNKNOWN		/* SQL NULL */
} SmartcarAction;

#define SMARTCAR_ACTION_COUNT	SMARTCAR_ACTION_UNKNOWN

/* Parts of an error response that decide if its type and code do not. */
typedef struct SmartcarErrorContext
{
	int			http_status;	/* 0 if it is not known */
	SmartcarSpan resolution_type;
	SmartcarSpan description;
} SmartcarErrorContext;

extern const char *smartcar_action_label(SmartcarAction action);
extern int	smartcar_status_for_error_type(SmartcarSpan type);
extern SmartcarAction smartcar_action_for(SmartcarSpan type, SmartcarSpan code);
extern SmartcarAction smartcar_action_for_error(SmartcarSpan type, SmartcarSpan code,
												const SmartcarErrorContext *context);

#endif							/* SMARTCAR_ERROR_H */
