/*-------------------------------------------------------------------------
 *
 * link.c
 *	  The SQL functions that build links.
 *
 * A query over a whole fleet calls these once per row with arguments of which
 * nearly all are constants.  So the constant ones are looked at once, when the
 * first row comes, and compiled into ready bytes; each row then costs the
 * check and the encoding of what varies, and one copy.
 *
 * src/func/link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/link.h"
#include "core/permission.h"
#include "pg/check.h"
#include "pg/flags.h"
#include "pg/scope.h"
#include "pg/server.h"
#include "pg/text.h"

#define NO_ARGUMENT			(-1)

struct LinkArgument;

typedef struct LinkCallSite
{
	SmartcarFnState site;		/* must be first */
	bool		is_compiled;
	uint32		varying;		/* bits of what is not constant */
	int			varying_count;	/* and where it comes from */
	const struct LinkArgument *varying_arguments[SMARTCAR_PARAMETER_COUNT];
	SmartcarLink link;
	SmartcarCompiledLink compiled;
	SmartcarSpan words[SMARTCAR_PARAMETER_COUNT];	/* where there is one */
} LinkCallSite;

typedef void (*LinkSetter) (FunctionCallInfo fcinfo, LinkCallSite *call,
							const struct LinkArgument *argument);

/*
 * How a parameter of the link gets its value: from which arguments of the SQL
 * function, and by which of the functions below.
 */
typedef struct LinkArgument
{
	SmartcarParameter parameter;
	LinkSetter	set;
	int			argument;
	int			other_argument;
} LinkArgument;

PG_FUNCTION_INFO_V1(smartcar_connect_url);
PG_FUNCTION_INFO_V1(smartcar_reauth_url);
PG_FUNCTION_INFO_V1(smartcar_reauth_vehicle_url);

/*
 * The setters.  One that leaves a parameter without a word leaves it out of
 * the link.
 */

static void
set_word(LinkCallSite *call, SmartcarParameter parameter, SmartcarSpan word)
{
	call->words[parameter] = word;
	call->link.values[parameter].words = &call->words[parameter];
	call->link.values[parameter].count = word.length > 0 ? 1 : 0;
}

static void
set_text(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	set_word(call, argument->parameter, smartcar_argument_utf8(fcinfo, argument->argument));
}

static void
set_tesla(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	set_word(call, argument->parameter, SMARTCAR_SPAN("TESLA"));
}

static void
set_response_type(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	SmartcarSpan response_type = smartcar_argument_span(fcinfo, argument->argument);

	if (response_type.data == NULL)
		response_type = SMARTCAR_SPAN("code");
	else if (!smartcar_span_equal(response_type, SMARTCAR_SPAN("code")) &&
			 !smartcar_span_equal(response_type, SMARTCAR_SPAN("none")))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid response_type: \"%s\"", smartcar_excerpt(response_type)),
				 errdetail("Valid response types are \"code\" and \"none\".")));
	set_word(call, argument->parameter, response_type);
}

static void
set_reauth_response_type(FunctionCallInfo fcinfo, LinkCallSite *call,
						 const LinkArgument *argument)
{
	set_word(call, argument->parameter,
			 call->link.kind == SMARTCAR_LINK_UPDATE_ACCESS ?
			 SMARTCAR_SPAN("code") : SMARTCAR_SPAN("vehicle_id"));
}

static void
set_application(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	const SmartcarServer *server = &call->site.server;
	SmartcarSpan id = smartcar_argument_utf8(fcinfo, argument->argument);

	if (id.data != NULL)
		smartcar_check_client_id(id);
	else
		id = smartcar_server_option_utf8(server, SMARTCAR_OPTION_CLIENT_ID);
	if (id.data == NULL)
		smartcar_missing_value(server, SMARTCAR_OPTION_CLIENT_ID, "client_id");
	set_word(call, argument->parameter, id);
}

