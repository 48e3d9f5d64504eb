/*-------------------------------------------------------------------------
 *
 * server_link.h
 *	  Builds links from the options of a server.
 *
 * src/pg/server_link.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SERVER_LINK_H
#define SMARTCAR_SERVER_LINK_H

#include "postgres.h"

#include "core/link.h"
#include "pg/server.h"

extern const char *smartcar_server_link(const SmartcarServer *server, SmartcarLinkKind kind,
										SmartcarSpan external_id, SmartcarSpan vehicle_id);

#endif							/* SMARTCAR_SERVER_LINK_H */
