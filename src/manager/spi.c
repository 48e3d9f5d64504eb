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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/holdoff.h"

#define TIME	"@now"

static volatile sig_atomic_t *const end_flags[] = {SMARTCAR_END_FLAGS};
static const TimeoutId end_timers[] = {SMARTCAR_END_TIMERS};

/* The role and the schema of the extension. */
typedef struct ExtensionHome
{
	Oid			owner;
	const char *schema;			/* quoted */
} ExtensionHome;

/* How a statement is planned. */
typedef enum Planning
{
	PLAN_AS_USUAL,
	PLAN_BY_INDEX,				/* without a scan of a whole table */
	PLAN_IN_ORDER,				/* without such a scan, and in the order of an
								 * index */
	PLAN_KEPT					/* without such a scan, once for all
								 * parameters */
} Planning;

/* More than there are statements whose plans are kept. */
#define MAX_KEPT_PLANS	32

typedef struct KeptPlan
{
	const char *statement;		/* NULL: none */
	char	   *schema;
	bool		is_generic;
	SPIPlanPtr	plan;
} KeptPlan;

static ExtensionHome
find_home(void)
{
	ExtensionHome home = {InvalidOid, NULL};
	Relation	relation = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("smartcar_tesla"));
	scan = systable_beginscan(relation, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);

		home.owner = form->extowner;
		home.schema = quote_identifier(get_namespace_name(form->extnamespace));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	if (home.schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"%s\" does not exist", "smartcar_tesla")));
	return home;
}

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
 * A transaction of a procedure sees what others have committed by then,
 * whatever the session's default is: a claim or a token must not fail for
 * having been serialized.
 */
static void
read_committed(void)
{
	XactIsoLevel = XACT_READ_COMMITTED;
}

/*
 * Commits, and only returns when that would outlive a crash.  What Smartcar
 * has given cannot be asked for again.
 */
void
smartcar_spi_commit(void)
{
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	SPI_commit();
	read_committed();
}

/*
 * Rolls back after an error that was caught, so that more can be stored before it is
 * raised again.  Returns false where that cannot be done: the error has left a
 * subtransaction, or a function that a statement had called, such as a trigger.
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
		/* by the snapshots of a statement that was cut off; the rest is done */
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	if (!IsTransactionState())
		return false;
	read_committed();
	return true;
}

/*
 * Begins the work of a procedure, which commits as it goes and must not run
 * where it cannot: what it gets from Smartcar would be rolled back.
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

	/* the transaction of the CALL has its isolation level already */
	smartcar_spi_commit();

	/* what Smartcar gives could not be stored, which must not turn out later */
	PreventCommandIfReadOnly(name);
}

void
smartcar_spi_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");

	/* the procedure that called ours goes on in the transaction that is left */
	if (!FirstSnapshotSet)
		XactIsoLevel = DefaultXactIsoLevel;
}

/* What would end the session, and is kept away from it for a while. */
typedef struct SessionEnd
{
	sigset_t	signals;		/* that were blocked before */
	bool		flags[lengthof(end_flags)];
	TimestampTz timers[lengthof(end_timers)];	/* DT_NOEND: not running */
} SessionEnd;

/*
 * Keeps the end of the session away from work that must not be left half done:
 * that somebody terminates it, that the client goes away, and that a transaction has
 * lasted too long.  HOLD_INTERRUPTS() would keep lock_timeout away, too.
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

/* A client that is gone may have been noticed meanwhile, by what was sent to it. */
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
 * Does work whose failure must not end what goes on around it, in a
 * subtransaction.  No statement of it waits longer than that for a lock, and the
 * end of the session waits for it.  Constraints and triggers that are deferred
 * fail here and not at the commit.  Returns whether it is done; if not, what went
 * wrong is in *error.
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
 * Whether an error passes by itself, so that what has failed is tried again.
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
 * Puts the schema and the number of the parameter that is the time into a
 * statement.
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
 * Plans that are kept for this backend.  To plan a statement on one row takes
 * longer than to run it.
 */
static KeptPlan kept_plans[MAX_KEPT_PLANS];

/*
 * The plan of a statement, made now if there is none.  The extension may have got
 * another schema since.  Citus plans many statements on distributed tables only when
 * it knows their parameters, so where it is loaded, PostgreSQL decides.
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
execute(const char *statement, const char *schema, SmartcarParameters *parameters, Planning planning)
{
	char	   *expanded;
	int			result;

	if (planning == PLAN_KEPT)
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
 * Runs a statement as whoever is the user now, with a search path that nobody
 * can put anything into.
 */
static uint64
run(const char *statement, const char *schema, const SmartcarParameters *given, Planning planning)
{
	SmartcarParameters parameters = *given;
	MemoryContext context = CurrentMemoryContext;
	int			nest_level = NewGUCNestLevel();
	int			result;

	/* a procedure runs thousands of statements before its end */
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

		/*
		 * what is turned off and cannot be avoided looks expensive enough to
		 * be compiled
		 */
		turn_off("jit");
	}
	if (planning == PLAN_IN_ORDER)
		turn_off("enable_sort");
	result = execute(statement, schema, &parameters, planning);
	if (result < 0)
		elog(ERROR, "a statement returned %d", result);

	/* SPI leaves its own behind, which lasts as long as the procedure */
	MemoryContextSwitchTo(context);
	AtEOXact_GUC(false, nest_level);
	return SPI_processed;
}

static uint64
run_as_owner(const char *statement, const SmartcarParameters *parameters, Planning planning)
{
	ExtensionHome home = find_home();
	Oid			caller;
	int			security_context;
	uint64		rows;

	GetUserIdAndSecContext(&caller, &security_context);
	SetUserIdAndSecContext(home.owner, security_context | SECURITY_LOCAL_USERID_CHANGE);
	rows = run(statement, home.schema, parameters, planning);
	SetUserIdAndSecContext(caller, security_context);
	return rows;
}

/*
 * Statistics that are old, as after an import or in an outage, must not make a statement
 * on some rows read the whole table.
 */
uint64
smartcar_spi_run(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_BY_INDEX);
}

uint64
smartcar_spi_run_in_order(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_IN_ORDER);
}

uint64
smartcar_spi_run_on_all(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_AS_USUAL);
}

uint64
smartcar_spi_run_kept(const char *statement, const SmartcarParameters *parameters)
{
	return run_as_owner(statement, parameters, PLAN_KEPT);
}

uint64
smartcar_spi_run_as_caller(const char *statement, const SmartcarParameters *parameters)
{
	ExtensionHome home = find_home();

	return run(statement, home.schema, parameters, PLAN_AS_USUAL);
}
