-- Part of doc/reference.sql: which Tesla permission each permission needs, and
-- the action for each of Smartcar's errors.  tools/reference.sh
-- compares the list of errors with the catalogue of src/core/error.c.

\qecho '## Permissions and what they need at Tesla'
\qecho
\qecho 'The rows of the view `smartcar_permission_mapping`, and then the permissions for which no Tesla permission is documented.'
\qecho
\qecho '| Smartcar permission | Tesla permission | as Tesla''s API names it |'
\qecho '| --- | --- | --- |'
SELECT format('| `%s` | %s | %s |', scope, COALESCE(smartcar_tesla_permission(scope), ''), COALESCE('`' || smartcar_tesla_scope(scope) || '`', ''))
	FROM unnest(smartcar_tesla.known_permissions()) WITH ORDINALITY AS p (scope, place) ORDER BY place;
\qecho

CREATE TEMP TABLE known_error (place serial, origin text, type text, code text);
INSERT INTO known_error (origin, type, code) VALUES
	('API, webhook', 'AUTHENTICATION', 'ACCESS_DENIED'),
	('API, webhook', 'AUTHENTICATION', NULL),
	('API, webhook', 'BILLING', NULL),
	('API, webhook', 'COMPATIBILITY', 'PLATFORM_NOT_CAPABLE'),
	('API, webhook', 'COMPATIBILITY', NULL),
	('API, webhook', 'CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED'),
	('API, webhook', 'CONNECTED_SERVICES_ACCOUNT', 'PERMISSION'),
	('API, webhook', 'CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED'),
	('API, webhook', 'CONNECTED_SERVICES_ACCOUNT', NULL),
	('API, webhook', 'PERMISSION', NULL),
	('API, webhook', 'RATE_LIMIT', NULL),
	('API, webhook', 'RESOURCE_NOT_FOUND', NULL),
	('API, webhook', 'SERVER', 'RECORD_NOT_FOUND'),
	('API, webhook', 'SERVER', 'MULTIPLE_RECORDS_FOUND'),
	('API, webhook', 'SERVER', NULL),
	('API, webhook', 'UPSTREAM', NULL),
	('API, webhook', 'VALIDATION', NULL),
	('API, webhook', 'VEHICLE_STATE', 'ASLEEP'),
	('API, webhook', 'VEHICLE_STATE', 'UNREACHABLE'),
	('API, webhook', 'VEHICLE_STATE', 'UNKNOWN'),
	('API, webhook', 'VEHICLE_STATE', 'LOW_BATTERY'),
	('API, webhook', 'VEHICLE_STATE', NULL),
	('v1 API', 'permission_error', NULL),
	('v1 API', 'vehicle_state_error', NULL),
	('callback', 'access_denied', NULL),
	('callback', 'configuration_error', NULL),
	('callback', 'invalid_subscription', NULL),
	('callback', 'no_vehicles', NULL),
	('callback', 'server_error', NULL),
	('callback', 'user_cancelled', NULL),
	('callback', 'user_exited', NULL),
	('callback', 'user_manually_returned_to_application', NULL),
	('callback', 'vehicle_incompatible', NULL),
	('token endpoint', 'invalid_grant', NULL),
	('token endpoint', 'invalid_client', NULL),
	('token endpoint', 'invalid_request', NULL),
	('token endpoint', 'invalid_scope', NULL),
	('token endpoint', 'unauthorized_client', NULL),
	('token endpoint', 'unsupported_grant_type', NULL);

\qecho '## Errors and what to do about them'
\qecho
\qecho 'The result of `smartcar_error_action`. For any other error, `smartcar_parse_error` uses the resolution that Smartcar recommends, then the status. A'
\qecho 'status alone never asks the owner to do something, because a firewall or gateway may have sent it. An `invalid_request` that refuses a code or token is `connect`,'
\qecho 'and an `invalid_grant` that refuses the redirect URI is `fix_setup`. [What to do for each action](how-to/missing-permissions.md).'
\qecho
\qecho '| from | type, or error | code | action |'
\qecho '| --- | --- | --- | --- |'
SELECT format('| %s | `%s` | %s | `%s` |', origin, type, CASE WHEN code IS NOT NULL THEN '`' || code || '`' WHEN count(*) OVER (PARTITION BY type) > 1 THEN 'any other' ELSE '' END,
		smartcar_error_action(type, code))
	FROM known_error ORDER BY place;
\qecho
