/*-------------------------------------------------------------------------
 *
 * option.c
 *	  The options of servers and user mappings, and their valid values.
 *
 * An option is validated when it is set, so that a typo is found then, and not
 * by an owner whose link does not work.
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
	"3"},
	[SMARTCAR_OPTION_WEBHOOK_ID] = {"webhook_id", SERVER, SMARTCAR_KIND_IDENTIFIER},
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
	"https://management.smartcar.com", .v3_default = "https://management.api.smartcar.com"},
	[SMARTCAR_OPTION_COMPATIBILITY_ORIGIN] = {"compatibility_origin", SERVER, SMARTCAR_KIND_ORIGIN, true,
	"https://compatibility.api.smartcar.com"},
	[SMARTCAR_OPTION_CA_FILE] = {"ca_file", SERVER, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_TOKEN_KEY_FILE] = {"token_key_file", SERVER, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_ONLY_IN] = {"only_in", SERVER, SMARTCAR_KIND_DATABASE},

	[SMARTCAR_OPTION_CLIENT_SECRET] = {"client_secret", MAPPING, SMARTCAR_KIND_SECRET},
	[SMARTCAR_OPTION_CLIENT_SECRET_FILE] = {"client_secret_file", MAPPING, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_API_CLIENT_ID] = {"api_client_id", MAPPING, SMARTCAR_KIND_IDENTIFIER},
	[SMARTCAR_OPTION_API_CLIENT_SECRET] = {"api_client_secret", MAPPING, SMARTCAR_KIND_SECRET},
	[SMARTCAR_OPTION_API_CLIENT_SECRET_FILE] = {"api_client_secret_file", MAPPING, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_MANAGEMENT_TOKEN] = {"management_token", MAPPING, SMARTCAR_KIND_SECRET},
	[SMARTCAR_OPTION_MANAGEMENT_TOKEN_FILE] = {"management_token_file", MAPPING, SMARTCAR_KIND_FILE, true},
	[SMARTCAR_OPTION_MANAGEMENT_TOKEN_PREVIOUS] = {"management_token_previous", MAPPING, SMARTCAR_KIND_SECRET},
	[SMARTCAR_OPTION_MANAGEMENT_TOKEN_PREVIOUS_FILE] = {"management_token_previous_file", MAPPING, SMARTCAR_KIND_FILE, true}
};

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
 * Parses a number with a unit, like a setting of PostgreSQL.  The result is in
 * milliseconds or bytes.
 */
static bool
parse_number(SmartcarOption option, const char *text, int *number)
{
	const SmartcarOptionInfo *info = &smartcar_options[option];

	return parse_int(text, number, info->unit, NULL) &&
		*number >= info->minimum && *number <= info->maximum;
}

static bool
parse_api_version(const char *text, SmartcarApiVersion *version)
{
	*version = strcmp(text, "3") == 0 ? SMARTCAR_API_V3 : SMARTCAR_API_V2;
	return *version == SMARTCAR_API_V3 || strcmp(text, "2.0") == 0;
}

static bool
is_database(const char *text)
{
	size_t		digits = strspn(text, "0123456789");
	size_t		name = digits > 0 && text[digits] == '/' ? strlen(&text[digits + 1]) : 0;

	return name > 0 && name < NAMEDATALEN;
}

/*
 * Parses a value.  The validator checks what depends on other options.
 */
static bool
parse_value(SmartcarOption option, SmartcarOptionValue *value)
{
	SmartcarSpan span = smartcar_span_from_string(value->text);

	switch (smartcar_options[option].kind)
	{
		case SMARTCAR_KIND_APPLICATION_ID:
			return smartcar_client_id_valid(span);
		case SMARTCAR_KIND_REDIRECT_URI:
			return smartcar_redirect_uri_valid(span);
		case SMARTCAR_KIND_SCOPE:
		case SMARTCAR_KIND_NAMES:
			return smartcar_scope_list_parse(span, &value->scope);
		case SMARTCAR_KIND_MODE:
			return smartcar_mode_valid(span);
		case SMARTCAR_KIND_API_VERSION:
			return parse_api_version(value->text, &value->api_version);
		case SMARTCAR_KIND_DOMAIN:
			return smartcar_domain_valid(span);
		case SMARTCAR_KIND_NUMBER:
			return parse_number(option, value->text, &value->number);
		case SMARTCAR_KIND_ORIGIN:
			return smartcar_origin_valid(span);
		case SMARTCAR_KIND_FILE:
			return is_absolute_path(value->text);
		case SMARTCAR_KIND_DATABASE:
			return is_database(value->text);
		case SMARTCAR_KIND_IDENTIFIER:
		case SMARTCAR_KIND_SECRET:
			/* it may become a header, which must not have a line break */
			return smartcar_span_is_visible(span);
	}
	return false;				/* keep compiler quiet */
}

