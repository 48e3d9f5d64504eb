--
-- Bugs that others reported in public
--
-- Each case is from a public bug report, test or document, in our own words: its
-- origin, the input, and the right result.
--
\set VERBOSITY terse
CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback', scope 'read_vin',
	extra_scopes 'read_new_thing');

-- the action for an error response; "nobody" is any action that does not ask the owner
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

-- other spellings of permissions: smartcar/javascript-sdk #39 and others
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

-- state comes back unchanged, whatever it contains
SELECT bool_and((smartcar_parse_callback('?code=c&state=' || substring(smartcar_connect_url(state => s) FROM '[?&]state=([^&]*)'))).state = s) AS ok
	FROM unnest(ARRAY['{"u":"a b","n":1}', 'a+b/c==', 'ü €', 'a&b=c#d?e%f']) AS s;
-- a callback that was logged as HTML, one of PHP, one in the fragment; FriendsOfFlarum/oauth #16
SELECT code, state FROM (VALUES
	('https://example.com/cb?code=c&amp;state=s'), ('https://example.com/cb?code=c&state[]=s'),
	('https://example.com/cb#code=c&state=s'), ('https://example.com/cb?code=c&state=s#_=_')) AS v (callback), smartcar_parse_callback(callback);

-- spellings of models in public data on Teslas and on Smartcar's compatibility pages
SELECT model, year, smartcar_virtual_key_required('TESLA', model, year) AS required FROM (VALUES
	('Model3', 2021), ('model_y', 2022), ('Model S 75D', 2018), ('Model S Plaid', 2021), ('Model 3 Highland', 2024),
	('Cybertruck Foundation Series', 2024), ('Roadster', 2010), ('Model S', NULL),
	('3', 2023), ('Y', NULL), ('y', 2020), ('S', 2020), ('S', 2021), ('X', 2016), ('X', 2022), ('S', NULL), ('Model YL', 2025), ('Model Y L', 2025),
	('ModelYL', 2025), ('YL', 2025), ('Model 3L', 2025), ('Cybercab', 2026), ('Semi', 2024), ('SX', 2022), ('3 Performance', 2021)) AS v (model, year);

-- signatures: in capitals (GitHub), in another notation, of a body that was serialized again (cloudconvert/cloudconvert-node #59) or
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

-- events out of order, twice, or about transient errors: the state afterwards is what the owner has to do
SET smartcar_tesla.server = 'smartcar';
ALTER SERVER smartcar OPTIONS (ADD api_version '2.0', SET scope 'read_vehicle_info read_user_profile read_location control_charge');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (management_token 'amt');
CREATE FUNCTION pg_temp.send(id text, type text, content text, mode text DEFAULT 'LIVE') RETURNS text LANGUAGE sql AS $$
	SELECT smartcar_receive_webhook(e, smartcar_hash_challenge(e, 'amt'))
	FROM format('{"eventId":"%s","eventType":"%s","data":{"user":{"id":"u1"},"vehicle":{"id":"v1"},%s},"meta":{"version":"4.0","mode":"%s"}}',
		id, type, content, mode) AS e $$;
CREATE FUNCTION pg_temp.start_over(paired boolean, scopes text[] DEFAULT '{vehicle_device_data,user_data,vehicle_location,vehicle_charging_cmds}') RETURNS void LANGUAGE sql AS $$
	DELETE FROM smartcar_tesla.connection;
	DELETE FROM smartcar_tesla.webhook_event;
	INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, make, model, year, mode, granted_scopes, tesla_scopes, virtual_key_paired, access_type)
		VALUES ('smartcar', 'u1', 'v1', 'o1', 'TESLA', 'Model 3', 2021, 'live', '{read_vehicle_info,read_user_profile,read_location,control_charge}', scopes, paired, 'OWNER') $$;
