/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  The secrets of a user mapping.
 *
 * src/pg/secret.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SECRET_H
#define SMARTCAR_SECRET_H

#include "postgres.h"

#include "pg/server.h"

extern char *smartcar_read_secret_file(const char *path);
extern const char *smartcar_optional_secret(SmartcarServer *server, SmartcarOption option);
extern const char *smartcar_secret(SmartcarServer *server, SmartcarOption option,
								   const char *argument);

#endif							/* SMARTCAR_SECRET_H */
