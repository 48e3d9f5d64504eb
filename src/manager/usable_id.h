/*-------------------------------------------------------------------------
 *
 * usable_id.h
 *	  Which ids of Smartcar can be stored and asked about.
 *
 * A row with any other id would fail every request about it, and with that the
 * synchronization of all others.
 *
 * src/manager/usable_id.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_USABLE_ID_H
#define SMARTCAR_USABLE_ID_H

#include "core/span.h"

/* No id of the application's own that a link can carry is longer. */
#define SMARTCAR_MAX_EXTERNAL_ID_LENGTH	512

extern bool smartcar_user_id_is_usable(SmartcarSpan id);
extern bool smartcar_vehicle_id_is_usable(SmartcarSpan id);

#endif							/* SMARTCAR_USABLE_ID_H */
