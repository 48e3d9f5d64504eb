/*-------------------------------------------------------------------------
 *
 * spi.c
 *	  Statements on the tables of the connection manager.
 *
 * src/manager/spi.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "manager/spi.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "manager/home.h"
#include "pg/compat.h"
#include "pg/holdoff.h"

#define TIME	"@now"

static volatile sig_atomic_t *const end_flags[] = {SMARTCAR_END_FLAGS};
static const TimeoutId end_timers[] = {SMARTCAR_END_TIMERS};

typedef enum Planning
{
	PLAN_AS_USUAL,
	PLAN_BY_INDEX,				/* without a scan of a whole table */
	PLAN_IN_ORDER				/* without such a scan, and in the order of an
								 * index */
} Planning;

/* There are fewer statements whose plans are kept. */
#define MAX_KEPT_PLANS	32

typedef struct KeptPlan
{
	const char *statement;		/* NULL: none */
	char	   *schema;
	bool		is_generic;
	SPIPlanPtr	plan;
} KeptPlan;

/*
 * Begins work that the transaction of the caller commits or rolls back.
 */
void
smartcar_spi_begin(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/*
 * Whatever default_transaction_isolation is, a statement must see what others have
 * committed, and a claim or a token must not fail with a serialization error.
 */
static void
set_read_committed(void)
{
	XactIsoLevel = XACT_READ_COMMITTED;
}

/*
 * Commits durably even if synchronous_commit is off: Smartcar sends a token only once.
 */
void
smartcar_spi_commit(void)
{
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	SPI_commit();
	set_read_committed();
}

/*
 * Rolls back after an error was caught, so that more can be stored before it is raised
 * again.  Returns false if that is impossible, because the error was raised inside a
 * subtransaction or a function that a statement called, such as a trigger.
 */
bool
smartcar_spi_rollback(void)
{
	MemoryContext context = CurrentMemoryContext;

	if (!SPI_inside_nonatomic_context())
		return false;
	PG_TRY();
	{
		SPI_rollback();
	}
	PG_CATCH();
	{
		/* raised for snapshots of the failed statement, after the rollback */
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	if (!IsTransactionState())
		return false;
	set_read_committed();
	return true;
}

/*
 * Begins the work of a procedure.  It must be able to commit: in a transaction block,
 * the results of its requests could be rolled back.
 */
void
smartcar_spi_begin_procedure(FunctionCallInfo fcinfo, const char *name)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		((CallContext *) fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", name),
				 errdetail("It commits what it gets from Smartcar at once, so that a rollback cannot lose it. Nothing was sent."),
				 errhint("Call it as a statement of its own, with autocommit.")));
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect_ext failed");

	/* it is too late to set the isolation level of the CALL's transaction */
	smartcar_spi_commit();

	/* fail before the first request, not when its result is stored */
	PreventCommandIfReadOnly(name);
}

void
smartcar_spi_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");

	/* a procedure that called this one continues in the same transaction */
	if (!FirstSnapshotSet)
		XactIsoLevel = DefaultXactIsoLevel;
}

/* The pending reasons to end the session, while they are held off. */
typedef struct SessionEnd
{
	sigset_t	signals;		/* blocked before */
	bool		flags[lengthof(end_flags)];
	TimestampTz timers[lengthof(end_timers)];	/* DT_NOEND: not running */
} SessionEnd;

/*
 * Prevents the end of the session during work that must not be left half done: by
 * pg_terminate_backend(), by a lost client, or by the timeout of a transaction.
 * HOLD_INTERRUPTS() would prevent lock_timeout, too.
 */
static void
hold_session_end(SessionEnd *held)
{
	sigset_t	termination;

	sigemptyset(&termination);
	sigaddset(&termination, SIGTERM);
	sigprocmask(SIG_BLOCK, &termination, &held->signals);
	for (int i = 0; i < lengthof(end_timers); i++)
	{
		held->timers[i] = DT_NOEND;
		if (!get_timeout_active(end_timers[i]))
			continue;
		held->timers[i] = get_timeout_finish_time(end_timers[i]);
		disable_timeout(end_timers[i], false);
	}
	for (int i = 0; i < lengthof(end_flags); i++)
	{
		held->flags[i] = *end_flags[i];
		*end_flags[i] = false;
	}
}

