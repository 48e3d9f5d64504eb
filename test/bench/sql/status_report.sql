-- What came out of the measurements of smartcar_status.

\pset footer off
\pset null '-'

CREATE VIEW bench_status_median AS
	SELECT kind, workers,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds, min(seconds) AS best, max(seconds) AS worst
	FROM bench_status_sample
	GROUP BY kind, workers;

\echo
\echo 'smartcar_status over all connections. Medians. "/ floor": how many times the time of a scan of the'
\echo 'same table with a trivial function and as many workers; "of the best": the same for the best run of'
\echo 'each. "x one process": how many times as fast as without workers.'
\echo
SELECT 'action of each, counted' AS "what", r.rows, v.workers, round(v.seconds::numeric, 3) AS s,
	   round((v.seconds * 1e6 / r.rows)::numeric, 3) AS "us/row",
	   round((f.seconds * 1e6 / r.rows)::numeric, 3) AS "floor us/row",
	   round((v.seconds / f.seconds)::numeric, 2) AS "/ floor",
	   round((v.best / f.best)::numeric, 2) AS "of the best",
	   round((one.seconds / v.seconds)::numeric, 2) AS "x one process",
	   CASE WHEN v.workers = 0 THEN '<= 1.6 floor' END AS target,
	   CASE WHEN v.workers > 0 THEN NULL WHEN v.seconds <= 1.6 * f.seconds THEN 'yes' ELSE 'no' END AS reached
FROM bench_run AS r, bench_status_median AS v
	 JOIN bench_status_median AS f ON f.kind = 'floor' AND f.workers = v.workers
	 JOIN bench_status_median AS one ON one.kind = 'view' AND one.workers = 0
WHERE v.kind = 'view'
ORDER BY v.workers;

\echo
SELECT 'rows of one owner, all columns' AS "what", r.rows, round((seconds * 1e3)::numeric, 3) AS ms,
	   round((best * 1e3)::numeric, 3) AS best, round((worst * 1e3)::numeric, 3) AS worst
FROM bench_run AS r, bench_status_median
WHERE kind = 'lookup';

CREATE VIEW bench_todo_median AS
	SELECT kind, round(connections, -3) AS connections, needing, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds
	FROM bench_todo_sample
	GROUP BY kind, round(connections, -3), needing;

\echo
\echo 'The list of those who need something, from smartcar_todo and from smartcar_status. Medians.'
\echo
SELECT t.connections, t.needing AS "need something", round((t.seconds * 1e3)::numeric, 2) AS "smartcar_todo, ms",
	   round((s.seconds * 1e3)::numeric, 2) AS "smartcar_status, ms", round((s.seconds / t.seconds)::numeric) AS "x"
FROM bench_todo_median AS t JOIN bench_todo_median AS s USING (connections, needing)
WHERE t.kind = 'todo' AND s.kind = 'status'
ORDER BY 1, 2;

INSERT INTO bench_reach (what, figure, beside, ratio, target, is_upper)
	SELECT 'GROUP BY action over ' || r.rows || ' connections', round(v.seconds::numeric, 2) || ' s',
		   'a scan with a trivial function', v.seconds / f.seconds, 1.6, true
	FROM bench_run AS r, bench_status_median AS v, bench_status_median AS f
	WHERE v.kind = 'view' AND v.workers = 0 AND f.kind = 'floor' AND f.workers = 0;
INSERT INTO bench_reach (what, figure, beside, ratio, target, is_upper)
	SELECT format('list of %s of %s who need something', large.needing, large.connections), round((large.seconds * 1e3)::numeric, 2) || ' ms',
		   format('the list of %s of %s', small.needing, small.connections), large.seconds / small.seconds, 1.5, true
	FROM bench_todo_median AS large JOIN bench_todo_median AS small USING (needing, kind)
	WHERE kind = 'todo' AND large.connections > small.connections;

SELECT format('WARNING: the backend waited for a processor for %s %% of the time. The machine was busy, do not rely on these figures.',
			  round((100 * waiting)::numeric))
FROM (
	SELECT 1 - sum(processor_seconds) / sum(seconds) AS waiting
	FROM bench_status_sample
	WHERE kind IN ('floor', 'view') AND workers = 0) AS samples
WHERE waiting > 0.03
\g (format=unaligned tuples_only=on)
