/*-------------------------------------------------------------------------
 *
 * expired.c
 *	  Deletes rows that have expired, at the end of a job.
 *
 * src/manager/expired.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/expired.h"

#include "manager/spi.h"

/*
 * How long a statement waits for locks, in milliseconds.  If a row is locked for longer,
 * the next job deletes it.
 */
#define LOCK_TIMEOUT	200

/* Events are not accepted after 25 hours, and until then not for a forgotten user. */
static const char *const deletions[] = {
	"DELETE FROM smartcar_tesla.session "
	"WHERE server = $1 AND expires_at < @now - interval '30 days'",
	"DELETE FROM smartcar_tesla.webhook_event "
	"WHERE server = $1 AND received_at < @now - interval '25 hours'",
	"DELETE FROM smartcar_tesla.forgotten_user "
	"WHERE server = $1 AND forgotten_at < @now - interval '25 hours'"
};

typedef struct Deletion
{
	const SmartcarServer *server;
	const char *statement;
} Deletion;

static void
delete_rows(void *argument)
{
	const Deletion *deletion = (const Deletion *) argument;
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, deletion->server->name);
	smartcar_spi_run(deletion->statement, &parameters);
}

/*
 * Deletes the expired rows of a server, and commits.
 */
void
smartcar_expired_rows_delete(const SmartcarServer *server)
{
	for (int i = 0; i < lengthof(deletions); i++)
	{
		Deletion	deletion = {server, deletions[i]};
		ErrorData  *error;

		if (!smartcar_spi_try(delete_rows, &deletion, LOCK_TIMEOUT, &error) &&
			!smartcar_error_is_transient(error))
			ReThrowError(error);
		smartcar_spi_commit();
	}
}
