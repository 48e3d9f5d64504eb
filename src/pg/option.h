/*-------------------------------------------------------------------------
 *
 * option.h
 *	  The options of servers and user mappings.
 *
 * src/pg/option.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_OPTION_H
#define SMARTCAR_OPTION_H

#include "postgres.h"

#include "core/link.h"
#include "pg/compat.h"
#include "pg/scope.h"

typedef enum SmartcarOption
{
	/* of a server */
	SMARTCAR_OPTION_CLIENT_ID,
	SMARTCAR_OPTION_REDIRECT_URI,
	SMARTCAR_OPTION_SCOPE,
	SMARTCAR_OPTION_MODE,
	SMARTCAR_OPTION_API_VERSION,
	SMARTCAR_OPTION_WEBHOOK_ID,
	SMARTCAR_OPTION_EXTRA_SCOPES,
	SMARTCAR_OPTION_VIRTUAL_KEY_DOMAIN,
	SMARTCAR_OPTION_CONNECT_TIMEOUT,
	SMARTCAR_OPTION_TIMEOUT,
	SMARTCAR_OPTION_MAX_CONCURRENCY,
	SMARTCAR_OPTION_MAX_RESPONSE_SIZE,
	SMARTCAR_OPTION_CONNECT_ORIGIN,
	SMARTCAR_OPTION_AUTH_ORIGIN,
	SMARTCAR_OPTION_IAM_ORIGIN,
	SMARTCAR_OPTION_API_ORIGIN,
	SMARTCAR_OPTION_VEHICLE_ORIGIN,
	SMARTCAR_OPTION_MANAGEMENT_ORIGIN,
	SMARTCAR_OPTION_COMPATIBILITY_ORIGIN,
	SMARTCAR_OPTION_CA_FILE,
	SMARTCAR_OPTION_TOKEN_KEY_FILE,
	SMARTCAR_OPTION_ONLY_IN,

	/* of a user mapping; the file of a secret follows the secret */
	SMARTCAR_OPTION_CLIENT_SECRET,
	SMARTCAR_OPTION_CLIENT_SECRET_FILE,
	SMARTCAR_OPTION_API_CLIENT_ID,
	SMARTCAR_OPTION_API_CLIENT_SECRET,
	SMARTCAR_OPTION_API_CLIENT_SECRET_FILE,
	SMARTCAR_OPTION_MANAGEMENT_TOKEN,
	SMARTCAR_OPTION_MANAGEMENT_TOKEN_FILE,
	SMARTCAR_OPTION_MANAGEMENT_TOKEN_PREVIOUS,
	SMARTCAR_OPTION_MANAGEMENT_TOKEN_PREVIOUS_FILE
} SmartcarOption;

#define SMARTCAR_OPTION_COUNT	(SMARTCAR_OPTION_MANAGEMENT_TOKEN_PREVIOUS_FILE + 1)
#define SMARTCAR_NO_OPTION		(-1)

/* Determines which values are valid. */
typedef enum SmartcarOptionKind
{
	SMARTCAR_KIND_APPLICATION_ID,
	SMARTCAR_KIND_REDIRECT_URI,
	SMARTCAR_KIND_SCOPE,		/* permissions that links may request */
	SMARTCAR_KIND_MODE,
	SMARTCAR_KIND_API_VERSION,
	SMARTCAR_KIND_NAMES,		/* well-formed names of permissions */
	SMARTCAR_KIND_DOMAIN,
	SMARTCAR_KIND_NUMBER,
	SMARTCAR_KIND_ORIGIN,
	SMARTCAR_KIND_FILE,
	SMARTCAR_KIND_DATABASE,		/* a cluster and a database in it */
	SMARTCAR_KIND_IDENTIFIER,	/* visible ASCII characters */
	SMARTCAR_KIND_SECRET		/* visible ASCII characters, not shown */
} SmartcarOptionKind;

typedef struct SmartcarOptionInfo
{
	const char *name;
	Oid			catalog;		/* of servers or of user mappings */
	SmartcarOptionKind kind;
	bool		superuser_only;
	const char *default_value;	/* NULL if there is none */
	int			unit;			/* of a number: GUC_UNIT_*, or 0 */
	int			minimum;
	int			maximum;
	const char *v3_default;		/* NULL if it equals default_value */
} SmartcarOptionInfo;

/*
 * The value of an option, as text and parsed.  All values are ASCII, which is the
 * same in all encodings, except names of files and databases.
 */
typedef struct SmartcarOptionValue
{
	const char *text;			/* NULL: not set, and without a default */
	bool		is_set;			/* text is not the default */
	bool		is_valid;		/* text could be parsed; by its kind: */
	int			number;
	SmartcarApiVersion api_version;
	SmartcarScopeList scope;
} SmartcarOptionValue;

extern const SmartcarOptionInfo smartcar_options[SMARTCAR_OPTION_COUNT];

extern int	smartcar_option_find(const char *name, Oid catalog);
extern bool smartcar_option_is_secret(SmartcarOption option);
extern void smartcar_option_set(SmartcarOptionValue *value, SmartcarOption option,
								const char *text);
extern pg_noreturn void smartcar_option_refuse(SmartcarOption option, const char *text);

#endif							/* SMARTCAR_OPTION_H */
