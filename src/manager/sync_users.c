/*-------------------------------------------------------------------------
 *
 * sync_users.c
 *	  Statements that read the users to synchronize.
 *
 * In version 2.0, these are the users of active accounts.  In version 3, users who
 * connected elsewhere have connections, but no account.
 *
 * src/manager/sync_users.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_users.h"

#include "manager/spi.h"

#define MATCHING_USERS \
	"WHERE server = $1 " \
	"AND (external_id = $2 OR $2 IS NULL) " \
	"AND (user_id = $3 OR $3 IS NULL) "

#define ACTIVE_ACCOUNTS \
	"FROM smartcar_tesla.account " \
	MATCHING_USERS \
	"AND status = 'active' "

#define KNOWN_USERS \
	"FROM (" \
	"SELECT user_id, max(external_id) AS external_id FROM (" \
	"SELECT user_id, external_id FROM smartcar_tesla.account " MATCHING_USERS \
	"UNION ALL " \
	"SELECT user_id, external_id FROM smartcar_tesla.connection " MATCHING_USERS \
	") AS each GROUP BY user_id" \
	") AS known "

static void
bind_filter(SmartcarParameters *parameters, const SmartcarUserFilter *filter)
{
	smartcar_parameter_string(parameters, filter->server->name);
	smartcar_parameter_string(parameters, filter->external_id);
	smartcar_parameter_string(parameters, filter->user_id);
}

static bool
needs_account(const SmartcarUserFilter *filter)
{
	return smartcar_server_api_version(filter->server) == SMARTCAR_API_V2;
}

bool
smartcar_user_filter_is_empty(const SmartcarUserFilter *filter)
{
	return filter->external_id == NULL && filter->user_id == NULL;
}

int64
smartcar_users_count(const SmartcarUserFilter *filter)
{
	SmartcarParameters parameters = {0};
	const char *statement = needs_account(filter) ?
		"SELECT count(*) AS count " ACTIVE_ACCOUNTS :
		"SELECT count(*) AS count " KNOWN_USERS;

	bind_filter(&parameters, filter);
	if (smartcar_user_filter_is_empty(filter))
		smartcar_spi_run_on_all(statement, &parameters);
	else
		smartcar_spi_run(statement, &parameters);
	return smartcar_row_int64(0, "count");
}

/*
 * Reads the users after last, in the order of their ids.  Returns their number.  A token
 * that has expired is NULL, as is each in version 3.
 */
int
smartcar_users_read(const SmartcarUserFilter *filter, const char *last, int limit,
					SmartcarUser *users, bytea **tokens)
{
	SmartcarParameters parameters = {0};
	const char *statement = needs_account(filter) ?
		"SELECT user_id, external_id, "
		"CASE WHEN access_expires_at > @now THEN access_token END AS access_token "
		ACTIVE_ACCOUNTS
		"AND user_id > $4 "
		"ORDER BY user_id LIMIT $5" :
		"SELECT user_id, external_id, NULL::bytea AS access_token "
		KNOWN_USERS
		"WHERE user_id > $4 "
		"ORDER BY user_id LIMIT $5";
	int			count;

	bind_filter(&parameters, filter);
	smartcar_parameter_string(&parameters, last);
	smartcar_parameter_int32(&parameters, limit);
	if (smartcar_user_filter_is_empty(filter))
		count = (int) smartcar_spi_run_in_order(statement, &parameters);
	else
		count = (int) smartcar_spi_run(statement, &parameters);
	for (int i = 0; i < count; i++)
	{
		memset(&users[i], 0, sizeof(users[i]));
		users[i].user_id = users[i].account_id = smartcar_row_string(i, "user_id");
		users[i].external_id = smartcar_row_string(i, "external_id");
		tokens[i] = smartcar_row_bytea(i, "access_token");
	}
	return count;
}
