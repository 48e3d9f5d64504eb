/*-------------------------------------------------------------------------
 *
 * error.c
 *	  Smartcar's errors, and the action that each of them needs.
 *
 * Sources: https://smartcar.com/docs/errors/api-errors/ for the API,
 * https://smartcar.com/docs/errors/connect-errors/ for callbacks, and RFC 6749,
 * section 5.2, for the token endpoints.  Smartcar does not document what
 * version 3 of the API adds; those entries were observed.
 *
 * Two errors are called PERMISSION.  The type PERMISSION (HTTP status 403) says
 * that the application lacks the permission.  The code PERMISSION of the type
 * CONNECTED_SERVICES_ACCOUNT (status 400) says that the owner withdrew it at
 * Tesla.  The update-access link fixes both.  Their resolution is called
 * REAUTHENTICATE, but neither means that the login is lost, and an error about
 * one signal must not send the owner through a login.  So the catalogue takes
 * precedence over the resolution.
 *
 * The HTTP status alone never asks the owner for anything, because it may come
 * from a firewall or gateway.
 *
 * src/core/error.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/error.h"

typedef struct ErrorEntry
{
	const char *type;
	const char *code;			/* NULL: any code that has no entry before */
	SmartcarAction action;
} ErrorEntry;

static const ErrorEntry catalogue[] = {
	/* v2.0 and v3 API, and VEHICLE_ERROR webhooks */
	{"AUTHENTICATION", "ACCESS_DENIED", SMARTCAR_ACTION_FIX_SETUP},
	{"AUTHENTICATION", NULL, SMARTCAR_ACTION_REFRESH_TOKEN},
	{"BILLING", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"COMPATIBILITY", "PLATFORM_NOT_CAPABLE", SMARTCAR_ACTION_REAUTHENTICATE},
	{"COMPATIBILITY", NULL, SMARTCAR_ACTION_NONE},
	{"CONNECTED_SERVICES_ACCOUNT", "AUTHENTICATION_FAILED", SMARTCAR_ACTION_REAUTHENTICATE},
	{"CONNECTED_SERVICES_ACCOUNT", "PERMISSION", SMARTCAR_ACTION_UPDATE_ACCESS},
	{"CONNECTED_SERVICES_ACCOUNT", "VIRTUAL_KEY_REQUIRED", SMARTCAR_ACTION_ADD_VIRTUAL_KEY},
	{"CONNECTED_SERVICES_ACCOUNT", NULL, SMARTCAR_ACTION_ASK_OWNER},
	{"PERMISSION", NULL, SMARTCAR_ACTION_UPDATE_ACCESS},
	{"RATE_LIMIT", NULL, SMARTCAR_ACTION_RETRY},
	{"RESOURCE_NOT_FOUND", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"SERVER", "RECORD_NOT_FOUND", SMARTCAR_ACTION_FIX_SETUP},
	{"SERVER", "MULTIPLE_RECORDS_FOUND", SMARTCAR_ACTION_FIX_SETUP},
	{"SERVER", NULL, SMARTCAR_ACTION_RETRY},
	{"UPSTREAM", NULL, SMARTCAR_ACTION_RETRY},
	{"VALIDATION", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"VEHICLE_STATE", "ASLEEP", SMARTCAR_ACTION_RETRY},
	{"VEHICLE_STATE", "UNREACHABLE", SMARTCAR_ACTION_RETRY},
	{"VEHICLE_STATE", "UNKNOWN", SMARTCAR_ACTION_RETRY},
	{"VEHICLE_STATE", "LOW_BATTERY", SMARTCAR_ACTION_RETRY},
	{"VEHICLE_STATE", NULL, SMARTCAR_ACTION_ASK_OWNER},

	/* v1 API */
	{"permission_error", NULL, SMARTCAR_ACTION_UPDATE_ACCESS},
	{"vehicle_state_error", NULL, SMARTCAR_ACTION_ASK_OWNER},

	/* callback of Connect */
	{"access_denied", NULL, SMARTCAR_ACTION_CONNECT},
	{"configuration_error", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"invalid_subscription", NULL, SMARTCAR_ACTION_ASK_OWNER},
	{"no_vehicles", NULL, SMARTCAR_ACTION_ASK_OWNER},
	{"server_error", NULL, SMARTCAR_ACTION_RETRY},
	{"user_cancelled", NULL, SMARTCAR_ACTION_CONNECT},
	{"user_exited", NULL, SMARTCAR_ACTION_CONNECT},
	{"user_manually_returned_to_application", NULL, SMARTCAR_ACTION_CONNECT},
	{"vehicle_incompatible", NULL, SMARTCAR_ACTION_NONE},

	/* token endpoints */
	{"invalid_grant", NULL, SMARTCAR_ACTION_CONNECT},
	{"invalid_client", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"invalid_request", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"invalid_scope", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"unauthorized_client", NULL, SMARTCAR_ACTION_FIX_SETUP},
	{"unsupported_grant_type", NULL, SMARTCAR_ACTION_FIX_SETUP}
};

/*
 * Errors of the token endpoints whose type does not tell enough: a code or
 * refresh token that was used or has expired, and a redirect URI that the
 * application has not registered.  They are recognized by the beginning of
 * their text.
 */
