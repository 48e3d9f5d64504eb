-- Signatures of events with four signals, about 1.2 kB each.

\set token '\'5e1f7d1c-3b0a-4c0e-9a55-6d3b7f6f2a10\''

CREATE FUNCTION bench_signal(code text, name text, unit text, value numeric, at bigint)
RETURNS text LANGUAGE sql IMMUTABLE RETURN
	format('{"code":"%s","name":"%s","group":"TractionBattery","status":{"value":"SUCCESS"},"body":{"unit":"%s","value":%s},"meta":{"retrievedAt":%s,"oemUpdatedAt":%s}}',
		   code, name, unit, value, at, at - 100000);

CREATE TABLE event AS
	SELECT convert_to(body, 'UTF8') AS body, smartcar_hash_challenge(body, :token) AS signature
	FROM (
		SELECT format('{"eventId":"%s","eventType":"VEHICLE_STATE","data":{"user":{"id":"%s"},"vehicle":{"id":"%s","make":"TESLA","model":"Model 3","year":%s},"signals":[%s,%s,%s,%s]},"meta":{"version":"4.0","mode":"LIVE","deliveredAt":%s}}',
					  md5('event' || i)::uuid, md5('user' || i)::uuid, md5('vehicle' || i)::uuid, 2018 + i % 9,
					  bench_signal('tractionbattery-stateofcharge', 'StateOfCharge', 'percent', i % 101, at),
					  bench_signal('tractionbattery-range', 'Range', 'km', i % 600, at),
					  bench_signal('tractionbattery-nominalcapacity', 'NominalCapacity', 'kWh', 75, at),
					  bench_signal('tractionbattery-voltage', 'Voltage', 'volts', 350 + i % 50, at),
					  at + 1000) AS body
		FROM generate_series(1, (SELECT rows FROM bench_run)) AS i,
			 LATERAL (SELECT 1752104218549 + i AS at) AS clock
		OFFSET 0) AS sent;
VACUUM (FREEZE, ANALYZE) event;
CALL bench_warm('event');

\set verify 'smartcar_verify_webhook(body, signature, ' :token ')'
\set verify_by_mapping 'smartcar_verify_webhook(body, signature)'

CALL bench_check('a right signature is refused',
	format('SELECT bool_and(%s AND %s) FROM event', :'verify', :'verify_by_mapping'));
CALL bench_check('a wrong signature is accepted', $$
	SELECT NOT bool_or(smartcar_verify_webhook(set_byte(body, i % length(body), 1), signature))
	FROM (SELECT row_number() OVER ()::integer AS i, * FROM event LIMIT 1000) AS part $$);

-- The result is a boolean, so the floor returns the shortest text.
CALL bench_measure('verify webhook', 'event', :'verify',
	floor_column => 'signature', floor_length => '1');
CALL bench_measure('verify webhook, token of the user mapping', 'event', :'verify_by_mapping',
	floor_column => 'signature', floor_length => '1');

SELECT signature || ' ' || convert_from(body, 'UTF8') FROM event LIMIT 20000
\g (format=unaligned tuples_only=on) :directory/event.txt

DROP TABLE event;
