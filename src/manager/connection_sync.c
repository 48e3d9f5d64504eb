/*-------------------------------------------------------------------------
 *
 * connection_sync.c
 *	  Statements of a synchronization on the table smartcar_tesla.connection.
 *
 * src/manager/connection_sync.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/connection_sync.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "manager/forgotten_user.h"

const Oid	smartcar_page_types[SMARTCAR_PAGE_COLUMNS] = {
	[SMARTCAR_PAGE_CONNECTION_ID] = TEXTOID,
	[SMARTCAR_PAGE_USER_ID] = TEXTOID,
	[SMARTCAR_PAGE_VEHICLE_ID] = TEXTOID,
	[SMARTCAR_PAGE_EXTERNAL_ID] = TEXTOID,
	[SMARTCAR_PAGE_MODE] = TEXTOID,
	[SMARTCAR_PAGE_PERMISSIONS] = TEXTOID,
	[SMARTCAR_PAGE_MAKE] = TEXTOID,
	[SMARTCAR_PAGE_MODEL] = TEXTOID,
	[SMARTCAR_PAGE_YEAR] = INT4OID,
	[SMARTCAR_PAGE_POWERTRAIN_TYPE] = TEXTOID,
	[SMARTCAR_PAGE_CONNECTED_AT] = TIMESTAMPTZOID
};

/*
 * Whether a stored time is not later than a new one.  A stored time in the future comes
 * from a clock that was wrong, and does not count.
 */
#define IS_NOT_LATER(column, time, now) \
	"(" column " IS NULL OR " column " <= " time " OR " column " > " now ") "

/*
 * Two owners of the application may share one Tesla login.  The vehicles then belong to
 * the owner who connected last.
 */
#define RECORD_OWNER_CHANGE(now) \
	"previous_external_id = CASE WHEN c.external_id <> EXCLUDED.external_id " \
	"THEN c.external_id ELSE c.previous_external_id END, " \
	"owner_changed_at = CASE WHEN c.external_id <> EXCLUDED.external_id " \
	"THEN " now " ELSE c.owner_changed_at END, "

/*
 * Stores a page, in the order of the key, without users who were forgotten since the
 * request.  If the page has a vehicle of a user twice, the latest connection is stored.
 *
 * Citus allows no parameter after ON CONFLICT if the table is distributed.  unnest() is
 * in the SELECT list, because each one in FROM would first materialize its rows.
 */
void
smartcar_connections_store_page(const SmartcarServer *server, const Datum *columns,
								TimestampTz requested_at)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	for (int i = 0; i < SMARTCAR_PAGE_COLUMNS; i++)
		smartcar_parameter(&parameters, get_array_type(smartcar_page_types[i]), columns[i], false);
	smartcar_parameter_time(&parameters, requested_at);
	smartcar_spi_run_kept("INSERT INTO smartcar_tesla.connection AS c "
						  "(server, user_id, vehicle_id, connection_id, external_id, mode, "
						  "granted_scopes, make, model, year, powertrain_type, "
						  "connected_at, synced_at, updated_at) "
						  "SELECT DISTINCT ON (p.user_id COLLATE \"C\", p.vehicle_id COLLATE \"C\") "
						  "$1, p.user_id, p.vehicle_id, p.connection_id, p.external_id, p.mode, "
						  "string_to_array(p.permissions, ' '), p.make, p.model, p.year, "
						  "p.powertrain_type, p.connected_at, $13, @now "
						  "FROM (SELECT unnest($2) AS connection_id, unnest($3) AS user_id, "
						  "unnest($4) AS vehicle_id, unnest($5) AS external_id, unnest($6) AS mode, "
						  "unnest($7) AS permissions, unnest($8) AS make, unnest($9) AS model, "
						  "unnest($10) AS year, unnest($11) AS powertrain_type, "
						  "unnest($12) AS connected_at) AS p "
						  "WHERE " SMARTCAR_IS_NOT_FORGOTTEN("p.user_id", "$13")
						  "ORDER BY p.user_id COLLATE \"C\", p.vehicle_id COLLATE \"C\", "
						  "p.connected_at DESC NULLS LAST "
						  "ON CONFLICT (server, user_id, vehicle_id) DO UPDATE SET "
						  "status = 'connected', "
						  "connection_id = EXCLUDED.connection_id, "
						  "external_id = COALESCE(EXCLUDED.external_id, c.external_id), "
						  RECORD_OWNER_CHANGE("EXCLUDED.updated_at")
						  "mode = EXCLUDED.mode, "
						  "granted_scopes = EXCLUDED.granted_scopes, "
						  "make = EXCLUDED.make, "
						  "model = EXCLUDED.model, "
						  "year = EXCLUDED.year, "
						  "powertrain_type = EXCLUDED.powertrain_type, "
						  "connected_at = EXCLUDED.connected_at, "
						  "webhook_id = CASE WHEN c.connection_id <> EXCLUDED.connection_id "
						  "THEN NULL ELSE c.webhook_id END, "
						  "synced_at = EXCLUDED.synced_at, "
						  "updated_at = EXCLUDED.updated_at "
						  "WHERE " IS_NOT_LATER("c.synced_at", "EXCLUDED.synced_at",
												"EXCLUDED.updated_at"),
						  &parameters);
}

