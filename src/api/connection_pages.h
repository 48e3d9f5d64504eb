/*-------------------------------------------------------------------------
 *
 * connection_pages.h
 *	  Lists and deletes connections, page by page.
 *
 * The v3 API has no other list of vehicles or permissions, so several calls list
 * connections.
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

/* A connection of either API; no data for missing members. */
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
	int32		year;			/* 0 if it is unknown */
	SmartcarSpan powertrain_type;
	SmartcarSpan connected_at;
	SmartcarSpan updated_at;
} SmartcarConnection;

/* A filter, in UTF-8; no data matches any value. */
typedef struct SmartcarConnectionFilter
{
	SmartcarSpan vehicle_id;
	SmartcarSpan user_id;
	SmartcarSpan external_id;
	SmartcarSpan mode;
} SmartcarConnectionFilter;

/*
 * Detects repeated pages, with Brent's algorithm: it keeps the mark of one page,
 * and replaces it each time the number of pages has doubled, so that it detects
 * a cycle of any length.  Starts as zeros.
 */
typedef struct SmartcarPageCycle
{
	SmartcarSpan mark;			/* of one page */
	int64		pages;			/* number of pages so far */
	int64		renewal;		/* the number of pages at which the mark is
								 * replaced */
} SmartcarPageCycle;

/* The progress of an item in the pages of the v3 API.  Starts as zeros. */
typedef struct SmartcarConnectionPages
{
	SmartcarConnectionFilter filter;	/* of the last request */
	bool		must_identify;	/* connections must have the ids of the filter */
	bool		is_lenient;		/* connections without an id are not an error */
	int			page;			/* the last one that was parsed */
	int			first_count;	/* number of connections on the first page */
	int			count;			/* number of connections on the last page */
	int64		listed;			/* number of connections on all pages */
	int32		total;			/* Smartcar's number of all connections; 0 if
								 * it is unknown */
	int32		page_size;		/* Smartcar's size of a page; 0 if it is
								 * unknown */
	bool		has_next;		/* the last page has a link to the next */
	SmartcarSpan first_id;		/* of the first connection on the last page */
	SmartcarPageCycle cycle;
} SmartcarConnectionPages;

typedef void (*SmartcarConnectionVisitor) (SmartcarCall *call, SmartcarItem *item,
										   const SmartcarConnection *connection);

/*
 * A deletion.  The v3 API deletes one connection at a time, so they are listed
 * first.  This is the first member of the item's operation data.
 */
typedef struct SmartcarConnectionDeletion
{
	SmartcarConnectionPages pages;
	SmartcarTextList ids;
	int			deleted;
	SmartcarConnectionVisitor visit;	/* called for each connection; may be
										 * NULL */
} SmartcarConnectionDeletion;

extern bool smartcar_page_is_new(SmartcarCall *call, SmartcarItem *item,
								 SmartcarPageCycle *cycle, MemoryContext context,
								 SmartcarSpan mark);
extern bool smartcar_connection_matches(const SmartcarConnection *connection,
										const SmartcarConnectionFilter *filter);
extern void smartcar_connections_prepare(SmartcarCall *call, SmartcarItem *item,
										 SmartcarConnectionPages *pages,
										 const SmartcarConnectionFilter *filter);
extern bool smartcar_connections_parse(SmartcarCall *call, SmartcarItem *item,
									   SmartcarConnectionPages *pages,
									   const SmartcarApiResponse *response,
									   SmartcarConnectionVisitor visit);
extern void smartcar_deletion_prepare(SmartcarCall *call, SmartcarItem *item);
extern bool smartcar_deletion_parse(SmartcarCall *call, SmartcarItem *item,
									const SmartcarApiResponse *response);
extern void smartcar_deletion_failed(SmartcarCall *call, SmartcarItem *item);
extern void smartcar_managed_deletion_prepare(SmartcarCall *call, SmartcarItem *item);
extern void smartcar_connection_parse_v2(JsonbContainer *object, SmartcarConnection *connection);

extern SmartcarConnectionFilter smartcar_item_filter(const SmartcarCall *call,
													 const SmartcarItem *item);

#endif							/* SMARTCAR_CONNECTION_PAGES_H */
