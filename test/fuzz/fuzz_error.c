/*-------------------------------------------------------------------------
 *
 * fuzz_error.c
 *	  Fuzzes the action for an error.
 *
 * The slices are type, code, resolution, description and HTTP status.
 *
 * test/fuzz/fuzz_error.c
 *
 *-------------------------------------------------------------------------
 */
#include "core/error.h"
#include "harness.h"

/* Resolutions by themselves, for errors that are in no catalogue. */
static const struct
{
	const char *type;
	SmartcarAction action;
}			resolutions[] =
{
	{"ACTION_REQUIRED", SMARTCAR_ACTION_ASK_OWNER},
	{"CONTACT_SUPPORT", SMARTCAR_ACTION_FIX_SETUP},
	{"FINANCE", SMARTCAR_ACTION_FIX_SETUP},
	{"REAUTHENTICATE", SMARTCAR_ACTION_REAUTHENTICATE},
	{"RETRY_LATER", SMARTCAR_ACTION_RETRY},
	{"USER_ACTION_REQUIRED", SMARTCAR_ACTION_ASK_OWNER}
};

/*
 * The catalogue the other way round: the errors of each action, TYPE:CODE, or
 * TYPE alone for every other code.
 */
static const struct
{
	SmartcarAction action;
	const char *errors;
}			expected[] =
{
	{SMARTCAR_ACTION_NONE, "COMPATIBILITY vehicle_incompatible"},
	{SMARTCAR_ACTION_RETRY, "RATE_LIMIT SERVER UPSTREAM server_error"},
	{SMARTCAR_ACTION_RETRY, "VEHICLE_STATE:ASLEEP VEHICLE_STATE:UNREACHABLE"},
	{SMARTCAR_ACTION_RETRY, "VEHICLE_STATE:UNKNOWN VEHICLE_STATE:LOW_BATTERY"},
	{SMARTCAR_ACTION_REFRESH_TOKEN, "AUTHENTICATION"},
	{SMARTCAR_ACTION_UPDATE_ACCESS, "PERMISSION permission_error"},
	{SMARTCAR_ACTION_UPDATE_ACCESS, "CONNECTED_SERVICES_ACCOUNT:PERMISSION"},
	{SMARTCAR_ACTION_REAUTHENTICATE, "CONNECTED_SERVICES_ACCOUNT:AUTHENTICATION_FAILED"},
	{SMARTCAR_ACTION_REAUTHENTICATE, "COMPATIBILITY:PLATFORM_NOT_CAPABLE"},
	{SMARTCAR_ACTION_CONNECT, "access_denied user_cancelled user_exited invalid_grant"},
	{SMARTCAR_ACTION_CONNECT, "user_manually_returned_to_application"},
	{SMARTCAR_ACTION_ADD_VIRTUAL_KEY, "CONNECTED_SERVICES_ACCOUNT:VIRTUAL_KEY_REQUIRED"},
	{SMARTCAR_ACTION_ASK_OWNER, "CONNECTED_SERVICES_ACCOUNT VEHICLE_STATE"},
	{SMARTCAR_ACTION_ASK_OWNER, "vehicle_state_error invalid_subscription no_vehicles"},
	{SMARTCAR_ACTION_FIX_SETUP, "AUTHENTICATION:ACCESS_DENIED BILLING RESOURCE_NOT_FOUND"},
	{SMARTCAR_ACTION_FIX_SETUP, "SERVER:RECORD_NOT_FOUND SERVER:MULTIPLE_RECORDS_FOUND"},
	{SMARTCAR_ACTION_FIX_SETUP, "VALIDATION configuration_error invalid_client"},
	{SMARTCAR_ACTION_FIX_SETUP, "invalid_request invalid_scope unauthorized_client"},
	{SMARTCAR_ACTION_FIX_SETUP, "unsupported_grant_type"}
};

/* The statuses of the catalogue, each with the types that come with it. */
static const struct
{
	int			status;
	const char *types;
}			statuses[] =
{
	{400, "CONNECTED_SERVICES_ACCOUNT VALIDATION"},
	{401, "AUTHENTICATION"},
	{403, "PERMISSION"},
	{404, "RESOURCE_NOT_FOUND"},
	{409, "VEHICLE_STATE"},
	{429, "RATE_LIMIT"},
	{430, "BILLING"},
	{500, "SERVER"},
	{501, "COMPATIBILITY"},
	{502, "UPSTREAM"}
};

