--
-- Webhooks: events arrive late, twice and out of order; the latest state is kept
--

\pset null (null)
CREATE SERVER late FOREIGN DATA WRAPPER smartcar_tesla
	OPTIONS (client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
		scope 'read_location', api_version '2.0');
CREATE SERVER late_v3 FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (scope 'read_location', api_version '3');
CREATE USER MAPPING FOR PUBLIC SERVER late OPTIONS (management_token 'amt');
CREATE USER MAPPING FOR PUBLIC SERVER late_v3 OPTIONS (management_token 'amt');
SET smartcar_tesla.server = 'late';
SET TimeZone = 'Asia/Kolkata';

CREATE FUNCTION pg_temp.send(event text, server text DEFAULT 'late') RETURNS text LANGUAGE sql AS
	$$ SELECT smartcar_receive_webhook(convert_to(event, 'UTF8'), smartcar_hash_challenge(event, 'amt'), server) $$;
CREATE SEQUENCE pg_temp.events;
CREATE FUNCTION pg_temp.event(type text, content text, meta text DEFAULT '', id text DEFAULT nextval('pg_temp.events')::text,
	who text DEFAULT '"id":"user-1"', vehicle text DEFAULT '"id":"vehicle-1"') RETURNS text LANGUAGE sql AS
	$$ SELECT format('{"eventId":"%s","eventType":"%s","data":{"user":{%s},"vehicle":{%s},%s},"meta":{"version":"4.0"%s}}',
		id, type, who, vehicle, content, meta) $$;
CREATE FUNCTION pg_temp.signal(code text, body text, meta text DEFAULT '') RETURNS text LANGUAGE sql AS
	$$ SELECT format('{"code":"%s","body":%s,"status":{"value":"SUCCESS"},"meta":{%s}}', code, body, meta) $$;
CREATE FUNCTION pg_temp.key(paired boolean, meta text DEFAULT '') RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE', format('"signals":[%s]',
		pg_temp.signal('connectivitystatus-isdigitalkeypaired', format('{"value":%s}', paired::text), meta)))) $$;
CREATE FUNCTION pg_temp.error(type text, code text, state text, meta text DEFAULT '') RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.send(pg_temp.event('VEHICLE_ERROR', format('"errors":[{"type":"%s","code":"%s","state":"%s"}]', type, code, state), meta)) $$;

-- resets the tables to one vehicle
CREATE FUNCTION pg_temp.start_over(paired boolean DEFAULT NULL, scopes text[] DEFAULT '{vehicle_location}') RETURNS void LANGUAGE sql AS $$
	DELETE FROM smartcar_tesla.connection;
	INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, make, model, year, mode, access_type, granted_scopes, tesla_scopes, virtual_key_paired)
		VALUES ('late', 'user-1', 'vehicle-1', 'owner-1', 'TESLA', 'Model 3', 2021, 'live', 'OWNER', '{read_location}', scopes, paired)
$$;
CREATE FUNCTION pg_temp.ms(moment timestamptz) RETURNS text LANGUAGE sql AS $$ SELECT trunc(extract(epoch FROM moment) * 1000)::text $$;
CREATE TEMP VIEW key_now AS SELECT virtual_key_paired, action FROM smartcar_status;
CREATE TEMP VIEW error_now AS SELECT error_type, error_code, action, action_url IS NOT NULL AS has_link FROM smartcar_status;

