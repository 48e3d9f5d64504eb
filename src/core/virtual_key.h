/*-------------------------------------------------------------------------
 *
 * virtual_key.h
 *	  Tesla's virtual key: which models need one, and which links add one.
 *
 * src/core/virtual_key.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_VIRTUAL_KEY_H
#define SMARTCAR_VIRTUAL_KEY_H

#include "core/span.h"

#define SMARTCAR_VIRTUAL_KEY_BASE			"https://www.tesla.com/_ak/"
#define SMARTCAR_VIRTUAL_KEY_DEFAULT_DOMAIN	"smartcar.com"

typedef enum SmartcarVirtualKeyNeed
{
	SMARTCAR_VIRTUAL_KEY_NOT_REQUIRED,
	SMARTCAR_VIRTUAL_KEY_REQUIRED,
	SMARTCAR_VIRTUAL_KEY_UNKNOWN
} SmartcarVirtualKeyNeed;

/* An unknown model year. */
#define SMARTCAR_NO_YEAR	0

extern SmartcarVirtualKeyNeed smartcar_virtual_key_need(SmartcarSpan make, SmartcarSpan model,
														int year);
extern bool smartcar_virtual_key_wanted(SmartcarSpan make, SmartcarSpan model, int year);
extern bool smartcar_domain_valid(SmartcarSpan domain);
extern bool smartcar_virtual_key_url_valid(SmartcarSpan url);

#endif							/* SMARTCAR_VIRTUAL_KEY_H */
