/*-------------------------------------------------------------------------
 *
 * secret_file.h
 *	  Files that hold secrets: which of them are read.
 *
 * src/pg/secret_file.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SECRET_FILE_H
#define SMARTCAR_SECRET_FILE_H

#include "postgres.h"

extern char *smartcar_read_secret_file(const char *path);

#endif							/* SMARTCAR_SECRET_FILE_H */
