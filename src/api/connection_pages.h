/*-------------------------------------------------------------------------
 *
 * connection_pages.h
 *	  Connections: which user has given the application which vehicle.
 *
 * The v3 API has no other list of vehicles or permissions, so several typed
 * calls walk the pages of its connections.
 *
 * src/api/connection_pages.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_PAGES_H
#define SMARTCAR_CONNECTION_PAGES_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "call/call.h"
#include "pg/text_array.h"

/* What either API says about a connection; no data for what it does not say. */
typedef struct SmartcarConnection
{
	SmartcarSpan connection_id;
	SmartcarSpan user_id;
	SmartcarSpan vehicle_id;
	SmartcarSpan external_id;
	SmartcarSpan mode;
	JsonbContainer *permissions;
	SmartcarSpan make;
	SmartcarSpan model;
	int32		year;			/* 0: not known */
	SmartcarSpan powertrain_type;
	SmartcarSpan connected_at;
	SmartcarSpan updated_at;
} SmartcarConnection;

/* Which connections, in UTF-8; no data: whichever. */
typedef struct SmartcarConnectionFilter
{
	SmartcarSpan vehicle_id;
	SmartcarSpan user_id;
	SmartcarSpan external_id;
	SmartcarSpan mode;
} SmartcarConnectionFilter;

/*
 * Notices pages that repeat.  Of all pages that were seen one is remembered, and
 * another one after twice as many, so that a circle of any length is noticed
 * (Brent's algorithm).  Starts as zeros.
 */
typedef struct SmartcarPageTrail
{
	SmartcarSpan mark;			/* of one page that was seen */
	int64		pages;			/* so many were seen */
	int64		renewal;		/* and the mark is replaced after so many */
} SmartcarPageTrail;

/* How far an item has come in the pages of the v3 API; starts as zeros. */
typedef struct SmartcarConnectionWalk
{
	SmartcarConnectionFilter filter;	/* that of the last request */
	bool		must_identify;	/* refuse an entry that lacks an id which the
								 * filter has */
	bool		is_lenient;		/* leave entries without an id to the visitor */
	int			page;			/* the one that was requested last */
	int			first_count;	/* connections on the first page */
	int			count;			/* on the last page */
	int64		listed;			/* on all pages of this walk */
	int32		total;			/* that Smartcar says there are; 0: it does
								 * not say */
	int32		page_size;		/* likewise, on a page */
	bool		has_next;		/* the last page has a link to another one */
	SmartcarSpan first_id;		/* the first one of the last page */
	SmartcarPageTrail trail;
} SmartcarConnectionWalk;

typedef void (*SmartcarConnectionVisitor) (SmartcarCall *call, SmartcarItem *item,
										   const SmartcarConnection *connection);

/*
 * A deletion.  The v3 API deletes one connection at a time, so that they are
 * listed first.  It is the first member of what an item has gathered.
 */
typedef struct SmartcarConnectionDeletion
{
	SmartcarConnectionWalk walk;
	SmartcarTextList ids;
	int			deleted;
	SmartcarConnectionVisitor visit;	/* called for each; may be NULL */
} SmartcarConnectionDeletion;

extern bool smartcar_page_is_new(SmartcarCall *call, SmartcarItem *item,
								 SmartcarPageTrail *trail, MemoryContext context,
								 SmartcarSpan mark);
extern bool smartcar_connection_matches(const SmartcarConnection *connection,
										const SmartcarConnectionFilter *filter);
extern void smartcar_connections_ask(SmartcarCall *call, SmartcarItem *item,
									 SmartcarConnectionWalk *walk,
									 const SmartcarConnectionFilter *filter);
extern bool smartcar_connections_parse(SmartcarCall *call, SmartcarItem *item,
									   SmartcarConnectionWalk *walk,
									   const SmartcarApiResponse *response,
									   SmartcarConnectionVisitor visit);
extern void smartcar_deletion_ask(SmartcarCall *call, SmartcarItem *item);
extern bool smartcar_deletion_parse(SmartcarCall *call, SmartcarItem *item,
									const SmartcarApiResponse *response);
extern void smartcar_deletion_failed(SmartcarCall *call, SmartcarItem *item);
extern void smartcar_managed_deletion_ask(SmartcarCall *call, SmartcarItem *item);
extern void smartcar_connection_read_v2(JsonbContainer *object, SmartcarConnection *connection);

extern SmartcarConnectionFilter smartcar_item_filter(const SmartcarCall *call,
													 const SmartcarItem *item);

#endif							/* SMARTCAR_CONNECTION_PAGES_H */
