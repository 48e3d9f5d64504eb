/*-------------------------------------------------------------------------
 *
 * spi.h
 *	  Statements on the tables of the connection manager.
 *
 * This is the main header of src/manager.  What lives in this folder: what is
 * kept in tables, that is sessions, accounts with their sealed tokens,
 * connections and events, and the procedures that keep it up to date.  What must
 * not live here: requests; this folder makes calls of src/call.
 *
 * The tables are open to nobody, so statements on them run as the owner of the
 * extension.  The switch is made around each statement, with a search path that
 * nobody can put anything into, and never stands across a commit.
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
 * Begins with $1, the name of the server, and $2, an id of Smartcar's or of the
 * application: the keys of most tables start so.
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

/* Begins and ends work on the tables; a procedure may commit in between. */
extern void smartcar_spi_begin(void);
extern void smartcar_spi_begin_procedure(FunctionCallInfo fcinfo, const char *name);
extern void smartcar_spi_commit(void);
extern bool smartcar_spi_rollback(void);
extern void smartcar_spi_end(void);

/*
 * Work in a subtransaction that waits for locks for lock_timeout milliseconds at
 * most.  Its error is returned, in the current context.
 */
extern bool smartcar_spi_try(void (*work) (void *argument), void *argument, int lock_timeout,
							 ErrorData **error);
extern bool smartcar_error_is_transient(const ErrorData *error);

/* Waits, and serves interrupts; nothing should be locked. */
extern void smartcar_spi_wait_until(TimestampTz end);

/*
 * Runs a statement, in which "@." stands for the schema of the extension and
 * "@now" for the time, and returns the number of rows.  A call of
 * clock_timestamp() instead would keep Citus from running an UPDATE, and
 * everybody from using an index.
 *
 * smartcar_spi_run() is for a statement on some rows: it scans no table, whatever the
 * statistics say.  smartcar_spi_run_in_order() does not sort either, for a statement
 * that reads its first rows in the order of an index.  smartcar_spi_run_on_all() is
 * for one that reads most rows of a server, and leaves that to the planner.
 *
 * smartcar_spi_run_kept() keeps the plan, for a statement on some rows that is run
 * often.  The statement must be a constant, whose address the plan is known by.
 */
extern uint64 smartcar_spi_run(const char *statement, const SmartcarParameters *parameters);
extern uint64 smartcar_spi_run_in_order(const char *statement,
										const SmartcarParameters *parameters);
extern uint64 smartcar_spi_run_on_all(const char *statement, const SmartcarParameters *parameters);
extern uint64 smartcar_spi_run_kept(const char *statement, const SmartcarParameters *parameters);

extern uint64 smartcar_spi_run_as_caller(const char *statement,
										 const SmartcarParameters *parameters);

/*
 * A value of the last result, kept by the current context.  A NULL is NULL, false
 * or zero, and a time that is NULL is DT_NOEND.
 */
extern char *smartcar_row_string(uint64 row, const char *column);
extern bytea *smartcar_row_bytea(uint64 row, const char *column);
extern bool smartcar_row_bool(uint64 row, const char *column);
extern int32 smartcar_row_int32(uint64 row, const char *column);
extern int64 smartcar_row_int64(uint64 row, const char *column);
extern TimestampTz smartcar_row_time(uint64 row, const char *column);
extern Datum smartcar_row_datum(uint64 row, const char *column, bool *is_null);

#endif							/* SMARTCAR_SPI_H */
