/*-------------------------------------------------------------------------
 *
 * owner_user.c
 *	  Statements that read and delete the rows of an owner's users.
 *
 * A user may have belonged to another owner before, so that the rows of one user can
 * name two owners.  A row without an owner belongs to the owner of the user's other
 * rows, if these name only one.
 *
 * src/manager/owner_user.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/owner_user.h"

#include "utils/builtins.h"

#include "manager/connection.h"
#include "manager/spi.h"

static int
compare_users(const void *a, const void *b)
{
	return strcmp(((const SmartcarOwnerUser *) a)->user_id,
				  ((const SmartcarOwnerUser *) b)->user_id);
}

/*
 * Finds a user among those that were read; NULL if there is none.
 */
SmartcarOwnerUser *
smartcar_owner_user_find(SmartcarOwnerUser *users, int count, const char *user_id)
{
	SmartcarOwnerUser key = {.user_id = user_id};

	return count == 0 ? NULL : bsearch(&key, users, count, sizeof(key), compare_users);
}

static int
compare_vehicles(const void *a, const void *b)
{
	return strcmp(((const SmartcarOwnerVehicle *) a)->vehicle_id,
				  ((const SmartcarOwnerVehicle *) b)->vehicle_id);
}

/*
 * Finds a stored vehicle of a user; NULL if there is none.
 */
SmartcarOwnerVehicle *
smartcar_owner_vehicle_find(const SmartcarOwnerUser *user, const char *vehicle_id)
{
	SmartcarOwnerVehicle key = {.vehicle_id = vehicle_id};

	if (vehicle_id == NULL || user->vehicle_count == 0)
		return NULL;
	return bsearch(&key, user->vehicles, user->vehicle_count, sizeof(key), compare_vehicles);
}

/* Records whether a row of a user names this owner or another one. */
static void
record_owner(SmartcarOwnerUser *user, const char *named, const char *external_id)
{
	if (named == NULL)
		return;
	if (strcmp(named, external_id) == 0)
		user->is_own = true;
	else
		user->is_shared = true;
}