static const struct
{
	const char *type;
	const char *description;
	SmartcarAction action;
}			descriptions[] =
{
	{"invalid_request", "Invalid code:", SMARTCAR_ACTION_CONNECT},
	{"invalid_request", "Invalid refresh_token:", SMARTCAR_ACTION_CONNECT},
	{"invalid_grant", "Unauthorized redirect_uri", SMARTCAR_ACTION_FIX_SETUP}
};

static const struct
{
	const char *type;
	SmartcarAction action;
}			resolutions[] =
{
	{"REAUTHENTICATE", SMARTCAR_ACTION_REAUTHENTICATE},
	{"RETRY_LATER", SMARTCAR_ACTION_RETRY},
	{"CONTACT_SUPPORT", SMARTCAR_ACTION_FIX_SETUP},
	{"FINANCE", SMARTCAR_ACTION_FIX_SETUP},
	{"ACTION_REQUIRED", SMARTCAR_ACTION_ASK_OWNER},
	{"USER_ACTION_REQUIRED", SMARTCAR_ACTION_ASK_OWNER}
};

static const char *const action_labels[SMARTCAR_ACTION_COUNT + 1] = {
	[SMARTCAR_ACTION_NONE] = "none",
	[SMARTCAR_ACTION_RETRY] = "retry",
	[SMARTCAR_ACTION_REFRESH_TOKEN] = "refresh_token",
	[SMARTCAR_ACTION_UPDATE_ACCESS] = "update_access",
	[SMARTCAR_ACTION_REAUTHENTICATE] = "reauthenticate",
	[SMARTCAR_ACTION_CONNECT] = "connect",
	[SMARTCAR_ACTION_ADD_VIRTUAL_KEY] = "add_virtual_key",
	[SMARTCAR_ACTION_ASK_OWNER] = "ask_owner",
	[SMARTCAR_ACTION_FIX_SETUP] = "fix_setup",
	[SMARTCAR_ACTION_UNKNOWN] = NULL
};

#define LENGTH_OF(array)	(sizeof(array) / sizeof((array)[0]))

const char *
smartcar_action_label(SmartcarAction action)
{
	return action_labels[action];
}

/*
 * The action for an error of the catalogue, or SMARTCAR_ACTION_UNKNOWN.  The code
 * may be missing.
 */
SmartcarAction
smartcar_action_for(SmartcarSpan type, SmartcarSpan code)
{
	for (size_t i = 0; i < LENGTH_OF(catalogue); i++)
	{
		if (smartcar_span_equal(type, smartcar_span_from_string(catalogue[i].type)) &&
			(catalogue[i].code == NULL ||
			 smartcar_span_equal(code, smartcar_span_from_string(catalogue[i].code))))
			return catalogue[i].action;
	}
	return SMARTCAR_ACTION_UNKNOWN;
}

static SmartcarAction
action_for_http_status(int status)
{
	switch (status)
	{
		case 401:
			return SMARTCAR_ACTION_REFRESH_TOKEN;
		case 403:				/* a firewall: Smartcar's 403 has a type */
		case 408:
		case 425:
		case 429:
			return SMARTCAR_ACTION_RETRY;
		case 501:
			return SMARTCAR_ACTION_NONE;
		default:
			break;
	}
	if (status >= 500 && status <= 599)
		return SMARTCAR_ACTION_RETRY;
	if (status >= 400 && status <= 499)
		return SMARTCAR_ACTION_FIX_SETUP;
	return SMARTCAR_ACTION_UNKNOWN;
}

/*
 * The action for the error of a response.  The first of these that knows it
 * decides: its text, the catalogue, the resolution, the HTTP status.
 */
SmartcarAction
smartcar_action_for_error(SmartcarSpan type, SmartcarSpan code,
						  const SmartcarErrorContext *context)
{
	SmartcarAction action;

	for (size_t i = 0; i < LENGTH_OF(descriptions); i++)
	{
		if (smartcar_span_equal(type, smartcar_span_from_string(descriptions[i].type)) &&
			smartcar_span_starts_with(context->description,
									  smartcar_span_from_string(descriptions[i].description)))
			return descriptions[i].action;
	}

	action = smartcar_action_for(type, code);
	if (action != SMARTCAR_ACTION_UNKNOWN)
		return action;

	for (size_t i = 0; i < LENGTH_OF(resolutions); i++)
	{
		if (smartcar_span_equal(context->resolution_type,
								smartcar_span_from_string(resolutions[i].type)))
			return resolutions[i].action;
	}
	return action_for_http_status(context->http_status);
}

/*
 * The HTTP status of an error that is part of a successful response.  An unknown
 * type counts as an error of the server.
 */
int
smartcar_status_for_error_type(SmartcarSpan type)
{
	static const struct
	{
		const char *type;
		int			status;
	}			statuses[] = {
		{"AUTHENTICATION", 401},
		{"BILLING", 430},
		{"COMPATIBILITY", 501},
		{"CONNECTED_SERVICES_ACCOUNT", 400},
		{"PERMISSION", 403},
		{"RATE_LIMIT", 429},
		{"RESOURCE_NOT_FOUND", 404},
		{"UPSTREAM", 502},
		{"VALIDATION", 400},
		{"VEHICLE_STATE", 409}
	};

	for (size_t i = 0; i < LENGTH_OF(statuses); i++)
	{
		if (smartcar_span_equal(type, smartcar_span_from_string(statuses[i].type)))
			return statuses[i].status;
	}
	return 500;
}
