/*-------------------------------------------------------------------------
 *
 * link.c
 *	  The SQL functions that build links.
 *
 * A query over a fleet calls them for each row, and most arguments are constants
 * of the query.  So constants are checked and compiled once, with the first row.
 * For each row, only the other arguments are checked and encoded.
 *
 * src/func/link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/completion.h"
#include "core/link.h"
#include "core/percent.h"
#include "core/permission.h"
#include "pg/check.h"
#include "pg/flags.h"
#include "pg/fn_state.h"
#include "pg/scope.h"
#include "pg/text.h"
#include "pg/text_array.h"

#define NO_ARGUMENT			(-1)

/* The arguments of smartcar_connect_url(). */
enum
{
	CONNECT_SCOPE,
	CONNECT_STATE,
	CONNECT_MAKE,
	CONNECT_FORCE_PROMPT,
	CONNECT_SINGLE_SELECT,
	CONNECT_SINGLE_SELECT_VIN,
	CONNECT_FLAGS,
	CONNECT_EXTERNAL_ID,
	CONNECT_MODE,
	CONNECT_RESPONSE_TYPE,
	CONNECT_CLIENT_ID,
	CONNECT_REDIRECT_URI,
	CONNECT_SERVER
};

/* The arguments of smartcar_reauth_url(). */
enum
{
	REAUTH_SCOPE,
	REAUTH_STATE,
	REAUTH_FLOW,
	REAUTH_EXTERNAL_ID,
	REAUTH_CLIENT_ID,
	REAUTH_REDIRECT_URI,
	REAUTH_SERVER
};

/* The arguments of smartcar_reauth_vehicle_url(). */
enum
{
	VEHICLE_ID,
	VEHICLE_STATE,
	VEHICLE_EXTERNAL_ID,
	VEHICLE_RESPONSE_TYPE,
	VEHICLE_CLIENT_ID,
	VEHICLE_REDIRECT_URI,
	VEHICLE_SERVER
};

/* The arguments of smartcar_complete_reauth_url(). */
enum
{
	COMPLETE_RESOLUTION_URL,
	COMPLETE_STATE,
	COMPLETE_EXTERNAL_ID,
	COMPLETE_REDIRECT_URI,
	COMPLETE_SERVER
};

struct LinkArgument;

typedef struct LinkState
{
	SmartcarFnState fn;			/* must be first */
	bool		is_compiled;
	uint32		varying;		/* bits of parameters that are not constant */
	int			varying_count;	/* their number, and their arguments */
	const struct LinkArgument *varying_arguments[SMARTCAR_LINK_PARAMETER_COUNT];
	SmartcarLink link;
	SmartcarCompiledLink compiled;
	SmartcarSpan words[SMARTCAR_LINK_PARAMETER_COUNT];	/* of parameters with a
														 * single word */
} LinkState;

typedef void (*LinkSetter) (FunctionCallInfo fcinfo, LinkState *state,
							const struct LinkArgument *argument);

/*
 * How a parameter of the link gets its value: by which setter, and from which
 * arguments of the SQL function.
 */
typedef struct LinkArgument
{
	SmartcarLinkParameter parameter;
	LinkSetter	set;
	int			argument;
	int			other_argument;
} LinkArgument;

PG_FUNCTION_INFO_V1(smartcar_connect_url);
PG_FUNCTION_INFO_V1(smartcar_reauth_url);
PG_FUNCTION_INFO_V1(smartcar_reauth_vehicle_url);
PG_FUNCTION_INFO_V1(smartcar_complete_reauth_url);

/*
 * The setters.  A parameter whose word is empty is left out of the link.
 */

static void
set_word(LinkState *state, SmartcarLinkParameter parameter, SmartcarSpan word)
{
	state->words[parameter] = word;
	state->link.values[parameter].words = &state->words[parameter];
	state->link.values[parameter].count = word.length > 0 ? 1 : 0;
}

static void
set_text(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	set_word(state, argument->parameter, smartcar_argument_utf8(fcinfo, argument->argument));
}

static void
set_tesla(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	set_word(state, argument->parameter, SMARTCAR_SPAN("TESLA"));
}

