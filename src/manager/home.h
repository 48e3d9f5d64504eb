/*-------------------------------------------------------------------------
 *
 * home.h
 *	  The owner and the schema of the extension.
 *
 * src/manager/home.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_HOME_H
#define SMARTCAR_HOME_H

#include "postgres.h"

/* Enough for a quoted name. */
#define SMARTCAR_QUOTED_NAME_SIZE	(2 * NAMEDATALEN + 3)

typedef struct SmartcarHome
{
	Oid			owner;
	char		schema[SMARTCAR_QUOTED_NAME_SIZE];
} SmartcarHome;

extern SmartcarHome smartcar_home(void);

#endif							/* SMARTCAR_HOME_H */
