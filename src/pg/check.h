/*-------------------------------------------------------------------------
 *
 * check.h
 *	  Checks for options and arguments, which raise errors.
 *
 * src/pg/check.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_CHECK_H
#define SMARTCAR_CHECK_H

#include "postgres.h"

#include "fmgr.h"

#include "core/span.h"

/* Browsers and servers do not accept longer links. */
#define SMARTCAR_LINK_MAX_LENGTH	32768

extern text *smartcar_allocate_link(size_t length);
extern void smartcar_check_client_id(SmartcarSpan id);
extern void smartcar_check_mode(SmartcarSpan mode);
extern void smartcar_check_redirect_uri(SmartcarSpan uri);
extern int64 smartcar_limit_argument(FunctionCallInfo fcinfo, int argument, const char *name,
									 int64 default_limit);

#endif							/* SMARTCAR_CHECK_H */
