--
-- Smartcar's errors and the action for each
--

-- the catalogue
SELECT type, code, smartcar_error_action(type, code) AS action FROM (VALUES
	('AUTHENTICATION', NULL), ('AUTHENTICATION', 'UNAUTHORIZED'), ('AUTHENTICATION', 'ACCESS_DENIED'),
	('BILLING', 'VEHICLE_LIMIT'), ('BILLING', 'INVALID_PLAN'), ('BILLING', 'VEHICLE_REQUEST_LIMIT'), ('BILLING', 'ACCOUNT_SUSPENDED'),
	('COMPATIBILITY', 'MAKE_NOT_COMPATIBLE'), ('COMPATIBILITY', 'SMARTCAR_NOT_CAPABLE'),
	('COMPATIBILITY', 'VEHICLE_NOT_CAPABLE'), ('COMPATIBILITY', 'PLATFORM_NOT_CAPABLE'),
	('CONNECTED_SERVICES_ACCOUNT', 'ACCOUNT_ISSUE'), ('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED'),
	('CONNECTED_SERVICES_ACCOUNT', 'NO_VEHICLES'), ('CONNECTED_SERVICES_ACCOUNT', 'PERMISSION'),
	('CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION'), ('CONNECTED_SERVICES_ACCOUNT', 'VEHICLE_MISSING'),
	('CONNECTED_SERVICES_ACCOUNT', 'VIRTUAL_KEY_REQUIRED'),
	('PERMISSION', NULL),
	('RATE_LIMIT', 'SMARTCAR_API'), ('RATE_LIMIT', 'VEHICLE'),
	('RESOURCE_NOT_FOUND', 'PATH'), ('RESOURCE_NOT_FOUND', 'VERSION'),
	('RESOURCE_NOT_FOUND', 'VEHICLE_NOT_FOUND'), ('RESOURCE_NOT_FOUND', 'SIGNAL_NOT_FOUND'), ('RESOURCE_NOT_FOUND', 'INVALID_PATH'),
	('SERVER', 'INTERNAL'), ('SERVER', 'RECORD_NOT_FOUND'), ('SERVER', 'MULTIPLE_RECORDS_FOUND'),
	('UPSTREAM', 'INVALID_DATA'), ('UPSTREAM', 'KNOWN_ISSUE'), ('UPSTREAM', 'NO_RESPONSE'), ('UPSTREAM', 'RATE_LIMIT'), ('UPSTREAM', 'UNKNOWN_ISSUE'),
	('VALIDATION', NULL), ('VALIDATION', 'PARAMETER'), ('VALIDATION', 'MISSING_PARAMETER'),
	('VEHICLE_STATE', 'ASLEEP'), ('VEHICLE_STATE', 'CHARGING_IN_PROGRESS'), ('VEHICLE_STATE', 'CHARGING_PLUG_CONNECTED'),
	('VEHICLE_STATE', 'CHARGING_PLUG_NOT_CONNECTED'), ('VEHICLE_STATE', 'DOOR_OPEN'), ('VEHICLE_STATE', 'FULLY_CHARGED'),
	('VEHICLE_STATE', 'NOT_CHARGING'), ('VEHICLE_STATE', 'CHARGE_FAULT'), ('VEHICLE_STATE', 'HOOD_OPEN'),
	('VEHICLE_STATE', 'IGNITION_ON'), ('VEHICLE_STATE', 'IN_MOTION'), ('VEHICLE_STATE', 'REMOTE_ACCESS_DISABLED'),
	('VEHICLE_STATE', 'TRUNK_OPEN'), ('VEHICLE_STATE', 'UNREACHABLE'), ('VEHICLE_STATE', 'VEHICLE_OFFLINE_FOR_SERVICE'),
	('VEHICLE_STATE', 'UNKNOWN'), ('VEHICLE_STATE', 'LOW_BATTERY'),
	('permission_error', NULL), ('vehicle_state_error', 'VS_000'),
	('access_denied', NULL), ('configuration_error', NULL), ('invalid_subscription', NULL), ('no_vehicles', NULL),
	('server_error', NULL), ('user_cancelled', NULL), ('user_exited', NULL), ('user_manually_returned_to_application', NULL),
	('vehicle_incompatible', NULL),
	('invalid_grant', NULL), ('invalid_client', NULL), ('invalid_request', NULL), ('invalid_scope', NULL),
	('unauthorized_client', NULL), ('unsupported_grant_type', NULL),
	('PERMISSION', 'SOMETHING_NEW'), ('SOMETHING_NEW', 'PERMISSION'), ('permission', NULL), ('', ''), (NULL, NULL), (NULL, 'PERMISSION')
) AS v (type, code);
SELECT smartcar_error_action('PERMISSION');

