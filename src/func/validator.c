/*-------------------------------------------------------------------------
 *
 * validator.c
 *	  The validator of the foreign-data wrapper.
 *
 * PostgreSQL calls it for every CREATE and ALTER of a server or user mapping, with
 * the new list of all options.  The list does not tell which of them have changed.
 * So if an object has an option that only superusers may set, another role can
 * alter the object only by dropping that option.  postgres_fdw has the same rule.
 *
 * src/func/validator.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "miscadmin.h"

#include "pg/closest_match.h"
#include "pg/option.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_tesla_validator);

/*
 * Raises the error for an option that this kind of object does not have.
 */
static pg_noreturn void
unknown_option(const char *name, Oid catalog)
{
	SmartcarClosestMatch closest;
	Oid			other = catalog == ForeignServerRelationId ?
		UserMappingRelationId : ForeignServerRelationId;
	const char *hint = NULL;

	if (catalog != ForeignServerRelationId && catalog != UserMappingRelationId)
		hint = "Options belong to servers and user mappings of this wrapper.";
	else if (smartcar_option_find(name, other) != SMARTCAR_NO_OPTION)
		hint = psprintf("\"%s\" is an option of a %s.", name,
						other == ForeignServerRelationId ? "server" : "user mapping");
	else
	{
		smartcar_closest_match_begin(&closest, smartcar_span_from_string(name));
		for (int i = 0; i < SMARTCAR_OPTION_COUNT; i++)
		{
			if (smartcar_options[i].catalog == catalog)
				smartcar_closest_match_try(&closest,
										   smartcar_span_from_string(smartcar_options[i].name));
		}
		if (closest.match.data)
			hint = psprintf("Perhaps you meant the option \"%s\".", closest.match.data);
	}

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", smartcar_excerpt(smartcar_span_from_string(name))),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * Checks options that depend on each other: the names in "scope" must be known or
 * in "extra_scopes", and a secret must not be set twice, as a value and as a file.
 */
static void
check_combination(const SmartcarOptionValue *values)
{
	const SmartcarScopeList *scope = &values[SMARTCAR_OPTION_SCOPE].scope;

	for (int i = 0; i < scope->count; i++)
	{
		SmartcarSpan name = scope->written[i];

		(void) smartcar_resolve_link_permission(&name,
												&values[SMARTCAR_OPTION_EXTRA_SCOPES].scope);
	}

	for (int i = 0; i < SMARTCAR_OPTION_COUNT; i++)
	{
		if (smartcar_option_is_secret(i) && values[i].is_set && values[i + 1].is_set)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("options \"%s\" and \"%s\" are mutually exclusive",
							smartcar_options[i].name, smartcar_options[i + 1].name)));
	}
}

Datum
smartcar_tesla_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	SmartcarOptionValue values[SMARTCAR_OPTION_COUNT] = {0};
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = (DefElem *) lfirst(cell);
		int			option = smartcar_option_find(element->defname, catalog);
		const char *text;

		if (option == SMARTCAR_NO_OPTION)
			unknown_option(element->defname, catalog);

		if (smartcar_options[option].superuser_only && !superuser())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to set option \"%s\"", element->defname),
					 errdetail("Only superusers may set this option, or alter other options of an object that has it.")));

		text = defGetString(element);

		smartcar_option_set(&values[option], (SmartcarOption) option, text);
		if (!values[option].is_valid)
			smartcar_option_refuse((SmartcarOption) option, text);
	}

	check_combination(values);
	PG_RETURN_VOID();
}