-- the newer of two signals is kept, in either order of arrival and with any format of time
SELECT pg_temp.start_over();
SELECT pg_temp.key(true, '"oemUpdatedAt":1767920001000,"retrievedAt":1767920010000'), pg_temp.key(false, '"oemUpdatedAt":1767919001000,"retrievedAt":1767919010000');
SELECT * FROM key_now;
SELECT pg_temp.start_over();
SELECT pg_temp.key(false, '"oemUpdatedAt":1767919001000,"retrievedAt":1767919010000'), pg_temp.key(true, '"oemUpdatedAt":1767920001000,"retrievedAt":1767920010000');
SELECT * FROM key_now;
CREATE FUNCTION pg_temp.second_wins(first text, second text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.start_over();
	PERFORM pg_temp.key(false, first);
	PERFORM pg_temp.key(true, second);
	RETURN (SELECT virtual_key_paired FROM smartcar_tesla.connection);
END $$;
SELECT what, pg_temp.second_wins(first, second) AS second_wins FROM (VALUES
	('milliseconds', '"retrievedAt":1767920010001', '"retrievedAt":1767920010000'),
	('the same millisecond', '"retrievedAt":1767920010001', '"retrievedAt":1767920010001'),
	('whole seconds', '"retrievedAt":1767920010', '"retrievedAt":1767920010'),
	('a whole second, which may be any time within it', '"retrievedAt":1767920010123', '"retrievedAt":1767920010'),
	('the second before', '"retrievedAt":1767920010123', '"retrievedAt":1767920009'),
	('ISO', '"retrievedAt":"2026-01-09T00:53:30.001Z"', '"retrievedAt":"2026-01-09T00:53:30.000001Z"'),
	('ISO with a zone', '"retrievedAt":"2026-01-09T00:53:30.001Z"', '"retrievedAt":"2026-01-09T01:53:30.002+01:00"'),
	('a text of digits', '"retrievedAt":"1767920010001"', '"retrievedAt":"1767920009999"'),
	('oemUpdatedAt, if retrievedAt is missing', '"oemUpdatedAt":1767920010001', '"oemUpdatedAt":1767920009999'),
	('retrievedAt before oemUpdatedAt', '"oemUpdatedAt":1767920010001,"retrievedAt":1767920020000', '"oemUpdatedAt":1767920010000,"retrievedAt":1767920020001'),
	('no time counts as now', '"retrievedAt":1767920010001', ''),
	('an impossible time counts as now', '"retrievedAt":1767920010001', '"retrievedAt":7'),
	('a time that is no time counts as now', '"retrievedAt":1767920010001', '"retrievedAt":{}')) AS v (what, first, second);
-- a time in the future counts as now, so later events still apply
SELECT pg_temp.second_wins(format('"retrievedAt":%s', pg_temp.ms(now() + interval '1 year')), '');
SELECT pg_temp.second_wins(format('"retrievedAt":%s', pg_temp.ms(now() + interval '1 year')), '"retrievedAt":1767920010000');
-- so does a stored time in the future, from a clock that was ahead
SELECT pg_temp.start_over(false);
UPDATE smartcar_tesla.connection SET virtual_key_known_at = now() + interval '2 hours', errors_known_at = now() + interval '2 hours';
SELECT pg_temp.key(true, format('"retrievedAt":%s', pg_temp.ms(now()))), pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION', 'ERROR');
SELECT virtual_key_paired, error_code FROM smartcar_status;
-- each column has a time of its own
SELECT pg_temp.start_over(true);
SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE', '"signals":[' || pg_temp.signal('vehicleuseraccount-role', '{"value":"DRIVER"}', '"retrievedAt":1767920030000') || ']'));
SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE', '"signals":[' || concat_ws(',', pg_temp.signal('vehicleuseraccount-role', '{"value":"OWNER"}', '"retrievedAt":1767920020000'),
	pg_temp.signal('vehicleuseraccount-permissions', '{"values":[]}', '"retrievedAt":1767920020000')) || ']'));
SELECT access_type, tesla_scopes, access_type_known_at AT TIME ZONE 'UTC' AS access_type_known_at, tesla_scopes_known_at AT TIME ZONE 'UTC' AS tesla_scopes_known_at FROM smartcar_tesla.connection;

-- an error whose RESOLVED event arrives before its ERROR event
SELECT pg_temp.start_over(true);
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'RESOLVED', ',"sequence":1767920020000'),
	pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'ERROR', ',"sequence":1767920010000');
