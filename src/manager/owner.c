/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Statements that read and set the owner of a Smartcar user.
 *
 * The external_id of an owner is stored in the account of the user and in each of the
 * user's connections.
 *
 * src/manager/owner.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/owner.h"

#include "manager/account.h"
#include "manager/connection.h"
#include "manager/notify.h"
#include "manager/spi.h"
#include "pg/text.h"

/* Whether a Smartcar user of this owner is known. */
bool
smartcar_owner_is_known(const SmartcarServer *server, const char *external_id)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, external_id);
	return smartcar_spi_run("SELECT FROM smartcar_tesla.connection "
							"WHERE server = $1 AND external_id = $2 LIMIT 1",
							&parameters) > 0 ||
		smartcar_spi_run("SELECT FROM smartcar_tesla.account "
						 "WHERE server = $1 AND external_id = $2 "
						 "AND NOT starts_with(user_id, '" SMARTCAR_PROVISIONAL_PREFIX "') LIMIT 1",
						 &parameters) > 0;
}

/* Whether this user belongs to this owner. */
bool
smartcar_owner_has_user(const SmartcarServer *server, const char *external_id,
						const char *user_id)
{
	SmartcarParameters parameters;

	if (smartcar_account_is_provisional(user_id))
		return false;
	smartcar_parameters_begin(&parameters, server, external_id);
	smartcar_parameter_string(&parameters, user_id);
	return smartcar_spi_run("SELECT FROM smartcar_tesla.connection "
							"WHERE server = $1 AND external_id = $2 AND user_id = $3 LIMIT 1",
							&parameters) > 0 ||
		smartcar_spi_run("SELECT FROM smartcar_tesla.account "
						 "WHERE server = $1 AND external_id = $2 AND user_id = $3",
						 &parameters) > 0;
}

static bool
differs(const char *external_id, const char *new_external_id)
{
	return external_id == NULL || strcmp(external_id, new_external_id) != 0;
}

static void
warn_of_change(const char *user_id, const char *old_owner, const char *new_owner)
{
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("user \"%s\" has a new owner", user_id),
			 errdetail("The user belonged to owner \"%s\", and now belongs to owner \"%s\".",
					   smartcar_excerpt(smartcar_span_from_string(old_owner)),
					   smartcar_excerpt(smartcar_span_from_string(new_owner)))));
}

/*
 * Warns of users whose connections, stored at this time, have got a new owner, and sends
 * a notification for each connection, because the previous owner does not see the
 * vehicle any more.  user_id: NULL for all users.
 */
void
smartcar_owners_report_changes(const SmartcarServer *server, const char *user_id,
							   TimestampTz stored_at)
{
	SmartcarParameters parameters = {0};
	const char *last_user_id = "";
	SmartcarConnectionRow *rows;
	int			count;

	smartcar_parameter_string(&parameters, server->name);
	smartcar_parameter_time(&parameters, stored_at);
	smartcar_parameter_string(&parameters, user_id);
	count = (int) smartcar_spi_run_kept("SELECT " SMARTCAR_CONNECTION_COLUMNS
										"FROM smartcar_tesla.connection "
										"WHERE server = $1 AND owner_changed_at >= $2 "
										"AND synced_at = $2 "
										"AND ($3 IS NULL OR user_id = $3) "
										"ORDER BY user_id, vehicle_id",
										&parameters);
	rows = smartcar_connections_read(count);
	for (int i = 0; i < count; i++)
	{
		if (strcmp(rows[i].user_id, last_user_id) != 0)
			warn_of_change(rows[i].user_id, rows[i].previous_external_id, rows[i].external_id);
		last_user_id = rows[i].user_id;
		smartcar_notify_owner_changed(server, &rows[i]);
	}
}

/*
 * Returns the previous owner of a user's connections that have got this owner since a
 * time; NULL if there is none.
 */
const char *
smartcar_owner_previous(const SmartcarServer *server, const char *external_id,
						const char *user_id, TimestampTz since)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, external_id);
	smartcar_parameter_string(&parameters, user_id);
	smartcar_parameter_time(&parameters, since);
	if (smartcar_spi_run("SELECT previous_external_id FROM smartcar_tesla.connection "
						 "WHERE server = $1 AND external_id = $2 AND user_id = $3 "
						 "AND owner_changed_at >= $4 "
						 "ORDER BY owner_changed_at DESC LIMIT 1",
						 &parameters) == 0)
		return NULL;
	return smartcar_row_string(0, "previous_external_id");
}

/*
 * Assigns a known user to an owner.  In version 3, the user gets an account, as after a
 * callback.
 */
SmartcarAdoption
smartcar_owner_adopt(const SmartcarServer *server, const char *user_id, const char *external_id)
{
	SmartcarParameters parameters;
	const char *old_owner = NULL;
	bool		has_account;
	bool		is_changed;
	int			count;
	SmartcarConnectionRow *rows;

	smartcar_parameters_begin(&parameters, server, user_id);
	has_account = smartcar_spi_run("SELECT external_id FROM smartcar_tesla.account "
								   "WHERE server = $1 AND user_id = $2 "
								   "FOR NO KEY UPDATE",
								   &parameters) > 0;
	if (has_account)
		old_owner = smartcar_row_string(0, "external_id");
	is_changed = differs(old_owner, external_id);
	if (!is_changed)
		old_owner = NULL;
	rows = smartcar_connections_lock(server, user_id, &count);
	if (!has_account && count == 0)
		return SMARTCAR_ADOPTION_UNKNOWN;
	if (!has_account && smartcar_server_api_version(server) == SMARTCAR_API_V2)
		is_changed = false;
	for (int i = 0; i < count; i++)
	{
		if (!differs(rows[i].external_id, external_id))
			continue;
		is_changed = true;
		if (old_owner == NULL)
			old_owner = rows[i].external_id;
	}
	if (!is_changed)
		return SMARTCAR_ADOPTION_SAME;

	smartcar_parameter_string(&parameters, external_id);
	if (has_account)
		smartcar_spi_run("UPDATE smartcar_tesla.account "
						 "SET external_id = $3, updated_at = @now "
						 "WHERE server = $1 AND user_id = $2 "
						 "AND external_id IS DISTINCT FROM $3",
						 &parameters);
	else if (smartcar_server_api_version(server) == SMARTCAR_API_V3)
		smartcar_account_record_user(server, user_id, external_id);
	smartcar_spi_run("UPDATE smartcar_tesla.connection "
					 "SET external_id = $3, updated_at = @now, "
					 "previous_external_id = COALESCE(external_id, previous_external_id), "
					 "owner_changed_at = CASE WHEN external_id IS NULL THEN owner_changed_at "
					 "ELSE @now END "
					 "WHERE server = $1 AND user_id = $2 "
					 "AND external_id IS DISTINCT FROM $3",
					 &parameters);
	if (old_owner == NULL)
		return SMARTCAR_ADOPTION_FIRST;
	warn_of_change(user_id, old_owner, external_id);
	for (int i = 0; i < count; i++)
	{
		if (rows[i].external_id == NULL || !differs(rows[i].external_id, external_id))
			continue;
		rows[i].previous_external_id = rows[i].external_id;
		rows[i].external_id = external_id;
		smartcar_notify_owner_changed(server, &rows[i]);
	}
	return SMARTCAR_ADOPTION_REPLACED;
}
