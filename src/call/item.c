/*-------------------------------------------------------------------------
 *
 * item.c
 *	  Fills in the items of a call.
 *
 * src/call/item.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "call/item.h"

#include "pg/text.h"

/*
 * Paths, ids and tokens become part of the headers of a request, for which
 * libcurl has a buffer of 1 MB.  If that is full, libcurl reports only that it is
 * out of memory.
 */
#define MAX_PATH_LENGTH		2048

static void
check_length(SmartcarSpan value, const char *argument, size_t limit)
{
	if (value.length > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s is too long", argument),
				 errdetail("It has %zu bytes, and the limit is %zu bytes.",
						   value.length, limit)));
}

/*
 * Raises an error if a value cannot be part of a header.  The value is not shown,
 * because it may be a token.
 */
static void
check_header_value(SmartcarSpan value, const char *argument)
{
	if (!smartcar_span_is_visible(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argument),
				 errdetail("It must consist of visible ASCII characters without spaces.")));
}

void
smartcar_item_set_id(SmartcarItem *item, SmartcarSpan id, const char *argument)
{
	check_length(id, argument, SMARTCAR_MAX_ID_LENGTH);

	/* some servers decode an encoded slash before they split the path */
	if (!smartcar_path_segment_valid(id) || memchr(id.data, '/', id.length) != NULL ||
		memchr(id.data, '\\', id.length) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s: \"%s\"", argument, smartcar_excerpt(id))));
	item->id = smartcar_utf8_from_bytes(id.data, (int) id.length);
}

/*
 * Sets the id to the path of an endpoint.
 */
void
smartcar_item_set_path(SmartcarItem *item, SmartcarSpan path)
{
	check_length(path, "path", MAX_PATH_LENGTH);
	if (!smartcar_request_path_valid(path))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid path: \"%s\"", smartcar_excerpt(path)),
				 errdetail("A path begins with \"/\", consists of visible ASCII characters, and has neither a query, nor a fragment, nor an encoded slash, nor empty segments, \".\" or \"..\"."),
				 errhint("Pass parameters in the argument \"query\". The version of the API is not part of the path.")));
	item->id = path;
}

void
smartcar_item_set_access_token(SmartcarItem *item, SmartcarSpan token)
{
	check_header_value(token, "access_token");
	check_length(token, "access_token", SMARTCAR_MAX_TOKEN_LENGTH);
	item->access_token = token;
}

void
smartcar_item_set_user_id(SmartcarItem *item, SmartcarSpan user_id)
{
	check_header_value(user_id, "user_id");
	check_length(user_id, "user_id", SMARTCAR_MAX_ID_LENGTH);
	item->user_id = user_id;
}

/*
 * The memory context for the error of an item: that of the call, unless the item
 * may be refilled.
 */
MemoryContext
smartcar_item_error_context(const SmartcarCall *call, const SmartcarItem *item)
{
	return call->refill != NULL ? item->context : call->context;
}

/*
 * A copy of a text, in the memory context of the item.
 */
SmartcarSpan
smartcar_item_copy(SmartcarItem *item, SmartcarSpan text)
{
	char	   *copy;

	if (text.data == NULL)
		return text;

	copy = MemoryContextAlloc(item->context, text.length + 1);
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	return smartcar_span(copy, text.length);
}

/*
 * The data of the operation, in the memory context of the item.  Starts as zeros.
 */
void *
smartcar_item_state(SmartcarItem *item, Size size)
{
	if (item->operation_state == NULL)
		item->operation_state = MemoryContextAllocZero(item->context, size);
	return item->operation_state;
}

/*
 * Adds a text that is redacted in all messages of the call.
 */
void
smartcar_call_add_secret(SmartcarCall *call, const char *secret)
{
	MemoryContext old_context = MemoryContextSwitchTo(call->context);

	if (secret[0] != '\0')
		call->secrets = lappend(call->secrets, pstrdup(secret));
	MemoryContextSwitchTo(old_context);
}
