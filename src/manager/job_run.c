/*-------------------------------------------------------------------------
 *
 * job_run.c
 *	  Statements on the table smartcar_tesla.job_run: runs of the procedures that
 *	  jobs call.
 *
 * A run that has something to do inserts a row when it begins, so that an interrupted
 * run is recorded, too.  Most runs find nothing to do: a job may begin one every few
 * seconds.  They share a row for up to an hour, and so do runs that fail with the same
 * error before they have done anything.
 *
 * The work of a procedure matters more than its record.  A row is stored in a
 * subtransaction that waits for locks only briefly, and a failure to store it is a
 * WARNING.
 *
 * src/manager/job_run.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/job_run.h"

#include "catalog/pg_type.h"
#include "utils/datum.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "manager/spi.h"
#include "pg/text.h"

/* In milliseconds. */
#define LOCK_TIMEOUT	50

/* In bytes. */
#define MAX_DESCRIPTION	1000

#define THIS_RUN \
	"WHERE server = $1 AND procedure = $2 AND began_at = $3 AND run_id = $4 "

#define HAS_DONE_NOTHING \
	"done = 0 AND failed = 0 AND coalesce(refused, 0) = 0 AND coalesce(disconnected, 0) = 0 "

/* A run and its counts. */
typedef struct Outcome
{
	SmartcarJobRun *run;
	const SmartcarJobCounts *counts;
} Outcome;

static void
bind_run(SmartcarParameters *parameters, const SmartcarJobRun *run, TimestampTz began, Datum id)
{
	smartcar_parameter_string(parameters, run->server->name);
	smartcar_parameter_string(parameters, run->procedure);
	smartcar_parameter_time(parameters, began);
	smartcar_parameter(parameters, UUIDOID, id, id == (Datum) 0);
}

static void
bind_count(SmartcarParameters *parameters, int64 count)
{
	smartcar_parameter(parameters, INT8OID, Int64GetDatum(count), count == SMARTCAR_NO_COUNT);
}

static void
bind_outcome(SmartcarParameters *parameters, const Outcome *outcome)
{
	bind_count(parameters, outcome->counts->done);
	bind_count(parameters, outcome->counts->failed);
	bind_count(parameters, outcome->counts->refused);
	bind_count(parameters, outcome->counts->disconnected);
	bind_count(parameters, outcome->run->server->requests);
	smartcar_parameter_string(parameters, outcome->run->sqlstate);
	smartcar_parameter_string(parameters, outcome->run->description);
}

/*
 * Stores something about a run in a subtransaction, and commits.  A failure is a
 * WARNING.  A cancel is returned in *cancel, and leads to a second attempt.
 */
static void
store(SmartcarJobRun *run, void (*work) (void *argument), void *argument, ErrorData **cancel)
{
	Datum		id = run->id;
	ErrorData  *error = NULL;

	*cancel = NULL;
	for (int i = 0; i < 2 && error == *cancel; i++)
	{
		if (smartcar_spi_try(work, argument, LOCK_TIMEOUT, &error))
		{
			smartcar_spi_commit();
			return;
		}
		run->id = id;			/* a row that it has inserted is gone */
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			*cancel = error;
	}
	if (error != *cancel)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not record the run of %s(): %s", run->procedure,
						error->message)));
}

void
smartcar_job_run_begin(SmartcarJobRun *run, const SmartcarServer *server, const char *procedure)
{
	memset(run, 0, sizeof(*run));
	run->server = server;
	run->procedure = procedure;
	run->context = CurrentMemoryContext;
	run->began = GetCurrentTimestamp();
}

static void
insert_row(void *argument)
{
	SmartcarJobRun *run = (SmartcarJobRun *) argument;
	SmartcarParameters parameters;
	MemoryContext old_context;
	bool		is_null;

	smartcar_parameters_begin(&parameters, run->server, run->procedure);
	smartcar_parameter_time(&parameters, run->began);
	smartcar_spi_run("INSERT INTO smartcar_tesla.job_run (server, procedure, began_at) "
					 "VALUES ($1, $2, $3) RETURNING run_id",
					 &parameters);
	old_context = MemoryContextSwitchTo(run->context);
	run->id = datumCopy(smartcar_row_datum(0, "run_id", &is_null), false, UUID_LEN);
	MemoryContextSwitchTo(old_context);
}

/*
 * Inserts the row of a run that has something to do, and commits.
 */
void
smartcar_job_run_insert(SmartcarJobRun *run)
{
	ErrorData  *cancel;

	store(run, insert_row, run, &cancel);
	if (cancel != NULL)
		ReThrowError(cancel);
}

static bool
has_done_nothing(const SmartcarJobCounts *counts)
{
	return counts->done == 0 && counts->failed == 0 && counts->refused <= 0 &&
		counts->disconnected <= 0;
}