/* The response type of a link, unless the caller wants no callback. */
static SmartcarSpan
default_response_type(const LinkState *state)
{
	return state->link.kind == SMARTCAR_LINK_CONNECT ||
		state->link.kind == SMARTCAR_LINK_UPDATE_ACCESS ?
		SMARTCAR_SPAN("code") : SMARTCAR_SPAN("vehicle_id");
}

static SmartcarSpan
response_type_argument(FunctionCallInfo fcinfo, const LinkState *state, int argument)
{
	SmartcarSpan normal = default_response_type(state);
	SmartcarSpan response_type = {NULL, 0};

	if (argument != NO_ARGUMENT)
		response_type = smartcar_argument_span(fcinfo, argument);
	if (response_type.data == NULL)
		return normal;
	if (!smartcar_span_equal(response_type, normal) &&
		!smartcar_span_equal(response_type, SMARTCAR_SPAN("none")))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid response_type: \"%s\"", smartcar_excerpt(response_type)),
				 errdetail("Valid response types are \"%s\" and \"none\".", normal.data)));
	return response_type;
}

static void
set_response_type(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	set_word(state, argument->parameter,
			 response_type_argument(fcinfo, state, argument->argument));
}

static void
set_application(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	SmartcarSpan id = smartcar_argument_span(fcinfo, argument->argument);

	if (id.data != NULL)
		smartcar_check_client_id(id);
	else
		id = smartcar_required_option(&state->fn.server, SMARTCAR_OPTION_CLIENT_ID, "client_id");
	set_word(state, argument->parameter, id);
}

/*
 * A link without a callback does not need a redirect URI, and uses only that of
 * the argument.  A link to connect does not need one either, because Smartcar
 * then uses the one of its dashboard.
 */
static void
set_redirect_uri(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	const SmartcarServer *server = &state->fn.server;
	SmartcarSpan uri = smartcar_argument_span(fcinfo, argument->argument);

	if (uri.data != NULL)
		smartcar_check_redirect_uri(uri);
	else if (state->link.kind == SMARTCAR_LINK_CONNECT)
		uri = smartcar_server_span(server, SMARTCAR_OPTION_REDIRECT_URI);
	else if (!smartcar_span_equal(response_type_argument(fcinfo, state, argument->other_argument),
								  SMARTCAR_SPAN("none")))
		uri = smartcar_required_option(server, SMARTCAR_OPTION_REDIRECT_URI, "redirect_uri");
	set_word(state, argument->parameter, uri);
}

static void
set_approval_prompt(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	bool		force = !PG_ARGISNULL(argument->argument) &&
		PG_GETARG_BOOL(argument->argument);

	set_word(state, argument->parameter,
			 force ? SMARTCAR_SPAN("force") : SMARTCAR_SPAN("auto"));
}

/*
 * single_select_vin implies single_select.
 */
static void
set_single_select(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
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
	set_word(state, argument->parameter, word);
}

static void
set_mode(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	SmartcarSpan mode = smartcar_argument_span(fcinfo, argument->argument);

	if (mode.data == NULL)
		mode = smartcar_server_span(&state->fn.server, SMARTCAR_OPTION_MODE);
	else
		smartcar_check_mode(mode);
	set_word(state, argument->parameter, mode);
}

static void
set_flags(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	SmartcarWords flags = {NULL, 0};

	if (!PG_ARGISNULL(argument->argument))
		flags = smartcar_flags_from_jsonb(PG_GETARG_JSONB_P(argument->argument));
	state->link.values[argument->parameter] = flags;
}

/*
 * In the flow without a callback, every permission is required, and Smartcar's
 * examples have names without "required:".
 */
static bool
has_bare_scope(const LinkState *state)
{
	return state->link.kind == SMARTCAR_LINK_UPDATE_ACCESS_ONLY;
}

/*
 * A permission as a link contains it.  Known ones are not encoded for each row.
 */
static SmartcarSpan
scope_word(const LinkState *state, SmartcarSpan written,
		   const SmartcarScopeList *extra_scopes)
{
	SmartcarSpan name = written;
	int			index = smartcar_resolve_link_permission(&name, extra_scopes);
	bool		is_required = name.length < written.length && !has_bare_scope(state);
	SmartcarSpan word = is_required ? written : name;
	char	   *target;

	if (index >= 0)
		return is_required ? smartcar_permission_table[index].encoded_required : name;
	target = palloc(smartcar_percent_encoded_length(word));
	return smartcar_span(target, smartcar_percent_encode(target, word) - target);
}

