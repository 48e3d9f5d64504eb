-- What came out, in three tables.
--
-- Times are those for which the process had a processor.  On a machine with
-- nothing else to do that is the time on the clock; on another one it is what
-- the clock would have shown.

\pset footer off
\pset null '-'

CREATE VIEW bench_median AS
	SELECT case_name, kind, max(rows) AS rows,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY processor_seconds / rows) * 1e6 AS us,
		   min(processor_seconds / rows) * 1e6 AS best_us,
		   max(processor_seconds / rows) * 1e6 AS worst_us
	FROM bench_sample
	GROUP BY case_name, kind;

CREATE VIEW bench_ratio AS
	SELECT c.*, e.rows, e.us,
		   e.us / f.us AS floor_ratio,
		   e.best_us / f.best_us AS best_floor_ratio,
		   s.us / e.us AS node_ratio,
		   p.us / e.us AS plpgsql_ratio
	FROM bench_case AS c
		 JOIN bench_median AS e ON e.case_name = c.name AND e.kind = 'extension'
		 JOIN bench_median AS f ON f.case_name = c.name AND f.kind = 'floor'
		 LEFT JOIN bench_median AS s ON s.case_name = c.name AND s.kind = 'sdk'
		 LEFT JOIN bench_median AS p ON p.case_name = c.name AND p.kind = 'plpgsql';

\echo
\echo 'Medians, one process, per core. "/ floor": how many times the time of the floor;'
\echo '"of the best": the same for the best run of each in place of the median.'
\echo '"x SDK", "x PL/pgSQL": how many times as fast as the Node SDK and as PL/pgSQL.'
\echo
SELECT name AS "case", rows, round(us::numeric, 3) AS "us/row", round(1e6 / us) AS "rows/s",
	   round(floor_ratio::numeric, 2) AS "/ floor",
	   round(best_floor_ratio::numeric, 2) AS "of the best",
	   round(node_ratio::numeric, 1) AS "x SDK",
	   round(plpgsql_ratio::numeric) AS "x PL/pgSQL",
	   concat_ws(', ', '<= ' || floor_target || ' floor', '>= ' || node_target || ' SDK',
				 '>= ' || plpgsql_target || ' PL/pgSQL') AS target,
	   concat_ws(', ',
				 CASE WHEN floor_ratio <= floor_target THEN 'yes' WHEN floor_ratio > floor_target THEN 'no' END,
				 CASE WHEN node_ratio >= node_target THEN 'yes' WHEN node_ratio < node_target THEN 'no'
					  WHEN node_target IS NOT NULL THEN 'skipped' END,
				 CASE WHEN plpgsql_ratio >= plpgsql_target THEN 'yes' WHEN plpgsql_ratio < plpgsql_target THEN 'no' END)
		   AS reached
FROM bench_ratio
ORDER BY place;

INSERT INTO bench_reach (what, figure, beside, ratio, target, is_upper)
	SELECT name, round(us::numeric, 2) || ' us a row', 'the floor', floor_ratio, floor_target, true
	FROM bench_ratio WHERE name IN ('connect link', 'connect link, scope from a column', 'verify webhook') ORDER BY place;

\echo
\echo 'Everything that was measured, in microseconds per row.'
\echo
SELECT m.case_name AS "case",
	   CASE m.kind WHEN 'floor' THEN format('floor, %s bytes', c.floor_length)
				   WHEN 'extension' THEN 'smartcar_tesla'
				   WHEN 'plpgsql' THEN 'PL/pgSQL'
				   WHEN 'sdk' THEN 'Node SDK'
				   WHEN 'crypto' THEN 'Node crypto' END AS what,
	   m.rows, round(us::numeric, 3) AS median, round(best_us::numeric, 3) AS best,
	   round(worst_us::numeric, 3) AS worst, round(1e6 / us) AS "rows/s"
FROM bench_median AS m JOIN bench_case AS c ON c.name = m.case_name
ORDER BY c.place, array_position('{floor,extension,plpgsql,crypto,sdk}', m.kind);

\echo
\echo 'Growth. The time per byte or per element should stay the same.'
\echo
SELECT name AS "case", size AS "bytes or elements", round((seconds * 1e3)::numeric, 3) AS ms,
	   round((seconds * 1e9 / size)::numeric, 2) AS "ns each",
	   round((seconds / lag(seconds) OVER (PARTITION BY name ORDER BY size))::numeric, 2) AS "times the half"
FROM bench_growth
ORDER BY place;

SELECT format('WARNING: the backend waited for a processor for %s %% of the time. The machine was busy, do not rely on these figures.',
			  round((100 * waiting)::numeric))
FROM (
	SELECT 1 - sum(processor_seconds) / sum(seconds) AS waiting
	FROM bench_sample
	WHERE kind IN ('floor', 'extension', 'plpgsql')) AS samples
WHERE waiting > 0.03
\g (format=unaligned tuples_only=on)
