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

/* All pages were read, but connections that were on none of them were not checked yet. */
#define SMARTCAR_AFTER_LAST_PAGE	(-1)

/*
 * A round ends when all connections are listed and, if wanted, their details are read.
 * This may take several runs.
 */
typedef struct SmartcarSyncRound
{
	TimestampTz details_began_at;	/* details that are older are still to be
									 * read; DT_NOEND: none are */
	TimestampTz list_began_at;	/* DT_NOEND: there is no list */
	int			next_page;		/* 0: the list has ended (v3) */
	const char *last_user_id;	/* the next run continues after this user;
								 * NULL: with the first (v2.0) */
} SmartcarSyncRound;

extern void smartcar_sync_round_read(const SmartcarServer *server, SmartcarSyncRound *round);
extern void smartcar_sync_round_store(const SmartcarServer *server,
									  const SmartcarSyncRound *round);

#endif							/* SMARTCAR_SYNC_ROUND_H */