static SmartcarWords
scope_from_array(const LinkState *state, ArrayType *array)
{
	const SmartcarScopeList *extra_scopes =
		smartcar_server_scope(&state->fn.server, SMARTCAR_OPTION_EXTRA_SCOPES);
	SmartcarTextArray reader;
	SmartcarWords words = {.is_encoded = true};
	SmartcarSpan *encoded;
	SmartcarSpan written;

	smartcar_text_array_begin(&reader, array, "scope");
	if (reader.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope must not be empty"),
				 errhint("Pass NULL to use the option \"scope\" of the server.")));
	words.words = encoded = (SmartcarSpan *) palloc(reader.count * sizeof(SmartcarSpan));
	while (smartcar_text_array_next(&reader, &written))
	{
		CHECK_FOR_INTERRUPTS();
		encoded[words.count++] = scope_word(state, written, extra_scopes);
	}
	return words;
}

static SmartcarWords
scope_from_option(const LinkState *state)
{
	const SmartcarServer *server = &state->fn.server;
	const SmartcarScopeList *scope = smartcar_server_scope(server, SMARTCAR_OPTION_SCOPE);
	SmartcarWords words = {NULL, 0};

	if (scope != NULL)
	{
		words.words = has_bare_scope(state) ? scope->names : scope->written;
		words.count = scope->count;
	}
	else if (state->link.kind != SMARTCAR_LINK_CONNECT)
		smartcar_missing_value(server, SMARTCAR_OPTION_SCOPE, "scope");
	return words;
}

static void
set_scope(FunctionCallInfo fcinfo, LinkState *state, const LinkArgument *argument)
{
	state->link.values[argument->parameter] = PG_ARGISNULL(argument->argument) ?
		scope_from_option(state) :
		scope_from_array(state, PG_GETARG_ARRAYTYPE_P(argument->argument));
}

/*
 * Whether an argument is a constant of the query.  A query parameter is not:
 * PL/pgSQL evaluates an expression again with other values of its variables, and
 * keeps fn_extra.
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

/* An argument in UTF-8; no data if it is NULL or empty. */
static SmartcarSpan
filled_argument(FunctionCallInfo fcinfo, int argument)
{
	SmartcarSpan value = smartcar_argument_utf8(fcinfo, argument);

	return value.length > 0 ? value : smartcar_span(NULL, 0);
}

static void
compile_link(FunctionCallInfo fcinfo, LinkState *state,
			 const LinkArgument *arguments, int count)
{
	const SmartcarServer *server = &state->fn.server;
	char	   *bytes;

	/* free the compiled link of another kind */
	if (state->compiled.bytes != NULL)
		pfree(state->compiled.bytes);
	state->compiled.bytes = NULL;
	state->is_compiled = false;
	state->varying = 0;
	state->varying_count = 0;
	state->link.api_version = smartcar_server_api_version(server);
	state->link.origin = smartcar_server_span(server, SMARTCAR_OPTION_CONNECT_ORIGIN);

	for (int i = 0; i < count; i++)
	{
		const LinkArgument *argument = &arguments[i];

		argument->set(fcinfo, state, argument);
		if (argument_is_constant(fcinfo, argument->argument) &&
			argument_is_constant(fcinfo, argument->other_argument))
			continue;
		state->varying |= SMARTCAR_LINK_PARAMETER_BIT(argument->parameter);
		state->varying_arguments[state->varying_count++] = argument;
	}

	bytes = MemoryContextAlloc(state->fn.context,
							   smartcar_link_compile(&state->link, state->varying, NULL,
													 &state->compiled));
	smartcar_link_compile(&state->link, state->varying, bytes, &state->compiled);
	state->is_compiled = true;
}

/*
 * Builds the link of one row.
 */
