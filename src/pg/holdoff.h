/*-------------------------------------------------------------------------
 *
 * holdoff.h
 *	  Saves and restores the interrupt holdoff counts around a caught error.
 *
 * errfinish() sets the counts of HOLD_INTERRUPTS() and HOLD_CANCEL_INTERRUPTS() to
 * zero, because most errors end the statement.  Code that catches an error and
 * continues must restore them.  Otherwise a later RESUME_INTERRUPTS() decrements
 * zero, and the session can neither be canceled nor terminated.
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
