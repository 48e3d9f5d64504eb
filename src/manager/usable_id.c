/*-------------------------------------------------------------------------
 *
 * usable_id.c
 *	  Checks whether an id of Smartcar can be stored and used in requests.
 *
 * src/manager/usable_id.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/usable_id.h"

#include "core/endpoint.h"

/* The id is sent in a header, and is part of a key. */
bool
smartcar_user_id_is_usable(SmartcarSpan id)
{
	return id.length > 0 && id.length <= SMARTCAR_MAX_ID_LENGTH && smartcar_span_is_visible(id);
}

/* The id is a segment of a path, too. */
bool
smartcar_vehicle_id_is_usable(SmartcarSpan id)
{
	return smartcar_user_id_is_usable(id) && smartcar_path_segment_valid(id) &&
		memchr(id.data, '/', id.length) == NULL && memchr(id.data, '\\', id.length) == NULL;
}