-- the two errors with the name PERMISSION are told apart; neither needs a new login
SELECT type, code, status, resolution_type, action FROM (VALUES
	('{"type": "PERMISSION", "code": null, "statusCode": 403, "resolution": {"type": "REAUTHENTICATE"}}'),
	('{"type": "CONNECTED_SERVICES_ACCOUNT", "code": "PERMISSION", "statusCode": 400, "resolution": {"type": "REAUTHENTICATE"}}'),
	('{"type": "CONNECTED_SERVICES_ACCOUNT", "code": "AUTHENTICATION_FAILED", "statusCode": 400, "resolution": {"type": "REAUTHENTICATE",
		"url": "https://connect.smartcar.com/oauth/reauthenticate?response_type=vehicle_id&vehicle_id=v"}}'),
	-- one signal of a webhook event
	('{"type": "PERMISSION", "code": null, "state": "ERROR", "signals": ["vehicleuseraccount-role"], "resolution": {"type": "REAUTHENTICATE"}}')
) AS v (body), LATERAL smartcar_parse_error(body);

\pset null '(null)'
\x on
-- v2.0
SELECT * FROM smartcar_parse_error('{"type": "CONNECTED_SERVICES_ACCOUNT", "code": "VIRTUAL_KEY_REQUIRED",
	"description": "The vehicle needs a key.", "docURL": "https://smartcar.com/docs/", "statusCode": 400, "requestId": "in-body",
	"resolution": {"type": "ACTION_REQUIRED", "url": "https://www.tesla.com/_ak/smartcar.com"},
	"suggestedUserMessage": "Add the key.", "detail": [{"field": "x"}]}', 400, '30', 'in-header');
-- v3, one error and more than one
SELECT * FROM smartcar_parse_error('{"errors": [{"status": "404", "type": "RESOURCE_NOT_FOUND", "code": "VEHICLE_NOT_FOUND",
	"title": "Not found", "detail": "No such vehicle.", "resolution": {"type": "CONTACT_SUPPORT"},
	"suggestedUserMessage": "Sorry.", "links": {"about": "https://smartcar.com/docs/"}, "meta": {"requestId": "in-meta"}}]}');
SELECT * FROM smartcar_parse_error('{"errors": [
	{"status": 400, "type": "VALIDATION", "code": "MISSING_PARAMETER", "title": "missing userId"},
	{"status": 400, "type": "VALIDATION", "code": "INVALID_INPUT_FORMAT"}]}', NULL, NULL, 'in-header');
-- OAuth
SELECT * FROM smartcar_parse_error('{"error": "invalid_client", "error_description": "Unknown client."}', 401);
-- v1
SELECT * FROM smartcar_parse_error('{"error": "vehicle_state_error", "message": "Vehicle state cannot be determined.", "code": "VS_000"}', 409);
\x off

-- only the text tells a used code or token from a wrong request
SELECT description, action FROM (VALUES
	('{"error": "invalid_request", "error_description": "Invalid code: abc."}'),
	('{"error": "invalid_request", "error_description": "Invalid refresh_token: abc."}'),
	('{"error": "invalid_request", "error_description": "Missing grant_type."}'),
	('{"error": "invalid_grant"}'),
	('{"error": "invalid_grant", "error_description": "Unauthorized redirect_uri: https://example.com/callback"}')) AS v (body), LATERAL smartcar_parse_error(body, 400);