static void
set_redirect_uri(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	const SmartcarServer *server = &call->site.server;
	SmartcarSpan uri = smartcar_argument_utf8(fcinfo, argument->argument);

	if (uri.data != NULL)
		smartcar_check_redirect_uri(uri);
	else
		uri = smartcar_server_option_utf8(server, SMARTCAR_OPTION_REDIRECT_URI);
	if (uri.data == NULL && call->link.kind != SMARTCAR_LINK_CONNECT)
		smartcar_missing_value(server, SMARTCAR_OPTION_REDIRECT_URI, "redirect_uri");
	set_word(call, argument->parameter, uri);
}

static void
set_approval_prompt(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	bool		force = !PG_ARGISNULL(argument->argument) &&
		PG_GETARG_BOOL(argument->argument);

	set_word(call, argument->parameter,
			 force ? SMARTCAR_SPAN("force") : SMARTCAR_SPAN("auto"));
}

/*
 * A VIN implies single_select, so false together with one is a contradiction.
 */
static void
set_single_select(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	bool		has_vin = smartcar_argument_span(fcinfo, argument->other_argument).length > 0;
	SmartcarSpan word = smartcar_span(NULL, 0);

	if (!PG_ARGISNULL(argument->argument))
	{
		bool		single_select = PG_GETARG_BOOL(argument->argument);

		if (has_vin && !single_select)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("single_select must not be false if single_select_vin is given")));
		word = single_select ? SMARTCAR_SPAN("true") : SMARTCAR_SPAN("false");
	}
	else if (has_vin)
		word = SMARTCAR_SPAN("true");
	set_word(call, argument->parameter, word);
}

static void
set_mode(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	SmartcarSpan mode = smartcar_argument_span(fcinfo, argument->argument);

	if (mode.data == NULL)
		mode = smartcar_server_option_utf8(&call->site.server, SMARTCAR_OPTION_MODE);
	else
		smartcar_check_mode(mode);
	set_word(call, argument->parameter, mode);
}

static void
set_flags(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	SmartcarWords flags = {NULL, 0};

	if (!PG_ARGISNULL(argument->argument))
		flags = smartcar_flags_from_jsonb(PG_GETARG_JSONB_P(argument->argument));
	call->link.values[argument->parameter] = flags;
}

/*
 * In the flow that has no way back for a code, every permission is required
 * and Smartcar's examples print bare names.
 */
static SmartcarSpan
scope_word(const LinkCallSite *call, SmartcarSpan name)
{
	if (call->link.kind == SMARTCAR_LINK_UPDATE_ACCESS_ONLY)
		smartcar_permission_strip_required(&name);
	return name;
}

static void
set_scope(FunctionCallInfo fcinfo, LinkCallSite *call, const LinkArgument *argument)
{
	const SmartcarServer *server = &call->site.server;
	SmartcarSpan *words = NULL;
	SmartcarSpan name;
	size_t		count = 0;

	if (!PG_ARGISNULL(argument->argument))
	{
		SmartcarSpan extra =
			smartcar_span_from_string(smartcar_server_option(server, SMARTCAR_OPTION_EXTRA_SCOPES));
		SmartcarTextArray walk;

		smartcar_text_array_begin(&walk, PG_GETARG_ARRAYTYPE_P(argument->argument), "scope");
		if (walk.count == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("scope must not be empty"),
					 errhint("Pass NULL to use the option \"scope\" of the server.")));
		words = (SmartcarSpan *) palloc(walk.count * sizeof(SmartcarSpan));
		while (smartcar_text_array_next(&walk, &name))
		{
			smartcar_check_link_permission(name, extra);
			words[count++] = scope_word(call, name);
		}
	}
	else
	{
		SmartcarSpan option =
			smartcar_span_from_string(smartcar_server_option(server, SMARTCAR_OPTION_SCOPE));

		if (option.data == NULL && call->link.kind != SMARTCAR_LINK_CONNECT)
			smartcar_missing_value(server, SMARTCAR_OPTION_SCOPE, "scope");
		words = (SmartcarSpan *) palloc((option.length / 2 + 1) * sizeof(SmartcarSpan));
		while (smartcar_next_word(&option, &name))
			words[count++] = scope_word(call, name);
	}
	call->link.values[argument->parameter].words = words;
	call->link.values[argument->parameter].count = count;
}