/* Binds a column of a response; NULL if the request failed. */
static void
bind_column(SmartcarParameters *parameters, const SmartcarItem *response, int column, Oid type)
{
	smartcar_parameter(parameters, type, response->values[column],
					   response->error != NULL || response->nulls[column]);
}

static void
bind_responses(SmartcarParameters *parameters, const SmartcarItem *responses)
{
	const SmartcarItem *vehicle = &responses[SMARTCAR_REQUEST_VEHICLE];
	const SmartcarItem *access = &responses[SMARTCAR_REQUEST_TESLA_ACCESS];

	bind_column(parameters, vehicle, 1, TEXTOID);
	bind_column(parameters, vehicle, 2, TEXTOID);
	bind_column(parameters, vehicle, 3, INT4OID);
	bind_column(parameters, vehicle, 4, TEXTOID);
	bind_column(parameters, vehicle, 5, TEXTOID);
	bind_column(parameters, &responses[SMARTCAR_REQUEST_PERMISSIONS], 0, TEXTARRAYOID);
	bind_column(parameters, access, 0, TEXTOID);
	bind_column(parameters, access, 1, TEXTARRAYOID);
	bind_column(parameters, &responses[SMARTCAR_REQUEST_VIRTUAL_KEY], 0, BOOLOID);
}

/* For values that webhooks report, too: each has a time of its own. */
#define SET_IF_NEWER(column, known_at) \
	column " = CASE WHEN EXCLUDED." column " IS NOT NULL " \
	"AND " IS_NOT_LATER("c." known_at, "$14", "@now") \
	"THEN EXCLUDED." column " ELSE c." column " END, " \
	known_at " = CASE WHEN EXCLUDED." column " IS NOT NULL " \
	"AND " IS_NOT_LATER("c." known_at, "$14", "@now") \
	"THEN $14 ELSE c." known_at " END, "

#define SET_OR_KEEP(column) \
	column " = COALESCE(EXCLUDED." column ", c." column "), "

#define SET(column) \
	column " = EXCLUDED." column ", "

/*
 * Stores the responses about a vehicle, unless a later synchronization was stored.  The
 * errors replace all stored ones.
 */
void
smartcar_connection_store(const SmartcarServer *server, const SmartcarUser *user,
						  SmartcarSpan vehicle_id, const SmartcarItem *responses,
						  const SmartcarConnectionErrors *errors, TimestampTz requested_at)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user->user_id);
	smartcar_parameter_text(&parameters, vehicle_id);
	smartcar_parameter_string(&parameters, user->external_id);
	bind_responses(&parameters, responses);
	smartcar_parameter_time(&parameters, requested_at);
	smartcar_parameter_errors(&parameters, errors);
	smartcar_spi_run("INSERT INTO smartcar_tesla.connection AS c "
					 "(server, user_id, vehicle_id, external_id, "
					 "make, model, year, mode, powertrain_type, granted_scopes, "
					 "access_type, tesla_scopes, virtual_key_paired, "
					 "connected_at, synced_at, "
					 "access_type_known_at, tesla_scopes_known_at, virtual_key_known_at, "
					 "errors, errors_known_at, error_type, error_code, "
					 "error_description, error_action, error_url, error_at) "
					 "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
					 "$14, $14, "
					 "CASE WHEN $11 IS NOT NULL THEN $14 END, "
					 "CASE WHEN $12 IS NOT NULL THEN $14 END, "
					 "CASE WHEN $13 IS NOT NULL THEN $14 END, "
					 "$15::jsonb, $16, $17, $18, $19, $20::@.smartcar_action, $21, $22) "
					 "ON CONFLICT (server, user_id, vehicle_id) DO UPDATE SET "
					 "status = 'connected', "
					 SET_OR_KEEP("external_id")
					 RECORD_OWNER_CHANGE("@now")
					 SET_OR_KEEP("make")
					 SET_OR_KEEP("model")
					 SET_OR_KEEP("year")
					 SET_OR_KEEP("mode")
					 SET_OR_KEEP("powertrain_type")
					 SET_OR_KEEP("granted_scopes")
					 SET_IF_NEWER("access_type", "access_type_known_at")
					 SET_IF_NEWER("tesla_scopes", "tesla_scopes_known_at")
					 SET_IF_NEWER("virtual_key_paired", "virtual_key_known_at")
					 SET("errors")
					 SET("errors_known_at")
					 SET("error_type")
					 SET("error_code")
					 SET("error_description")
					 SET("error_action")
					 SET("error_url")
					 SET("error_at")
					 "connected_at = CASE WHEN c.status = 'connected' "
					 "THEN c.connected_at ELSE EXCLUDED.connected_at END, "
					 "synced_at = EXCLUDED.synced_at, "
					 "updated_at = @now "
					 "WHERE " IS_NOT_LATER("c.synced_at", "$14", "@now"),
					 &parameters);
}

