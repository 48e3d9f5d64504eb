/*-------------------------------------------------------------------------
 *
 * job_run.h
 *	  Statements on the table smartcar_tesla.job_run: runs of the procedures that
 *	  jobs call.
 *
 * src/manager/job_run.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_JOB_RUN_H
#define SMARTCAR_JOB_RUN_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "pg/server.h"

/* The procedure has no such count. */
#define SMARTCAR_NO_COUNT	INT64CONST(-1)

typedef struct SmartcarJobCounts
{
	int64		done;
	int64		failed;
	int64		refused;
	int64		disconnected;
} SmartcarJobCounts;

typedef struct SmartcarJobRun
{
	const SmartcarServer *server;
	const char *procedure;
	MemoryContext context;
	TimestampTz began;
	Datum		id;				/* of the row; 0: none is stored yet */
	const char *sqlstate;		/* why the run stopped; NULL: it finished */
	const char *description;
} SmartcarJobRun;

extern void smartcar_job_run_begin(SmartcarJobRun *run, const SmartcarServer *server,
								   const char *procedure);
extern void smartcar_job_run_insert(SmartcarJobRun *run);
extern void smartcar_job_run_stop(SmartcarJobRun *run, int sqlstate, const char *description);
extern void smartcar_job_run_end(SmartcarJobRun *run, const SmartcarJobCounts *counts);

/* In PG_CATCH(): records the error, and raises it again. */
extern pg_noreturn void smartcar_job_run_fail(SmartcarJobRun *run,
											  const SmartcarJobCounts *counts);

#endif							/* SMARTCAR_JOB_RUN_H */
