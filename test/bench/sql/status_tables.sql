-- A million connections of one application, and how reading them is measured.
--
-- The floor reads the same table as far as the view does, with one function of
-- the extension that looks up a few bytes: count() of the last column that the
-- view reads makes PostgreSQL find it in the row.

CREATE SERVER status FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
	scope 'read_vehicle_info read_odometer read_location read_battery read_charge control_charge');

-- One of ten has not granted all at Tesla, one of ten not all at Smartcar, one
-- of ten has no virtual key.
INSERT INTO smartcar_tesla.connection (server, user_id, vehicle_id, connection_id, external_id, make, model, year, mode, powertrain_type,
								 granted_scopes, access_type, tesla_scopes, virtual_key_paired, connected_at, synced_at)
	SELECT 'status', 'user-' || i, 'vehicle-' || i, 'connection-' || i, 'external-' || i, 'TESLA',
		   (ARRAY['Model 3', 'Model Y', 'Model S', 'Model X'])[1 + i % 4], 2018 + i % 8, 'live', 'BEV',
		   CASE WHEN i % 10 = 1 THEN '{read_vehicle_info,read_odometer,read_location,read_battery}'::text[]
				ELSE '{read_vehicle_info,read_odometer,read_location,read_battery,read_charge,control_charge}' END,
		   CASE WHEN i % 20 = 2 THEN 'DRIVER' ELSE 'OWNER' END,
		   CASE WHEN i % 10 = 3 THEN '{vehicle_device_data}'::text[]
				ELSE '{openid,offline_access,user_data,vehicle_device_data,vehicle_location,vehicle_cmds,vehicle_charging_cmds}' END,
		   i % 10 <> 4, now(), now()
	FROM bench_run, generate_series(1, rows) AS i;
VACUUM (FREEZE, ANALYZE) smartcar_tesla.connection;
CALL bench_warm('smartcar_tesla.connection');

-- kind: view, floor, lookup
CREATE TABLE bench_status_sample (
	kind text NOT NULL,
	workers integer NOT NULL,
	seconds double precision NOT NULL,
	processor_seconds double precision NOT NULL	-- of the backend, without its workers
);

CREATE FUNCTION bench_plan(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		plan := plan || line || E'\n';
	END LOOP;
	RETURN plan;
END
$$;

CREATE PROCEDURE bench_time_status(kind text, workers integer, query text)
LANGUAGE plpgsql AS $$
DECLARE
	clock_before timestamptz;
	processor_before double precision;
	counted bigint;
BEGIN
	query := format('SELECT sum(n) FROM (%s) AS groups', query);
	IF (bench_plan(query) LIKE '%Gather%') <> (workers > 0) THEN
		RAISE EXCEPTION 'the plan for % workers is another one: %', workers, bench_plan(query);
	END IF;
	processor_before := bench_processor_time();
	clock_before := clock_timestamp();
	EXECUTE query INTO counted;
	INSERT INTO bench_status_sample
		SELECT kind, workers, extract(epoch FROM clock_timestamp() - clock_before),
			   bench_processor_time() - processor_before;
	IF counted <> (SELECT rows FROM bench_run) THEN
		RAISE EXCEPTION 'wrong result: % rows in: %', counted, query;
	END IF;
END
$$;

-- The rows of one owner, whom nobody has asked for before.
CREATE PROCEDURE bench_time_lookup(number integer)
LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT * FROM smartcar_status WHERE server = ''status'' AND external_id = ''external-%s''', number);
	processor_before CONSTANT double precision := bench_processor_time();
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	IF plan::text NOT LIKE '%connection_external_id%' OR plan #>> '{0,Plan,Actual Rows}' <> '1' THEN
		RAISE EXCEPTION 'the plan for one owner is another one: %', plan;
	END IF;
	INSERT INTO bench_status_sample
		SELECT 'lookup', 0, (plan #>> '{0,Execution Time}')::double precision / 1000,
			   bench_processor_time() - processor_before;
END
$$;
