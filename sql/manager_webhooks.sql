--
-- Webhooks: challenges, and events that are applied, repeated or forged
--

\pset null (null)
CREATE SERVER hook FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback', scope 'read_location');
CREATE SERVER hook_other FOREIGN DATA WRAPPER smartcar_tesla;
CREATE SERVER hook_bare FOREIGN DATA WRAPPER smartcar_tesla;
CREATE USER MAPPING FOR PUBLIC SERVER hook OPTIONS (management_token 'amt');
CREATE USER MAPPING FOR PUBLIC SERVER hook_other OPTIONS (management_token 'other-amt');
SET smartcar_tesla.server = 'hook';

-- receives an event with the signature of a token
CREATE FUNCTION pg_temp.send(event text, server text DEFAULT 'hook', token text DEFAULT 'amt') RETURNS text LANGUAGE sql AS
	$$ SELECT smartcar_receive_webhook(convert_to(event, 'UTF8'), smartcar_hash_challenge(event, token), server) $$;
CREATE FUNCTION pg_temp.error_event(id text, state text, error text, vehicle text DEFAULT '"id":"vehicle-1"', who text DEFAULT '"id":"user-1"') RETURNS text LANGUAGE sql AS
	$$ SELECT format('{"eventId":"%s","eventType":"VEHICLE_ERROR","data":{"user":{%s},"vehicle":{%s},"errors":[{%s%s}]},"triggers":[],"meta":{"version":"4.0"}}',
		id, who, vehicle, CASE WHEN state IS NULL THEN '' ELSE format('"state":"%s",', state) END, error) $$;
CREATE FUNCTION pg_temp.signal_event(id text, signals text, vehicle text DEFAULT 'vehicle-1') RETURNS text LANGUAGE sql AS
	$$ SELECT format('{"eventId":"%s","eventType":"VEHICLE_STATE","data":{"user":{"id":"user-1"},"vehicle":{"id":"%s"},"signals":[%s]},"meta":{"version":"4.0"}}', id, vehicle, signals) $$;
CREATE TEMP VIEW rows_now AS SELECT server, user_id, vehicle_id, tesla_scopes, access_type, virtual_key_paired, error_type, error_code, error_description, error_action, error_url,
	error_at IS NOT NULL AS has_time, updated_at > created_at AS changed FROM smartcar_tesla.connection;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id) VALUES
	('hook', 'user-1', 'vehicle-1', 'owner-1'), ('hook', 'user-2', 'vehicle-1', 'owner-2'), ('hook', 'user-1', 'vehicle-2', 'owner-1'), ('hook_other', 'user-1', 'vehicle-1', 'owner-1');

-- both forms of the challenge are answered; a challenge has no signature
SELECT smartcar_receive_webhook('{"eventType":"VERIFY","data":{"challenge":"3a5c8f72-e6d9-4b1a-9f2e-8c7d6a5b4e3f"}}', NULL)
	= '{"challenge":"' || smartcar_hash_challenge('3a5c8f72-e6d9-4b1a-9f2e-8c7d6a5b4e3f', 'amt') || '"}' AS has_response;
SELECT smartcar_receive_webhook('{"version":"2.0","webhookId":"w","eventName":"verify",
	"payload":{"challenge":"3a5c8f72-e6d9-4b1a-9f2e-8c7d6a5b4e3f"}}', NULL)
	= '{"challenge":"' || smartcar_hash_challenge('3a5c8f72-e6d9-4b1a-9f2e-8c7d6a5b4e3f', 'amt') || '"}' AS has_response;
SELECT smartcar_receive_webhook('{"eventType":"VERIFY","data":{"challenge":"c"}}', NULL, 'hook_other')
	= '{"challenge":"' || smartcar_hash_challenge('c', 'other-amt') || '"}' AS by_the_token_of_the_server;
