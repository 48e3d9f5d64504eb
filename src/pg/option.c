/*-------------------------------------------------------------------------
 *
 * option.c
 *	  The options of servers and user mappings, and what they may hold.
 *
 * Every option is checked when it is set, so that whoever mistypes one learns
 * it then and not from an owner whose link is dead.
 *
 * src/pg/option.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/option.h"

#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "utils/guc.h"

#include "core/address.h"
#include "core/link.h"
#include "core/virtual_key.h"
#include "pg/check.h"
#include "pg/scope.h"
#include "pg/text.h"

#define SERVER		ForeignServerRelationId
#define MAPPING		UserMappingRelationId

#define MINUTES(n)	((n) * 60 * 1000)	/* in milliseconds */
#define KILOBYTES(n)	((n) * 1024)
#define MEGABYTES(n)	((n) * 1024 * 1024)

const SmartcarOptionInfo smartcar_options[SMARTCAR_OPTION_COUNT] = {
	[SMARTCAR_OPTION_CLIENT_ID] = {"client_id", SERVER, SMARTCAR_KIND_APPLICATION_ID},
	[SMARTCAR_OPTION_REDIRECT_URI] = {"redirect_uri", SERVER, SMARTCAR_KIND_REDIRECT_URI},
	[SMARTCAR_OPTION_SCOPE] = {"scope", SERVER, SMARTCAR_KIND_SCOPE},
	[SMARTCAR_OPTION_MODE] = {"mode", SERVER, SMARTCAR_KIND_MODE},
	[SMARTCAR_OPTION_API_VERSION] = {"api_version", SERVER, SMARTCAR_KIND_API_VERSION, false,
	"2.0"},
	[SMARTCAR_OPTION_EXTRA_SCOPES] = {"extra_scopes", SERVER, SMARTCAR_KIND_NAMES},
	[SMARTCAR_OPTION_VIRTUAL_KEY_DOMAIN] = {"virtual_key_domain", SERVER, SMARTCAR_KIND_DOMAIN, false,
	SMARTCAR_VIRTUAL_KEY_DEFAULT_DOMAIN},

	[SMARTCAR_OPTION_CONNECT_TIMEOUT] = {"connect_timeout", SERVER, SMARTCAR_KIND_NUMBER, false,
	"5s", GUC_UNIT_MS, 1, MINUTES(10)},
	[SMARTCAR_OPTION_TIMEOUT] = {"timeout", SERVER, SMARTCAR_KIND_NUMBER, false,
	"30s", GUC_UNIT_MS, 1, MINUTES(10)},
	[SMARTCAR_OPTION_MAX_CONCURRENCY] = {"max_concurrency", SERVER, SMARTCAR_KIND_NUMBER, false,
	"8", 0, 1, 256},
	[SMARTCAR_OPTION_MAX_RESPONSE_SIZE] = {"max_response_size", SERVER, SMARTCAR_KIND_NUMBER, false,
	"1MB", GUC_UNIT_BYTE, KILOBYTES(1), MEGABYTES(64)},

	[SMARTCAR_OPTION_CONNECT_ORIGIN] = {"connect_origin", SERVER, SMARTCAR_KIND_ORIGIN, true,
	SMARTCAR_CONNECT_ORIGIN},
	[SMARTCAR_OPTION_AUTH_ORIGIN] = {"auth_origin", SERVER, SMARTCAR_KIND_ORIGIN, true,
	"https://auth.smartcar.com"},
	[SMARTCAR_OPTION_IAM_ORIGIN] = {"iam_origin", SERVER, SMARTCAR_KIND_ORIGIN, true,
	"https://iam.smartcar.com"},
	[SMARTCAR_OPTION_API_ORIGIN] = {"api_origin", SERVER, SMARTCAR_KIND_ORIGIN, true,
	"https://api.smartcar.com"},
	[SMARTCAR_OPTION_VEHICLE_ORIGIN] = {"vehicle_origin", SERVER, SMARTCAR_KIND_ORIGIN, true,
	"https://vehicle.api.smartcar.com"},
	[SMARTCAR_OPTION_MANAGEMENT_ORIGIN] = {"management_origin", SERVER, SMARTCAR_KIND_ORIGIN, true,
	"https://management.smartcar.com"},
	[SMARTCAR_OPTION_CA_FILE] = {"ca_file", SERVER, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_TOKEN_KEY_FILE] = {"token_key_file", SERVER, SMARTCAR_KIND_FILE, true},

	[SMARTCAR_OPTION_CLIENT_SECRET] = {"client_secret", MAPPING, SMARTCAR_KIND_SECRET},
	[SMARTCAR_OPTION_CLIENT_SECRET_FILE] = {"client_secret_file", MAPPING, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_API_CLIENT_ID] = {"api_client_id", MAPPING, SMARTCAR_KIND_IDENTIFIER},
	[SMARTCAR_OPTION_API_CLIENT_SECRET] = {"api_client_secret", MAPPING, SMARTCAR_KIND_SECRET},
	[SMARTCAR_OPTION_API_CLIENT_SECRET_FILE] = {"api_client_secret_file", MAPPING, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_MANAGEMENT_TOKEN] = {"management_token", MAPPING, SMARTCAR_KIND_SECRET},
	[SMARTCAR_OPTION_MANAGEMENT_TOKEN_FILE] = {"management_token_file", MAPPING, SMARTCAR_KIND_FILE, true}
};

