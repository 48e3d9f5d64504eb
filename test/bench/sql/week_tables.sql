-- The tables at the beginning of the week, and what a fifth of a round does to them.
--
-- Variables: rows, fillfactor.

TRUNCATE smartcar_tesla.account, smartcar_tesla.connection, smartcar_tesla.webhook_event;
ALTER TABLE smartcar_tesla.account SET (fillfactor = :fillfactor);
ALTER TABLE smartcar_tesla.connection SET (fillfactor = :fillfactor);
INSERT INTO smartcar_tesla.account (server, user_id, external_id, access_token, access_expires_at, refresh_token, refresh_expires_at, refreshed_at)
	SELECT 'week', md5(i::text), 'owner-' || i, sha256(i::text::bytea) || sha256('a'), '2026-01-01'::timestamptz + random() * interval '105 min',
		   sha256(i::text::bytea) || sha256('r'), '2026-03-01', '2026-01-01'
	FROM generate_series(1, :rows) AS i;
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, external_id, connection_id, make, model, year, mode, granted_scopes, tesla_scopes, virtual_key_paired, synced_at)
	SELECT 'week', md5(i::text), md5('v' || i), 'owner-' || i, md5('c' || i), 'TESLA', 'Model 3', 2024, 'live', '{read_odometer,read_location,read_vehicle_info}',
		   '{vehicle_location,vehicle_device_data}', true, '2026-01-01'
	FROM generate_series(1, :rows) AS i;
VACUUM ANALYZE smartcar_tesla.account, smartcar_tesla.connection;
SELECT pg_stat_reset() \g /dev/null

-- Claims and refreshes what is due, a batch at a time; two of ten vehicles have an
-- event, half of which change something; every seventh round, all are synchronized.
CREATE OR REPLACE PROCEDURE bench_week_part(round integer, part integer) LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := '2026-01-01'::timestamptz + ((round - 1) * 5 + part) * interval '21 min';
	batch text[];
BEGIN
	SET LOCAL enable_seqscan = off;
	LOOP
		batch := ARRAY (SELECT user_id FROM smartcar_tesla.account
			WHERE server = 'week' AND status = 'active' AND refresh_token IS NOT NULL AND attempts = 0 AND access_expires_at <= until
			ORDER BY access_expires_at LIMIT 256);
		EXIT WHEN batch = '{}';
		UPDATE smartcar_tesla.account SET lease = gen_random_uuid(), leased_until = until
			WHERE server = 'week' AND user_id = ANY (batch);
		COMMIT;
		UPDATE smartcar_tesla.account SET access_token = sha256(access_token) || sha256('a'), access_expires_at = access_expires_at + interval '105 min',
			refresh_token = sha256(refresh_token) || sha256('r'), refresh_expires_at = until + interval '60 days', refreshed_at = until,
			lease = NULL, leased_until = NULL, updated_at = until
			WHERE server = 'week' AND user_id = ANY (batch);
		batch := batch[:51];
		INSERT INTO smartcar_tesla.webhook_event (server, event_id, received_at) SELECT 'week', u || until, until FROM unnest(batch) AS u;
		UPDATE smartcar_tesla.connection SET errors = '[{"type": "VEHICLE_STATE", "code": "ASLEEP"}]', error_type = 'VEHICLE_STATE', error_code = 'ASLEEP',
			error_at = until, updated_at = until WHERE server = 'week' AND user_id = ANY (batch[:25]);
		IF round % 7 = 0 THEN
			UPDATE smartcar_tesla.connection SET synced_at = until, updated_at = until WHERE server = 'week' AND user_id = ANY (batch);
		END IF;
		COMMIT;
	END LOOP;
	DELETE FROM smartcar_tesla.webhook_event WHERE server = 'week' AND received_at < until - interval '25 hours';
	COMMIT;
	PERFORM pg_stat_force_next_flush();
END
$$;
