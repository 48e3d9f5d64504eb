/*-------------------------------------------------------------------------
 *
 * details.h
 *	  What the list of connections does not say about a vehicle (v3).
 *
 * It stands in three signals, and one request brings them all.
 *
 * src/api/details.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_DETAILS_H
#define SMARTCAR_DETAILS_H

#include "postgres.h"

#include "api/signal.h"
#include "call/call.h"
#include "pg/text_array.h"

#define SMARTCAR_DETAIL_SIGNALS		3

/*
 * What an item has gathered, which the caller provides as zeros.  A signal that is
 * not there, or has no value, is not known.
 */
typedef struct SmartcarDetails
{
	SmartcarSpan access_type;	/* no data: not known */
	ArrayType  *tesla_scopes;	/* NULL: not known */
	bool		is_paired_known;
	bool		is_paired;

	/* the signals that could not be read */
	const SmartcarFailure *errors[SMARTCAR_DETAIL_SIGNALS];
	int			error_count;

	int			found;			/* signals, with a value or without */
	SmartcarSignalWalk walk;
} SmartcarDetails;

extern const SmartcarOperation smartcar_details_operation;

#endif							/* SMARTCAR_DETAILS_H */