/*
 * Marks the vehicles that Smartcar no longer lists for a user.  Their rows must be
 * locked.  Returns their number.
 */
int64
smartcar_connections_mark_disconnected(const SmartcarServer *server, const SmartcarUser *user,
									   TimestampTz requested_at)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user->user_id);
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(user->vehicle_ids), false);
	smartcar_parameter_time(&parameters, requested_at);
	return (int64) smartcar_spi_run("UPDATE smartcar_tesla.connection SET "
									"status = 'disconnected', "
									"webhook_id = NULL, "
									"synced_at = $4, "
									"updated_at = @now "
									"WHERE server = $1 AND user_id = $2 "
									"AND status = 'connected' "
									"AND vehicle_id <> ALL ($3) "
									"AND " IS_NOT_LATER("synced_at", "$4", "@now"),
									&parameters);
}

void
smartcar_connections_read_known(const SmartcarServer *server, SmartcarUser *users, int count)
{
	SmartcarParameters parameters = {0};
	Datum	   *user_ids = palloc(count * sizeof(Datum));
	uint64		found;

	for (int i = 0; i < count; i++)
	{
		user_ids[i] = CStringGetTextDatum(users[i].user_id);
		users[i].known_vehicle_ids = construct_empty_array(TEXTOID);
	}
	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_text_array(&parameters, user_ids, count);
	found = smartcar_spi_run("SELECT user_id, array_agg(vehicle_id) AS vehicle_ids "
							 "FROM smartcar_tesla.connection "
							 "WHERE server = $1 AND user_id = ANY ($2) "
							 "GROUP BY user_id",
							 &parameters);
	for (uint64 row = 0; row < found; row++)
	{
		const char *user_id = smartcar_row_string(row, "user_id");
		bool		is_null;
		Datum		vehicle_ids = smartcar_row_datum(row, "vehicle_ids", &is_null);

		for (int i = 0; i < count; i++)
		{
			if (strcmp(users[i].user_id, user_id) == 0)
				users[i].known_vehicle_ids = DatumGetArrayTypePCopy(vehicle_ids);
		}
	}
}

/*
 * Finds connections to the same vehicles that the owner has as another user.
 *
 * The other user may be another Tesla login, for example of a driver.  So a connection
 * that works is found only if this user has just connected with the same access type.
 * One that does not work any more, because it has no active account (v2.0), is always
 * found.
 */
SmartcarOtherConnection *
smartcar_connections_find_others(const SmartcarServer *server, const SmartcarUser *user,
								 TimestampTz requested_at, int *count)
{
	bool		by_account = smartcar_server_api_version(server) == SMARTCAR_API_V2;
	SmartcarParameters parameters;
	SmartcarOtherConnection *others;

	smartcar_parameters_begin(&parameters, server, user->user_id);
	smartcar_parameter(&parameters, TEXTARRAYOID, PointerGetDatum(user->vehicle_ids), false);
	smartcar_parameter_string(&parameters, user->external_id);
	smartcar_parameter_time(&parameters, requested_at);
	smartcar_parameter_bool(&parameters, user->has_just_connected);
	smartcar_parameter_bool(&parameters, by_account);
	*count = (int) smartcar_spi_run("WITH c AS ("
									"SELECT user_id, vehicle_id, access_type, synced_at "
									"FROM smartcar_tesla.connection "
									"WHERE server = $1 AND external_id = $4 "
									"AND vehicle_id = ANY ($3)), "
									"a AS ("
									"SELECT user_id FROM smartcar_tesla.account "
									"WHERE server = $1 AND status = 'active' "
									"AND user_id IN (SELECT user_id FROM c)) "
									"SELECT other.user_id, other.vehicle_id "
									"FROM c AS other JOIN c USING (vehicle_id) "
									"WHERE c.user_id = $2 AND other.user_id <> $2 "
									"AND " IS_NOT_LATER("other.synced_at", "$5", "@now")
									"AND ($6 AND other.access_type = c.access_type "
									"OR $7 AND other.user_id NOT IN (TABLE a))",
									&parameters);
	others = palloc((*count + 1) * sizeof(SmartcarOtherConnection));
	for (int i = 0; i < *count; i++)
	{
		others[i].user_id = smartcar_row_string(i, "user_id");
		others[i].vehicle_id = smartcar_row_string(i, "vehicle_id");
	}
	return others;
}