/*
 * Whether an argument is a constant of the query.  A parameter of the query is
 * none: PL/pgSQL evaluates an expression again and again with other values of
 * its variables, and fn_extra lives on.
 */
static bool
argument_is_constant(FunctionCallInfo fcinfo, int argument)
{
	Node	   *expr = fcinfo->flinfo->fn_expr;

	if (argument == NO_ARGUMENT)
		return true;
	if (expr == NULL || !IsA(expr, FuncExpr) ||
		list_length(((FuncExpr *) expr)->args) != PG_NARGS())
		return false;
	return IsA(list_nth(((FuncExpr *) expr)->args, argument), Const);
}

static void
compile_link(FunctionCallInfo fcinfo, LinkCallSite *call,
			 const LinkArgument *arguments, int count)
{
	char	   *bytes;

	/* an earlier one was for another kind of link */
	if (call->compiled.bytes != NULL)
		pfree(call->compiled.bytes);
	call->compiled.bytes = NULL;
	call->is_compiled = false;
	call->varying = 0;
	call->varying_count = 0;

	for (int i = 0; i < count; i++)
	{
		const LinkArgument *argument = &arguments[i];

		argument->set(fcinfo, call, argument);
		if (argument_is_constant(fcinfo, argument->argument) &&
			argument_is_constant(fcinfo, argument->other_argument))
			continue;
		call->varying |= SMARTCAR_PARAMETER_BIT(argument->parameter);
		call->varying_arguments[call->varying_count++] = argument;
	}

	bytes = MemoryContextAlloc(call->site.context,
							   smartcar_link_compiled_size(&call->link, call->varying));
	smartcar_link_compile(&call->link, call->varying, bytes, &call->compiled);
	call->is_compiled = true;
}

/*
 * Builds the link of one row.
 */
static Datum
build_link(FunctionCallInfo fcinfo, SmartcarLinkKind kind, int server_argument,
		   const LinkArgument *arguments, int count)
{
	bool		fresh;
	LinkCallSite *call = (LinkCallSite *)
		smartcar_fn_state(fcinfo, server_argument, sizeof(LinkCallSite), &fresh);
	size_t		length;
	text	   *result;
	char	   *end;

	if (fresh)
	{
		const SmartcarServer *server = &call->site.server;
		const char *origin = smartcar_server_option(server, SMARTCAR_OPTION_CONNECT_ORIGIN);

		call->link.api_version = smartcar_server_api_version(server);
		call->link.origin = smartcar_span_from_string(origin);
	}

	if (!call->is_compiled || call->link.kind != kind)
	{
		call->link.kind = kind;
		compile_link(fcinfo, call, arguments, count);
	}
	else
	{
		for (int i = 0; i < call->varying_count; i++)
			call->varying_arguments[i]->set(fcinfo, call, call->varying_arguments[i]);
	}

	/* only what may be too long has to be measured before it is written */
	length = smartcar_link_bound(&call->compiled, &call->link);
	if (length > SMARTCAR_LINK_MAX_LENGTH)
		length = smartcar_link_length(&call->compiled, &call->link);
	result = smartcar_allocate_link(length);
	end = smartcar_link_write(&call->compiled, &call->link, VARDATA(result));
	SET_VARSIZE(result, end - (char *) result);
	PG_RETURN_TEXT_P(result);
}