/*
 * Adds a run that has done nothing to the row of the previous run, if that had the same
 * outcome.  Returns false if the run needs a row of its own.
 */
static bool
add_to_last(const Outcome *outcome)
{
	const SmartcarJobRun *run = outcome->run;
	SmartcarParameters parameters = {0};
	TimestampTz began;
	Datum		id;
	bool		is_null;

	bind_run(&parameters, run, run->began, run->id);
	smartcar_parameter_string(&parameters, run->sqlstate);
	smartcar_parameter_string(&parameters, run->description);
	if (smartcar_spi_run_in_order("SELECT run_id, began_at, "
								  "ended_at IS NOT NULL AND " HAS_DONE_NOTHING
								  "AND error_sqlstate IS NOT DISTINCT FROM $5 "
								  "AND error_description IS NOT DISTINCT FROM $6 AS is_same "
								  "FROM smartcar_tesla.job_run "
								  "WHERE server = $1 AND procedure = $2 "
								  "AND began_at > $3 - interval '1 hour' "
								  "AND ($4 IS NULL OR run_id <> $4) "
								  "ORDER BY began_at DESC LIMIT 1",
								  &parameters) == 0 ||
		!smartcar_row_bool(0, "is_same"))
		return false;
	began = smartcar_row_time(0, "began_at");
	id = datumCopy(smartcar_row_datum(0, "run_id", &is_null), false, UUID_LEN);

	parameters.count = 0;
	bind_run(&parameters, run, began, id);
	bind_count(&parameters, run->server->requests);
	return smartcar_spi_run("UPDATE smartcar_tesla.job_run "
							"SET runs = runs + 1, ended_at = @now, requests = requests + $5 "
							THIS_RUN,
							&parameters) > 0;
}

static void
delete_row(const SmartcarJobRun *run)
{
	SmartcarParameters parameters = {0};

	bind_run(&parameters, run, run->began, run->id);
	smartcar_spi_run("DELETE FROM smartcar_tesla.job_run " THIS_RUN, &parameters);
}

static void
delete_expired(const SmartcarJobRun *run)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, run->server, run->procedure);
	smartcar_spi_run("DELETE FROM smartcar_tesla.job_run "
					 "WHERE server = $1 AND procedure = $2 "
					 "AND began_at < @now - interval '30 days'",
					 &parameters);
}

static void
store_outcome(void *argument)
{
	const Outcome *outcome = (const Outcome *) argument;
	SmartcarJobRun *run = outcome->run;
	SmartcarParameters parameters = {0};

	if (has_done_nothing(outcome->counts) && add_to_last(outcome))
	{
		if (run->id != (Datum) 0)
			delete_row(run);
		return;
	}
	if (run->id == (Datum) 0)
		insert_row(run);
	bind_run(&parameters, run, run->began, run->id);
	bind_outcome(&parameters, outcome);
	smartcar_spi_run("UPDATE smartcar_tesla.job_run "
					 "SET ended_at = @now, done = $5, failed = $6, refused = $7, "
					 "disconnected = $8, requests = $9, error_sqlstate = $10, "
					 "error_description = $11 "
					 THIS_RUN,
					 &parameters);
	delete_expired(run);
}

/*
 * Sets the reason why a run ends before its work is done.
 */
void
smartcar_job_run_stop(SmartcarJobRun *run, int sqlstate, const char *description)
{
	MemoryContext old_context = MemoryContextSwitchTo(run->context);

	run->sqlstate = pstrdup(unpack_sql_state(sqlstate));
	run->description = smartcar_printable(smartcar_span_from_string(description),
										  MAX_DESCRIPTION);
	MemoryContextSwitchTo(old_context);
}

/*
 * Records the end of a run, and commits.
 */
void
smartcar_job_run_end(SmartcarJobRun *run, const SmartcarJobCounts *counts)
{
	Outcome		outcome = {run, counts};
	ErrorData  *cancel;

	store(run, store_outcome, &outcome, &cancel);
	if (cancel != NULL)
		ReThrowError(cancel);
}

/*
 * Records the error that is being handled, and raises it again.  If nothing can be
 * stored after that error, the row of the run stays without an end.
 */
void
smartcar_job_run_fail(SmartcarJobRun *run, const SmartcarJobCounts *counts)
{
	ErrorData  *failure;
	ErrorData  *cancel;

	MemoryContextSwitchTo(run->context);
	failure = CopyErrorData();
	FlushErrorState();
	if (smartcar_spi_rollback())
	{
		Outcome		outcome = {run, counts};

		smartcar_job_run_stop(run, failure->sqlerrcode, failure->message);
		store(run, store_outcome, &outcome, &cancel);
	}
	ReThrowError(failure);
}