static Datum
build_link(FunctionCallInfo fcinfo, SmartcarLinkKind kind, int server_argument,
		   const LinkArgument *arguments, int count)
{
	LinkState  *state = (LinkState *)
		smartcar_fn_state(fcinfo, server_argument, sizeof(LinkState));
	size_t		length;
	text	   *result;

	if (!state->is_compiled || state->link.kind != kind)
	{
		state->link.kind = kind;
		compile_link(fcinfo, state, arguments, count);
	}
	else
	{
		for (int i = 0; i < state->varying_count; i++)
			state->varying_arguments[i]->set(fcinfo, state, state->varying_arguments[i]);
	}

	/* measure the link exactly only if it may be too long */
	length = smartcar_link_bound(&state->compiled, &state->link);
	if (length > SMARTCAR_LINK_MAX_LENGTH)
		length = smartcar_link_write(&state->compiled, &state->link, NULL);
	result = smartcar_allocate_link(length);
	length = smartcar_link_write(&state->compiled, &state->link, VARDATA(result));
	SET_VARSIZE(result, VARHDRSZ + length);
	PG_RETURN_TEXT_P(result);
}

Datum
smartcar_connect_url(PG_FUNCTION_ARGS)
{
	static const LinkArgument arguments[] = {
		{SMARTCAR_LINK_RESPONSE_TYPE, set_response_type, CONNECT_RESPONSE_TYPE, NO_ARGUMENT},
		{SMARTCAR_LINK_APPLICATION, set_application, CONNECT_CLIENT_ID, NO_ARGUMENT},
		{SMARTCAR_LINK_APPROVAL_PROMPT, set_approval_prompt, CONNECT_FORCE_PROMPT, NO_ARGUMENT},
		{SMARTCAR_LINK_REDIRECT_URI, set_redirect_uri, CONNECT_REDIRECT_URI, NO_ARGUMENT},
		{SMARTCAR_LINK_SCOPE, set_scope, CONNECT_SCOPE, NO_ARGUMENT},
		{SMARTCAR_LINK_STATE, set_text, CONNECT_STATE, NO_ARGUMENT},
		{SMARTCAR_LINK_SINGLE_SELECT, set_single_select, CONNECT_SINGLE_SELECT,
		CONNECT_SINGLE_SELECT_VIN},
		{SMARTCAR_LINK_SINGLE_SELECT_VIN, set_text, CONNECT_SINGLE_SELECT_VIN, NO_ARGUMENT},
		{SMARTCAR_LINK_MAKE, set_text, CONNECT_MAKE, NO_ARGUMENT},
		{SMARTCAR_LINK_FLAGS, set_flags, CONNECT_FLAGS, NO_ARGUMENT},
		{SMARTCAR_LINK_OWNER, set_text, CONNECT_EXTERNAL_ID, NO_ARGUMENT},
		{SMARTCAR_LINK_MODE, set_mode, CONNECT_MODE, NO_ARGUMENT}
	};

	return build_link(fcinfo, SMARTCAR_LINK_CONNECT, CONNECT_SERVER,
					  arguments, lengthof(arguments));
}

/*
 * The kind of link for the argument "flow".
 */
static SmartcarLinkKind
reauth_kind(SmartcarSpan flow)
{
	if (flow.data == NULL || smartcar_span_equal(flow, SMARTCAR_SPAN("authorize")))
		return SMARTCAR_LINK_UPDATE_ACCESS;
	if (!smartcar_span_equal(flow, SMARTCAR_SPAN("reauthenticate")))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid flow: \"%s\"", smartcar_excerpt(flow)),
				 errdetail("Valid flows are \"authorize\" and \"reauthenticate\".")));
	return SMARTCAR_LINK_UPDATE_ACCESS_ONLY;
}

Datum
smartcar_reauth_url(PG_FUNCTION_ARGS)
{
	static const LinkArgument update_access[] = {
		{SMARTCAR_LINK_RESPONSE_TYPE, set_response_type, NO_ARGUMENT, NO_ARGUMENT},
		{SMARTCAR_LINK_MAKE, set_tesla, NO_ARGUMENT, NO_ARGUMENT},
		{SMARTCAR_LINK_APPLICATION, set_application, REAUTH_CLIENT_ID, NO_ARGUMENT},
		{SMARTCAR_LINK_SCOPE, set_scope, REAUTH_SCOPE, NO_ARGUMENT},
		{SMARTCAR_LINK_OWNER, set_text, REAUTH_EXTERNAL_ID, NO_ARGUMENT},
		{SMARTCAR_LINK_REDIRECT_URI, set_redirect_uri, REAUTH_REDIRECT_URI, NO_ARGUMENT},
		{SMARTCAR_LINK_STATE, set_text, REAUTH_STATE, NO_ARGUMENT}
	};

	/* without the last two, which belong to the callback */
	const int	update_access_only = lengthof(update_access) - 2;
	SmartcarLinkKind kind = reauth_kind(smartcar_argument_span(fcinfo, REAUTH_FLOW));

	if (kind == SMARTCAR_LINK_UPDATE_ACCESS)
		return build_link(fcinfo, kind, REAUTH_SERVER, update_access, lengthof(update_access));

	if (smartcar_argument_span(fcinfo, REAUTH_STATE).length > 0 ||
		!PG_ARGISNULL(REAUTH_REDIRECT_URI))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("flow \"reauthenticate\" takes neither state nor redirect_uri"),
				 errdetail("Smartcar sends nothing back at the end of this flow."),
				 errhint("Use flow \"authorize\" to get a callback.")));
	return build_link(fcinfo, kind, REAUTH_SERVER, update_access, update_access_only);
}

