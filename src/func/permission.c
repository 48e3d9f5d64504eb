/*-------------------------------------------------------------------------
 *
 * permission.c
 *	  The SQL functions for permissions.
 *
 * src/func/permission.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/permission.h"
#include "pg/fn_state.h"
#include "pg/scope.h"
#include "pg/text.h"
#include "pg/text_array.h"

PG_FUNCTION_INFO_V1(smartcar_known_permissions);
PG_FUNCTION_INFO_V1(smartcar_server_scopes);
PG_FUNCTION_INFO_V1(smartcar_tesla_permission);
PG_FUNCTION_INFO_V1(smartcar_tesla_scope);
PG_FUNCTION_INFO_V1(smartcar_tesla_permissions);
PG_FUNCTION_INFO_V1(smartcar_has_scopes);
PG_FUNCTION_INFO_V1(smartcar_missing_scopes);
PG_FUNCTION_INFO_V1(smartcar_missing_tesla_permissions);
PG_FUNCTION_INFO_V1(smartcar_add_required);

static SmartcarSpan *
allocate_spans(int count)
{
	return (SmartcarSpan *) palloc(Max(count, 1) * sizeof(SmartcarSpan));
}

static SmartcarTeslaPermission
find_tesla_permission(int index)
{
	return index < 0 ? SMARTCAR_TESLA_NONE : smartcar_permission_table[index].tesla;
}

Datum
smartcar_known_permissions(PG_FUNCTION_ARGS)
{
	SmartcarSpan names[SMARTCAR_PERMISSION_COUNT];

	for (int i = 0; i < SMARTCAR_PERMISSION_COUNT; i++)
		names[i] = smartcar_permission_table[i].name;
	PG_RETURN_ARRAYTYPE_P(smartcar_build_text_array(names, SMARTCAR_PERMISSION_COUNT));
}

/*
 * The scopes in the option of a server.  With missing_ok, NULL if the server does
 * not exist or the role may not use it.
 */
Datum
smartcar_server_scopes(PG_FUNCTION_ARGS)
{
	bool		missing_ok = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	SmartcarFnState *state = smartcar_lenient_fn_state(fcinfo, 0, sizeof(SmartcarFnState));
	const SmartcarScopeList *scope;

	if (!OidIsValid(state->server.serverid) && !missing_ok)
	{
		SmartcarServer server;

		/*
		 * raises the error why the role cannot use it, if an argument names
		 * it
		 */
		smartcar_server_load(&server, state->argument, false, CurrentMemoryContext);
		smartcar_missing_value(&server, SMARTCAR_OPTION_SCOPE, NULL);
	}
	scope = smartcar_server_scope(&state->server, SMARTCAR_OPTION_SCOPE);
	if (scope == NULL)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(smartcar_build_text_array(scope->written, scope->count));
}

static Datum
text_or_null(FunctionCallInfo fcinfo, SmartcarSpan value)
{
	if (value.data == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(value.data, (int) value.length));
}

Datum
smartcar_tesla_permission(PG_FUNCTION_ARGS)
{
	SmartcarSpan name = smartcar_span_from_text(PG_GETARG_TEXT_PP(0));
	SmartcarTeslaPermission tesla = find_tesla_permission(smartcar_resolve_permission(&name));

	return text_or_null(fcinfo, smartcar_tesla_permission_name(tesla));
}

Datum
smartcar_tesla_scope(PG_FUNCTION_ARGS)
{
	SmartcarSpan name = smartcar_span_from_text(PG_GETARG_TEXT_PP(0));
	SmartcarTeslaPermission tesla = find_tesla_permission(smartcar_resolve_permission(&name));

	return text_or_null(fcinfo, smartcar_tesla_permission_scope(tesla));
}

/*
 * The names of the Tesla permissions that the permissions in an array need, except
 * those in have, a bit mask of SmartcarTeslaPermission.
 */
