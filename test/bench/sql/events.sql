-- Signed events about 10,000 vehicles, each event with an id of its own.

CREATE SERVER events FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (scope 'read_location');
CREATE USER MAPPING FOR PUBLIC SERVER events OPTIONS (management_token 'token');

TRUNCATE smartcar_tesla.connection;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, make, model, year, mode, granted_scopes,
		access_type, access_type_known_at, tesla_scopes, tesla_scopes_known_at, virtual_key_paired, virtual_key_known_at)
	SELECT 'events', md5('user ' || i)::uuid, md5('vehicle ' || i)::uuid, 'owner-' || i, 'TESLA', 'Model 3', 2022, 'live', '{read_location}',
		'OWNER', '2026-01-01 00:00:00Z', '{vehicle_location}', '2026-01-01 00:00:00Z', true, '2026-01-01 00:00:00Z'
	FROM generate_series(0, 9999) AS i;

-- What Smartcar sends, with three signals that are stored and one that is not.  A
-- signal that changes is known as of a later time, which is stored and told nobody.
CREATE FUNCTION pg_temp.event(kind text, n integer) RETURNS text LANGUAGE sql AS $$
	SELECT json_build_object(
		'eventId', md5(kind || ' ' || n)::uuid,
		'eventType', CASE kind WHEN 'error' THEN 'VEHICLE_ERROR' ELSE 'VEHICLE_STATE' END,
		'data', json_build_object(
			'user', json_build_object('id', md5('user ' || n % 10000)::uuid, 'externalId', NULL),
			'vehicle', json_build_object('id', md5('vehicle ' || n % 10000)::uuid, 'make', 'TESLA', 'model', 'Model 3',
				'year', 2022, 'mode', 'live', 'powertrainType', 'BEV'),
			CASE kind WHEN 'error' THEN 'errors' ELSE 'signals' END,
			CASE kind WHEN 'error' THEN json_build_array(json_build_object('type', 'CONNECTED_SERVICES_ACCOUNT',
					'code', 'AUTHENTICATION_FAILED', 'description', 'The owner has to log in again.',
					'state', CASE n / 10000 % 2 WHEN 0 THEN 'ERROR' ELSE 'RESOLVED' END))
				ELSE (SELECT json_agg(json_build_object('code', s.code, 'body', s.body, 'meta',
						json_build_object('oemUpdatedAt', s.known, 'retrievedAt', s.known)))
					FROM (VALUES ('vehicleuseraccount-permissions', json_build_object('values', json_build_array('vehicle_location')),
							'2026-01-01T00:00:00.000Z'),
						('vehicleuseraccount-role', json_build_object('value', 'OWNER'), '2026-01-01T00:00:00.000Z'),
						('connectivitystatus-isdigitalkeypaired', json_build_object('value', true),
							CASE kind WHEN 'same' THEN '2026-01-01T00:00:00.000Z'
								ELSE to_char(timestamp '2026-02-01' + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END),
						('odometer-traveleddistance', json_build_object('value', 10234.5, 'unit', 'km'), '2026-01-01T00:00:00.000Z'))
						AS s (code, body, known))
			END),
		'meta', json_build_object('deliveryId', md5('delivery ' || n)::uuid, 'mode', 'LIVE', 'version', '4.0',
			'sequence', 1770000000000 + n))::text
$$;

CREATE TABLE bench_event AS
	SELECT kind, n, md5(kind || ' ' || n) AS event_id, pg_temp.event(kind, n) AS body, NULL::text AS signature
	FROM unnest('{same,signal,error}'::text[]) AS kind, generate_series(1, 120000) AS n;
UPDATE bench_event SET signature = smartcar_hash_challenge(body, 'token');
ALTER TABLE bench_event ADD PRIMARY KEY (kind, n);
CREATE SEQUENCE bench_same;
CREATE SEQUENCE bench_signal;
CREATE SEQUENCE bench_error;

CREATE TABLE bench_received (
	server text,
	event_id text,
	received_at timestamptz DEFAULT now(),
	PRIMARY KEY (server, event_id)
);
CREATE INDEX ON bench_received (server, received_at);
-- processor_seconds: of the server, for each event
CREATE TABLE bench_event_sample (kind text, sessions integer, rate double precision, processor_seconds double precision);
VACUUM ANALYZE;

-- each kind does what its name says
DO $$
DECLARE
	row_before smartcar_tesla.connection;
	row_after smartcar_tesla.connection;
	what text;
BEGIN
	FOREACH what IN ARRAY ARRAY['same', 'signal', 'error'] LOOP
		SELECT * INTO row_before FROM smartcar_tesla.connection WHERE external_id = 'owner-0';
		PERFORM smartcar_receive_webhook(body, signature, 'events') FROM bench_event WHERE kind = what AND n = 120000;
		SELECT * INTO row_after FROM smartcar_tesla.connection WHERE external_id = 'owner-0';
		CALL bench_check('an event does not do what it should', format('SELECT %L = %L', row_before = row_after, what = 'same'));
	END LOOP;
END $$;
