/*-------------------------------------------------------------------------
 *
 * callback.h
 *	  Parses the callback that Connect sends to the redirect URI.
 *
 * src/core/callback.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CALLBACK_H
#define SMARTCAR_CALLBACK_H

#include "core/span.h"

/* In the order of the columns of the SQL type smartcar_callback. */
typedef enum SmartcarCallbackField
{
	SMARTCAR_CALLBACK_CODE,
	SMARTCAR_CALLBACK_STATE,
	SMARTCAR_CALLBACK_USER_ID,
	SMARTCAR_CALLBACK_EXTERNAL_ID,
	SMARTCAR_CALLBACK_VEHICLE_ID,
	SMARTCAR_CALLBACK_VIRTUAL_KEY_URL,
	SMARTCAR_CALLBACK_ERROR,
	SMARTCAR_CALLBACK_ERROR_DESCRIPTION,
	SMARTCAR_CALLBACK_STATUS_CODE,
	SMARTCAR_CALLBACK_ERROR_MESSAGE,
	SMARTCAR_CALLBACK_VIN,
	SMARTCAR_CALLBACK_MAKE,
	SMARTCAR_CALLBACK_MODEL,
	SMARTCAR_CALLBACK_YEAR,
	SMARTCAR_CALLBACK_REASON,
	SMARTCAR_CALLBACK_SELECTED_CAPACITY
} SmartcarCallbackField;

#define SMARTCAR_CALLBACK_FIELD_COUNT	(SMARTCAR_CALLBACK_SELECTED_CAPACITY + 1)

#define SMARTCAR_CALLBACK_BIT(field)	(1U << (field))

/*
 * fields, status_code and year are defined only for the fields whose bit is set
 * in present.  An empty parameter counts as absent.
 */
typedef struct SmartcarCallback
{
	unsigned int present;
	SmartcarSpan fields[SMARTCAR_CALLBACK_FIELD_COUNT];
	int			status_code;
	int			year;
	bool		virtual_key_url_refused;	/* it was there and not valid */
} SmartcarCallback;

typedef enum SmartcarCallbackStatus
{
	SMARTCAR_CALLBACK_OK,
	SMARTCAR_CALLBACK_REPEATED,
	SMARTCAR_CALLBACK_AMBIGUOUS,	/* two spellings with different values */
	SMARTCAR_CALLBACK_BROKEN_ESCAPE,
	SMARTCAR_CALLBACK_NUL,
	SMARTCAR_CALLBACK_NOT_UTF8,
	SMARTCAR_CALLBACK_NOT_A_NUMBER
} SmartcarCallbackStatus;

/* The parameter at fault, and the offset of the fault in the callback. */
typedef struct SmartcarCallbackFault
{
	SmartcarCallbackField field;
	size_t		offset;
} SmartcarCallbackFault;

extern SmartcarCallbackStatus smartcar_callback_parse(SmartcarSpan text, char *scratch,
													  SmartcarCallback *callback,
													  SmartcarCallbackFault *fault);
extern const char *smartcar_callback_field_name(SmartcarCallbackField field);

#endif							/* SMARTCAR_CALLBACK_H */
