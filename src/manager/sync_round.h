/*-------------------------------------------------------------------------
 *
 * sync_round.h
 *	  Statements on the table smartcar_tesla.sync_round: where a synchronization
 *	  stopped.
 *
 * src/manager/sync_round.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SYNC_ROUND_H
#define SMARTCAR_SYNC_ROUND_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "pg/server.h"

/* All pages have come, but what was on none of them was not looked for yet. */
#define SMARTCAR_AFTER_LAST_PAGE	(-1)

/*
 * A round ends when every connection was listed and asked about, which may take
 * several runs.
 */
typedef struct SmartcarSyncRound
{
	TimestampTz details_began_at;	/* vehicles that were not asked about
									 * since are still to come; DT_NOEND: no
									 * details are open */
	TimestampTz list_began_at;	/* DT_NOEND: there was no list */
	int			next_page;		/* 0: nothing is left to do with the list (v3) */
	const char *last_user_id;	/* whom to go on after; NULL: nobody (v2.0) */
} SmartcarSyncRound;

extern void smartcar_sync_round_read(const SmartcarServer *server, SmartcarSyncRound *round);
extern void smartcar_sync_round_store(const SmartcarServer *server,
									  const SmartcarSyncRound *round);

#endif							/* SMARTCAR_SYNC_ROUND_H */
