/*-------------------------------------------------------------------------
 *
 * connection_subscription.c
 *	  Statements on the table smartcar_tesla.connection about subscriptions to
 *	  webhooks.
 *
 * src/manager/connection_subscription.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "manager/connection_subscription.h"

#include "manager/spi.h"

#define READ_SUBSCRIBERS \
	"SELECT user_id, vehicle_id " \
	"FROM smartcar_tesla.connection " \
	"WHERE server = $1 " \
	"AND (external_id = $2 OR $2 IS NULL) " \
	"AND (user_id = $3 OR $3 IS NULL) " \
	"AND status = 'connected' " \
	"AND (webhook_id IS DISTINCT FROM $4 OR $8) " \
	"AND (user_id, vehicle_id) > ($5, $6) " \
	"ORDER BY user_id, vehicle_id LIMIT $7"

/*
 * Reads connections in the order of the key, from the one after last: those whose
 * subscription to the webhook is not recorded, or all.
 */
SmartcarSubscriber *
smartcar_subscribers_read(const SmartcarUserFilter *filter, const char *webhook_id, bool all,
						  const SmartcarSubscriber *last, int limit, int *count)
{
	SmartcarParameters parameters;
	SmartcarSubscriber *subscribers;

	smartcar_parameters_begin(&parameters, filter->server, filter->external_id);
	smartcar_parameter_string(&parameters, filter->user_id);
	smartcar_parameter_string(&parameters, webhook_id);
	smartcar_parameter_string(&parameters, last->user_id);
	smartcar_parameter_string(&parameters, last->vehicle_id);
	smartcar_parameter_int32(&parameters, limit);
	smartcar_parameter_bool(&parameters, all);
	if (smartcar_user_filter_is_empty(filter))
		*count = (int) smartcar_spi_run_on_all(READ_SUBSCRIBERS, &parameters);
	else
		*count = (int) smartcar_spi_run(READ_SUBSCRIBERS, &parameters);
	subscribers = palloc0((*count + 1) * sizeof(SmartcarSubscriber));
	for (int i = 0; i < *count; i++)
	{
		subscribers[i].user_id = smartcar_row_string(i, "user_id");
		subscribers[i].vehicle_id = smartcar_row_string(i, "vehicle_id");
	}
	return subscribers;
}

/*
 * Records subscriptions.  A connection that was disconnected meanwhile has none any
 * more.
 */
void
smartcar_subscribers_record(const SmartcarServer *server, const char *webhook_id,
							const SmartcarSubscriber *subscribers, int count)
{
	for (int i = 0; i < count; i++)
	{
		SmartcarParameters parameters;

		if (!subscribers[i].is_subscribed)
			continue;
		smartcar_parameters_begin(&parameters, server, subscribers[i].user_id);
		smartcar_parameter_string(&parameters, subscribers[i].vehicle_id);
		smartcar_parameter_string(&parameters, webhook_id);
		smartcar_spi_run("UPDATE smartcar_tesla.connection "
						 "SET webhook_id = $4 "
						 "WHERE server = $1 AND user_id = $2 AND vehicle_id = $3 "
						 "AND status = 'connected'",
						 &parameters);
	}
}
