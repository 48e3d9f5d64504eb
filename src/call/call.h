/*-------------------------------------------------------------------------
 *
 * call.h
 *	  Calls to Smartcar, about one vehicle or about many.
 *
 * This is the main header of src/call.  What lives in this folder: the functions
 * that ask Smartcar something, the tokens that they need, and what becomes of
 * its errors.  What must not live here: libcurl (src/http has it), SQL statements
 * and tables (src/manager).
 *
 * A call has an item for each vehicle, owner or path that it is about.  An item
 * makes its requests one after the other, for instance page by page, and the
 * items of a call run side by side.  What the requests are and what becomes of
 * the answers is the business of an operation; everything else is done here
 * and in answer.c, call_error.c, call_request.c and call_result.c.
 *
 * src/call/call.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CALL_H
#define SMARTCAR_CALL_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "call/failure.h"
#include "core/endpoint.h"
#include "http/transport.h"
#include "pg/server.h"

#define SMARTCAR_CALL_MAX_COLUMNS	9

struct SmartcarCall;
struct SmartcarItem;

/* An answer, in the encoding of the database. */
typedef struct SmartcarApiResponse
{
	int			status;
	SmartcarSpan headers;
	SmartcarSpan body;
	JsonbContainer *json;		/* an object; NULL if it need not be one */
} SmartcarApiResponse;

typedef struct SmartcarOperation
{
	/* what answers it takes: objects with a good status, or anything */
	bool		takes_anything;

	/* whether an answer without a body will do */
	bool		takes_nothing;

	/* whether what a DELETE does not find is as good as deleted */
	bool		takes_missing;

	/* describes the next request of an item, by its step */
	void		(*prepare) (struct SmartcarCall *call, struct SmartcarItem *item);

	/*
	 * Takes an answer, which is gone afterwards, and returns whether there is
	 * another request to make.
	 */
	bool		(*take) (struct SmartcarCall *call, struct SmartcarItem *item,
						 const SmartcarApiResponse *answer);
} SmartcarOperation;

typedef struct SmartcarItem
{
	SmartcarRequest request;	/* must be first */

	/* what it is about, in UTF-8; no data where there is none */
	SmartcarSpan id;
	SmartcarSpan access_token;
	SmartcarSpan user_id;

	/* what is done about it; that of the call, unless somebody sets another */
	const SmartcarOperation *operation;

	/*
	 * what the operation was given for this item alone, and what of it is
	 * secret
	 */
	void	   *arguments;
	const char *secret;			/* NULL: nothing */

	/* its progress; everything but what the columns hold is in context */
	MemoryContext context;
	int			step;			/* the operation's own count */
	void	   *gathered;		/* the operation's own data */
	SmartcarHost host;			/* where its request goes */
	const char *path;			/* the same, for messages */
	StringInfoData url;
	bool		is_done;
	bool		token_refused;	/* the application token was not accepted */

	/* what came of it */
	SmartcarFailure *error;		/* NULL: nothing went wrong */
	Datum		values[SMARTCAR_CALL_MAX_COLUMNS];
	bool		nulls[SMARTCAR_CALL_MAX_COLUMNS];
} SmartcarItem;

typedef struct SmartcarCall
{
	SmartcarRequestSource source;	/* must be first */
	SmartcarServer *server;
	SmartcarApiVersion version;
	void	   *arguments;		/* of the operation, for all items */
	SmartcarHttpSettings settings;
	MemoryContext context;		/* of the results */

	/* who makes the requests of the items without a token of their own */
	SmartcarAuthorization authorization;
	SmartcarSpan credentials;	/* "Basic ..." or "Bearer ..." */

	/* what must not be seen in any message */
	List	   *secrets;		/* of char * */

	/*
	 * Both may be NULL.  finished() is told about each item that is done,
	 * while its context is still there.  refill() gives an item that is done
	 * something new to be about, if there is something, and may keep that in
	 * the current context; such a call needs no more items than run side by
	 * side, all of them done at its beginning.
	 */
	void		(*finished) (struct SmartcarCall *call, SmartcarItem *item);
	bool		(*refill) (struct SmartcarCall *call, SmartcarItem *item);

	SmartcarItem *items;
	int			item_count;
	int			next_item;

	/* of the application token, see token_was_refused() */
	int			refused_tokens; /* items whose token was not accepted */
	int			refused_in_row; /* of them, since one was accepted */
	bool		token_is_new;	/* replaces one that was refused, untried */
} SmartcarCall;

extern void smartcar_call_begin(SmartcarCall *call, SmartcarServer *server,
								const SmartcarOperation *operation, int item_count);
extern void smartcar_call_authorize(SmartcarCall *call, SmartcarAuthorization authorization);
extern void smartcar_call_run(SmartcarCall *call);

extern void smartcar_item_set_id(SmartcarItem *item, SmartcarSpan id, const char *argument);
extern void smartcar_item_set_path(SmartcarItem *item, SmartcarSpan path);
extern void smartcar_item_set_access_token(SmartcarCall *call, SmartcarItem *item,
										   SmartcarSpan token);
extern void smartcar_item_set_user_id(SmartcarItem *item, SmartcarSpan user_id);
extern MemoryContext smartcar_item_error_context(const SmartcarCall *call,
												 const SmartcarItem *item);
extern SmartcarSpan smartcar_item_keep(SmartcarItem *item, SmartcarSpan text);
extern void *smartcar_item_state(SmartcarItem *item, Size size);
extern bool smartcar_item_read_response(SmartcarCall *call, SmartcarItem *item,
										const SmartcarResponse *response,
										SmartcarApiResponse *answer);
extern void smartcar_item_refuse(SmartcarCall *call, SmartcarItem *item,
								 const SmartcarApiResponse *answer, JsonbContainer *object);
extern void smartcar_item_fail(SmartcarCall *call, SmartcarItem *item, const char *reason);

#endif							/* SMARTCAR_CALL_H */
