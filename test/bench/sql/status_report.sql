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
	   CASE WHEN v.workers = 0 THEN '<= 3 floor' END AS target,
	   CASE WHEN v.workers > 0 THEN NULL WHEN v.seconds <= 3 * f.seconds THEN 'yes' ELSE 'no' END AS reached
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

SELECT format('WARNING: the backend waited for a processor for %s %% of the time. The machine was busy, do not rely on these figures.',
			  round((100 * waiting)::numeric))
FROM (
	SELECT 1 - sum(processor_seconds) / sum(seconds) AS waiting
	FROM bench_status_sample
	WHERE kind IN ('floor', 'view') AND workers = 0) AS samples
WHERE waiting > 0.03
\g (format=unaligned tuples_only=on)