static ArrayType *
needed_tesla_permissions(ArrayType *scope, const char *argument, unsigned int have)
{
	SmartcarSpan names[SMARTCAR_TESLA_PERMISSION_COUNT];
	SmartcarTextArray reader;
	SmartcarSpan name;
	int			count = 0;

	have |= 1U << SMARTCAR_TESLA_NONE;
	smartcar_text_array_begin(&reader, scope, argument);
	while (smartcar_text_array_next(&reader, &name))
	{
		SmartcarTeslaPermission tesla = find_tesla_permission(smartcar_resolve_permission(&name));

		CHECK_FOR_INTERRUPTS();
		if (have & (1U << tesla))
			continue;
		have |= 1U << tesla;
		names[count++] = smartcar_tesla_permission_name(tesla);
	}
	return smartcar_build_text_array(names, count);
}

Datum
smartcar_tesla_permissions(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(needed_tesla_permissions(PG_GETARG_ARRAYTYPE_P(0), "scope", 0));
}

Datum
smartcar_missing_tesla_permissions(PG_FUNCTION_ARGS)
{
	SmartcarTextArray reader;
	SmartcarSpan scope;
	unsigned int have = 0;

	smartcar_text_array_begin(&reader, PG_GETARG_ARRAYTYPE_P(0), "granted_tesla_scopes");
	while (smartcar_text_array_next(&reader, &scope))
		have |= 1U << smartcar_tesla_permission_find_scope(scope);
	PG_RETURN_ARRAYTYPE_P(needed_tesla_permissions(PG_GETARG_ARRAYTYPE_P(1), "wanted", have));
}

Datum
smartcar_has_scopes(PG_FUNCTION_ARGS)
{
	SmartcarScopeSet granted = {0, NULL};
	const SmartcarScopeList *wanted;

	smartcar_scope_set_add_array(&granted, PG_GETARG_ARRAYTYPE_P(0), "granted");
	wanted = smartcar_scope_list_argument(fcinfo, PG_GETARG_ARRAYTYPE_P(1), "wanted");
	for (int i = 0; i < wanted->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!smartcar_scope_set_has(&granted, wanted->indexes[i], wanted->names[i]))
			PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(true);
}

Datum
smartcar_missing_scopes(PG_FUNCTION_ARGS)
{
	SmartcarScopeSet granted = {0, NULL};
	const SmartcarScopeList *wanted;
	SmartcarSpan *missing;
	int			count = 0;

	smartcar_scope_set_add_array(&granted, PG_GETARG_ARRAYTYPE_P(0), "granted");
	wanted = smartcar_scope_list_argument(fcinfo, PG_GETARG_ARRAYTYPE_P(1), "wanted");
	missing = allocate_spans(wanted->count);
	for (int i = 0; i < wanted->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!smartcar_scope_set_has(&granted, wanted->indexes[i], wanted->names[i]))
			missing[count++] = wanted->names[i];
	}
	PG_RETURN_ARRAYTYPE_P(smartcar_build_text_array(missing, count));
}

Datum
smartcar_add_required(PG_FUNCTION_ARGS)
{
	SmartcarTextArray reader;
	SmartcarSpan name;
	SmartcarSpan *names;
	int			count = 0;

	smartcar_text_array_begin(&reader, PG_GETARG_ARRAYTYPE_P(0), "scope");
	names = allocate_spans(reader.count);
	while (smartcar_text_array_next(&reader, &name))
	{
		SmartcarSpan bare = name;
		int			index = smartcar_resolve_permission(&bare);

		CHECK_FOR_INTERRUPTS();
		if (bare.length == name.length && find_tesla_permission(index) != SMARTCAR_TESLA_NONE)
			name = smartcar_span_from_string(psprintf("required:%.*s",
													  (int) bare.length, bare.data));
		names[count++] = name;
	}
	PG_RETURN_ARRAYTYPE_P(smartcar_build_text_array(names, count));
}