-- but no challenge that could be an event: otherwise anybody could have their events signed
SELECT what, smartcar_receive_webhook(convert_to(json_build_object('eventType', 'VERIFY',
		'data', json_build_object('challenge', challenge))::text, 'UTF8'), signature) AS response
	FROM (VALUES ('an event', pg_temp.error_event('forged', 'ERROR', '"type":"BILLING"'), NULL),
		('a quote', 'a"b', NULL), ('a brace', 'a{b', NULL), ('a space', 'a b', NULL), ('a line break', E'a\nb', NULL),
		('empty', '', NULL), ('257 characters', repeat('c', 257), NULL), ('not ASCII', E'\u00e9', NULL),
		('an array as an event', '["eventType"]', NULL), ('a number', '1', '')) AS v (what, challenge, signature);
SELECT length(smartcar_receive_webhook(convert_to(format('{"eventType":"VERIFY","data":{"challenge":"%s"}}', repeat('c', 256)), 'UTF8'), NULL)) AS of_256_characters;
-- nor a body that is far too long for a challenge
SELECT smartcar_receive_webhook(convert_to(format('{"eventType":"VERIFY","data":{"challenge":"c"},"meta":"%s"}',
		repeat('x', length)), 'UTF8'), NULL) IS NOT NULL AS has_response
	FROM unnest('{60000,70000}'::integer[]) AS length;
-- even if the challenge is signed
SELECT pg_temp.send('{"eventType":"VERIFY","data":{"challenge":"{\"eventType\":\"VEHICLE_ERROR\"}"}}') AS signed_challenge;
-- bodies that are almost a challenge
SELECT body, smartcar_receive_webhook(convert_to(body, 'UTF8'), NULL) AS response FROM unnest(ARRAY[
	'{"eventType":"verify","data":{"challenge":"c"}}', '{"eventName":"VERIFY","payload":{"challenge":"c"}}',
	'{"eventType":"VERIFY","payload":{"challenge":"c"}}', '{"eventType":"VERIFY","data":{"challenge":1}}',
	'{"eventType":"VERIFY","data":{"challenge":null}}', '{"eventType":"VERIFY","data":"c"}', '{"eventType":"VERIFY"}',
	'[{"eventType":"VERIFY","data":{"challenge":"c"}}]', '"VERIFY"', '{', '', 'null']) AS body;
SELECT smartcar_receive_webhook(NULL::bytea, NULL) IS NULL AS nothing,
	smartcar_receive_webhook(NULL::text, NULL) IS NULL AS no_string,
	smartcar_receive_webhook('\xff'::bytea, 'x') IS NULL AS no_text,
	smartcar_receive_webhook('\x7b00'::bytea, 'x') IS NULL AS zero_byte,
	smartcar_receive_webhook(convert_to(repeat('[', 100000), 'UTF8'), 'x') IS NULL AS deep,
	smartcar_receive_webhook(convert_to('{"a":"\ud800"}', 'UTF8'), 'x') IS NULL AS half_a_character,
	smartcar_receive_webhook(convert_to('{"a":"\u0000"}', 'UTF8'), 'x') IS NULL AS zero_character,
	smartcar_receive_webhook(convert_to('{"a":1e1000000}', 'UTF8'), 'x') IS NULL AS large_number,
	smartcar_receive_webhook(convert_to('{"a":1e-1000000}', 'UTF8'), 'x') IS NULL AS small_number;

