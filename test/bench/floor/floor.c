/*-------------------------------------------------------------------------
 *
 * floor.c
 *	  The least that a function which returns a text can cost.
 *
 * A ratio to "nothing" says little, because PostgreSQL itself has to fetch the
 * row, call the function and count the result.  These functions do that and no
 * more: they allocate a text of a given length and copy bytes that are there
 * already.  They are given the same column as the function that they are
 * compared with, so that the row is taken apart in the same way, and look at
 * nothing in it.
 *
 * test/bench/floor/floor.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"

#define LONGEST_TEXT	32768

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(smartcar_bench_floor);
PG_FUNCTION_INFO_V1(smartcar_bench_processor_time);

void		_PG_init(void);

static char ready_bytes[LONGEST_TEXT];

void
_PG_init(void)
{
	memset(ready_bytes, 'x', sizeof(ready_bytes));
}

Datum
smartcar_bench_floor(PG_FUNCTION_ARGS)
{
	int32		length = PG_GETARG_INT32(1);
	text	   *result;

	if (length < 0 || length > LONGEST_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("length must be between 0 and %d", LONGEST_TEXT)));

	result = (text *) palloc(VARHDRSZ + length);
	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), ready_bytes, length);
	PG_RETURN_TEXT_P(result);
}

/*
 * The seconds for which this backend has had a processor.  Where they are
 * fewer than those on the clock, somebody else had it.
 */
Datum
smartcar_bench_processor_time(PG_FUNCTION_ARGS)
{
	struct timespec spent;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read the processor time: %m")));
	PG_RETURN_FLOAT8(spent.tv_sec + spent.tv_nsec / 1e9);
}