/*
 * Sets an option to a text, or to its default if text is NULL, and parses it.
 * An invalid value is not an error here: an older validator may have accepted
 * it, and it matters only to functions that use the option.  The text is not
 * copied; parsed values are in the current memory context.
 */
void
smartcar_option_set(SmartcarOptionValue *value, SmartcarOption option, const char *text)
{
	memset(value, 0, sizeof(*value));
	value->is_set = text !=NULL;
	value->text = text !=NULL ? text : smartcar_options[option].default_value;

	value->is_valid = value->text !=NULL && parse_value(option, value);
}

/*
 * Raises the error for an invalid value.  A secret is not shown.
 */
static pg_noreturn void
invalid_value(SmartcarOption option, const char *text, const char *detail, const char *hint)
{
	const SmartcarOptionInfo *info = &smartcar_options[option];

	if (info->kind == SMARTCAR_KIND_SECRET)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\"", info->name),
				 detail ? errdetail("%s", detail) : 0));

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"",
					info->name, smartcar_excerpt(smartcar_span_from_string(text))),
			 detail ? errdetail("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

static pg_noreturn void
invalid_number(SmartcarOption option, const char *text)
{
	const SmartcarOptionInfo *info = &smartcar_options[option];
	const char *unit = info->unit == GUC_UNIT_MS ? " ms" :
		info->unit == GUC_UNIT_BYTE ? " bytes" : "";
	const char *hint = NULL;
	int			number;

	if (!parse_int(text, &number, info->unit, &hint))
		invalid_value(option, text, NULL, hint);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%d%s is outside the valid range for option \"%s\" (%d%s .. %d%s)",
					number, unit, info->name,
					info->minimum, unit, info->maximum, unit)));
}

/*
 * Raises the error for a value that smartcar_option_set() has found invalid.
 */
void
smartcar_option_refuse(SmartcarOption option, const char *text)
{
	SmartcarSpan span = smartcar_span_from_string(text);

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
			smartcar_scope_list_check(span);
			invalid_value(option, text,
						  "The value names no permission.",
						  "Leave the option out instead.");
		case SMARTCAR_KIND_MODE:
			invalid_value(option, text,
						  "Valid modes are \"live\", \"simulated\" and \"test\".", NULL);
		case SMARTCAR_KIND_API_VERSION:
			invalid_value(option, text,
						  "Valid versions are \"2.0\" and \"3\".", NULL);
		case SMARTCAR_KIND_DOMAIN:
			invalid_value(option, text,
						  "The value must be a host name in lower case, such as \"acme.app.car\".",
						  NULL);
		case SMARTCAR_KIND_NUMBER:
			invalid_number(option, text);
		case SMARTCAR_KIND_ORIGIN:
			invalid_value(option, text,
						  "The value must be https://host or https://host:port with nothing after it; plain http is only accepted for a loopback host.",
						  NULL);
		case SMARTCAR_KIND_FILE:
			invalid_value(option, text,
						  "The value must be the absolute path of a file.", NULL);
		case SMARTCAR_KIND_DATABASE:
			invalid_value(option, text,
						  "The value must be the system identifier of a cluster, a slash and the name of a database.",
						  "SELECT setting FROM smartcar_info() WHERE name = 'here' returns that of the current database.");
		case SMARTCAR_KIND_IDENTIFIER:
		case SMARTCAR_KIND_SECRET:
			invalid_value(option, text,
						  "The value must be one or more visible ASCII characters without spaces.",
						  NULL);
	}
	invalid_value(option, text, NULL, NULL);
}