Datum
smartcar_reauth_vehicle_url(PG_FUNCTION_ARGS)
{
	static const LinkArgument arguments[] = {
		{SMARTCAR_LINK_RESPONSE_TYPE, set_response_type, VEHICLE_RESPONSE_TYPE, NO_ARGUMENT},
		{SMARTCAR_LINK_APPLICATION, set_application, VEHICLE_CLIENT_ID, NO_ARGUMENT},
		{SMARTCAR_LINK_VEHICLE_ID, set_text, VEHICLE_ID, NO_ARGUMENT},
		{SMARTCAR_LINK_REDIRECT_URI, set_redirect_uri, VEHICLE_REDIRECT_URI,
		VEHICLE_RESPONSE_TYPE},
		{SMARTCAR_LINK_STATE, set_text, VEHICLE_STATE, NO_ARGUMENT},
		{SMARTCAR_LINK_OWNER, set_text, VEHICLE_EXTERNAL_ID, NO_ARGUMENT}
	};

	if (PG_ARGISNULL(VEHICLE_ID))
		PG_RETURN_NULL();
	if (smartcar_argument_span(fcinfo, VEHICLE_ID).length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("vehicle_id must not be empty")));
	return build_link(fcinfo, SMARTCAR_LINK_REAUTHENTICATE, VEHICLE_SERVER,
					  arguments, lengthof(arguments));
}

/*
 * Completes the incomplete link of an API error.
 */
Datum
smartcar_complete_reauth_url(PG_FUNCTION_ARGS)
{
	const SmartcarServer *server;
	SmartcarSpan url;
	SmartcarSpan origin;
	SmartcarCompletion completion = {0};
	size_t		length;
	text	   *result;

	if (PG_ARGISNULL(COMPLETE_RESOLUTION_URL))
		PG_RETURN_NULL();

	server = &smartcar_fn_state(fcinfo, COMPLETE_SERVER, sizeof(SmartcarFnState))->server;
	origin = smartcar_server_span(server, SMARTCAR_OPTION_CONNECT_ORIGIN);
	url = smartcar_argument_span(fcinfo, COMPLETE_RESOLUTION_URL);
	if (!smartcar_url_has_origin(url, origin))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("resolution_url does not point at Smartcar Connect: \"%s\"",
						smartcar_excerpt(url)),
				 errdetail("It must begin with \"%.*s/\" and have neither a fragment nor characters that are not allowed in a URL.",
						   (int) origin.length, origin.data)));

	completion.url = url;
	completion.state = filled_argument(fcinfo, COMPLETE_STATE);
	if (smartcar_server_api_version(server) == SMARTCAR_API_V3)
		completion.external_id = filled_argument(fcinfo, COMPLETE_EXTERNAL_ID);
	completion.redirect_uri = smartcar_argument_span(fcinfo, COMPLETE_REDIRECT_URI);
	if (completion.redirect_uri.data != NULL)
		smartcar_check_redirect_uri(completion.redirect_uri);
	else if (!smartcar_url_has_parameter(url, SMARTCAR_SPAN("redirect_uri")))
		completion.redirect_uri = smartcar_required_option(server, SMARTCAR_OPTION_REDIRECT_URI,
														   "redirect_uri");

	length = smartcar_completion_write(&completion, NULL);
	result = smartcar_allocate_link(length);
	smartcar_completion_write(&completion, VARDATA(result));
	PG_RETURN_TEXT_P(result);
}
