/*-------------------------------------------------------------------------
 *
 * callback_user.c
 *	  Verifies the user_id of a v3 callback.
 *
 * src/api/callback_user.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/callback_user.h"

#include "api/connection_pages.h"
#include "call/authorization.h"
#include "pg/text.h"

/* The arguments and the result of the call. */
typedef struct UserCheck
{
	SmartcarConnectionFilter filter;
	SmartcarSpan external_id;	/* in the encoding of the database */
	bool		is_known;
} UserCheck;

static void
prepare_check(SmartcarCall *call, SmartcarItem *item)
{
	SmartcarConnectionPages pages = {0};

	smartcar_connections_prepare(call, item, &pages, &((UserCheck *) item->arguments)->filter);
}

static void
check_connection(SmartcarCall *call, SmartcarItem *item, const SmartcarConnection *connection)
{
	UserCheck  *check = (UserCheck *) item->arguments;

	/*
	 * A connection without an external_id proves nothing: if Smartcar ignored
	 * the filter, it may be anybody's.
	 */
	if (smartcar_span_equal(connection->user_id, item->user_id) &&
		connection->external_id.data != NULL &&
		smartcar_span_equal(connection->external_id, check->external_id))
		check->is_known = true;
}

static bool
parse_check(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *response)
{
	SmartcarConnectionPages pages = {0};

	(void) smartcar_connections_parse(call, item, &pages, response, check_connection);
	return false;
}

/*
 * Whether Smartcar has a connection of a user with an external_id.  Only the first
 * page is checked.
 */
bool
smartcar_is_known_user(SmartcarServer *server, const char *user_id, const char *external_id)
{
	static const SmartcarOperation operation = {
		.prepare = prepare_check,
		.parse = parse_check
	};
	UserCheck	check = {0};
	SmartcarCall call;

	smartcar_call_begin(&call, server, &operation, 1);
	smartcar_item_set_user_id(&call.items[0], smartcar_span_from_string(user_id));
	check.filter = smartcar_item_filter(&call, &call.items[0]);
	check.filter.external_id = smartcar_utf8_from_bytes(external_id, (int) strlen(external_id));
	check.external_id = smartcar_span_from_string(external_id);
	call.items[0].arguments = &check;
	smartcar_call_authorize(&call, SMARTCAR_AUTHORIZE_APPLICATION);
	smartcar_call_run(&call);
	if (call.items[0].error != NULL)
		smartcar_failure_raise(call.items[0].error);
	return check.is_known;
}
