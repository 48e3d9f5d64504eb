/*-------------------------------------------------------------------------
 *
 * place.h
 *	  Where a server may be used: in one database of one cluster.
 *
 * src/pg/place.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PLACE_H
#define SMARTCAR_PLACE_H

#include "pg/server.h"

extern const char *smartcar_place(void);
extern void smartcar_check_place(const SmartcarServer *server);

#endif							/* SMARTCAR_PLACE_H */
