-- What all measurements share.
--
-- A case is a query over a whole table.  It takes turns with its floor and, if
-- there is one, with the same thing in PL/pgSQL: a machine that slows down for
-- a while then slows all of them down.

CREATE EXTENSION smartcar_tesla;
CREATE EXTENSION IF NOT EXISTS pg_prewarm;

CREATE SERVER smartcar FOREIGN DATA WRAPPER smartcar_tesla OPTIONS (
	client_id '8229df9f-91a0-4ff0-a1ae-a1f38ee24d07',
	redirect_uri 'https://app.example.com/callback?tenant=7',
	mode 'live', api_version '2.0');
CREATE USER MAPPING FOR PUBLIC SERVER smartcar OPTIONS (
	management_token '5e1f7d1c-3b0a-4c0e-9a55-6d3b7f6f2a10');

CREATE FUNCTION bench_floor(text, integer) RETURNS text
AS :'floor', 'smartcar_bench_floor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bench_floor(text[], integer) RETURNS text
AS :'floor', 'smartcar_bench_floor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION bench_processor_time() RETURNS double precision
AS :'floor', 'smartcar_bench_processor_time' LANGUAGE C VOLATILE;

-- The settings of the run, from the command line.
CREATE VIEW bench_run AS
	SELECT current_setting('bench.rows')::integer AS rows,
		   current_setting('bench.repeats')::integer AS repeats,
		   least(current_setting('bench.rows')::integer, 20000) AS plpgsql_rows;

CREATE TABLE bench_case (
	place integer GENERATED ALWAYS AS IDENTITY,
	name text PRIMARY KEY,
	floor_length integer NOT NULL,
	floor_target numeric,		-- at most so many times the floor
	node_target numeric,		-- at least so many times as fast
	plpgsql_target numeric
);

-- kind: floor, extension, plpgsql, sdk, crypto
CREATE TABLE bench_sample (
	case_name text NOT NULL,
	kind text NOT NULL,
	rows integer NOT NULL,
	seconds double precision NOT NULL,
	processor_seconds double precision NOT NULL
);

-- What the report ends with: ratios within this run, and what is wanted of them; a
-- target is a lower limit, or an upper one where is_upper.
CREATE TABLE bench_reach (
	place integer GENERATED ALWAYS AS IDENTITY,
	what text NOT NULL,
	figure text NOT NULL,
	beside text NOT NULL,
	ratio double precision NOT NULL,
	target double precision,
	is_upper boolean NOT NULL DEFAULT false
);

-- Stops the run where a function does not do what it is measured for.
CREATE PROCEDURE bench_check(what text, query text)
LANGUAGE plpgsql AS $$
DECLARE
	holds boolean;
BEGIN
	EXECUTE query INTO holds;
	IF holds IS NOT TRUE THEN
		RAISE EXCEPTION 'wrong result: %', what;
	END IF;
END
$$;

-- Brings a new table into memory, where the scans find it.
CREATE PROCEDURE bench_warm(source regclass)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_prewarm(source);
	EXECUTE format('SELECT count(*) FROM %s', source);
END
$$;

CREATE PROCEDURE bench_time(case_name text, kind text, expression text, source text, rows integer)
LANGUAGE plpgsql AS $$
DECLARE
	query CONSTANT text := format('SELECT count(%s) FROM %s', expression, source);
	clock_before timestamptz;
	processor_before double precision;
	processor_seconds double precision;
	seconds double precision;
	counted integer;
BEGIN
	processor_before := bench_processor_time();
	clock_before := clock_timestamp();
	EXECUTE query INTO counted;
	seconds := extract(epoch FROM clock_timestamp() - clock_before);
	processor_seconds := bench_processor_time() - processor_before;
	IF counted <> rows THEN
		RAISE EXCEPTION 'wrong result: % of % rows in: %', counted, rows, query;
	END IF;
	INSERT INTO bench_sample VALUES (case_name, kind, rows, seconds, processor_seconds);
END
$$;

-- Measures a case.  floor_column is the last column that the expression reads,
-- floor_length an expression for the length of what the floor returns.
CREATE PROCEDURE bench_measure(
	case_name text, source text, expression text,
	floor_column text, floor_length text,
	plpgsql_expression text DEFAULT NULL,
	floor_target numeric DEFAULT NULL,
	node_target numeric DEFAULT NULL,
	plpgsql_target numeric DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
	run bench_run;
	length integer;
	plpgsql_source text;
BEGIN
	SELECT * INTO run FROM bench_run;
	EXECUTE format('SELECT round(avg(%s)) FROM (SELECT * FROM %s LIMIT 10000) AS part',
				   floor_length, source) INTO length;
	INSERT INTO bench_case (name, floor_length, floor_target, node_target, plpgsql_target)
		VALUES (case_name, length, floor_target, node_target, plpgsql_target);

	FOR i IN 1 .. run.repeats LOOP
		CALL bench_time(case_name, 'floor', format('bench_floor(%s, %s)', floor_column, length),
						source, run.rows);
		CALL bench_time(case_name, 'extension', expression, source, run.rows);
		IF plpgsql_expression IS NOT NULL THEN
			plpgsql_source := format('(SELECT * FROM %s LIMIT %s) AS part', source, run.plpgsql_rows);
			CALL bench_time(case_name, 'plpgsql', plpgsql_expression, plpgsql_source, run.plpgsql_rows);
		END IF;
	END LOOP;
END
$$;
