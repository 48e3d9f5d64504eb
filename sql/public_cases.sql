--
-- What went wrong for others, in public
--
-- Each row is a case that a public bug report, test or document describes, in
-- words of our own: where it is from, what came in, what is right.
--
\set VERBOSITY terse
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback', scope 'read_vin',
	extra_scopes 'read_new_thing');

-- what an error response asks for; "nobody" is an action that asks no owner
CREATE TEMP TABLE response (place serial, origin text, status integer, body text, expected text);
INSERT INTO response (origin, status, body, expected) VALUES
	('smartcar/node-sdk #137: redirect URI refused', 400, '{"error": "invalid_grant", "error_description": "Unauthorized redirect_uri: https://a.example/exchange"}', 'fix_setup'),
	('smartcar/node-sdk #137: in the older wording', 400, '{"error": "invalid_request", "error_description": "Unauthorized redirect_uri: https://a.example/exchange"}', 'fix_setup'),
	('SDK issues: code expired', 400, '{"error": "invalid_grant", "error_description": "Invalid or expired authorization code."}', 'connect'),
	('teslamotors/vehicle-command #185: 403 of a firewall', 403, '<html><body>Access Denied</body></html>', 'nobody'),
	('TeslaBuds/AuthAppForTesla #16: 403 of an API gateway', 403, '{"message": "Forbidden"}', 'nobody'),
	('TeslaBuds/AuthAppForTesla #16: 403 without a body', 403, '', 'nobody'),
	('errors page: PERMISSION', 403, '{"type": "PERMISSION", "code": null, "resolution": {"type": "REAUTHENTICATE"}}', 'update_access'),
	('errors page: PERMISSION, v3', 403, '{"errors": [{"type": "PERMISSION", "status": "403"}]}', 'update_access'),
	('errors page: ACCESS_DENIED', 403, '{"type": "AUTHENTICATION", "code": "ACCESS_DENIED", "statusCode": 403}', 'fix_setup'),
	('trooperthorn/ha_int_smartcar docs: MISSING_PARAMETER, v3', 400, '{"errors": [{"type": "VALIDATION", "code": "MISSING_PARAMETER", "status": "400"}]}', 'fix_setup'),
	('wbyoung/smartcar tests: RATE_LIMIT', 429, '{"statusCode": 429, "type": "RATE_LIMIT", "code": "SMARTCAR_API", "resolution": {"type": "RETRY_LATER"}}', 'retry'),
	('errors page: VEHICLE_REQUEST_LIMIT', 430, '{"statusCode": 430, "type": "BILLING", "code": "VEHICLE_REQUEST_LIMIT", "resolution": {"type": "RETRY_LATER"}}', 'fix_setup'),
	('errors page: NO_VEHICLES', 400, '{"statusCode": 400, "type": "CONNECTED_SERVICES_ACCOUNT", "code": "NO_VEHICLES"}', 'ask_owner'),
	('errors page: NO_RESPONSE', 504, '{"statusCode": 504, "type": "UPSTREAM", "code": "NO_RESPONSE"}', 'retry'),
	('errors page: RATE_LIMIT of Tesla', 502, '{"statusCode": 502, "type": "UPSTREAM", "code": "RATE_LIMIT", "resolution": {"type": "RETRY_LATER"}}', 'retry'),
	('errors page: VEHICLE_OFFLINE_FOR_SERVICE', 409, '{"statusCode": 409, "type": "VEHICLE_STATE", "code": "VEHICLE_OFFLINE_FOR_SERVICE"}', 'ask_owner'),
	('wbyoung/smartcar #123: unauthorized_client', 401, '{"error": "unauthorized_client", "error_description": "Grant type not allowed"}', 'fix_setup'),
	('smartcar/python-sdk #79: HTML of a gateway', 502, '<html><body>502 Bad Gateway</body></html>', 'retry');
SELECT r.origin, e.action,
	CASE expected WHEN 'nobody' THEN action NOT IN ('update_access', 'reauthenticate', 'connect', 'add_virtual_key', 'ask_owner')
		ELSE action::text = expected END AS ok
	FROM response r, smartcar_parse_error(body, status) AS e ORDER BY place;
-- a v3 handoff document: the request id stands in meta.debug, and no header has it
SELECT (smartcar_parse_error('{"errors": [{"type": "SERVER", "code": "INTERNAL", "meta": {"debug": {"requestId": "in-debug"}}}]}', 500)).request_id;
SELECT (smartcar_parse_error('{"errors": [{"type": "SERVER", "meta": {"requestId": "in-meta", "debug": {"requestId": "in-debug"}}}]}', 500)).request_id;
SELECT (smartcar_parse_error('{"errors": [{"type": "SERVER", "meta": {"debug": "text"}}]}', 500, NULL, 'in-header')).request_id;

