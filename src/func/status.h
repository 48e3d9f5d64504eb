/*-------------------------------------------------------------------------
 *
 * status.h
 *	  Chooses the action that a connection needs.
 *
 * src/func/status.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_STATUS_H
#define SMARTCAR_STATUS_H

#include "postgres.h"

#include "core/error.h"
#include "pg/server.h"

/* The known facts about a connection; NULL or no data if they are unknown. */
typedef struct SmartcarConnectionFacts
{
	bool		is_disconnected;
	SmartcarAction error_action;	/* SMARTCAR_ACTION_UNKNOWN: no error */
	struct varlena *granted_scopes; /* a text[] */
	struct varlena *tesla_scopes;	/* a text[] */
	SmartcarSpan access_type;
	SmartcarSpan make;
	SmartcarSpan model;
	int			year;			/* or SMARTCAR_NO_YEAR */
	bool		is_unpaired;	/* it is known to have no virtual key */
} SmartcarConnectionFacts;

extern SmartcarAction smartcar_connection_action(const SmartcarServer *server,
												 const SmartcarConnectionFacts *facts);

#endif							/* SMARTCAR_STATUS_H */