Datum
smartcar_connect_url(PG_FUNCTION_ARGS)
{
	static const LinkArgument arguments[] = {
		{SMARTCAR_RESPONSE_TYPE, set_response_type, 9, NO_ARGUMENT},
		{SMARTCAR_APPLICATION, set_application, 10, NO_ARGUMENT},
		{SMARTCAR_APPROVAL_PROMPT, set_approval_prompt, 3, NO_ARGUMENT},
		{SMARTCAR_REDIRECT_URI, set_redirect_uri, 11, NO_ARGUMENT},
		{SMARTCAR_SCOPE, set_scope, 0, NO_ARGUMENT},
		{SMARTCAR_STATE, set_text, 1, NO_ARGUMENT},
		{SMARTCAR_SINGLE_SELECT, set_single_select, 4, 5},
		{SMARTCAR_SINGLE_SELECT_VIN, set_text, 5, NO_ARGUMENT},
		{SMARTCAR_MAKE, set_text, 2, NO_ARGUMENT},
		{SMARTCAR_FLAGS, set_flags, 6, NO_ARGUMENT},
		{SMARTCAR_OWNER, set_text, 7, NO_ARGUMENT},
		{SMARTCAR_MODE, set_mode, 8, NO_ARGUMENT}
	};

	return build_link(fcinfo, SMARTCAR_LINK_CONNECT, 12, arguments, lengthof(arguments));
}

/*
 * The kind of link that the argument "flow" asks for.
 */
static SmartcarLinkKind
reauth_kind(SmartcarSpan flow)
{
	if (flow.data == NULL || smartcar_span_equal(flow, SMARTCAR_SPAN("authorize")))
		return SMARTCAR_LINK_UPDATE_ACCESS;
	if (smartcar_span_equal(flow, SMARTCAR_SPAN("reauthenticate")))
		return SMARTCAR_LINK_UPDATE_ACCESS_ONLY;

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid flow: \"%s\"", smartcar_excerpt(flow)),
			 errdetail("Valid flows are \"authorize\" and \"reauthenticate\".")));
	return SMARTCAR_LINK_UPDATE_ACCESS; /* keep compiler quiet */
}

Datum
smartcar_reauth_url(PG_FUNCTION_ARGS)
{
	static const LinkArgument update_access[] = {
		{SMARTCAR_RESPONSE_TYPE, set_reauth_response_type, NO_ARGUMENT, NO_ARGUMENT},
		{SMARTCAR_MAKE, set_tesla, NO_ARGUMENT, NO_ARGUMENT},
		{SMARTCAR_APPLICATION, set_application, 3, NO_ARGUMENT},
		{SMARTCAR_SCOPE, set_scope, 0, NO_ARGUMENT},
		{SMARTCAR_REDIRECT_URI, set_redirect_uri, 4, NO_ARGUMENT},
		{SMARTCAR_STATE, set_text, 1, NO_ARGUMENT}
	};

	/* the same without the last two, which nothing would bring back */
	const int	update_access_only = lengthof(update_access) - 2;
	SmartcarLinkKind kind = reauth_kind(smartcar_argument_span(fcinfo, 2));

	if (kind == SMARTCAR_LINK_UPDATE_ACCESS)
		return build_link(fcinfo, kind, 5, update_access, lengthof(update_access));

	if (smartcar_argument_span(fcinfo, 1).length > 0 || !PG_ARGISNULL(4))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("flow \"reauthenticate\" takes neither state nor redirect_uri"),
				 errdetail("Smartcar sends nothing back at the end of this flow."),
				 errhint("Use flow \"authorize\" to get a callback.")));
	return build_link(fcinfo, kind, 5, update_access, update_access_only);
}

Datum
smartcar_reauth_vehicle_url(PG_FUNCTION_ARGS)
{
	static const LinkArgument arguments[] = {
		{SMARTCAR_RESPONSE_TYPE, set_reauth_response_type, NO_ARGUMENT, NO_ARGUMENT},
		{SMARTCAR_APPLICATION, set_application, 3, NO_ARGUMENT},
		{SMARTCAR_VEHICLE_ID, set_text, 0, NO_ARGUMENT},
		{SMARTCAR_REDIRECT_URI, set_redirect_uri, 4, NO_ARGUMENT},
		{SMARTCAR_STATE, set_text, 1, NO_ARGUMENT},
		{SMARTCAR_OWNER, set_text, 2, NO_ARGUMENT}
	};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (smartcar_argument_span(fcinfo, 0).length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("vehicle_id must not be empty")));
	return build_link(fcinfo, SMARTCAR_LINK_REAUTHENTICATE, 5, arguments, lengthof(arguments));
}
