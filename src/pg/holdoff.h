/*-------------------------------------------------------------------------
 *
 * holdoff.h
 *	  What an error that is caught must not change.
 *
 * errfinish() sets the counts of HOLD_INTERRUPTS() and HOLD_CANCEL_INTERRUPTS() to
 * zero, for errors that end the statement.  Whoever catches one and goes on has to
 * restore them: a RESUME_INTERRUPTS() further out would otherwise count below
 * zero, and leave a session that nobody can cancel or terminate.
 *
 * src/pg/holdoff.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_HOLDOFF_H
#define SMARTCAR_HOLDOFF_H

#include "postgres.h"

#include "miscadmin.h"

typedef struct SmartcarHoldoff
{
	uint32		interrupts;
	uint32		cancels;
} SmartcarHoldoff;

static inline SmartcarHoldoff
smartcar_save_holdoff(void)
{
	return (SmartcarHoldoff) {InterruptHoldoffCount, QueryCancelHoldoffCount};
}

static inline void
smartcar_restore_holdoff(SmartcarHoldoff holdoff)
{
	InterruptHoldoffCount = holdoff.interrupts;
	QueryCancelHoldoffCount = holdoff.cancels;
}

#endif							/* SMARTCAR_HOLDOFF_H */
