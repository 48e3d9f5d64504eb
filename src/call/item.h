/*-------------------------------------------------------------------------
 *
 * item.h
 *	  Calls and their items.
 *
 * A call has an item for each vehicle, user or path.  An item makes its requests
 * one after the other, for instance page by page; the items of a call run in
 * parallel.  An operation defines the requests of an item and parses their
 * responses.
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

/* In bytes.  A token is part of the headers, see MAX_PATH_LENGTH. */
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
	JsonbContainer *json;		/* an object; NULL if the operation accepts a
								 * response without one */
} SmartcarApiResponse;

typedef struct SmartcarOperation
{
	/* accepts any status and any body, not only success with a JSON object */
	bool		accepts_anything;

	/* accepts a response without a body */
	bool		accepts_empty;

	/* accepts 404 for a DELETE: the resource does not exist */
	bool		accepts_missing;

	/* accepts 409 for a POST: the resource exists already */
	bool		accepts_existing;

	/* accepts 404: there may be no value, which parse() checks */
	bool		accepts_no_value;

	/* prepares the next request of an item, which depends on its step */
	void		(*prepare) (struct SmartcarCall *call, struct SmartcarItem *item);

	/*
	 * Parses a response, which is freed afterwards, and returns whether the
	 * item has another request.
	 */
	bool		(*parse) (struct SmartcarCall *call, struct SmartcarItem *item,
						  const SmartcarApiResponse *response);

	/*
	 * May be NULL.  Adds to the error of an item what its earlier requests
	 * have changed.
	 */
	void		(*failed) (struct SmartcarCall *call, struct SmartcarItem *item);
} SmartcarOperation;

typedef struct SmartcarItem
{
	SmartcarRequest request;	/* must be first */

	/* in UTF-8; no data if there is none */
	SmartcarSpan id;			/* of a vehicle, or a path */
	SmartcarSpan access_token;
	SmartcarSpan user_id;

	/* that of the call, unless the caller sets another one */
	const SmartcarOperation *operation;

	/* of the operation, for this item only */
	void	   *arguments;
	const char *secret;			/* the secret in arguments, or NULL */

	/* its progress; all of it except the columns is in context */
	MemoryContext context;
	int			step;			/* for the operation */
	void	   *operation_state;	/* data of the operation */
	SmartcarHost host;			/* of the current request */
	const char *path;			/* of the current request, for messages */
	StringInfoData url;
	bool		is_done;
	bool		token_refused;	/* the application token was not accepted */

	/* its result */
	struct SmartcarFailure *error;	/* NULL: it succeeded */
	const struct SmartcarFailure *refusal;	/* the error in an accepted
											 * response, or NULL */
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
	MemoryContext response_context; /* freed after each response */
	Size		kept_memory;	/* but for a block of this size */

	/* for the items without an access token */
	SmartcarAuthorization authorization;
	SmartcarSpan credentials;	/* "Basic ..." or "Bearer ..." */

	/*
	 * Replaces credentials that were refused.  Returns the failure, or NULL.
	 * It is NULL if the credentials cannot be replaced.
	 */
	const struct SmartcarFailure *(*renew) (struct SmartcarCall *call);
	void	   *renew_argument;

	/* are redacted in all messages */
	List	   *secrets;		/* of char * */

	/*
	 * Both may be NULL.  finished() is called for each item that is done,
	 * before its context is deleted.  refill() fills in an item again that is
	 * done, in the current memory context, or returns false if there is
	 * nothing more.
	 *
	 * Both may run SQL and commit, while smartcar_call_run() and other
	 * requests are running.  So nothing that a call points to may live in the
	 * memory of a transaction.
	 */
	void		(*finished) (struct SmartcarCall *call, SmartcarItem *item);
	bool		(*refill) (struct SmartcarCall *call, SmartcarItem *item);

	SmartcarItem *items;
	int			item_count;
	int			next_item;

	/* for the application token, see token_was_refused() */
	int			refused_tokens; /* number of items whose token was refused */
	int			refused_in_row; /* since a token was accepted */
	bool		token_is_new;	/* it replaces a refused one, and was not
								 * accepted yet */
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
