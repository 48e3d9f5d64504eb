/*-------------------------------------------------------------------------
 *
 * spi_value.c
 *	  Parameters of statements on the tables, and values of their results.
 *
 * src/manager/spi_value.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "manager/spi.h"

void
smartcar_parameter(SmartcarParameters *parameters, Oid type, Datum value, bool is_null)
{
	int			number = parameters->count++;

	Assert(number < SMARTCAR_MAX_PARAMETERS);
	parameters->types[number] = type;
	parameters->values[number] = value;
	parameters->nulls[number] = is_null ? 'n' : ' ';
}

void
smartcar_parameter_text(SmartcarParameters *parameters, SmartcarSpan value)
{
	Datum		datum = (Datum) 0;

	if (value.data != NULL)
		datum = PointerGetDatum(cstring_to_text_with_len(value.data, (int) value.length));
	smartcar_parameter(parameters, TEXTOID, datum, value.data == NULL);
}

void
smartcar_parameter_string(SmartcarParameters *parameters, const char *value)
{
	smartcar_parameter_text(parameters, smartcar_span_from_string(value));
}

void
smartcar_parameters_begin(SmartcarParameters *parameters, const SmartcarServer *server,
						  const char *id)
{
	parameters->count = 0;
	smartcar_parameter_string(parameters, server->name);
	smartcar_parameter_string(parameters, id);
}

void
smartcar_parameter_time(SmartcarParameters *parameters, TimestampTz value)
{
	smartcar_parameter(parameters, TIMESTAMPTZOID, TimestampTzGetDatum(value),
					   TIMESTAMP_NOT_FINITE(value));
}

void
smartcar_parameter_bytea(SmartcarParameters *parameters, bytea *value)
{
	smartcar_parameter(parameters, BYTEAOID, PointerGetDatum(value), value == NULL);
}

void
smartcar_parameter_bool(SmartcarParameters *parameters, bool value)
{
	smartcar_parameter(parameters, BOOLOID, BoolGetDatum(value), false);
}

void
smartcar_parameter_int32(SmartcarParameters *parameters, int32 value)
{
	smartcar_parameter(parameters, INT4OID, Int32GetDatum(value), false);
}

void
smartcar_parameter_text_array(SmartcarParameters *parameters, Datum *texts, int count)
{
	ArrayType  *array = construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT);

	smartcar_parameter(parameters, TEXTARRAYOID, PointerGetDatum(array), false);
}

void
smartcar_parameter_argument(SmartcarParameters *parameters, FunctionCallInfo fcinfo,
							int argument, Oid type)
{
	smartcar_parameter(parameters, type, PG_GETARG_DATUM(argument), PG_ARGISNULL(argument));
}

static int
column_number(const char *column)
{
	int			number = SPI_fnumber(SPI_tuptable->tupdesc, column);

	if (number <= 0)
		elog(ERROR, "statement has no column \"%s\"", column);
	return number;
}

Datum
smartcar_row_datum(uint64 row, const char *column, bool *is_null)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column_number(column),
						 is_null);
}

char *
smartcar_row_string(uint64 row, const char *column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column_number(column));
}

bytea *
smartcar_row_bytea(uint64 row, const char *column)
{
	bool		is_null;
	Datum		value = smartcar_row_datum(row, column, &is_null);

	return is_null ? NULL : DatumGetByteaPCopy(value);
}

bool
smartcar_row_bool(uint64 row, const char *column)
{
	bool		is_null;
	Datum		value = smartcar_row_datum(row, column, &is_null);

	return !is_null && DatumGetBool(value);
}

int32
smartcar_row_int32(uint64 row, const char *column)
{
	bool		is_null;
	Datum		value = smartcar_row_datum(row, column, &is_null);

	return is_null ? 0 : DatumGetInt32(value);
}

int64
smartcar_row_int64(uint64 row, const char *column)
{
	bool		is_null;
	Datum		value = smartcar_row_datum(row, column, &is_null);

	return is_null ? 0 : DatumGetInt64(value);
}

TimestampTz
smartcar_row_time(uint64 row, const char *column)
{
	bool		is_null;
	Datum		value = smartcar_row_datum(row, column, &is_null);

	return is_null ? DT_NOEND : DatumGetTimestampTz(value);
}