/*
 * Finds an option by its name and what it is an option of.
 */
int
smartcar_option_find(const char *name, Oid catalog)
{
	for (int i = 0; i < SMARTCAR_OPTION_COUNT; i++)
	{
		if (smartcar_options[i].catalog == catalog &&
			strcmp(smartcar_options[i].name, name) == 0)
			return i;
	}
	return SMARTCAR_NO_OPTION;
}

bool
smartcar_option_is_secret(SmartcarOption option)
{
	return smartcar_options[option].kind == SMARTCAR_KIND_SECRET;
}

/*
 * The value of a numeric option in its base unit (milliseconds or bytes).
 * Units are understood as in the settings of the server.
 */
int
smartcar_option_number(SmartcarOption option, const char *value)
{
	const SmartcarOptionInfo *info = &smartcar_options[option];
	const char *hint = NULL;
	int			number;

	if (!parse_int(value, &number, info->unit, &hint))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"",
						info->name, smartcar_excerpt(smartcar_span_from_string(value))),
				 hint ? errhint("%s", hint) : 0));

	if (number < info->minimum || number > info->maximum)
	{
		const char *unit = info->unit == GUC_UNIT_MS ? " ms" :
			info->unit == GUC_UNIT_BYTE ? " bytes" : "";

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d%s is outside the valid range for option \"%s\" (%d%s .. %d%s)",
						number, unit, info->name,
						info->minimum, unit, info->maximum, unit)));
	}
	return number;
}

/*
 * Raises the error for a value of the wrong form.  A secret is not shown.
 */
static void
invalid_value(SmartcarOption option, const char *value, const char *detail, const char *hint)
{
	const SmartcarOptionInfo *info = &smartcar_options[option];

	if (info->kind == SMARTCAR_KIND_SECRET)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\"", info->name),
				 errdetail("%s", detail)));

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"",
					info->name, smartcar_excerpt(smartcar_span_from_string(value))),
			 errdetail("%s", detail),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * Checks a value by itself.  What depends on another option, which is only the
 * names in "scope", is left to the validator.
 */
void
smartcar_option_check(SmartcarOption option, const char *value)
{
	SmartcarSpan span = smartcar_span_from_string(value);

	switch (smartcar_options[option].kind)
	{
		case SMARTCAR_KIND_APPLICATION_ID:
			smartcar_check_client_id(span);
			break;

		case SMARTCAR_KIND_REDIRECT_URI:
			smartcar_check_redirect_uri(span);
			break;

		case SMARTCAR_KIND_SCOPE:
		case SMARTCAR_KIND_NAMES:
			{
				SmartcarSpan name;

				if (!smartcar_next_word(&span, &name))
					invalid_value(option, value,
								  "The value names no permission.",
								  "Leave the option out instead.");
				do
					smartcar_check_permission_name(name);
				while (smartcar_next_word(&span, &name));
				break;
			}

		case SMARTCAR_KIND_MODE:
			if (!smartcar_mode_valid(span))
				invalid_value(option, value,
							  "Valid modes are \"live\", \"simulated\" and \"test\".", NULL);
			break;

		case SMARTCAR_KIND_API_VERSION:
			if (strcmp(value, "2.0") != 0 && strcmp(value, "3") != 0)
				invalid_value(option, value,
							  "Valid versions are \"2.0\" and \"3\".", NULL);
			break;

		case SMARTCAR_KIND_DOMAIN:
			if (!smartcar_domain_valid(span))
				invalid_value(option, value,
							  "The value must be a host name in lower case, such as \"acme.app.car\".",
							  NULL);
			break;

		case SMARTCAR_KIND_NUMBER:
			(void) smartcar_option_number(option, value);
			break;

		case SMARTCAR_KIND_ORIGIN:
			if (!smartcar_origin_valid(span))
				invalid_value(option, value,
							  "The value must be https://host or https://host:port with nothing behind it; plain http is only accepted for a loopback host.",
							  NULL);
			break;

		case SMARTCAR_KIND_FILE:
			if (!is_absolute_path(value))
				invalid_value(option, value,
							  "The value must be the absolute path of a file.", NULL);
			break;

		case SMARTCAR_KIND_IDENTIFIER:
		case SMARTCAR_KIND_SECRET:
			/* in a header, a line break would begin the next header */
			if (!smartcar_span_is_visible(span))
				invalid_value(option, value,
							  "The value must be one or more visible ASCII characters without spaces.",
							  NULL);
			break;
	}
}