/* A flag that was set meanwhile stays set. */
static void
resume_session_end(const SessionEnd *held)
{
	for (int i = 0; i < lengthof(end_flags); i++)
	{
		if (held->flags[i])
			InterruptPending = *end_flags[i] = true;
	}
	for (int i = 0; i < lengthof(end_timers); i++)
	{
		if (held->timers[i] != DT_NOEND)
			enable_timeout_at(end_timers[i], held->timers[i]);
	}
	sigprocmask(SIG_SETMASK, &held->signals, NULL);
}

static void
set_lock_timeout(int milliseconds)
{
	char		value[16];

	snprintf(value, sizeof(value), "%d", milliseconds);
	(void) set_config_option("lock_timeout", value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * The session cannot end during the work.  Deferred constraints and triggers are checked
 * here, because at the commit, their failure would affect more than this work.
 */
bool
smartcar_spi_try(void (*work) (void *argument), void *argument, int lock_timeout,
				 ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	SmartcarHoldoff holdoff = smartcar_save_holdoff();
	volatile bool is_done = false;
	SessionEnd	held;

	*error = NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	hold_session_end(&held);
	PG_TRY();
	{
		ConstraintsSetStmt all_immediate = {.type = T_ConstraintsSetStmt};
		int			nest_level = NewGUCNestLevel();

		set_lock_timeout(lock_timeout);
		work(argument);
		AfterTriggerSetState(&all_immediate);
		AtEOXact_GUC(false, nest_level);
		ReleaseCurrentSubTransaction();
		is_done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		*error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		smartcar_restore_holdoff(holdoff);
	}
	PG_END_TRY();
	resume_session_end(&held);
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return is_done;
}

/*
 * Whether another attempt may succeed.
 */
bool
smartcar_error_is_transient(const ErrorData *error)
{
	/* class 40: deadlocks, serialization failures */
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		strncmp(unpack_sql_state(error->sqlerrcode), "40", 2) == 0;
}

void
smartcar_spi_wait_until(TimestampTz end)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = smartcar_new_wait_event("SmartcarPause");
	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		CHECK_FOR_INTERRUPTS();
		if (left <= 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left,
						 wait_event);
		ResetLatch(MyLatch);
	}
}

/*
 * Replaces "@." by the schema, and "@now" by the number of the parameter for the time.
 */
static char *
expand_placeholders(const char *statement, const char *schema, int time_parameter)
{
	StringInfoData result;
	const char *place;

	initStringInfo(&result);
	for (; (place = strchr(statement, '@')) != NULL; statement = place)
	{
		appendBinaryStringInfo(&result, statement, place - statement);
		if (strncmp(place, TIME, strlen(TIME)) == 0)
		{
			appendStringInfo(&result, "$%d", time_parameter);
			place += strlen(TIME);
		}
		else
		{
			Assert(place[1] == '.');
			appendStringInfo(&result, "%s.", schema);
			place += 2;
		}
	}
	appendStringInfoString(&result, statement);
	return result.data;
}

/*
 * Plans are kept for the session, because planning a statement on one row takes longer
 * than running it.
 */
static KeptPlan kept_plans[MAX_KEPT_PLANS];

/*
 * Returns the kept plan of a statement, or prepares it if there is none for the current
 * schema of the extension.  Citus can plan many statements on distributed tables only
 * with their parameters, so if it is loaded, the plan is not forced to be generic.
 */