-- after a 403 the owner is asked only if Smartcar says PERMISSION; reported_bugs.sql has 403s of gateways
SELECT body, action FROM (VALUES ('{"type": "NEW"}'), ('{"error": "forbidden"}'), ('{"type": "PERMISSION"}')) AS v (body),
	LATERAL smartcar_parse_error(body, 403);

-- a body that is not JSON, or not of a known form: the status decides
SELECT body, http_status, type, description, detail, action FROM (VALUES
	('Bad Gateway', 502), ('', 500), (NULL, 503), (NULL, 429), (NULL, 401), (NULL, 403), (NULL, 404), (NULL, 408), (NULL, 501),
	(NULL, 200), (NULL, NULL), ('null', 500), ('[]', 500), ('"text"', 500), ('42', 500), ('{}', 500), ('{"random": "testing"}', 418),
	('{"type": 5, "code": [], "resolution": 7}', 500), ('{"type": "X"', 500), ('{"errors": []}', 500), ('{"errors": ["x"]}', 500),
	('{"errors": [{}]}', 500), ('{"errors": {"type": "X"}}', 500),
	('{"type": "NEW", "resolution": "RETRY_LATER"}', 418), ('{"type": "NEW", "resolution": {"type": "REAUTHENTICATE"}}', 400),
	('{"type": "NEW", "resolution": {"type": "SOMETHING_ELSE"}}', 503),
	('{"type": "NEW", "detail": null}', 400), ('{"type": "NEW", "detail": "text"}', 400),
	('{"type": "A", "type": "B"}', 400)
) AS v (body, http_status), LATERAL smartcar_parse_error(body, http_status);

-- the status: the one of the response before the one in the body, and only if valid
SELECT body, (smartcar_parse_error(body, http_status)).status FROM (VALUES
	('{"statusCode": 400}', 500), ('{"statusCode": 400}', NULL), ('{"status": "404"}', NULL), ('{"status": "4x4"}', NULL),
	('{"status": 99}', NULL), ('{"status": 1e9}', NULL), ('{"statusCode": 99999999999999999999}', NULL), ('{"statusCode": "x", "status": 401}', NULL)
) AS v (body, http_status);
-- Retry-After
SELECT header, (smartcar_parse_error(NULL, 429, header)).retry_after FROM (VALUES
	('30'), ('0'), ('1700000000000'), (''), (' 30'), ('30s'), ('-1'), ('+1'), ('1.5'), ('Wed, 21 Oct 2026 07:28:00 GMT'),
	('999999999999999999'), ('9999999999999999999'), (NULL)) AS v (header);

-- hostile bodies
SELECT description IS NOT NULL AS kept_as_text, detail IS NULL AS no_detail, action FROM (VALUES
	(repeat('[', 100000)), (repeat('{"a":', 100000)), (repeat('[', 65) || repeat(']', 65)),
	('{"type": "X", "detail": 1e999999999}'), ('{"type": "X", "detail": 1e-999999999}'), ('{"detail": ' || repeat('9', 200000) || '}'),
	('{"type": "\u0000"}'), ('{"type": "\ud800"}'), (E'{"type": "\x01"}'), ('{"type": "X"} trailing'), (repeat('x', 1000000))
) AS v (body), LATERAL smartcar_parse_error(body, 500);
SELECT type, detail FROM smartcar_parse_error('{"type": "X", "detail": ' || repeat('[', 62) || repeat(']', 62) || '}');
SELECT type, detail FROM smartcar_parse_error('{"type": "X", "detail": ' || repeat('[', 64) || repeat(']', 64) || '}');
SELECT type, detail FROM smartcar_parse_error('{"type": "[[{{\"]]", "detail": 1e400}');
SELECT length(description), type FROM smartcar_parse_error('{"type": "X", "description": "' || repeat('y', 1000000) || '"}');

-- many objects in an array are not deep nesting
SELECT jsonb_array_length(detail -> 'data')
	FROM smartcar_parse_error(jsonb_build_object('data',
		(SELECT jsonb_agg(jsonb_build_object('b', jsonb_build_object('a', i))) FROM generate_series(1, 200) AS i))::text);
