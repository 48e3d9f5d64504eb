/*-------------------------------------------------------------------------
 *
 * spi.h
 *	  Statements on the tables of the connection manager.
 *
 * This is the main header of src/manager.  What lives in this folder: the statements on
 * the tables (sessions, accounts with their sealed tokens, connections, events) and the
 * procedures that keep these up to date.  What must not live here: requests; this folder
 * makes calls of src/call.
 *
 * Users have no privileges on the tables, so statements on them run as the owner of the
 * extension.  The role is switched for each statement, with a search path of schemas in
 * which users can create nothing, and never stays switched across a commit.
 *
 * src/manager/spi.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_SPI_H
#define SMARTCAR_SPI_H

#include "postgres.h"

#include "fmgr.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"

#include "core/span.h"
#include "pg/server.h"

#define SMARTCAR_MAX_PARAMETERS	24

typedef struct SmartcarParameters
{
	int			count;
	Oid			types[SMARTCAR_MAX_PARAMETERS];
	Datum		values[SMARTCAR_MAX_PARAMETERS];
	char		nulls[SMARTCAR_MAX_PARAMETERS];
} SmartcarParameters;

/*
 * Begins with $1, the name of the server, and $2, what the statement is about: the id of
 * a user, an owner or a vehicle, or the name of a procedure.
 */
extern void smartcar_parameters_begin(SmartcarParameters *parameters,
									  const SmartcarServer *server, const char *id);

/* Appends a parameter; one without a value is NULL. */
extern void smartcar_parameter(SmartcarParameters *parameters, Oid type, Datum value,
							   bool is_null);
extern void smartcar_parameter_text(SmartcarParameters *parameters, SmartcarSpan value);
extern void smartcar_parameter_string(SmartcarParameters *parameters, const char *value);
extern void smartcar_parameter_time(SmartcarParameters *parameters, TimestampTz value);
extern void smartcar_parameter_bytea(SmartcarParameters *parameters, bytea *value);
extern void smartcar_parameter_bool(SmartcarParameters *parameters, bool value);
extern void smartcar_parameter_int32(SmartcarParameters *parameters, int32 value);
extern void smartcar_parameter_text_array(SmartcarParameters *parameters, Datum *texts, int count);
extern void smartcar_parameter_argument(SmartcarParameters *parameters, FunctionCallInfo fcinfo,
										int argument, Oid type);

/* Begin and end work on the tables; a procedure may commit in between. */
extern void smartcar_spi_begin(void);
extern void smartcar_spi_begin_procedure(FunctionCallInfo fcinfo, const char *name);
extern void smartcar_spi_commit(void);
extern bool smartcar_spi_rollback(void);
extern void smartcar_spi_end(void);

/*
 * Does some work in a subtransaction that waits at most lock_timeout milliseconds for a
 * lock.  Returns whether it succeeded; if not, *error is in the current context.
 */
extern bool smartcar_spi_try(void (*work) (void *argument), void *argument, int lock_timeout,
							 ErrorData **error);
extern bool smartcar_error_is_transient(const ErrorData *error);

/* Waits, and serves interrupts.  The caller should hold no locks. */
extern void smartcar_spi_wait_until(TimestampTz end);

/*
 * Runs a statement on some rows, and returns the number of rows.  Whatever the statistics
 * say, it scans no table.  In the statement, "@." stands for the schema of the extension,
 * and "@now" for the time.  It must not call clock_timestamp(), which is volatile: Citus
 * would refuse it in an UPDATE, and no index could be used.
 */
extern uint64 smartcar_spi_run(const char *statement, const SmartcarParameters *parameters);

/*
 * Like smartcar_spi_run(), for a statement that reads its first rows in the order of an
 * index: it does not sort.
 */
extern uint64 smartcar_spi_run_in_order(const char *statement,
										const SmartcarParameters *parameters);

/* Like smartcar_spi_run(), for a statement on most rows of a server: it may scan tables. */
extern uint64 smartcar_spi_run_on_all(const char *statement, const SmartcarParameters *parameters);

/*
 * Like smartcar_spi_run(), for a statement that is run often and finds its rows by an
 * index, whatever the parameters and the size of the table: its plan is kept.  The
 * statement must be a constant, because its address identifies the plan.
 */
extern uint64 smartcar_spi_run_kept(const char *statement, const SmartcarParameters *parameters);
extern uint64 smartcar_spi_run_kept_in_order(const char *statement,
											 const SmartcarParameters *parameters);

/* Like smartcar_spi_run(), with the privileges of the caller. */
extern uint64 smartcar_spi_run_as_caller(const char *statement,
										 const SmartcarParameters *parameters);

/*
 * A value of the last result, in the current context.  NULL is returned as NULL, false
 * or zero, and for a time as DT_NOEND.
 */
extern char *smartcar_row_string(uint64 row, const char *column);
extern bytea *smartcar_row_bytea(uint64 row, const char *column);
extern bool smartcar_row_bool(uint64 row, const char *column);
extern int32 smartcar_row_int32(uint64 row, const char *column);
extern int64 smartcar_row_int64(uint64 row, const char *column);
extern TimestampTz smartcar_row_time(uint64 row, const char *column);
extern Datum smartcar_row_datum(uint64 row, const char *column, bool *is_null);

#endif							/* SMARTCAR_SPI_H */
