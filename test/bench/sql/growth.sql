-- How the time grows with the input.
--
-- Anyone can send a callback, so one that is twice as long must not cost more
-- than twice as much.  The inputs are variables of PL/pgSQL, in memory and not
-- compressed.  The best of several calls counts, because nothing makes a call
-- faster than it is; time is that for which the process had a processor.

CREATE TABLE bench_growth (
	place integer GENERATED ALWAYS AS IDENTITY,
	name text NOT NULL,
	size integer NOT NULL,		-- in bytes or elements
	seconds double precision NOT NULL
);

-- A callback that begins with start and goes on with one piece after the other.
CREATE PROCEDURE bench_callback_growth(name text, start text, piece text)
LANGUAGE plpgsql AS $$
DECLARE
	megabytes integer;
	callback text;
	before double precision;
	best double precision;
BEGIN
	FOREACH megabytes IN ARRAY '{1,2,4}'::integer[] LOOP
		callback := start || repeat(piece, megabytes * 1000000 / length(piece));
		best := NULL;
		FOR i IN 1 .. 10 LOOP
			before := bench_processor_time();
			IF smartcar_parse_callback(callback) IS NULL THEN
				RAISE EXCEPTION 'wrong result: a large callback gives NULL';
			END IF;
			best := least(best, bench_processor_time() - before);
		END LOOP;
		INSERT INTO bench_growth (name, size, seconds)
			VALUES (name, length(callback), best);
	END LOOP;
END
$$;

-- granted and wanted: queries that make an array of $1 elements.
CREATE PROCEDURE bench_array_growth(name text, granted_query text, wanted_query text, missing_query text)
LANGUAGE plpgsql AS $$
DECLARE
	elements integer;
	granted text[];
	wanted text[];
	expected integer;
	before double precision;
	best double precision;
BEGIN
	FOREACH elements IN ARRAY '{10000,20000,40000}'::integer[] LOOP
		EXECUTE granted_query INTO granted USING elements;
		EXECUTE wanted_query INTO wanted USING elements;
		EXECUTE missing_query INTO expected USING elements;
		best := NULL;
		FOR i IN 1 .. 10 LOOP
			before := bench_processor_time();
			IF cardinality(smartcar_missing_scopes(granted, wanted)) <> expected THEN
				RAISE EXCEPTION 'wrong result: other scopes of a large array are missing';
			END IF;
			best := least(best, bench_processor_time() - before);
		END LOOP;
		INSERT INTO bench_growth (name, size, seconds)
			VALUES (name, elements, best);
	END LOOP;
END
$$;

CALL bench_callback_growth('callback: one long state', '?code=c&state=', 'a');
CALL bench_callback_growth('callback: a state of escapes', '?code=c&state=', '%41');
CALL bench_callback_growth('callback: a state of pluses', '?code=c&state=', '+');
CALL bench_callback_growth('callback: a state of letters outside ASCII', '?code=c&state=', '%C3%A9');
CALL bench_callback_growth('callback: many parameters', '?code=c', '&a=b');
CALL bench_callback_growth('callback: many parameters with escaped names', '?code=c', '&%41=b');
CALL bench_callback_growth('callback: many empty parameters', '?code=c', '&');

\set known '\'SELECT array_agg((smartcar_tesla.known_permissions())[1 + i % 28]) FROM generate_series(1, $1) AS i\''
\set others '\'SELECT array_agg(\'\'read_\'\' || i) FROM generate_series(1, $1) AS i\''
\set more_others '\'SELECT array_agg(\'\'control_\'\' || i) FROM generate_series(1, $1) AS i\''

CALL bench_array_growth('missing scopes: known names', :known, :known, 'SELECT 0');
CALL bench_array_growth('missing scopes: unknown names, all granted', :others, :others, 'SELECT 0');
CALL bench_array_growth('missing scopes: unknown names, none granted', :others, :more_others, 'SELECT $1');
