-- What the measurements of calls share.  Variable: delay, in milliseconds.

-- kind: bulk, single, sdk, bare; waiting: seconds without a processor that was
-- needed
CREATE TABLE bench_call_sample (
	kind text NOT NULL,
	protocol text NOT NULL,
	at_once integer NOT NULL,
	calls integer NOT NULL,
	seconds double precision NOT NULL,
	processor_seconds double precision NOT NULL,
	waiting_seconds double precision NOT NULL
);

CREATE VIEW bench_call_run AS SELECT :delay::double precision / 1000 AS delay;

-- For how long this process wanted a processor and had none.
CREATE FUNCTION bench_waiting_time() RETURNS double precision
LANGUAGE sql VOLATILE AS $$
	SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 2)::double precision / 1e9
$$;

-- A number of calls, in bulk or one by one; how many of them got a response.
CREATE FUNCTION bench_calls(kind text, calls integer, owners integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	numbers CONSTANT text[] := ARRAY(SELECT lpad((1 + i % owners)::text, 6, '0') FROM generate_series(1, calls) AS i);
	vehicles CONSTANT text[] := ARRAY(SELECT 'vehicle-' || number FROM unnest(numbers) AS number);
	tokens CONSTANT text[] := ARRAY(SELECT 'access-' || number FROM unnest(numbers) AS number);
	responses bigint := 0;
	make text;
BEGIN
	IF kind = 'bulk' THEN
		RETURN (SELECT count(v.make) FROM smartcar_get_vehicle_many(vehicles, tokens) AS v WHERE v.make = 'TESLA');
	END IF;
	FOR i IN 1 .. calls LOOP
		SELECT v.make INTO make FROM smartcar_get_vehicle(vehicles[i], tokens[i]) AS v;
		responses := responses + (make = 'TESLA')::integer;
	END LOOP;
	RETURN responses;
END
$$;

CREATE PROCEDURE bench_time_calls(kind text, protocol text, at_once integer, calls integer, owners integer)
LANGUAGE plpgsql AS $$
DECLARE
	clock_before timestamptz;
	processor_before double precision;
	waiting_before double precision;
	responses bigint;
BEGIN
	-- connections are kept, and code is loaded
	PERFORM bench_calls(kind, 4 * at_once, owners);

	processor_before := bench_processor_time();
	waiting_before := bench_waiting_time();
	clock_before := clock_timestamp();
	responses := bench_calls(kind, calls, owners);
	INSERT INTO bench_call_sample
		SELECT kind, protocol, at_once, calls, extract(epoch FROM clock_timestamp() - clock_before),
			   bench_processor_time() - processor_before, bench_waiting_time() - waiting_before;
	IF responses <> calls THEN
		RAISE EXCEPTION 'wrong result: % of % calls got a response', responses, calls;
	END IF;
END
$$;
