/*-------------------------------------------------------------------------
 *
 * round_trip.h
 *	  The session of a callback: found by its state, taken once, and ended.
 *
 * src/manager/round_trip.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ROUND_TRIP_H
#define SMARTCAR_ROUND_TRIP_H

#include "postgres.h"

#include "utils/array.h"

#include "core/callback.h"
#include "core/error.h"
#include "pg/server.h"

typedef struct SmartcarRoundTrip
{
	const char *link;
	const char *external_id;
	const char *vehicle_id;
	const char *redirect_uri;
	bytea	   *state_hash;
} SmartcarRoundTrip;

typedef struct SmartcarRoundTripResult
{
	const char *status;
	const char *external_id;
	const char *user_id;
	ArrayType  *vehicle_ids;	/* NULL: not known */
	const char *error;
	SmartcarAction action;
} SmartcarRoundTripResult;

extern void smartcar_round_trip_find(const SmartcarServer *server,
									 const SmartcarCallback *callback,
									 SmartcarRoundTrip *session);
extern void smartcar_round_trip_check_owner(const SmartcarRoundTrip *session,
											SmartcarSpan external_id);
extern void smartcar_round_trip_claim(const SmartcarServer *server,
									  const SmartcarRoundTrip *session);
extern void smartcar_round_trip_note_tokens(const SmartcarServer *server,
											const SmartcarRoundTrip *session);
extern void smartcar_round_trip_end(const SmartcarServer *server,
									const SmartcarRoundTrip *session,
									const SmartcarRoundTripResult *outcome,
									const char *description);

#endif							/* SMARTCAR_ROUND_TRIP_H */