static SPIPlanPtr
kept_plan(const char *statement, const char *schema, const SmartcarParameters *parameters)
{
	bool		is_generic = GetConfigOption("citus.version", true, false) == NULL;
	int			place = 0;
	char	   *expanded;
	KeptPlan   *kept;

	while (place < MAX_KEPT_PLANS - 1 && kept_plans[place].statement != NULL &&
		   kept_plans[place].statement != statement)
		place++;
	kept = &kept_plans[place];
	if (kept->statement == statement && kept->is_generic == is_generic &&
		strcmp(kept->schema, schema) == 0)
		return kept->plan;
	if (kept->statement != NULL)
	{
		kept->statement = NULL;
		SPI_freeplan(kept->plan);
		pfree(kept->schema);
	}

	expanded = expand_placeholders(statement, schema, parameters->count);
	kept->plan = SPI_prepare_cursor(expanded, parameters->count, (Oid *) parameters->types,
									is_generic ? CURSOR_OPT_GENERIC_PLAN : 0);
	if (kept->plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	pfree(expanded);
	kept->schema = MemoryContextStrdup(TopMemoryContext, schema);
	kept->is_generic = is_generic;
	SPI_keepplan(kept->plan);
	kept->statement = statement;
	return kept->plan;
}

static int
execute(const char *statement, const char *schema, SmartcarParameters *parameters, bool is_kept)
{
	char	   *expanded;
	int			result;

	if (is_kept)
		return SPI_execute_plan(kept_plan(statement, schema, parameters), parameters->values,
								parameters->nulls, false, 0);
	expanded = expand_placeholders(statement, schema, parameters->count);
	result = SPI_execute_with_args(expanded, parameters->count, parameters->types,
								   parameters->values, parameters->nulls, false, 0);
	pfree(expanded);
	return result;
}

static void
turn_off(const char *setting)
{
	(void) set_config_option(setting, "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

/*
 * Runs a statement as the current user, with a search path of schemas in which users can
 * create nothing.
 */
static uint64
run(const char *statement, const char *schema, const SmartcarParameters *given, Planning planning,
	bool is_kept)
{
	SmartcarParameters parameters = *given;
	MemoryContext context = CurrentMemoryContext;
	int			nest_level = NewGUCNestLevel();
	int			result;

	/* SPI would keep all results until the procedure ends */
	if (SPI_tuptable != NULL)
		SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;

	/* the last parameter, if the statement has it */
	if (strstr(statement, TIME) != NULL)
		smartcar_parameter_time(&parameters, GetCurrentTimestamp());
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (planning != PLAN_AS_USUAL)
	{
		turn_off("enable_seqscan");

		/* an unavoidable sequential scan may now cost enough to be compiled */
		turn_off("jit");
	}
	if (planning == PLAN_IN_ORDER)
		turn_off("enable_sort");
	result = execute(statement, schema, &parameters, is_kept);
	if (result < 0)
		elog(ERROR, "a statement returned %d", result);

	/* SPI leaves its own context current, which is freed only at the end */
	MemoryContextSwitchTo(context);
	AtEOXact_GUC(false, nest_level);
	return SPI_processed;
}

static uint64
run_as_owner(const char *statement, const SmartcarParameters *parameters, Planning planning,
			 bool is_kept)
{
	SmartcarHome home = smartcar_home();
	Oid			caller;
	int			security_context;
	uint64		rows;

	GetUserIdAndSecContext(&caller, &security_context);
	SetUserIdAndSecContext(home.owner, security_context | SECURITY_LOCAL_USERID_CHANGE);
	rows = run(statement, home.schema, parameters, planning, is_kept);
	SetUserIdAndSecContext(caller, security_context);
	return rows;
}

/*
 * Outdated statistics, for example after an import, must not make a statement on some
 * rows read the whole table.
 */
uint64
smartcar_spi_run(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_BY_INDEX, false);
}

uint64
smartcar_spi_run_in_order(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_IN_ORDER, false);
}

uint64
smartcar_spi_run_on_all(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_AS_USUAL, false);
}

uint64
smartcar_spi_run_kept(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_BY_INDEX, true);
}

uint64
smartcar_spi_run_kept_in_order(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_IN_ORDER, true);
}

uint64
smartcar_spi_run_as_caller(const char *statement, const SmartcarParameters *parameters)
{
	SmartcarHome home = smartcar_home();

	return run(statement, home.schema, parameters, PLAN_AS_USUAL, false);
}