CREATE FUNCTION pg_temp.key(id text, paired text, at text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.send(id, 'VEHICLE_STATE', format('"signals":[{"code":"connectivitystatus-isdigitalkeypaired","body":{"value":%s},
		"status":{"value":"SUCCESS"},"meta":{"oemUpdatedAt":%s,"retrievedAt":%s}}]', paired, at, at)) $$;
CREATE TEMP VIEW state_now AS SELECT error_type, error_code, virtual_key_paired, action, action_url IS NOT NULL AS has_link FROM smartcar_status;
-- tillsteinbach/CarConnectivity #8: the owner can grant while the vehicle sleeps
SELECT pg_temp.start_over(false, '{vehicle_device_data,user_data}'), pg_temp.send('e1', 'VEHICLE_ERROR',
	'"errors":[{"type":"VEHICLE_STATE","code":"ASLEEP","state":"ERROR","resolution":{"type":"RETRY_LATER"}}]');
SELECT * FROM state_now;
-- wbyoung/smartcar #133: the owner can add the key while Tesla limits requests
SELECT pg_temp.start_over(false), pg_temp.send('e2', 'VEHICLE_ERROR', '"errors":[{"type":"UPSTREAM","code":"RATE_LIMIT","state":"ERROR","resolution":{"type":"RETRY_LATER"}}]');
SELECT * FROM state_now;
-- Smartcar's page on the delivery of webhooks, google/go-github #2706: the older signal arrives last, then first
SELECT pg_temp.start_over(true), pg_temp.key('s2', 'true', '1767920010000'), pg_temp.key('s1', 'false', '1767919010000');
SELECT * FROM state_now;
SELECT pg_temp.start_over(false), pg_temp.key('s1', 'false', '1767919010000'), pg_temp.key('s2', 'true', '1767920010000');
SELECT * FROM state_now;
-- wbyoung/smartcar tests, trooperthorn/ha_int_smartcar: a sample of the dashboard that names a live vehicle
SELECT pg_temp.start_over(true), pg_temp.send('t1', 'VEHICLE_STATE', '"signals":[
	{"code":"vehicleuseraccount-permissions","body":{"values":[]},"status":{"value":"SUCCESS"}},
	{"code":"vehicleuseraccount-role","body":{"value":"SECONDARY"}}]', 'TEST');
SELECT tesla_scopes, access_type FROM smartcar_tesla.connection;
-- wbyoung/smartcar #133, #51: a signal that this vehicle cannot give
SELECT pg_temp.start_over(true), pg_temp.send('q1', 'VEHICLE_STATE', '"signals":[{"code":"vehicleuseraccount-permissions",
	"status":{"value":"ERROR","error":{"type":"COMPATIBILITY","code":"VEHICLE_NOT_CAPABLE"}}}]');
SELECT * FROM state_now;
-- stripe/stripe-cli #418: the same event twice
SELECT pg_temp.start_over(true), pg_temp.send('d1', 'VEHICLE_ERROR', e), pg_temp.send('d1', 'VEHICLE_ERROR', e)
	FROM (VALUES ('"errors":[{"type":"CONNECTED_SERVICES_ACCOUNT","code":"SUBSCRIPTION","state":"ERROR"}]')) AS v (e);
SELECT count(*), (SELECT error_code FROM state_now) FROM smartcar_tesla.webhook_event;
-- cycle/database #153, brianc/node-postgres #855, typeorm/typeorm #10747, habari #527: a string with backslashes, as drivers send it
SELECT smartcar_receive_webhook('{"eventId":"x3","eventType":"VEHICLE_STATE","data":{"x":"a\"b"}}', '492a2cd84b5056d01955dc3ed743f135222e56457e5b3153f7f957a7dd9f0b85') = '' AS one_backslash,
	smartcar_receive_webhook('{"eventId":"x4","eventType":"VEHICLE_STATE","data":{"x":"C:\\d"}}', 'fc189cf2c032692bdfdc55873ee158b25914b7a061ead21bec6196a3bae397ee') = '' AS two,
	smartcar_receive_webhook('{"eventId":"x1","eventType":"VEHICLE_STATE","data":{}}', '6D8022B981777DAB44C9AEEC3CED97367C6354192B433350BAEFBF37D1C31861') = '' AS capitals;
DELETE FROM smartcar_tesla.connection;
DELETE FROM smartcar_tesla.webhook_event;
RESET smartcar_tesla.server;

-- a procedure in a transaction block, as with brianc/node-postgres and Django; SELECT of a procedure, as in pgjdbc #1560, #2043
-- and psycopg2 #857
\set VERBOSITY default
DO $$ BEGIN EXECUTE 'CALL smartcar_refresh()'; EXCEPTION WHEN division_by_zero THEN END $$;
BEGIN;
CALL smartcar_refresh();
ROLLBACK;
SELECT smartcar_refresh();

DROP FUNCTION hint_for;
DROP SERVER smartcar CASCADE;