-- names that callers have for permissions: smartcar/javascript-sdk #39 and others
CREATE FUNCTION hint_for(scope text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
	detail text;
BEGIN
	PERFORM smartcar_connect_url(ARRAY[scope]);
	RETURN 'accepted';
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
	RETURN coalesce(nullif(hint, ''), detail);
END $$;
SELECT scope, hint_for(scope) FROM (VALUES
	('READ_ODOMETER'), ('Read_Vin'), ('required:READ_ODOMETER'), ('READ_NEW_THING'), ('READ_ODMETER'), ('read_vin'),
	('control_lock'), ('CONTROL_LOCK'), ('required:control_lock'), ('control_locks'), ('control_unlock'), ('control_security:unlock'), ('control_security:lock'),
	('control_charge:start'), ('control_security:x:y'), ('read_tire_pressure'), ('read_tires_pressure'), ('read_tyres'), ('completely:unknown'), ('control:lock'),
	('completely_unknown'), ('read_odometer read_vin'), ('')) AS v (scope);

-- state: whatever an application puts into it comes back
SELECT bool_and((smartcar_parse_callback('?code=c&state=' || substring(smartcar_connect_url(state => s) FROM '[?&]state=([^&]*)'))).state = s) AS ok
	FROM unnest(ARRAY['{"u":"a b","n":1}', 'a+b/c==', 'ü €', 'a&b=c#d?e%f']) AS s;
-- a callback that was logged as HTML, one of PHP, one with all of it in the fragment; FriendsOfFlarum/oauth #16
SELECT code, state FROM (VALUES
	('https://example.com/cb?code=c&amp;state=s'), ('https://example.com/cb?code=c&state[]=s'),
	('https://example.com/cb#code=c&state=s'), ('https://example.com/cb?code=c&state=s#_=_')) AS v (callback), smartcar_parse_callback(callback);

-- models as public data on Teslas and Smartcar's pages on compatibility write them
SELECT model, year, smartcar_virtual_key_required('TESLA', model, year) AS required FROM (VALUES
	('Model3', 2021), ('model_y', 2022), ('Model S 75D', 2018), ('Model S Plaid', 2021), ('Model 3 Highland', 2024),
	('Cybertruck Foundation Series', 2024), ('Roadster', 2010), ('Model S', NULL),
	('3', 2023), ('Y', NULL), ('y', 2020), ('S', 2020), ('S', 2021), ('X', 2016), ('X', 2022), ('S', NULL), ('Model YL', 2025), ('Model Y L', 2025),
	('ModelYL', 2025), ('YL', 2025), ('Model 3L', 2025), ('Cybercab', 2026), ('Semi', 2024), ('SX', 2022), ('3 Performance', 2021)) AS v (model, year);

-- signatures: in capitals (GitHub), in another notation, of a body that was printed again (cloudconvert/cloudconvert-node #59) or
-- got a line feed on its way (Stripe), made with another token (wbyoung/smartcar #130)
WITH event (body) AS (VALUES ('{"eventId":"x2","data":{"u":"a/b"}}')),
	signed AS (SELECT body, convert_to(body, 'UTF8') AS bytes, smartcar_hash_challenge(body, 'amt') AS signature FROM event)
SELECT smartcar_verify_webhook(bytes, upper(signature), 'amt') AS capitals,
	smartcar_verify_webhook(bytes, 'sha256=' || signature, 'amt') AS prefix,
	smartcar_verify_webhook(bytes, signature || E'\n', 'amt') AS line_feed_behind,
	smartcar_verify_webhook(bytes, encode(decode(signature, 'hex'), 'base64'), 'amt') AS base64,
	smartcar_verify_webhook(convert_to(replace(body, '/', '\/'), 'UTF8'), signature, 'amt') AS printed_again,
	smartcar_verify_webhook(bytes || '\x0a'::bytea, signature, 'amt') AS line_feed,
	smartcar_verify_webhook(bytes, signature, 'another') AS other_token
FROM signed;

-- a procedure in a transaction block, as brianc/node-postgres users and Django have it; SELECT of a procedure, as pgjdbc #1560, #2043
-- and psycopg2 #857 do
\set VERBOSITY default
DO $$ BEGIN EXECUTE 'CALL smartcar_refresh()'; EXCEPTION WHEN division_by_zero THEN END $$;
BEGIN;
CALL smartcar_refresh();
ROLLBACK;
SELECT smartcar_refresh();

DROP FUNCTION hint_for;
DROP SERVER smartcar;
