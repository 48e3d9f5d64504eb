/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  Reports the progress of a long procedure.
 *
 * src/manager/progress.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_PROGRESS_H
#define SMARTCAR_PROGRESS_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct SmartcarProgress
{
	const char *procedure;
	const char *things;			/* what is counted, in the plural */
	int64		total;			/* 0: not known */
	int64		done;
	TimestampTz began;
	TimestampTz last_report;
} SmartcarProgress;

extern void smartcar_progress_begin(SmartcarProgress *progress, const char *procedure,
									const char *things, int64 total);
extern void smartcar_progress_add(SmartcarProgress *progress, int64 count);
extern void smartcar_progress_end(SmartcarProgress *progress);

#endif							/* SMARTCAR_PROGRESS_H */