#define LENGTH_OF(array)	(sizeof(array) / sizeof((array)[0]))

static SmartcarAction
find_expected(SmartcarSpan error)
{
	for (size_t i = 0; i < LENGTH_OF(expected); i++)
	{
		SmartcarSpan rest = smartcar_span_from_string(expected[i].errors);

		while (rest.length > 0)
		{
			if (smartcar_span_equal(cut(&rest, ' '), error))
				return expected[i].action;
		}
	}
	return SMARTCAR_ACTION_UNKNOWN;
}

static SmartcarAction
expected_action(SmartcarSpan type, SmartcarSpan code)
{
	SmartcarAction action;

	if (type.length > 0 && memchr(type.data, ':', type.length) != NULL)
		return SMARTCAR_ACTION_UNKNOWN;
	action = find_expected(block_join(type, SMARTCAR_SPAN(":"), code));
	return action != SMARTCAR_ACTION_UNKNOWN ? action : find_expected(type);
}

static void
check_status(SmartcarSpan type)
{
	int			expected_status = 500;

	for (size_t i = 0; i < LENGTH_OF(statuses); i++)
	{
		SmartcarSpan rest = smartcar_span_from_string(statuses[i].types);

		while (rest.length > 0)
		{
			if (smartcar_span_equal(cut(&rest, ' '), type))
				expected_status = statuses[i].status;
		}
	}
	PROPERTY(smartcar_status_for_error_type(type) == expected_status, type,
			 "a type has the status under which it is listed, any other 500");
}

/* Every type with a status, and what differs from it in a bit or at its end. */
static void
check_statuses(void)
{
	for (size_t i = 0; i < LENGTH_OF(statuses); i++)
	{
		SmartcarSpan rest = smartcar_span_from_string(statuses[i].types);

		while (rest.length > 0)
		{
			SmartcarSpan type = block_copy(cut(&rest, ' '));

			check_status(type);
			check_status(smartcar_span(type.data, type.length - 1));
			check_status(block_join(type, SMARTCAR_SPAN("S"), NOTHING));
			for (size_t bit = 0; bit < 8 * type.length; bit++)
			{
				char	   *other = block_string(type);

				other[bit / 8] = (char) (other[bit / 8] ^ (1 << bit % 8));
				check_status(smartcar_span(other, type.length));
			}
		}
	}
}

static void
check_status_alone(SmartcarAction action, int status)
{
	SmartcarAction expected = SMARTCAR_ACTION_UNKNOWN;

	if (status / 100 == 5 || status == 403 || status == 408 || status == 425 || status == 429)
		expected = SMARTCAR_ACTION_RETRY;
	else if (status / 100 == 4)
		expected = SMARTCAR_ACTION_FIX_SETUP;
	if (status == 401)
		expected = SMARTCAR_ACTION_REFRESH_TOKEN;
	else if (status == 501)
		expected = SMARTCAR_ACTION_NONE;
	PROPERTY(action == expected, NOTHING, "a status alone has its meaning in HTTP");
}

