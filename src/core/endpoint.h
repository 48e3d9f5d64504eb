/*-------------------------------------------------------------------------
 *
 * endpoint.h
 *	  The endpoints of Smartcar's APIs that typed calls use.
 *
 * src/core/endpoint.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_ENDPOINT_H
#define SMARTCAR_ENDPOINT_H

#include "core/span.h"

/* A generous limit: the known ids of Smartcar are UUIDs. */
#define SMARTCAR_MAX_ID_LENGTH	128

/* Smartcar's hosts. */
typedef enum SmartcarHost
{
	SMARTCAR_HOST_AUTH,			/* tokens of owners */
	SMARTCAR_HOST_IAM,			/* tokens of applications */
	SMARTCAR_HOST_API,			/* the v2.0 API */
	SMARTCAR_HOST_VEHICLE,		/* the v3 API */
	SMARTCAR_HOST_MANAGEMENT,	/* the v2.0 management API */
	SMARTCAR_HOST_V3_MANAGEMENT,	/* the v3 management API */
	SMARTCAR_HOST_COMPATIBILITY /* the v3 compatibility API, open to everybody */
} SmartcarHost;

#define SMARTCAR_HOST_COUNT	(SMARTCAR_HOST_COMPATIBILITY + 1)

/* How a request is authorized. */
typedef enum SmartcarAuthorization
{
	SMARTCAR_AUTHORIZE_NONE,
	SMARTCAR_AUTHORIZE_OWNER,	/* the owner's access token */
	SMARTCAR_AUTHORIZE_CLIENT,	/* client_id and client_secret */
	SMARTCAR_AUTHORIZE_MANAGEMENT,	/* the application management token */
	SMARTCAR_AUTHORIZE_APPLICATION	/* the application's access token */
} SmartcarAuthorization;

typedef enum SmartcarEndpoint
{
	SMARTCAR_ENDPOINT_TOKEN,
	SMARTCAR_ENDPOINT_APPLICATION_TOKEN,

	/* v2.0 */
	SMARTCAR_ENDPOINT_USER,
	SMARTCAR_ENDPOINT_VEHICLES,
	SMARTCAR_ENDPOINT_VEHICLE,
	SMARTCAR_ENDPOINT_PERMISSIONS,
	SMARTCAR_ENDPOINT_DISCONNECT,
	SMARTCAR_ENDPOINT_COMPATIBILITY,
	SMARTCAR_ENDPOINT_TESLA_ACCESS,
	SMARTCAR_ENDPOINT_TESLA_VIRTUAL_KEY,
	SMARTCAR_ENDPOINT_TESLA_MIGRATION,
	SMARTCAR_ENDPOINT_MANAGED_CONNECTIONS,
	SMARTCAR_ENDPOINT_DELETE_MANAGED_CONNECTIONS,

	/* v3 */
	SMARTCAR_ENDPOINT_CONNECTIONS,
	SMARTCAR_ENDPOINT_DELETE_CONNECTION,
	SMARTCAR_ENDPOINT_V3_VEHICLE,
	SMARTCAR_ENDPOINT_SIGNALS,
	SMARTCAR_ENDPOINT_ACCOUNT_PERMISSIONS,
	SMARTCAR_ENDPOINT_ACCOUNT_ROLE,
	SMARTCAR_ENDPOINT_DIGITAL_KEY,
	SMARTCAR_ENDPOINT_COMMANDS,
	SMARTCAR_ENDPOINT_WEBHOOKS,
	SMARTCAR_ENDPOINT_SUBSCRIPTIONS,
	SMARTCAR_ENDPOINT_SUBSCRIBE,
	SMARTCAR_ENDPOINT_UNSUBSCRIBE
} SmartcarEndpoint;

#define SMARTCAR_ENDPOINT_COUNT	(SMARTCAR_ENDPOINT_UNSUBSCRIBE + 1)

typedef struct SmartcarEndpointInfo
{
	const char *method;
	SmartcarHost host;
	const char *path;			/* below the host's base; "*" stands for an id */
} SmartcarEndpointInfo;

extern const SmartcarEndpointInfo smartcar_endpoints[SMARTCAR_ENDPOINT_COUNT];

extern const char *smartcar_host_base(SmartcarHost host);
extern bool smartcar_path_segment_valid(SmartcarSpan segment);
extern size_t smartcar_endpoint_path_length(SmartcarEndpoint endpoint, SmartcarSpan id);
extern char *smartcar_endpoint_path_write(SmartcarEndpoint endpoint, SmartcarSpan id,
										  char *target);
extern bool smartcar_request_path_valid(SmartcarSpan path);

#endif							/* SMARTCAR_ENDPOINT_H */
