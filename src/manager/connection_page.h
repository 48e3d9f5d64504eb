/*-------------------------------------------------------------------------
 *
 * connection_page.h
 *	  Connections of a v3 list, collected by an item and stored together.
 *
 * src/manager/connection_page.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CONNECTION_PAGE_H
#define SMARTCAR_CONNECTION_PAGE_H

#include "postgres.h"

#include "api/connection_pages.h"
#include "manager/connection_sync.h"

typedef struct SmartcarPageRow
{
	SmartcarSpan vehicle_id;
	Datum		values[SMARTCAR_PAGE_COLUMNS];
	bool		nulls[SMARTCAR_PAGE_COLUMNS];
	bool		is_left_out;	/* must not be stored */
} SmartcarPageRow;

/* The connections that an item has collected.  Initialized with zeros. */
typedef struct SmartcarConnectionPage
{
	SmartcarConnectionPages pages;	/* must be first */
	const char *external_id;	/* used if the list has none; may be NULL */
	TimestampTz requested_at;
	SmartcarPageRow *rows;
	int			count;
	int			allocated;
	int			unusable;		/* connections whose ids cannot be used */
} SmartcarConnectionPage;

static inline SmartcarConnectionPage *
smartcar_item_page(const SmartcarItem *item)
{
	return (SmartcarConnectionPage *) item->operation_state;
}

extern void smartcar_page_prepare(SmartcarCall *call, SmartcarItem *item);
extern void smartcar_page_add(SmartcarCall *call, SmartcarItem *item,
							  const SmartcarConnection *connection);
extern void smartcar_page_insert(const SmartcarServer *server, const SmartcarPageRow *rows,
								 int count, TimestampTz requested_at);
extern int	smartcar_page_store(const SmartcarServer *server, const SmartcarConnectionPage *page);
extern void smartcar_warn_of_unusable(int64 count);

#endif							/* SMARTCAR_CONNECTION_PAGE_H */
