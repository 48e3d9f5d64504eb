/*-------------------------------------------------------------------------
 *
 * retry.h
 *	  Decides whether and when a request is sent again.
 *
 * src/http/retry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_RETRY_H
#define SMARTCAR_RETRY_H

#include "http/transport.h"

#define SMARTCAR_NO_RETRY	(-1)

extern bool smartcar_retry_after(SmartcarSpan headers, int64 *seconds);
extern int	smartcar_retry_delay(const SmartcarRequest *request,
								 const SmartcarResponse *response);

#endif							/* SMARTCAR_RETRY_H */
