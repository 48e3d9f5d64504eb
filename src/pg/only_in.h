/*-------------------------------------------------------------------------
 *
 * only_in.h
 *	  The option "only_in": the one database in which a server may be used.
 *
 * src/pg/only_in.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ONLY_IN_H
#define SMARTCAR_ONLY_IN_H

#include "pg/server.h"

extern const char *smartcar_current_database(void);
extern void smartcar_check_only_in(const SmartcarServer *server);

#endif							/* SMARTCAR_ONLY_IN_H */