SELECT * FROM error_now;
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'ERROR', ',"sequence":1767920030000');
SELECT * FROM error_now;
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'RESOLVED', ',"sequence":1767920025000');
SELECT * FROM error_now;
-- the time of delivery is used if there is no sequence, and now if there is neither
SELECT pg_temp.start_over(true);
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION', 'RESOLVED', format(',"deliveredAt":%s', pg_temp.ms(now() - interval '1 minute'))),
	pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION', 'ERROR', format(',"deliveredAt":%s', pg_temp.ms(now() - interval '2 minutes')));
SELECT * FROM error_now;
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION', 'ERROR');
SELECT * FROM error_now;
-- an error from before the last sync is not applied
SELECT pg_temp.start_over(true);
UPDATE smartcar_tesla.connection SET errors_known_at = now();
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION', 'ERROR', ',"sequence":1767920010000');
SELECT * FROM error_now;

-- several errors at once, one of which is resolved
SELECT pg_temp.start_over(true);
SELECT pg_temp.send(pg_temp.event('VEHICLE_ERROR', '"errors":[
	{"type":"CONNECTED_SERVICES_ACCOUNT","code":"AUTHENTICATION_FAILED","state":"ERROR"},
	{"type":"CONNECTED_SERVICES_ACCOUNT","code":"SUBSCRIPTION","state":"ERROR"}]'));
SELECT * FROM error_now;
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'SUBSCRIPTION', 'RESOLVED');
SELECT * FROM error_now;
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'RESOLVED');
SELECT * FROM error_now;
SELECT e ->> 'code' AS code, e ->> 'has_ended' AS has_ended, (e ->> 'known_at')::timestamptz <= now() AS known_at FROM smartcar_tesla.connection, jsonb_array_elements(errors) AS e;
-- an error that was resolved long ago is deleted
UPDATE smartcar_tesla.connection SET errors = jsonb_set(errors, '{0,known_at}', to_jsonb(now() - interval '2 days'));
SELECT pg_temp.error('BILLING', 'X', 'ERROR');
SELECT count(*) FROM smartcar_tesla.connection, jsonb_array_elements(errors);

-- a transient error hides no error or permission that needs somebody
SELECT pg_temp.start_over(false, '{vehicle_device_data}');
SELECT pg_temp.error('VEHICLE_STATE', 'ASLEEP', 'ERROR');
SELECT * FROM error_now;
SELECT pg_temp.start_over(false);
SELECT pg_temp.error('UPSTREAM', 'RATE_LIMIT', 'ERROR');
SELECT * FROM error_now;
SELECT pg_temp.error('CONNECTED_SERVICES_ACCOUNT', 'AUTHENTICATION_FAILED', 'ERROR'), pg_temp.error('VEHICLE_STATE', 'UNREACHABLE', 'ERROR');
SELECT * FROM error_now;
SELECT pg_temp.start_over(true);
SELECT pg_temp.error('VEHICLE_STATE', 'ASLEEP', 'ERROR');
SELECT * FROM error_now;

-- an event that changes nothing writes only its id
SELECT pg_temp.start_over(true);
SELECT pg_temp.error('BILLING', 'X', 'ERROR');
CREATE TEMP TABLE before AS SELECT xmin AS inserted_by, xmax AS locked_by, ctid AS place FROM smartcar_tesla.connection;
DELETE FROM smartcar_tesla.webhook_event;
SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE', '"signals":[' || pg_temp.signal('odometer-traveleddistance', '{"value":7,"unit":"km"}') || ']'));
SELECT pg_temp.key(true);
SELECT pg_temp.error('BILLING', 'X', 'ERROR');
SELECT pg_temp.error('BILLING', 'X', 'RESOLVED', ',"sequence":1767920010000');
SELECT (SELECT count(*) FROM smartcar_tesla.webhook_event) AS events, c.xmin = b.inserted_by AND c.xmax = b.locked_by AND c.ctid = b.place AS untouched FROM smartcar_tesla.connection c, before b;

