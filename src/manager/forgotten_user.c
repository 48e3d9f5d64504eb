/*-------------------------------------------------------------------------
 *
 * forgotten_user.c
 *	  Statements on the table smartcar_tesla.forgotten_user.
 *
 * src/manager/forgotten_user.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/forgotten_user.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"

#include "manager/spi.h"

/*
 * Records that a user is forgotten now.
 */
void
smartcar_user_record_forgotten(const SmartcarServer *server, const char *user_id)
{
	SmartcarParameters parameters;

	smartcar_parameters_begin(&parameters, server, user_id);
	smartcar_spi_run("INSERT INTO smartcar_tesla.forgotten_user (server, user_hash, forgotten_at) "
					 "VALUES ($1, sha256(convert_to($2, 'UTF8')), @now) "
					 "ON CONFLICT (server, user_hash) DO UPDATE "
					 "SET forgotten_at = EXCLUDED.forgotten_at",
					 &parameters);
}

/*
 * Makes smartcar_forgotten_users_wait() wait for the end of this transaction.  The lock
 * must be taken before anything about a user is read or inserted.
 */
void
smartcar_forgotten_users_lock(void)
{
	SmartcarParameters none = {0};

	smartcar_spi_run("LOCK TABLE smartcar_tesla.connection IN ROW EXCLUSIVE MODE", &none);
}

/*
 * Whether a user was forgotten since a time.  The caller inserts what depends on it in
 * the same transaction.
 */
bool
smartcar_user_is_forgotten(const SmartcarServer *server, const char *user_id, TimestampTz since)
{
	SmartcarParameters parameters;

	smartcar_forgotten_users_lock();
	smartcar_parameters_begin(&parameters, server, user_id);
	smartcar_parameter_time(&parameters, since);
	return smartcar_spi_run("SELECT WHERE NOT " SMARTCAR_IS_NOT_FORGOTTEN("$2", "$3"),
							&parameters) > 0;
}

/*
 * Waits for transactions that insert connections or import tokens, and do not see the
 * recorded users.  A transaction that begins later sees them, and is not waited for.
 */
void
smartcar_forgotten_users_wait(void)
{
	SmartcarParameters none = {0};
	LOCKTAG		table;
	bool		is_null;
	Oid			oid;

	smartcar_spi_run("SELECT 'smartcar_tesla.connection'::pg_catalog.regclass::pg_catalog.oid AS oid",
					 &none);
	oid = DatumGetObjectId(smartcar_row_datum(0, "oid", &is_null));
	SET_LOCKTAG_RELATION(table, MyDatabaseId, oid);
	WaitForLockers(table, ShareLock, false);
	smartcar_spi_commit();
}
