/*-------------------------------------------------------------------------
 *
 * header.h
 *	  The header lines of a response.
 *
 * src/http/header.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_HEADER_H
#define SMARTCAR_HEADER_H

#include "core/span.h"

extern bool smartcar_header_next(SmartcarSpan *lines, SmartcarSpan *name, SmartcarSpan *value);
extern SmartcarSpan smartcar_header_value(SmartcarSpan lines, SmartcarSpan name);

#endif							/* SMARTCAR_HEADER_H */
