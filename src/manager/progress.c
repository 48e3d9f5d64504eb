/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  Reports the progress of a long procedure.
 *
 * The client gets it as a NOTICE, and pg_stat_activity shows it as the query of the
 * session.
 *
 * src/manager/progress.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/progress.h"

#include "utils/backend_status.h"
#include "utils/timestamp.h"

#define INTERVAL	(5 * USECS_PER_SEC)

static void
report_progress(SmartcarProgress *progress, TimestampTz now)
{
	double		seconds = Max((now - progress->began) / (double) USECS_PER_SEC, 0.001);
	char	   *of_total = progress->total > 0 ? psprintf(" of " INT64_FORMAT, progress->total) : "";
	char	   *text = psprintf(INT64_FORMAT "%s %s in %.1f s, %.1f per second",
								progress->done, of_total, progress->things, seconds,
								progress->done / seconds);

	ereport(NOTICE,
			(errmsg_internal("%s: %s", progress->procedure, text)));
	pgstat_report_activity(STATE_RUNNING, psprintf("CALL %s -- %s", progress->procedure,
												   text));
	progress->last_report = now;
}

void
smartcar_progress_begin(SmartcarProgress *progress, const char *procedure, const char *things,
						int64 total)
{
	memset(progress, 0, sizeof(*progress));
	progress->procedure = procedure;
	progress->things = things;
	progress->total = total;
	progress->began = progress->last_report = GetCurrentTimestamp();
}

void
smartcar_progress_add(SmartcarProgress *progress, int64 count)
{
	TimestampTz now = GetCurrentTimestamp();

	if (progress->procedure == NULL)
		return;
	progress->done += count;
	if (now - progress->last_report >= INTERVAL)
		report_progress(progress, now);
}

/*
 * Reports the end, unless the run found nothing to do: a job may start one every few
 * seconds.
 */
void
smartcar_progress_end(SmartcarProgress *progress)
{
	if (progress->done > 0 || progress->total > 0)
		report_progress(progress, GetCurrentTimestamp());
}