-- an error begins and ends, as in Smartcar's documentation
SELECT pg_temp.send(pg_temp.error_event('e-1', 'ERROR', '"type":"CONNECTED_SERVICES_ACCOUNT","code":"AUTHENTICATION_FAILED",
	"description":"Log in again.","resolution":{"type":"REAUTHENTICATE","url":"https://connect.smartcar.com/x"}')) AS response;
SELECT * FROM rows_now ORDER BY 1, 2, 3;
-- a repeated event is accepted and not applied
UPDATE smartcar_tesla.connection SET error_description = 'untouched' WHERE error_type IS NOT NULL;
SELECT pg_temp.send(pg_temp.error_event('e-1', 'ERROR', '"type":"CONNECTED_SERVICES_ACCOUNT","code":"AUTHENTICATION_FAILED","description":"Log in again."')) AS response;
SELECT pg_temp.send(pg_temp.error_event('e-1', 'RESOLVED', '"type":"CONNECTED_SERVICES_ACCOUNT","code":"AUTHENTICATION_FAILED"')) AS response;
SELECT error_code, error_description FROM rows_now WHERE error_type IS NOT NULL;
-- ids of events are unique per server
SELECT pg_temp.send(pg_temp.error_event('e-1', 'ERROR', '"type":"VEHICLE_STATE","code":"ASLEEP"'), 'hook_other', 'other-amt') AS response;
SELECT server, error_code, error_action FROM rows_now WHERE server = 'hook_other';
-- RESOLVED ends only the error that it names
SELECT pg_temp.send(pg_temp.error_event('e-2', 'RESOLVED', '"type":"CONNECTED_SERVICES_ACCOUNT","code":"PERMISSION"')),
	pg_temp.send(pg_temp.error_event('e-3', 'RESOLVED', '"type":"CONNECTED_SERVICES_ACCOUNT"'));
SELECT error_code FROM rows_now WHERE server = 'hook' AND error_type IS NOT NULL;
SELECT pg_temp.send(pg_temp.error_event('e-4', 'RESOLVED', '"type":"CONNECTED_SERVICES_ACCOUNT","code":"AUTHENTICATION_FAILED"'));
SELECT * FROM rows_now WHERE server = 'hook' ORDER BY 1, 2, 3;
-- without a state (an ERROR), without a code, and without a user (all users of the vehicle)
SELECT pg_temp.send(pg_temp.error_event('e-5', NULL, '"type":"COMPATIBILITY","code":"PLATFORM_NOT_CAPABLE","resolution":"REAUTHENTICATE"')) AS no_state,
	pg_temp.send(pg_temp.error_event('e-6', 'ERROR', '"type":"BILLING"', '"id":"vehicle-2"')) AS no_code,
	pg_temp.send(pg_temp.error_event('e-7', 'ERROR', '"type":"VEHICLE_STATE","code":"DOOR_OPEN"', who => '')) AS no_user;
SELECT * FROM rows_now WHERE server = 'hook' ORDER BY 1, 2, 3;
SELECT pg_temp.send(pg_temp.error_event('e-8', 'RESOLVED', '"type":"BILLING"', '"id":"vehicle-2"')),
	pg_temp.send(pg_temp.error_event('e-9', 'RESOLVED', '"type":"VEHICLE_STATE","code":"DOOR_OPEN"', who => ''));
SELECT user_id, error_code FROM rows_now WHERE server = 'hook' AND vehicle_id = 'vehicle-1' ORDER BY 1;
SELECT pg_temp.send(pg_temp.error_event('e-5 ends', 'RESOLVED', '"type":"COMPATIBILITY","code":"PLATFORM_NOT_CAPABLE"'));
-- not stored: errors that need nobody, and PERMISSION, because the permissions are known themselves
SELECT pg_temp.send(pg_temp.error_event('e-10', 'ERROR', '"type":"COMPATIBILITY","code":"VEHICLE_NOT_CAPABLE"')), pg_temp.send(pg_temp.error_event('e-11', 'ERROR', '"type":"PERMISSION"')),
	pg_temp.send(pg_temp.error_event('e-12', 'ERROR', '"type":"SOMETHING_NEW","code":"X"', '"id":"vehicle-2"'));
SELECT vehicle_id, user_id, error_type, error_code, error_action FROM rows_now WHERE server = 'hook' ORDER BY 1, 2;
-- several errors at once, some of them malformed: the one to be fixed first is shown
SELECT pg_temp.send('{"eventId":"e-13","eventType":"VEHICLE_ERROR","data":{"vehicle":{"id":"vehicle-2"},"errors":[
	7,null,{},{"type":"BILLING","state":"ERROR"},{"type":"CONNECTED_SERVICES_ACCOUNT","code":"VIRTUAL_KEY_REQUIRED",
	"resolution":{"url":"https://www.tesla.com/_ak/smartcar.com"}}]}}');