static void
check_action(SmartcarSpan type, SmartcarSpan code, const SmartcarErrorContext *context)
{
	SmartcarAction known = smartcar_action_for(type, code);
	SmartcarAction action = smartcar_action_for_error(type, code, context);
	SmartcarErrorContext status_alone = {context->http_status, {NULL, 0}, {NULL, 0}};
	bool		spent = smartcar_span_equal(type, SMARTCAR_SPAN("invalid_request")) &&
		(smartcar_span_starts_with(context->description, SMARTCAR_SPAN("Invalid code:")) ||
		 smartcar_span_starts_with(context->description, SMARTCAR_SPAN("Invalid refresh_token:")));
	bool		foreign_uri = smartcar_span_equal(type, SMARTCAR_SPAN("invalid_grant")) &&
		smartcar_span_starts_with(context->description, SMARTCAR_SPAN("Unauthorized redirect_uri"));
	bool		proposed = false;

	PROPERTY(known <= SMARTCAR_ACTION_UNKNOWN && action <= SMARTCAR_ACTION_UNKNOWN, type,
			 "an action is one of the list");
	if (action != SMARTCAR_ACTION_UNKNOWN)
		PROPERTY(smartcar_action_label(action) != NULL, type, "an action has a label");

	PROPERTY(known == expected_action(type, code), type,
			 "an error has the action under which it is listed");

	if (spent)
	{
		PROPERTY(action == SMARTCAR_ACTION_CONNECT, context->description,
				 "a used code or token needs a new connection");
		return;
	}
	if (foreign_uri)
	{
		PROPERTY(action == SMARTCAR_ACTION_FIX_SETUP, context->description,
				 "an unregistered redirect URI is not for the owner to fix");
		return;
	}
	if (known != SMARTCAR_ACTION_UNKNOWN)
	{
		PROPERTY(action == known, type, "the catalogue comes before everything else");
		return;
	}
	for (size_t i = 0; i < LENGTH_OF(resolutions); i++)
	{
		if (smartcar_span_equal(context->resolution_type,
								smartcar_span_from_string(resolutions[i].type)))
		{
			PROPERTY(action == resolutions[i].action, context->resolution_type,
					 "an error that is not in the catalogue follows its resolution");
			proposed = true;
		}
	}
	if (!proposed)
	{
		PROPERTY(action == smartcar_action_for_error(NOTHING, NOTHING, &status_alone), type,
				 "without a catalogue entry and a resolution only the status counts");
		check_status_alone(action, context->http_status);
	}
}

/* Every error that is listed above, with every resolution and without one. */
static void
check_listed(void)
{
	for (size_t i = 0; i < LENGTH_OF(expected); i++)
	{
		SmartcarSpan rest = smartcar_span_from_string(expected[i].errors);

		while (rest.length > 0)
		{
			SmartcarSpan error = cut(&rest, ' ');
			SmartcarSpan type = cut(&error, ':');

			for (size_t j = 0; j <= LENGTH_OF(resolutions); j++)
			{
				SmartcarErrorContext context = {403, {NULL, 0}, {NULL, 0}};

				if (j < LENGTH_OF(resolutions))
					context.resolution_type = smartcar_span_from_string(resolutions[j].type);
				check_action(type, error, &context);
				check_action(type, SMARTCAR_SPAN("A_CODE_OF_NEXT_YEAR"), &context);
				check_action(SMARTCAR_SPAN("A_TYPE_OF_NEXT_YEAR"), error, &context);
			}
		}
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	check_listed();
	check_statuses();
	check_status(NOTHING);
	for (int i = 0; i < SMARTCAR_ACTION_COUNT; i++)
	{
		const char *label = smartcar_action_label((SmartcarAction) i);

		PROPERTY(label != NULL && label[0] != '\0', NOTHING, "every action has a label");
		for (int j = 0; j < i; j++)
			PROPERTY(strcmp(label, smartcar_action_label((SmartcarAction) j)) != 0,
					 smartcar_span_from_string(label), "every label belongs to one action");
	}
	blocks_free();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SmartcarSpan input = smartcar_span((const char *) data, size);
	SmartcarSpan type = input_slice(&input);
	SmartcarSpan code = input_slice(&input);
	SmartcarErrorContext context = {0, {NULL, 0}, {NULL, 0}};

	context.resolution_type = input_slice(&input);
	context.description = input_slice(&input);
	context.http_status = atoi(block_string(input_slice(&input)));

	check_status(type);
	check_action(type, code, &context);
	check_action(type, NOTHING, &context);
	check_action(block_join(type, code, NOTHING), NOTHING, &context);
	check_action(SMARTCAR_SPAN("CONNECTED_SERVICES_ACCOUNT"), code, &context);
	check_action(SMARTCAR_SPAN("invalid_request"), code, &context);
	check_action(SMARTCAR_SPAN("an unknown type"), code, &context);
	check_action(NOTHING, NOTHING, &context);

	/* A missing permission must not send an owner through a login. */
	PROPERTY(smartcar_action_for_error(SMARTCAR_SPAN("PERMISSION"), NOTHING, &context) ==
			 SMARTCAR_ACTION_UPDATE_ACCESS &&
			 smartcar_action_for_error(SMARTCAR_SPAN("CONNECTED_SERVICES_ACCOUNT"),
									   SMARTCAR_SPAN("PERMISSION"), &context) ==
			 SMARTCAR_ACTION_UPDATE_ACCESS, context.resolution_type,
			 "a missing permission is fixed by updating access, whatever the resolution");
	blocks_free();
	return 0;
}
