/*-------------------------------------------------------------------------
 *
 * connection_details.c
 *	  Statements on the table smartcar_tesla.connection about the details of a
 *	  connection, which only the signals of its vehicle contain (v3).
 *
 * src/manager/connection_details.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/connection_details.h"

#include "catalog/pg_type.h"

#include "manager/spi.h"

#define DETAILS_AT	"COALESCE(details_at, '-infinity') "

/*
 * Whether a webhook has reported a value since the last request, and within a day.  If
 * it has sent nothing for longer, it may have failed.
 */
#define IS_REPORTED(known_at) \
	"(" known_at " > " DETAILS_AT " AND " known_at " > @now - interval '1 day') "

#define READ_STALE \
	"SELECT user_id, vehicle_id, " DETAILS_AT "AS details_at " \
	"FROM smartcar_tesla.connection " \
	"WHERE server = $1 " \
	"AND (user_id = $2 OR $2 IS NULL) " \
	"AND status = 'connected' " \
	"AND (details_at IS NULL OR details_at < $3 OR details_at > @now) " \
	"AND ($4 AND details_at IS NOT NULL AND error_type IS NULL " \
	"AND " IS_REPORTED("access_type_known_at") \
	"AND " IS_REPORTED("tesla_scopes_known_at") \
	"AND " IS_REPORTED("virtual_key_known_at") ") IS NOT TRUE " \
	"AND (" DETAILS_AT ", user_id, vehicle_id) > ($5, $6, $7) " \
	"ORDER BY " DETAILS_AT ", user_id, vehicle_id LIMIT $8"

/*
 * Reads connections, beginning with those whose details are the oldest.
 */
SmartcarStaleConnection *
smartcar_connections_read_stale(const SmartcarStaleFilter *filter, int limit, int *count)
{
	SmartcarParameters parameters;
	const SmartcarStaleConnection *after = filter->after;
	SmartcarStaleConnection *connections;

	smartcar_parameters_begin(&parameters, filter->server, filter->user_id);
	smartcar_parameter_time(&parameters, filter->due_before);
	smartcar_parameter_bool(&parameters, filter->skips_reported);
	smartcar_parameter(&parameters, TIMESTAMPTZOID,
					   TimestampTzGetDatum(after ? after->details_at : DT_NOBEGIN), false);
	smartcar_parameter_string(&parameters, after ? after->user_id : "");
	smartcar_parameter_string(&parameters, after ? after->vehicle_id : "");
	smartcar_parameter_int32(&parameters, limit);
	if (filter->user_id == NULL)
		*count = (int) smartcar_spi_run_on_all(READ_STALE, &parameters);
	else
		*count = (int) smartcar_spi_run(READ_STALE, &parameters);
	connections = palloc((*count + 1) * sizeof(SmartcarStaleConnection));
	for (int i = 0; i < *count; i++)
	{
		connections[i].user_id = smartcar_row_string(i, "user_id");
		connections[i].vehicle_id = smartcar_row_string(i, "vehicle_id");
		connections[i].details_at = smartcar_row_time(i, "details_at");
	}
	return connections;
}

/*
 * Stores the details of a vehicle, each unless a later value is stored.  A connection
 * that was disconnected meanwhile is not changed.
 */
void
smartcar_connection_store_details(const SmartcarServer *server, const char *user_id,
								  const char *vehicle_id, const SmartcarDetails *details,
								  const SmartcarFailure *const *errors, int error_count,
								  TimestampTz requested_at)
{
	SmartcarKnownTime time = smartcar_known_time(requested_at);
	bool		has_tesla_responded = details->access_type.data != NULL ||
		details->tesla_scopes != NULL;
	SmartcarConnectionRow row;

	if (!smartcar_connection_lock(server, user_id, vehicle_id, &row) || row.is_disconnected)
		return;
	if (details->access_type.data != NULL && smartcar_replaces(&time, row.access_type_known_at))
	{
		row.access_type = pnstrdup(details->access_type.data, details->access_type.length);
		row.access_type_known_at = requested_at;
	}
	if (details->tesla_scopes != NULL && smartcar_replaces(&time, row.tesla_scopes_known_at))
	{
		row.tesla_scopes = details->tesla_scopes;
		row.tesla_scopes_known_at = requested_at;
	}
	if (details->is_paired_known && smartcar_replaces(&time, row.virtual_key_known_at))
	{
		row.is_paired_known = true;
		row.is_paired = details->is_paired;
		row.virtual_key_known_at = requested_at;
	}
	smartcar_connection_errors_replace(&row.errors, errors, error_count, has_tesla_responded,
									   requested_at);
	if (smartcar_replaces(&time, row.details_at))
		row.details_at = requested_at;
	smartcar_connection_update(server, &row);
}