-- an event so old that its id may have been deleted is not applied
SELECT pg_temp.start_over(false);
SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE',
		'"signals":[' || pg_temp.signal('connectivitystatus-isdigitalkeypaired', '{"value":true}') || ']',
		format(',"deliveredAt":%s', delivered_at), what)) AS response, what
	FROM (VALUES ('too old', pg_temp.ms(now() - interval '25 hours')), ('in seconds', '1767920010'), ('in ISO 8601', '"2026-01-09T00:53:30Z"')) AS v (what, delivered_at);
SELECT virtual_key_paired, (SELECT count(*) FROM smartcar_tesla.webhook_event WHERE event_id IN ('too old', 'in seconds', 'in ISO 8601')) AS ids FROM smartcar_status;
SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE',
	'"signals":[' || pg_temp.signal('connectivitystatus-isdigitalkeypaired', '{"value":true}') || ']',
	format(',"deliveredAt":%s', pg_temp.ms(now() - interval '23 hours')))) AS response;
SELECT virtual_key_paired FROM smartcar_status;

-- test events of the dashboard do not change live vehicles
SELECT pg_temp.start_over(true);
SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE', '"signals":['
	|| concat_ws(',', pg_temp.signal('vehicleuseraccount-permissions', '{"values":[]}'),
		pg_temp.signal('vehicleuseraccount-role', '{"value":"SECONDARY"}'))
	|| ']', ',"mode":"TEST"'));
SELECT tesla_scopes, access_type FROM smartcar_tesla.connection;
UPDATE smartcar_tesla.connection SET mode = 'simulated';
SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE', '"signals":[' || pg_temp.signal('vehicleuseraccount-role', '{"value":"SECONDARY"}') || ']', ',"mode":"TEST"'));
SELECT tesla_scopes, access_type FROM smartcar_tesla.connection;

-- an event of an unknown vehicle adds it, if the event names the owner
DELETE FROM smartcar_tesla.connection;
CREATE FUNCTION pg_temp.first_event(who text, vehicle text, meta text DEFAULT '', server text DEFAULT 'late_v3') RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.send(pg_temp.event('VEHICLE_STATE',
		'"signals":[' || pg_temp.signal('connectivitystatus-isdigitalkeypaired', '{"value":false}') || ']',
		meta, who => who, vehicle => vehicle), server) $$;
SELECT pg_temp.first_event('"id":"user-5","externalId":"owner-5"', '"id":"vehicle-5","make":"TESLA","model":"Model Y","year":2024,"mode":"live","powertrainType":"BEV"');
SELECT server, external_id, user_id, vehicle_id, make, model, year, mode, status, virtual_key_paired, action, synced_at FROM smartcar_status;
SELECT what, pg_temp.first_event(who, vehicle, meta, server) AS response FROM (VALUES
	('an owner who is not named', '"id":"user-6"', '"id":"vehicle-6"', '', 'late_v3'),
	('a test', '"id":"user-6","externalId":"owner-6"', '"id":"vehicle-6"', ',"mode":"TEST"', 'late_v3'),
	('an id that cannot be a header', '"id":"user 6","externalId":"owner-6"', '"id":"vehicle-6"', '', 'late_v3'),
	('an id that cannot be part of a path', '"id":"user-6","externalId":"owner-6"', '"id":"a/b"', '', 'late_v3'),
	('no vehicle', '"id":"user-6","externalId":"owner-6"', '', '', 'late_v3'),
	('version 2.0', '"id":"user-6","externalId":"owner-6"', '"id":"vehicle-6"', '', 'late')) AS v (what, who, vehicle, meta, server);
SELECT count(*) FROM smartcar_tesla.connection;

DELETE FROM smartcar_tesla.connection;
DELETE FROM smartcar_tesla.webhook_event;
DROP SERVER late CASCADE;
DROP SERVER late_v3 CASCADE;
RESET smartcar_tesla.server;
RESET TimeZone;
\pset null ''