/*
 * Removes a connection that the owner has as another user, and the account if it has no
 * connection left.  The account is locked first, as everywhere.  The caller must hold no
 * lock on rows of another user.
 */
void
smartcar_connection_remove_other(const SmartcarServer *server, const SmartcarUser *user,
								 const SmartcarOtherConnection *other, TimestampTz requested_at)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, other->user_id);
	smartcar_spi_run("SELECT FROM smartcar_tesla.account "
					 "WHERE server = $1 AND user_id = $2 "
					 "FOR UPDATE",
					 &parameters);
	smartcar_parameter_string(&parameters, other->vehicle_id);
	smartcar_parameter_time(&parameters, requested_at);
	smartcar_spi_run("DELETE FROM smartcar_tesla.connection "
					 "WHERE server = $1 AND user_id = $2 AND vehicle_id = $3 "
					 "AND " IS_NOT_LATER("synced_at", "$4", "@now"),
					 &parameters);
	parameters.count = 2;
	smartcar_parameter_string(&parameters, user->external_id);
	smartcar_parameter_bool(&parameters, user->has_just_connected);
	smartcar_spi_run("DELETE FROM smartcar_tesla.account "
					 "WHERE server = $1 AND user_id = $2 AND external_id = $3 "
					 "AND ($4 OR status <> 'active') "
					 "AND NOT EXISTS (SELECT FROM smartcar_tesla.connection "
					 "WHERE server = $1 AND user_id = $2 AND status = 'connected')",
					 &parameters);
}

int64
smartcar_connections_count(const SmartcarServer *server)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_spi_run_on_all("SELECT count(*) AS count FROM smartcar_tesla.connection "
							"WHERE server = $1 AND status = 'connected'",
							&parameters);
	return smartcar_row_int64(0, "count");
}

/* A connection that was made while the list was read may rightly be on no page. */
#define IS_MISSING \
	"status = 'connected' " \
	"AND (created_at < $2 OR created_at > @now) " \
	"AND (synced_at IS NULL OR synced_at < $2 OR synced_at > @now) "

/*
 * Counts the connections that the list which began at this time did not contain.
 */
int64
smartcar_connections_count_missing(const SmartcarServer *server, TimestampTz list_began_at)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_time(&parameters, list_began_at);
	smartcar_spi_run_on_all("SELECT count(*) AS count FROM smartcar_tesla.connection "
							"WHERE server = $1 AND " IS_MISSING,
							&parameters);
	return smartcar_row_int64(0, "count");
}

/*
 * Removes the connections that were added by the list which began at this time.  Users
 * who connected meanwhile have an account, and keep theirs.
 */
void
smartcar_connections_remove_listed(const SmartcarServer *server, TimestampTz list_began_at)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_time(&parameters, list_began_at);
	smartcar_spi_run_on_all("DELETE FROM smartcar_tesla.connection AS c "
							"WHERE server = $1 AND created_at >= $2 AND connection_id IS NOT NULL "
							"AND NOT EXISTS (SELECT FROM smartcar_tesla.account a "
							"WHERE a.server = c.server AND a.user_id = c.user_id)",
							&parameters);
}

/*
 * Reads the next users with a connection that the list did not contain, in the order of
 * their ids.
 */
char	  **
smartcar_connections_read_users(const SmartcarServer *server, const char *last,
								TimestampTz list_began_at, int limit, int *count)
{
	SmartcarParameters parameters = {0};
	char	  **user_ids;

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_time(&parameters, list_began_at);
	smartcar_parameter_string(&parameters, last);
	smartcar_parameter_int32(&parameters, limit);
	*count = (int) smartcar_spi_run_on_all("SELECT DISTINCT user_id FROM smartcar_tesla.connection "
										   "WHERE server = $1 AND user_id > $3 AND " IS_MISSING
										   "ORDER BY user_id LIMIT $4",
										   &parameters);
	user_ids = palloc((*count + 1) * sizeof(char *));
	for (int i = 0; i < *count; i++)
		user_ids[i] = smartcar_row_string(i, "user_id");
	return user_ids;
}