SELECT vehicle_id, error_type, error_code, error_action, error_url FROM rows_now WHERE vehicle_id = 'vehicle-2';
SELECT pg_temp.send(pg_temp.error_event('e-13 ends', 'RESOLVED', '"type":"BILLING"', '"id":"vehicle-2"'));
SELECT vehicle_id, error_type, error_code, error_action, error_url FROM rows_now WHERE vehicle_id = 'vehicle-2';

-- signals
SELECT pg_temp.send(pg_temp.signal_event('s-1', '
	{"code":"vehicleuseraccount-permissions","body":{"values":["vehicle_location","vehicle_device_data"]}},
	{"code":"vehicleuseraccount-role","body":{"value":"DRIVER"}},
	{"code":"connectivitystatus-isdigitalkeypaired","body":{"value":true}}')) AS response;
SELECT * FROM rows_now WHERE server = 'hook' AND vehicle_id = 'vehicle-1' ORDER BY 2;
SELECT pg_temp.send(pg_temp.signal_event('s-2', '{"code":"connectivitystatus-isdigitalkeypaired","body":{"value":false}},{"code":"vehicleuseraccount-permissions","body":{"values":[]}}')) AS response;
-- signals without a value, or with one of the wrong type, change nothing
SELECT pg_temp.send(pg_temp.signal_event('s-' || n, signal)) AS response FROM unnest(ARRAY['', '{}', '7', 'null',
	'{"code":"odometer-traveleddistance","body":{"value":7,"unit":"km"}}',
	'{"code":"vehicleuseraccount-role"}', '{"code":"vehicleuseraccount-role","body":{"value":7}}',
	'{"code":"vehicleuseraccount-role","body":[]}',
	'{"code":"vehicleuseraccount-permissions","body":{"values":"vehicle_location"}}',
	'{"code":"vehicleuseraccount-permissions","body":{}}',
	'{"code":"connectivitystatus-isdigitalkeypaired","body":{"value":"yes"}}',
	'{"code":"connectivitystatus-isdigitalkeypaired","status":{"value":"ERROR"}}']) WITH ORDINALITY AS v (signal, n)
	WHERE pg_temp.send(pg_temp.signal_event('t-' || n, signal)) IS NOT NULL;
SELECT user_id, tesla_scopes, access_type, virtual_key_paired FROM rows_now WHERE server = 'hook' AND vehicle_id = 'vehicle-1' ORDER BY 1;
-- events of unknown vehicles and of unknown types
SELECT pg_temp.send(pg_temp.signal_event('u-1', '{"code":"vehicleuseraccount-role","body":{"value":"OWNER"}}', 'vehicle-9')),
	pg_temp.send('{"eventId":"u-2","eventType":"SOMETHING_NEW","data":{"vehicle":{"id":"vehicle-1"}}}'),
	pg_temp.send('{"eventId":"u-3","eventType":"VEHICLE_STATE"}'),
	pg_temp.send('{"eventId":"u-4","eventType":"VEHICLE_STATE","data":{}}'),
	pg_temp.send('{"eventId":"u-5","eventType":"VEHICLE_ERROR","data":{"vehicle":{}}}'), pg_temp.send('{}');

-- forged: signed with the token of another application, changed by a byte, or not signed
CREATE TEMP TABLE before AS SELECT * FROM smartcar_tesla.connection;
SELECT what, smartcar_receive_webhook(convert_to(body, 'UTF8'), signature) AS response FROM (VALUES
	('of another application', pg_temp.error_event('f-1', 'ERROR', '"type":"BILLING"'), smartcar_hash_challenge(pg_temp.error_event('f-1', 'ERROR', '"type":"BILLING"'), 'other-amt')),
	('changed', pg_temp.error_event('f-2', 'ERROR', '"type":"BILLING"') || ' ', smartcar_hash_challenge(pg_temp.error_event('f-2', 'ERROR', '"type":"BILLING"'), 'amt')),
	('not signed', pg_temp.error_event('f-3', 'ERROR', '"type":"BILLING"'), NULL), ('with nothing', pg_temp.error_event('f-4', 'ERROR', '"type":"BILLING"'), ''),
	('with something', pg_temp.error_event('f-5', 'ERROR', '"type":"BILLING"'), repeat('0', 64)),
	('with a prefix', pg_temp.error_event('f-6', 'ERROR', '"type":"BILLING"'),
		'sha256=' || smartcar_hash_challenge(pg_temp.error_event('f-6', 'ERROR', '"type":"BILLING"'), 'amt')),
	('with the id of a genuine event', pg_temp.error_event('f-7', 'ERROR', '"type":"BILLING"'), repeat('f', 64))) AS v (what, body, signature);
SELECT count(*) AS changed FROM (TABLE before EXCEPT TABLE smartcar_tesla.connection) AS d;
SELECT count(*) AS stored FROM smartcar_tesla.webhook_event WHERE event_id LIKE 'f-%';
SELECT pg_temp.send(pg_temp.error_event('f-7', 'ERROR', '"type":"BILLING"', '"id":"vehicle-2"')) AS the_genuine_one;
SELECT server, count(*) AS stored FROM smartcar_tesla.webhook_event GROUP BY 1 ORDER BY 1;
SELECT upper(smartcar_hash_challenge(body, 'amt')) <> smartcar_hash_challenge(body, 'amt') AS differs,
	smartcar_receive_webhook(body::bytea, upper(smartcar_hash_challenge(body, 'amt'))) AS upper_case
	FROM (VALUES ('{"eventId":"g-1"}')) AS v (body);

-- an event whose transaction was rolled back can be received again
BEGIN;
SELECT pg_temp.send(pg_temp.error_event('r-1', 'ERROR', '"type":"BILLING"'));
ROLLBACK;
SELECT pg_temp.send(pg_temp.error_event('r-1', 'ERROR', '"type":"BILLING"'));
SELECT error_type FROM rows_now WHERE server = 'hook' AND user_id = 'user-1' AND vehicle_id = 'vehicle-1';

-- any characters in the id
SELECT pg_temp.send(pg_temp.error_event(E'\u00fc \U0001F697 '';--', 'ERROR', '"type":"BILLING","description":"It''s \"$1\" smartcar_tesla.connection \u00e9"'));
SELECT event_id FROM smartcar_tesla.webhook_event WHERE event_id LIKE E'\u00fc%';
SELECT error_description FROM rows_now WHERE server = 'hook' AND user_id = 'user-1' AND vehicle_id = 'vehicle-1';
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id) VALUES ('hook', 'user-3', 'vehicle-3', repeat('x', 9000));
SELECT pg_temp.send(pg_temp.error_event('l-1', 'ERROR', '"type":"BILLING"', '"id":"vehicle-3"', '"id":"user-3"')) AS too_long_to_notify;
SELECT error_type FROM rows_now WHERE vehicle_id = 'vehicle-3';

-- a string, as drivers send it that do not declare types of parameters
PREPARE receive AS SELECT smartcar_receive_webhook($1, $2) AS response;
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'receive';
CREATE TEMP TABLE string AS SELECT pg_temp.error_event('x-1', 'ERROR', '"type":"BILLING","description":"C:\\temp \"x\" \\\\ \u00e9\n"', '"id":"vehicle-2"', '"id":"user-1"') AS body;
SELECT body, smartcar_hash_challenge(body) AS signature FROM string \gset
SELECT body AS body_sent FROM string;
EXECUTE receive (:'body', :'signature');
SELECT error_description FROM rows_now WHERE vehicle_id = 'vehicle-2';
SELECT count(*) AS stored FROM smartcar_tesla.webhook_event WHERE event_id = 'x-1';
EXECUTE receive (:'body', repeat('0', 64));
EXECUTE receive ('{"eventType":"VERIFY","data":{"challenge":"c\\d"}}', NULL);
EXECUTE receive ('', NULL);
EXECUTE receive (NULL, NULL);
-- the text is not parsed as a bytea literal
SELECT smartcar_receive_webhook(body, smartcar_hash_challenge(body)) IS NULL AS refused FROM (VALUES ('\x7b7d')) AS v (body);
DEALLOCATE receive;

-- while the token is being replaced, Smartcar signs with either; challenges are answered with the new one
ALTER USER MAPPING FOR PUBLIC SERVER hook OPTIONS (SET management_token 'new-amt', ADD management_token_previous 'amt');
SELECT token, pg_temp.send(format('{"eventId":"p-%s"}', token), 'hook', token) AS response, smartcar_verify_webhook('x', smartcar_hash_challenge('x', token)) AS verified,
	smartcar_verify_webhook('x'::bytea, smartcar_hash_challenge('x', token)) AS as_bytea FROM unnest(ARRAY['amt', 'new-amt', 'other-amt', 'amt']) AS token;
SELECT smartcar_hash_challenge('c') = smartcar_hash_challenge('c', 'new-amt') AS hash_is_new,
	smartcar_receive_webhook('{"eventType":"VERIFY","data":{"challenge":"c"}}', NULL)
		LIKE '%' || smartcar_hash_challenge('c', 'new-amt') || '%' AS response_is_new;
-- a token as an argument counts alone, and only for its row
SELECT token, smartcar_verify_webhook('x', smartcar_hash_challenge('x', 'amt'), token) AS verified FROM unnest(ARRAY[NULL, 'new-amt', NULL, 'amt']) WITH ORDINALITY AS v (token, n) ORDER BY n;
-- a missing file matters only if it is needed
ALTER USER MAPPING FOR PUBLIC SERVER hook OPTIONS (DROP management_token_previous, ADD management_token_previous_file '/nonexistent/token');
SELECT smartcar_verify_webhook('x', smartcar_hash_challenge('x', 'new-amt')) AS verified;
SELECT smartcar_verify_webhook('x', smartcar_hash_challenge('x', 'amt')) AS verified;
SELECT pg_temp.send('{"eventId":"p-9"}', 'hook', 'amt');
ALTER USER MAPPING FOR PUBLIC SERVER hook OPTIONS (ADD management_token_previous 'amt');
ALTER USER MAPPING FOR PUBLIC SERVER hook OPTIONS (DROP management_token_previous_file);
SELECT pg_temp.send('{"eventId":"p-10"}', 'hook', 'amt') IS NULL AS refused;
SELECT name, setting, source FROM smartcar_info('hook') WHERE name LIKE 'management_token%';

-- without a token, nothing can be verified
SELECT smartcar_receive_webhook('{}', repeat('0', 64), 'hook_bare');
SELECT smartcar_receive_webhook('{"eventType":"VERIFY","data":{"challenge":"c"}}', NULL, 'hook_bare');
SELECT smartcar_receive_webhook('{}', NULL, 'no_such_server');
DELETE FROM smartcar_tesla.connection;
DELETE FROM smartcar_tesla.webhook_event;
DROP SERVER hook CASCADE;
DROP SERVER hook_other CASCADE;
DROP SERVER hook_bare;
RESET smartcar_tesla.server;
\pset null ''
