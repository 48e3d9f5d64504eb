/*-------------------------------------------------------------------------
 *
 * command.c
 *	  The SQL function that sends a command to a vehicle (v3).
 *
 * src/api/command.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "api/signal.h"
#include "api/sql_function.h"
#include "call/request.h"
#include "pg/json.h"
#include "pg/text.h"

PG_FUNCTION_INFO_V1(smartcar_send_command);

/* The arguments of the SQL function. */
enum
{
	ARGUMENT_VEHICLE_ID,
	ARGUMENT_USER_ID,
	ARGUMENT_COMMAND,
	ARGUMENT_BODY,
	ARGUMENT_TIMEOUT,
	ARGUMENT_SERVER
};

typedef struct CommandArguments
{
	SmartcarSpan path;			/* of the command, such as "/charge/start" */
	SmartcarSpan body;			/* no data if there is none */
} CommandArguments;

/*
 * A command is never sent again.  Somebody may have undone it in between: a second
 * "lock" could lock a vehicle that its owner has just unlocked.
 */
static void
prepare(SmartcarCall *call, SmartcarItem *item)
{
	const CommandArguments *arguments = (const CommandArguments *) call->arguments;
	const SmartcarEndpointInfo *info = &smartcar_endpoints[SMARTCAR_ENDPOINT_COMMANDS];
	size_t		length = smartcar_endpoint_path_length(SMARTCAR_ENDPOINT_COMMANDS, item->id) +
		arguments->path.length;
	char	   *path = palloc(length);

	smartcar_span_copy(smartcar_endpoint_path_write(SMARTCAR_ENDPOINT_COMMANDS, item->id, path),
					   arguments->path);
	smartcar_request_begin(call, item, info->method, info->host, smartcar_span(path, length));
	if (arguments->body.data != NULL)
		smartcar_request_body(item, "application/json", arguments->body);
	item->request.kind = SMARTCAR_REQUEST_ONCE;
}

/* Whether the body of a successful response is an error. */
static bool
is_error(const SmartcarApiResponse *response)
{
	JsonbContainer *errors = smartcar_json_array_member(response->json, "errors");
	SmartcarApiError error = {0};

	if (errors != NULL)
		return JsonContainerSize(errors) > 0;
	smartcar_error_parse_object(&error, response->json);
	return error.type.length > 0;
}

/*
 * Status 202 means only that the command takes long.  The body has its result,
 * which may be an error.
 */
static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	bool		is_done = response->status != 202;
	JsonbContainer *data = NULL;
	SmartcarSignal outcome = {0};

	if (response->json != NULL)
		data = smartcar_json_object_member(response->json, "data");
	/* the status of a command has the same format as that of a signal */
	if (data != NULL)
		(void) smartcar_signal_parse(data, &outcome);
	if (outcome.error != NULL)
		smartcar_item_refuse(call, item, response, outcome.error);
	else if (data == NULL && response->json != NULL && is_error(response))
		smartcar_item_refuse(call, item, response, NULL);
	if (outcome.status.data != NULL)
		is_done = smartcar_span_equal_ignoring_case(outcome.status, SMARTCAR_SPAN("SUCCESS"));
	smartcar_item_set_datum(item, 0, BoolGetDatum(is_done));
	return false;
}

static const SmartcarOperation command_v3 = {
	.accepts_empty = true,
	.prepare = prepare,
	.parse = parse
};

static SmartcarSpan
path_argument(FunctionCallInfo fcinfo)
{
	SmartcarSpan command = smartcar_argument_utf8(fcinfo, ARGUMENT_COMMAND);
	SmartcarSpan path;

	if (command.data == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("command must not be null")));
	path = smartcar_span_from_string(psprintf("/%.*s", (int) command.length, command.data));
	if (!smartcar_request_path_valid(path))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid command: \"%s\"",
						smartcar_excerpt(smartcar_argument_span(fcinfo, ARGUMENT_COMMAND))),
				 errdetail("It is what follows \"/commands/\" in the path of Smartcar's API."),
				 errhint("An example is \"charge/start\".")));
	return path;
}

static void
begin(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	CommandArguments *arguments = palloc0(sizeof(CommandArguments));

	if (PG_ARGISNULL(ARGUMENT_USER_ID))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id must not be null")));
	arguments->path = path_argument(fcinfo);
	arguments->body = smartcar_json_argument(fcinfo, ARGUMENT_BODY);
	call->arguments = arguments;
	call->settings.timeout = smartcar_timeout_argument(fcinfo, ARGUMENT_TIMEOUT,
													   call->settings.timeout);
}

static const SmartcarTypedCall command_call = {
	.name = "smartcar_send_command",
	.id_name = "vehicle_id",
	.id_argument = ARGUMENT_VEHICLE_ID,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = ARGUMENT_USER_ID,
	.server_argument = ARGUMENT_SERVER,
	.columns = 1,
	.operations = {NULL, &command_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_NONE, SMARTCAR_AUTHORIZE_APPLICATION},
	.version_hint = "Version 2.0 has other commands, which smartcar_request() can send: "
	"SELECT smartcar_request('POST', '/vehicles/<vehicle_id>/charge', '<access_token>', body => '{\"action\": \"START\"}').",
	.begin = begin
};

Datum
smartcar_send_command(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &command_call);
}
