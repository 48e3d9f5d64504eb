/*-------------------------------------------------------------------------
 *
 * usable_id.h
 *	  Checks whether an id of Smartcar can be stored and used in requests.
 *
 * Every request about a row with another id would fail, and with it the synchronization
 * of all other rows.
 *
 * src/manager/usable_id.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_USABLE_ID_H
#define SMARTCAR_USABLE_ID_H

#include "core/span.h"

/* A link can carry no longer one. */
#define SMARTCAR_MAX_EXTERNAL_ID_LENGTH	512

extern bool smartcar_user_id_is_usable(SmartcarSpan id);
extern bool smartcar_vehicle_id_is_usable(SmartcarSpan id);

#endif							/* SMARTCAR_USABLE_ID_H */
