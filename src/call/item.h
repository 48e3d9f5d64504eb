/*-------------------------------------------------------------------------
 *
 * item.h
 *	  What a call and its items are, and how an item is filled in.
 *
 * A call has an item for each vehicle, owner or path that it is about.  An item
 * makes its requests one after the other, for instance page by page, and the
 * items of a call run side by side.  What the requests are and what becomes of
 * the responses is the business of an operation.
 *
 * src/call/item.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ITEM_H
#define SMARTCAR_ITEM_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "core/endpoint.h"
#include "http/transport.h"
#include "pg/server.h"

#define SMARTCAR_CALL_MAX_COLUMNS	9

/* In bytes; it goes into the head of a request, see item.c. */
#define SMARTCAR_MAX_TOKEN_LENGTH	16384

struct SmartcarCall;
struct SmartcarFailure;
struct SmartcarItem;

/* A response, in the encoding of the database. */
typedef struct SmartcarApiResponse
{
	int			status;
	SmartcarSpan headers;
	SmartcarSpan body;
	JsonbContainer *json;		/* an object; NULL if it need not be one */
} SmartcarApiResponse;

typedef struct SmartcarOperation
{
	/* accepts every response, not only objects with a good status */
	bool		accepts_anything;

	/* accepts a response without a body */
	bool		accepts_empty;

	/* accepts that a DELETE does not find what it is to delete */
	bool		accepts_missing;

	/* accepts that a POST finds what it is to make */
	bool		accepts_existing;

	/* accepts that a GET finds no value, which parse() is to look at */
	bool		accepts_no_value;

	/* describes the next request of an item, by its step */
	void		(*prepare) (struct SmartcarCall *call, struct SmartcarItem *item);

	/*
	 * Parses a response, which is freed afterwards, and returns whether there
	 * is another request to make.
	 */
	bool		(*parse) (struct SmartcarCall *call, struct SmartcarItem *item,
						  const SmartcarApiResponse *response);

	/*
	 * May be NULL.  Adds to the error of an item what its earlier requests
	 * have done.
	 */
	void		(*failed) (struct SmartcarCall *call, struct SmartcarItem *item);
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
	const char *path;			/* its path on that host, for messages */
	StringInfoData url;
	bool		is_done;
	bool		token_refused;	/* the application token was not accepted */

	/* what came of it */
	struct SmartcarFailure *error;	/* NULL: nothing went wrong */
	const struct SmartcarFailure *refusal;	/* said by a response that was
											 * accepted; NULL: nothing */
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

	/*
	 * Replaces credentials that were not accepted before their time, and
	 * returns what went wrong with that, or NULL.  Is NULL where credentials
	 * do not expire.
	 */
	const struct SmartcarFailure *(*renew) (struct SmartcarCall *call);
	void	   *renew_argument;

	/* what must not be seen in any message */
	List	   *secrets;		/* of char * */

	/*
	 * Both may be NULL.  finished() is called for each item that is done,
	 * while its context is still there.  refill() gives an item that is done
	 * something new to be about, if there is something, and may keep that in
	 * the current context; such a call needs no more items than run side by
	 * side, all of them done at its beginning.
	 *
	 * Both may run SQL and commit, in the middle of smartcar_call_run() and
	 * while other requests are on their way.  So nothing that a call points
	 * to may live in the memory of a transaction.
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

extern void smartcar_item_set_id(SmartcarItem *item, SmartcarSpan id, const char *argument);
extern void smartcar_item_set_path(SmartcarItem *item, SmartcarSpan path);
extern void smartcar_item_set_access_token(SmartcarItem *item, SmartcarSpan token);
extern void smartcar_item_set_user_id(SmartcarItem *item, SmartcarSpan user_id);
extern MemoryContext smartcar_item_error_context(const SmartcarCall *call,
												 const SmartcarItem *item);
extern SmartcarSpan smartcar_item_copy(SmartcarItem *item, SmartcarSpan text);
extern void *smartcar_item_state(SmartcarItem *item, Size size);
extern void smartcar_call_add_secret(SmartcarCall *call, const char *secret);

#endif							/* SMARTCAR_ITEM_H */