static SmartcarOwnerUser *
read_user_ids(const SmartcarServer *server, const char *external_id, List *more_user_ids,
			  int *count)
{
	SmartcarParameters parameters;
	Datum	   *texts = palloc((list_length(more_user_ids) + 1) * sizeof(Datum));
	SmartcarOwnerUser *users;
	ListCell   *cell;

	foreach(cell, more_user_ids)
		texts[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	smartcar_parameters_begin(&parameters, server, external_id);
	smartcar_parameter_text_array(&parameters, texts, list_length(more_user_ids));
	*count = (int) smartcar_spi_run("SELECT user_id FROM smartcar_tesla.account "
									"WHERE server = $1 AND external_id = $2 "
									"UNION SELECT user_id FROM smartcar_tesla.connection "
									"WHERE server = $1 AND external_id = $2 "
									"UNION SELECT unnest($3)",
									&parameters);
	users = palloc0((*count + 1) * sizeof(SmartcarOwnerUser));
	for (int i = 0; i < *count; i++)
		users[i].user_id = smartcar_row_string(i, "user_id");
	qsort(users, *count, sizeof(SmartcarOwnerUser), compare_users);
	return users;
}

static void
read_accounts(const SmartcarParameters *parameters, const char *external_id,
			  SmartcarOwnerUser *users, int count)
{
	uint64		rows = smartcar_spi_run("SELECT user_id, external_id, "
										"status <> 'active' AS is_refused, "
										"CASE WHEN access_expires_at > @now + interval '10 seconds' "
										"THEN access_token END AS access_token "
										"FROM smartcar_tesla.account "
										"WHERE server = $1 AND user_id = ANY ($2)",
										parameters);

	for (uint64 row = 0; row < rows; row++)
	{
		SmartcarOwnerUser *user = smartcar_owner_user_find(users, count,
														   smartcar_row_string(row, "user_id"));

		user->has_account = true;
		user->external_id = smartcar_row_string(row, "external_id");
		user->is_refused = smartcar_row_bool(row, "is_refused");
		user->access_token = smartcar_row_bytea(row, "access_token");
		record_owner(user, user->external_id, external_id);
	}
}

static void
read_vehicles(const SmartcarParameters *parameters, const char *external_id,
			  SmartcarOwnerUser *users, int count)
{
	uint64		rows = smartcar_spi_run("SELECT user_id, vehicle_id, external_id, "
										"status = 'connected' AS is_connected "
										"FROM smartcar_tesla.connection "
										"WHERE server = $1 AND user_id = ANY ($2) "
										"ORDER BY user_id COLLATE \"C\", vehicle_id COLLATE \"C\"",
										parameters);
	SmartcarOwnerVehicle *vehicles = palloc0((rows + 1) * sizeof(SmartcarOwnerVehicle));

	for (uint64 row = 0; row < rows; row++)
	{
		SmartcarOwnerUser *user = smartcar_owner_user_find(users, count,
														   smartcar_row_string(row, "user_id"));

		vehicles[row].vehicle_id = smartcar_row_string(row, "vehicle_id");
		vehicles[row].external_id = smartcar_row_string(row, "external_id");
		vehicles[row].is_connected = smartcar_row_bool(row, "is_connected");
		if (user->vehicle_count++ == 0)
			user->vehicles = &vehicles[row];
		record_owner(user, vehicles[row].external_id, external_id);
	}
}

/*
 * Reads the users of an owner, and some more, in the order of their ids, with all of
 * their rows, whichever owner these name.
 */
SmartcarOwnerUser *
smartcar_owner_users_read(const SmartcarServer *server, const char *external_id,
						  List *more_user_ids, int *count)
{
	SmartcarParameters parameters = {0};
	SmartcarOwnerUser *users = read_user_ids(server, external_id, more_user_ids, count);
	Datum	   *texts = palloc((*count + 1) * sizeof(Datum));

	for (int i = 0; i < *count; i++)
		texts[i] = CStringGetTextDatum(users[i].user_id);
	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_text_array(&parameters, texts, *count);
	read_accounts(&parameters, external_id, users, *count);
	read_vehicles(&parameters, external_id, users, *count);
	return users;
}

/* Rows of the owner $3, and if $4, rows without an owner. */
#define IS_OWN	"(external_id = $3 OR (external_id IS NULL AND $4)) "

static void
bind_user(SmartcarParameters *parameters, const SmartcarServer *server, const char *external_id,
		  const SmartcarOwnerUser *user)
{
	smartcar_parameters_begin(parameters, server, user->user_id);
	smartcar_parameter_string(parameters, external_id);
	smartcar_parameter_bool(parameters, !user->is_shared);
}

/*
 * Deletes the rows of a user that belong to the owner.  The account is locked before the
 * connections, as everywhere, and these in the order of their key.
 */
void
smartcar_owner_user_delete(const SmartcarServer *server, const char *external_id,
						   const SmartcarOwnerUser *user, SmartcarOwnerRows *rows)
{
	SmartcarParameters parameters = {0};
	int			ignored;

	bind_user(&parameters, server, external_id, user);
	rows->accounts += smartcar_spi_run("DELETE FROM smartcar_tesla.account "
									   "WHERE server = $1 AND user_id = $2 AND " IS_OWN,
									   &parameters);
	(void) smartcar_connections_lock(server, user->user_id, &ignored);
	rows->connections += smartcar_spi_run("DELETE FROM smartcar_tesla.connection "
										  "WHERE server = $1 AND user_id = $2 AND " IS_OWN,
										  &parameters);
	rows->sessions += smartcar_spi_run("DELETE FROM smartcar_tesla.session "
									   "WHERE server = $1 AND user_id = $2 AND " IS_OWN,
									   &parameters);
}

/*
 * Clears the owner where connections and sessions of others name them as the previous
 * owner.
 */
void
smartcar_owner_clear_previous(const SmartcarServer *server, const char *external_id)
{
	SmartcarParameters parameters;
	uint64		count;
	SmartcarConnectionRow *rows;

	smartcar_parameters_begin(&parameters, server, external_id);
	count = smartcar_spi_run("SELECT " SMARTCAR_CONNECTION_COLUMNS
							 "FROM smartcar_tesla.connection "
							 "WHERE server = $1 AND previous_external_id = $2 "
							 "AND owner_changed_at IS NOT NULL "
							 "ORDER BY user_id COLLATE \"C\", vehicle_id COLLATE \"C\"",
							 &parameters);
	rows = smartcar_connections_read((int) count);
	for (uint64 i = 0; i < count; i++)
	{
		parameters.count = 2;
		smartcar_parameter_string(&parameters, rows[i].user_id);
		smartcar_parameter_string(&parameters, rows[i].vehicle_id);
		smartcar_spi_run("UPDATE smartcar_tesla.connection "
						 "SET previous_external_id = NULL, owner_changed_at = NULL "
						 "WHERE server = $1 AND previous_external_id = $2 "
						 "AND user_id = $3 AND vehicle_id = $4",
						 &parameters);
	}
	parameters.count = 2;
	smartcar_spi_run("UPDATE smartcar_tesla.session "
					 "SET previous_external_id = NULL "
					 "WHERE server = $1 AND previous_external_id = $2",
					 &parameters);
}

void
smartcar_owner_vehicle_delete(const SmartcarServer *server, const char *external_id,
							  const SmartcarOwnerUser *user, const char *vehicle_id,
							  SmartcarOwnerRows *rows)
{
	SmartcarParameters parameters = {0};

	bind_user(&parameters, server, external_id, user);
	smartcar_parameter_string(&parameters, vehicle_id);
	rows->connections += smartcar_spi_run("DELETE FROM smartcar_tesla.connection "
										  "WHERE server = $1 AND user_id = $2 "
										  "AND vehicle_id = $5 AND " IS_OWN,
										  &parameters);
}
