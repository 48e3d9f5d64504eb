/*-------------------------------------------------------------------------
 *
 * details.h
 *	  The operation that reads details of a vehicle (v3): its access type, Tesla
 *	  scopes and virtual key.
 *
 * They are not in the list of connections, but in three signals, which one request
 * returns.
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
 * The operation data of an item, which the caller provides as zeros.  A detail
 * whose signal is missing or has no value is unknown.
 */
typedef struct SmartcarDetails
{
	SmartcarSpan access_type;	/* no data if it is unknown */
	ArrayType  *tesla_scopes;	/* NULL if they are unknown */
	bool		is_paired_known;
	bool		is_paired;

	/* of the signals that Smartcar could not read */
	const SmartcarFailure *errors[SMARTCAR_DETAIL_SIGNALS];
	int			error_count;

	int			found;			/* number of signals, with or without a value */
	SmartcarSignalPages pages;
} SmartcarDetails;

extern const SmartcarOperation smartcar_details_operation;

#endif							/* SMARTCAR_DETAILS_H */
