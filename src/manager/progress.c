/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  How far a long procedure has come.
 *
 * It is told to the client as INFO, and to everybody else as the query in
 * pg_stat_activity.
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
tell(SmartcarProgress *progress, TimestampTz now)
{
	double		seconds = Max((now - progress->began) / (double) USECS_PER_SEC, 0.001);
	char	   *of_total = progress->total > 0 ? psprintf(" of " INT64_FORMAT, progress->total) : "";
	char	   *text_of_it = psprintf(INT64_FORMAT "%s %s in %.1f s, %.1f per second",
									  progress->done, of_total, progress->things, seconds,
									  progress->done / seconds);

	ereport(INFO,
			(errmsg_internal("%s: %s", progress->procedure, text_of_it)));
	pgstat_report_activity(STATE_RUNNING, psprintf("CALL %s -- %s", progress->procedure,
												   text_of_it));
	progress->told = now;
}

void
smartcar_progress_begin(SmartcarProgress *progress, const char *procedure, const char *things,
						int64 total)
{
	memset(progress, 0, sizeof(*progress));
	progress->procedure = procedure;
	progress->things = things;
	progress->total = total;
	progress->began = progress->told = GetCurrentTimestamp();
}

void
smartcar_progress_add(SmartcarProgress *progress, int64 count)
{
	TimestampTz now = GetCurrentTimestamp();

	progress->done += count;
	if (now - progress->told >= INTERVAL)
		tell(progress, now);
}

/*
 * A run that found nothing to do, as most of those do that are made every few
 * seconds, has nothing to tell.
 */
void
smartcar_progress_end(SmartcarProgress *progress)
{
	if (progress->done > 0 || progress->total > 0)
		tell(progress, GetCurrentTimestamp());
}
