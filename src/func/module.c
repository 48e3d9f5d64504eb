/*-------------------------------------------------------------------------
 *
 * module.c
 *	  Initializes the library when it is loaded.
 *
 * src/func/module.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "pg/compat.h"
#include "pg/server.h"

SMARTCAR_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	smartcar_server_init();
	MarkGUCPrefixReserved("smartcar_tesla");
}
