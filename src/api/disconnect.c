/*-------------------------------------------------------------------------
 *
 * disconnect.c
 *	  The call that takes one vehicle away from the application.
 *
 * src/api/disconnect.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "call/request.h"
#include "api/sql_function.h"
#include "api/connection_pages.h"


/*
 * An owner's token takes the vehicle from that owner, but the management token
 * from every one of them, and there is no header for one user as in v3.
 */
static void
prepare_v2(SmartcarCall *call, SmartcarItem *item)
{
	if (item->access_token.data == NULL && item->user_id.data != NULL)
		smartcar_managed_deletion_ask(call, item);
	else
		smartcar_request_endpoint(call, item, SMARTCAR_ENDPOINT_DISCONNECT, item->id);
}

static bool
take_v2(SmartcarCall *call, SmartcarItem *item, const SmartcarApiResponse *answer)
{
	return false;
}

static const SmartcarOperation disconnect_v2 = {
	.takes_nothing = true,
	.prepare = prepare_v2,
	.take = take_v2
};

static void
prepare_v3(SmartcarCall *call, SmartcarItem *item)
{
	smartcar_item_state(item, sizeof(SmartcarConnectionDeletion));
	smartcar_deletion_ask(call, item);
}

static const SmartcarOperation disconnect_v3 = {
	.takes_nothing = true,
	.takes_missing = true,
	.prepare = prepare_v3,
	.take = smartcar_deletion_parse
};

const SmartcarTypedCall smartcar_disconnect_call = {
	.name = "smartcar_disconnect",
	SMARTCAR_VEHICLE_ARGUMENTS,
	.columns = 0,
	.operations = {&disconnect_v2, &disconnect_v3},
	.authorizations = {SMARTCAR_AUTHORIZE_OWNER_OR_MANAGEMENT, SMARTCAR_AUTHORIZE_APPLICATION}
};
