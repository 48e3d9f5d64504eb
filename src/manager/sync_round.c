/*-------------------------------------------------------------------------
 *
 * sync_round.c
 *	  Statements on the table smartcar_tesla.sync_round: where a synchronization
 *	  stopped.
 *
 * src/manager/sync_round.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/sync_round.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "manager/spi.h"

/*
 * Reads the round of a server.  A list of connections that began more than a day ago is
 * out of date, so it begins again.  A round of users (v2.0) continues, however long it
 * takes.
 */
void
smartcar_sync_round_read(const SmartcarServer *server, SmartcarSyncRound *round)
{
	SmartcarParameters parameters = {0};

	*round = (SmartcarSyncRound) {.details_began_at = DT_NOEND,.list_began_at = DT_NOEND};
	smartcar_parameter_string(&parameters, server->name);
	if (smartcar_spi_run("SELECT details_began_at, list_began_at, next_page, last_user_id, "
						 "list_began_at BETWEEN @now - interval '1 day' AND @now AS is_current "
						 "FROM smartcar_tesla.sync_round WHERE server = $1",
						 &parameters) == 0)
		return;
	round->details_began_at = smartcar_row_time(0, "details_began_at");
	round->last_user_id = smartcar_row_string(0, "last_user_id");
	if (!smartcar_row_bool(0, "is_current"))
		return;
	round->list_began_at = smartcar_row_time(0, "list_began_at");
	round->next_page = smartcar_row_int32(0, "next_page");
}

/*
 * Stores a round, or deletes one that has ended.
 */
void
smartcar_sync_round_store(const SmartcarServer *server, const SmartcarSyncRound *round)
{
	SmartcarParameters parameters = {0};

	smartcar_parameter_string(&parameters, server->name);
	if (round->details_began_at == DT_NOEND && round->next_page == 0 &&
		round->last_user_id == NULL)
	{
		smartcar_spi_run("DELETE FROM smartcar_tesla.sync_round WHERE server = $1", &parameters);
		return;
	}
	smartcar_parameter_time(&parameters, round->details_began_at);
	smartcar_parameter_time(&parameters, round->list_began_at);
	smartcar_parameter(&parameters, INT4OID, Int32GetDatum(round->next_page),
					   round->next_page == 0);
	smartcar_parameter_string(&parameters, round->last_user_id);
	smartcar_spi_run("INSERT INTO smartcar_tesla.sync_round "
					 "(server, details_began_at, list_began_at, next_page, last_user_id) "
					 "VALUES ($1, $2, $3, $4, $5) "
					 "ON CONFLICT (server) DO UPDATE SET "
					 "details_began_at = EXCLUDED.details_began_at, "
					 "list_began_at = EXCLUDED.list_began_at, "
					 "next_page = EXCLUDED.next_page, "
					 "last_user_id = EXCLUDED.last_user_id",
					 &parameters);
}
