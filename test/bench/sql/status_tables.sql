-- How reading the connections of one application is measured.
--
-- The floor reads the same table as far as the view does, with one function of
-- the extension that looks up a few bytes: count() of the last column that the
-- view reads makes PostgreSQL find it in the row.

CREATE SERVER status FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07', redirect_uri 'https://example.com/callback',
	scope 'read_vehicle_info read_odometer read_location read_battery read_charge control_charge');

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

-- Those that need something: from their own view, and from that of all.
CREATE TABLE bench_todo_sample (
	kind text NOT NULL,
	connections integer NOT NULL,
	needing integer NOT NULL,
	seconds double precision NOT NULL
);

CREATE PROCEDURE bench_time_todo(kind text, source text)
LANGUAGE plpgsql AS $$
DECLARE
	query CONSTANT text := format('SELECT count(*) FROM (SELECT external_id, action, action_url FROM %s OFFSET 0) AS list', source);
	clock_before CONSTANT timestamptz := clock_timestamp();
	counted bigint;
BEGIN
	EXECUTE query INTO counted;
	INSERT INTO bench_todo_sample
		SELECT kind, round(reltuples), counted, extract(epoch FROM clock_timestamp() - clock_before)
		FROM pg_class WHERE oid = 'smartcar_tesla.connection'::regclass;
END
$$;
