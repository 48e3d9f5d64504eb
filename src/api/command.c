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
	VEHICLE_ID_ARGUMENT,
	USER_ID_ARGUMENT,
	COMMAND_ARGUMENT,
	BODY_ARGUMENT,
	TIMEOUT_ARGUMENT,
	SERVER_ARGUMENT
};

typedef struct CommandArguments
{
	SmartcarSpan path;			/* below that of all commands, with its slash */
	SmartcarSpan body;			/* no data: none */
} CommandArguments;

/*
 * A vehicle that is locked twice may be one that somebody has unlocked in between,
 * so the request is never sent again.
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

/* Whether a body is an error, as that of a good response can be. */
static bool
is_error(const SmartcarApiResponse *response)
{
	JsonbContainer *errors = smartcar_json_array_member(response->json, "errors");
	SmartcarApiError error = {0};

	if (errors != NULL)
		return JsonContainerSize(errors) > 0;
	smartcar_error_read_object(&error, response->json);
	return error.type.length > 0;
}

/*
 * A status of 202 only says that the command takes long.  What has come of it
 * stands in the body, an error included.
 */
static bool
parse(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	bool		is_done = response->status != 202;
	JsonbContainer *data = NULL;
	SmartcarSignal outcome = {0};

	if (response->json != NULL)
		data = smartcar_json_object_member(response->json, "data");
	/* a command has a status of the same form as a signal */
	if (data != NULL)
		(void) smartcar_signal_read(data, &outcome);
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

/* A command as a path, such as "/charge/start". */
static SmartcarSpan
path_argument(FunctionCallInfo fcinfo)
{
	SmartcarSpan command = smartcar_argument_utf8(fcinfo, COMMAND_ARGUMENT);
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
						smartcar_excerpt(smartcar_argument_span(fcinfo, COMMAND_ARGUMENT))),
				 errdetail("It is what follows \"/commands/\" in the path of Smartcar's API."),
				 errhint("An example is \"charge/start\".")));
	return path;
}

static void
begin(FunctionCallInfo fcinfo, SmartcarCall *call)
{
	CommandArguments *arguments = palloc0(sizeof(CommandArguments));

	if (PG_ARGISNULL(USER_ID_ARGUMENT))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id must not be null")));
	arguments->path = path_argument(fcinfo);
	arguments->body = smartcar_json_argument(fcinfo, BODY_ARGUMENT);
	call->arguments = arguments;
	call->settings.timeout = smartcar_timeout_argument(fcinfo, TIMEOUT_ARGUMENT,
													   call->settings.timeout);
}

static const SmartcarTypedCall command_call = {
	.name = "smartcar_send_command",
	.id_name = "vehicle_id",
	.id_argument = VEHICLE_ID_ARGUMENT,
	.access_token_argument = SMARTCAR_NO_ARGUMENT,
	.user_id_argument = USER_ID_ARGUMENT,
	.server_argument = SERVER_ARGUMENT,
	.columns = 1,
	.operations = {NULL, &command_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_NOT, SMARTCAR_AUTHORIZE_APPLICATION},
	.version_hint = "Version 2.0 has other commands, which smartcar_request() can send: "
	"SELECT smartcar_request('POST', '/vehicles/<vehicle_id>/charge', '<access_token>', body => '{\"action\": \"START\"}').",
	.begin = begin
};

Datum
smartcar_send_command(PG_FUNCTION_ARGS)
{
	return smartcar_call_one(fcinfo, &command_call);
}
