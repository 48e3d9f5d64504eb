/*-------------------------------------------------------------------------
 *
 * expired.h
 *	  Deletes rows that have expired, at the end of a job.
 *
 * src/manager/expired.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_EXPIRED_H
#define SMARTCAR_EXPIRED_H

#include "postgres.h"

#include "pg/server.h"

extern void smartcar_expired_rows_delete(const SmartcarServer *server);

#endif							/* SMARTCAR_EXPIRED_H */
